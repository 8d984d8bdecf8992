//! Room that queries share. Each has a share of points of its own; beyond it goes one at a time, and the others that would
//! wait for it. So all together take less than each might, and none is refused for another's sake.

use crate::error::Error;
use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How often one that waits looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(50);

/// The room beyond the queries' own shares; clones share it.
#[derive(Clone, Debug)]
pub struct Spare(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    own_points: u64,
    taken: Mutex<bool>,
    freed: Condvar,
}

impl Inner {
    fn taken(&self) -> MutexGuard<'_, bool> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spare {
    /// For queries that keep `own_points` each without asking.
    pub fn new(own_points: u64) -> Self {
        Self(Arc::new(Inner { own_points, taken: Mutex::new(false), freed: Condvar::new() }))
    }

    /// One query's word for it.
    pub fn claim(&self) -> Claim {
        Claim(Arc::new(Held { spare: Arc::clone(&self.0), holds: Mutex::new(false) }))
    }
}

/// One query's claim to the room, which it holds from when it needs it until all clones are gone: whoever keeps the
/// answer keeps one.
#[derive(Clone, Debug)]
pub struct Claim(Arc<Held>);

#[derive(Debug)]
struct Held {
    spare: Arc<Inner>,
    holds: Mutex<bool>,
}

impl Claim {
    /// The query keeps so many points: waits (blocking) until it may. `check` ends the wait.
    ///
    /// # Errors
    /// What `check` says.
    pub fn admit(&self, points: u64, check: impl Fn() -> Result<(), Error>) -> Result<(), Error> {
        let spare = &self.0.spare;
        if points <= spare.own_points {
            return Ok(());
        }
        let mut holds = self.0.holds.lock().unwrap_or_else(PoisonError::into_inner);
        if *holds {
            return Ok(());
        }
        loop {
            let mut taken = spare.taken();
            if !*taken {
                (*taken, *holds) = (true, true);
                return Ok(());
            }
            drop(spare.freed.wait_timeout(taken, LOOK));
            check()?;
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let holds = self.holds.get_mut().unwrap_or_else(PoisonError::into_inner);
        if *holds {
            *self.spare.taken() = false;
            self.spare.freed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use std::cell::Cell;

    fn unwanted() -> Result<(), Error> {
        Err(Error::new(ErrorKind::Cancelled, "not wanted"))
    }

    #[test]
    fn beyond_its_share_goes_one_query_at_a_time() {
        let spare = Spare::new(10);
        let (first, second) = (spare.claim(), spare.claim());
        assert!(first.admit(10, unwanted).is_ok() && second.admit(10, unwanted).is_ok());
        assert!(first.admit(11, unwanted).is_ok() && first.admit(1_000, unwanted).is_ok());
        assert_eq!(second.admit(11, unwanted).unwrap_err().kind(), ErrorKind::Cancelled);
        let answer = first.clone();
        drop(first);
        assert!(second.admit(11, unwanted).is_err());
        drop(answer);
        assert!(second.admit(11, unwanted).is_ok());
    }

    #[test]
    fn who_waits_goes_on_when_the_other_is_gone() {
        let spare = Spare::new(0);
        let first = spare.claim();
        first.admit(1, unwanted).unwrap();
        let first = Cell::new(Some(first));
        let looks = Cell::new(0);
        let look = || {
            looks.set(looks.get() + 1);
            drop(first.take());
            Ok(())
        };
        spare.claim().admit(1, look).unwrap();
        assert_eq!(looks.get(), 1);
    }
}
