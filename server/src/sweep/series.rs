//! Series that others wrote: those that nobody writes any more are forgotten, and then deleted.

use super::{Job, TICK};
use std::{error::Error, sync::Arc, time::Duration};
use tokio::task::spawn_blocking;

/// How often is looked for what may be forgotten: it has been past its time for hours, and taking it out of memory
/// keeps who writes waiting for a moment.
const LOOK_EVERY: Duration = Duration::from_secs(3_600);

/// The job that forgets; `forget` blocks.
pub fn forget(forget: impl Fn() + Send + Sync + 'static) -> Job {
    let forget = Arc::new(forget);
    Job::new("series", LOOK_EVERY, move || {
        let forget = Arc::clone(&forget);
        spawn_blocking(move || forget())
    })
}

/// The job that deletes; `tidy` takes some rows at once, so that nobody waits for long.
pub fn tidy<F, R, E>(tidy: F) -> Job
where
    F: FnMut() -> R + Send + 'static,
    R: Future<Output = Result<(), E>> + Send + 'static,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    Job::new("series-records", TICK, tidy)
}
