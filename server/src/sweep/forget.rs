//! Commands that were kept for long enough.

use super::{Believed, Job, TICK};
use crate::storage::{Sqlite, StorageError};
use pingup_protocol::time::Timestamp;
use rusqlite::Connection;
use std::{fmt::Debug, time::Duration};

/// Deletes some of what was over and is from that moment or before; says what.
pub type Forget<T> = fn(&Connection, Timestamp) -> rusqlite::Result<T>;

/// The job: each second some rows, so that nobody waits for long; what is left waits for the next.
pub fn job<T: Debug + Default + PartialEq + Send + 'static>(
    sqlite: Sqlite,
    believed: Believed,
    kept: Duration,
    forget: Forget<T>,
) -> Job {
    Job::new("forget", TICK, move || {
        let (sqlite, now) = (sqlite.clone(), believed());
        async move {
            let Some(until) = now.map(|now| before(now, kept)) else { return Ok(()) };
            let work = move |connection: &Connection| Ok::<_, StorageError>(forget(connection, until)?);
            let forgotten = sqlite.write(work).await?;
            if forgotten != T::default() {
                // Each second, for as long as there is something: no news.
                tracing::debug!(?forgotten, "kept for long enough: deleted");
            }
            Ok::<_, StorageError>(())
        }
    })
}

/// The moment so long before `now`.
fn before(now: Timestamp, kept: Duration) -> Timestamp {
    let micros = i64::try_from(kept.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(now.as_micros().saturating_sub(micros))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{storage::scratch::Scratch, sweep::Sweep};
    use std::sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    };
    use tokio::sync::oneshot;

    #[test]
    fn what_is_kept_counts_from_now_backwards() {
        let now = Timestamp::from_micros(5_000_000);
        assert_eq!(before(now, Duration::from_secs(2)).as_micros(), 3_000_000);
        assert_eq!(before(now, Duration::MAX).as_micros(), 5_000_000 - i64::MAX);
    }

    #[tokio::test]
    async fn it_asks_for_what_is_older_than_is_kept_once_the_clock_is_believed() {
        let sqlite = Scratch::new().sqlite();
        let looks = Arc::new(AtomicI64::new(0));
        let believed: Believed = Arc::new(move || match looks.fetch_add(1, Ordering::Relaxed) {
            0 => None,
            _ => Some(Timestamp::from_micros(5_000_000)),
        });
        // Writes down what it was asked for.
        let forget: Forget<usize> = |connection, until| {
            connection.execute(
                "INSERT INTO command_numbers VALUES (2000, ?1) ON CONFLICT DO NOTHING",
                [until.as_micros()],
            )
        };
        let sweep = Sweep::new().with(job(sqlite.clone(), believed, Duration::from_secs(2), forget));
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(sweep.run(async {
            let _ = stopped.await;
        }));
        let asked = loop {
            let asked = |connection: &Connection| {
                let mut statement = connection.prepare("SELECT last FROM command_numbers")?;
                let found: Vec<i64> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
                Ok::<_, StorageError>(found)
            };
            if let [asked] = sqlite.read(asked).await.unwrap()[..] {
                break asked;
            }
            tokio::task::yield_now().await;
        };
        assert_eq!(asked, 3_000_000);
        drop(stop);
        running.await.unwrap();
    }
}
