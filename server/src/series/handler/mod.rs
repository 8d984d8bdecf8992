//! The doors for other people's senders: remote write ([`write`]) and OTLP ([`otlp`]).
//!
//! A body is unpacked and read within its [`Allowance`], away from the threads that serve where it is long, into what the
//! room stores ([`Brought`]). What tells far more than it is long is handed over while it is read ([`outlet`]). What of it cannot be stored is left out and told, after the rest is committed: the hub never
//! refuses good samples for the sake of bad ones. What may succeed later is 503; what never will is 400, for senders let
//! that go and would repeat anything else for ever.

mod brought;
mod delete;
mod otlp;
mod outcome;
mod outlet;
mod write;

pub use delete::delete;
pub use otlp::otlp;
pub use write::write;

use super::{Push, Series, Taken};
use crate::http::{
    body::{
        Budget, SENDER_BODIES_BYTES_MAX, SENDER_BYTES_MAX, SENDERS_BODIES_BYTES_MAX, SENDERS_RESERVED_BYTES,
        Shares, WAITING_BYTES,
    },
    problem::Refusal,
    unpack::Allowance,
};
use brought::Brought;
use outcome::{Outcome, Unfit};
use outlet::{Handed, Outlet};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// A body of OTLP, as it comes.
pub const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// A body of remote write, as it comes: vmagent makes blocks of 8 MiB unless told otherwise, and snappy may make them a
/// sixth longer.
pub const WRITE_BODY_BYTES_MAX: usize = 10 * 1024 * 1024;
/// A body, unpacked.
const UNPACKED_BYTES_MAX: usize = 16 * 1024 * 1024;
/// An unpacked body and all that is made of it: a message may be much smaller than what it tells.
const REQUEST_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Bodies above this, unpacked, are read off the threads that serve connections.
const INLINE_BYTES_MAX: usize = 64 * 1024;
const _: () = assert!(UNPACKED_BYTES_MAX < REQUEST_BYTES_MAX);
const _: () = assert!(BODY_BYTES_MAX <= WRITE_BODY_BYTES_MAX);
const _: () = assert!(
    WRITE_BODY_BYTES_MAX + REQUEST_BYTES_MAX + SENDERS_RESERVED_BYTES <= SENDERS_BODIES_BYTES_MAX,
    "one always fits"
);
const _: () = assert!(REQUEST_BYTES_MAX <= SENDER_BYTES_MAX, "one of a sender always fits");
const _: () =
    assert!(WRITE_BODY_BYTES_MAX + WAITING_BYTES <= SENDER_BODIES_BYTES_MAX, "one of its bodies too");

/// What the doors have.
#[derive(Debug)]
pub struct Doors {
    series: Arc<Series>,
    memory: Budget,
    /// Of those who hand over while they are read.
    turns: Arc<Semaphore>,
    /// What each sender has of it.
    shares: Shares,
}

impl Doors {
    /// Doors to the room, whose requests share this memory with each other's bodies.
    pub fn new(series: Arc<Series>, memory: Budget) -> Self {
        Self {
            series,
            memory,
            turns: Arc::new(Semaphore::new(outlet::AT_ONCE)),
            shares: Shares::of_what_is_read(),
        }
    }

    /// Reads a request of some `bytes`, unpacked, and stores what it brings: answers once that is committed, with what
    /// `read` says.
    async fn take<T: Send + 'static>(
        &self,
        sender: String,
        bytes: usize,
        read: impl FnOnce(&mut Brought) -> Result<T, Unfit> + Send + 'static,
    ) -> Result<(T, Outcome), Unfit> {
        let allowance = Allowance::of(&self.memory, REQUEST_BYTES_MAX).within(&self.shares.of(&sender));
        let mut brought = Brought::by(sender, allowance);
        let mut outcome = Outcome::default();
        let (read, brought) = match bytes {
            ..=INLINE_BYTES_MAX => (read(&mut brought)?, brought),
            _ => {
                let (outlet, mut handed) = Outlet::new(&self.turns);
                brought.outlet = Some(outlet);
                let reading = tokio::task::spawn_blocking(move || {
                    let read = read(&mut brought);
                    brought.outlet = None;
                    read.map(|read| (read, brought))
                });
                while let Some(Handed { pushes, committed }) = handed.recv().await {
                    self.store(pushes, &mut outcome).await?;
                    // Whoever reads waits for it.
                    let _ = committed.send(());
                }
                reading.await.map_err(|error| Refusal::internal("a body could not be read", &error))??
            }
        };
        let Brought { pushes, refused, ends, allowance, .. } = brought;
        self.store(pushes, &mut outcome).await?;
        // The memory that a request takes is given back when all of it is committed.
        drop(allowance);
        Ok((read, outcome.of(refused, ends)))
    }

    async fn store(&self, pushes: Vec<Push>, outcome: &mut Outcome) -> Result<(), Unfit> {
        for push in pushes {
            let samples = push.series.iter().map(|series| series.points.len()).sum();
            let pushed = self.series.push_behind(push, outcome.reached()).await;
            outcome.count(samples, pushed)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
