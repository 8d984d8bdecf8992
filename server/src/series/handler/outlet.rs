//! Where a request that brings very much hands over what it has while it is still read: a message of a few megabytes may
//! tell of a hundred thousand series, whose labels are far more than one request may hold.
//!
//! The thread that reads hands over, and waits until all of it is committed; its memory is then free for what comes next.
//! So it is held up by the disk, and only [`AT_ONCE`] requests may be: another is told to come back.

use crate::{http::unpack::RoomError, series::Push};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

/// Requests that hand over while they are read.
pub(super) const AT_ONCE: usize = 4;

/// What was handed over.
pub(super) struct Handed {
    /// To be committed, in their order.
    pub(super) pushes: Vec<Push>,
    /// To be told once they are; dropped where they could not be.
    pub(super) committed: oneshot::Sender<()>,
}

/// The reading thread's end.
pub(super) struct Outlet {
    to: mpsc::Sender<Handed>,
    turns: Arc<Semaphore>,
    /// Held from the first time on.
    turn: Option<OwnedSemaphorePermit>,
}

impl Outlet {
    /// An outlet, and where it leads; `turns` are shared by all requests.
    pub(super) fn new(turns: &Arc<Semaphore>) -> (Self, mpsc::Receiver<Handed>) {
        let (to, from) = mpsc::channel(1);
        (Self { to, turns: Arc::clone(turns), turn: None }, from)
    }

    /// Hands pushes over, and answers once they are committed. Blocks.
    ///
    /// # Errors
    /// Too many others do the same; or they were not committed, which whoever asked has been told already.
    pub(super) fn hand_over(&mut self, pushes: Vec<Push>) -> Result<(), RoomError> {
        if self.turn.is_none() {
            let turn = Arc::clone(&self.turns).try_acquire_owned();
            self.turn = Some(turn.map_err(|_| RoomError::Taken)?);
        }
        let (committed, answer) = oneshot::channel();
        self.to.blocking_send(Handed { pushes, committed }).map_err(|_| RoomError::Taken)?;
        answer.blocking_recv().map_err(|_| RoomError::Taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn so_many_hand_over_at_once_and_each_waits_for_its_commit() {
        let turns = Arc::new(Semaphore::new(1));
        let (mut first, mut from) = Outlet::new(&turns);
        let (mut second, kept) = Outlet::new(&turns);
        let reading = thread::spawn(move || {
            let twice = [first.hand_over(vec![Push::default()]), first.hand_over(Vec::new())];
            (twice, first)
        });
        let handed = from.blocking_recv().unwrap();
        assert_eq!(handed.pushes.len(), 1);
        assert_eq!(second.hand_over(Vec::new()), Err(RoomError::Taken), "the first one has the turn");
        handed.committed.send(()).unwrap();
        // Not committed.
        drop(from.blocking_recv().unwrap());
        let (twice, first) = reading.join().unwrap();
        assert_eq!(twice, [Ok(()), Err(RoomError::Taken)]);
        drop((first, from));
        assert_eq!(turns.available_permits(), 1, "it gave its turn back");
        drop(kept);
        assert_eq!(second.hand_over(Vec::new()), Err(RoomError::Taken), "nobody takes it any more");
    }
}
