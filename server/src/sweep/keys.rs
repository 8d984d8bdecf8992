//! Agents' keys that are old get successors, and those whose end has come go. Only while the clock is believed: what is
//! deleted here is gone for good.

use super::{Believed, Job, JobError};
use pingup_protocol::time::Timestamp;
use std::{sync::Arc, time::Duration};

/// How often it is looked: an end is kept to the moment without this, and a successor is in no hurry.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// The job; `tend` does it for a moment.
pub fn job<F, R>(believed: Believed, tend: F) -> Job
where
    F: Fn(Timestamp) -> R + Send + Sync + 'static,
    R: Future<Output = Result<(), JobError>> + Send + 'static,
{
    let tend = Arc::new(tend);
    Job::new("keys", LOOK_EVERY, move || {
        let tending = believed().map(|now| tend(now));
        async move {
            match tending {
                Some(tending) => tending.await,
                None => Ok(()),
            }
        }
    })
}
