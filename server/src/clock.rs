//! The one place that reads the wall clock. Everything else is given a [`Clock`], or a moment.

use pingup_protocol::time::Timestamp;
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

/// Tells the time; in tests, the time it was told.
#[derive(Clone)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// The machine's clock.
    pub const fn system() -> Self {
        Self(None)
    }

    /// A clock that stands still at `now` until it is moved.
    pub fn fixed(now: Timestamp) -> Self {
        Self(Some(Arc::new(AtomicI64::new(now.as_micros()))))
    }

    /// Moves a standing clock by `seconds`; the machine's clock is left alone.
    pub fn advance(&self, seconds: i64) {
        if let Some(standing) = &self.0 {
            standing.fetch_add(seconds.saturating_mul(1_000_000), Ordering::SeqCst);
        }
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Some(standing) => Timestamp::from_micros(standing.load(Ordering::SeqCst)),
            None => {
                let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp::from_micros(i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX))
            }
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}
