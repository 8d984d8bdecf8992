//! What is older than it is kept for goes, once an hour.

use super::{Job, JobError};
use crate::clock::Clock;
use pingup_protocol::time::Timestamp;
use std::{future::Future, time::Duration};

/// How often: an hour more or less does not matter to what is kept for days.
const EVERY: Duration = Duration::from_secs(3_600);

/// The job: `delete` takes away what is older than the given moment, by way of the history's one writer, and
/// says how many rows that were.
pub fn job<D, R, E>(clock: Clock, keep: Duration, mut delete: D) -> Job
where
    D: FnMut(Timestamp) -> R + Send + 'static,
    R: Future<Output = Result<u64, E>> + Send + 'static,
    E: Into<JobError>,
{
    Job::new("retention", EVERY, move || {
        let deleting = delete(oldest_kept(clock.now(), keep));
        async move {
            let rows = deleting.await.map_err(Into::into)?;
            if rows > 0 {
                tracing::info!(rows, "older than they are kept for: deleted");
            }
            Ok::<_, JobError>(())
        }
    })
}

fn oldest_kept(now: Timestamp, keep: Duration) -> Timestamp {
    now.plus_seconds(i64::try_from(keep.as_secs()).map_or(i64::MIN, |seconds| -seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_kept_is_counted_from_now() {
        let now = Timestamp::from_micros(10_000_000);
        assert_eq!(oldest_kept(now, Duration::from_secs(4)).as_micros(), 6_000_000);
        assert!(oldest_kept(now, Duration::MAX) < Timestamp::from_micros(0), "for ever is no overflow");
    }
}
