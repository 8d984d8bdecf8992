//! From a typed body to a [`Job`]: what may be stored, judged by the clock and the retention alone.
//!
//! Pure: the same body and window give the same job. A single sample or scan too far in the future is refused
//! as a whole, its number not consumed, so that the agent can correct its clock and sign anew; in a batch such
//! a sample is rejected by itself, so that one wrong clock reading never holds up a spool.

use super::{Fate, IngestError, Job, Load, Record};
use crate::tsdb::retain::before;
use pingup_protocol::{
    discovery::DiscoveryBody,
    limits::FUTURE_SECONDS_MAX,
    metrics::{BatchEntry, MetricsBody, ReadBatch, Rejected, Sample, SingleBody},
    problem::ProblemType,
    time::Timestamp,
};
use std::time::Duration;

/// What is neither too old nor too far ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    now: Timestamp,
    oldest: Timestamp,
    newest: Timestamp,
    /// See [`Window::due`].
    due: Option<Timestamp>,
}

impl Window {
    /// The window at `now`, for a hub that keeps samples for `retention`.
    pub fn new(now: Timestamp, retention: Duration) -> Self {
        let newest = now.plus_seconds(FUTURE_SECONDS_MAX);
        Self { now, oldest: before(now, retention), newest, due: None }
    }

    /// The same by a clock that is not believed: nothing is too old.
    pub fn doubted(now: Timestamp, retention: Duration) -> Self {
        let oldest = Timestamp::from_micros(i64::MIN);
        Self { oldest, due: Some(before(now, retention)), ..Self::new(now, retention) }
    }

    /// Where the clock is not believed: the moment before which nothing would be stored if it were.
    pub const fn due(&self) -> Option<Timestamp> {
        self.due
    }

    fn check_future(&self, timestamp: Timestamp) -> Result<(), IngestError> {
        if timestamp <= self.newest {
            return Ok(());
        }
        let ahead = timestamp.as_micros().saturating_sub(self.now.as_micros());
        Err(IngestError::InFuture { ahead_seconds: ahead / 1_000_000 })
    }

    fn is_expired(&self, timestamp: Timestamp) -> bool {
        timestamp < self.oldest
    }
}

/// Takes a body of `POST /api/v1/metrics`.
pub fn metrics(body: MetricsBody, window: &Window) -> Result<Job, IngestError> {
    match body {
        MetricsBody::Single(SingleBody { agent_id, boot, seq, timestamp, metrics, status }) => {
            let load = single(boot.zip(seq), timestamp, Record::Sample { status, metrics }, window)?;
            Ok(Job { agent_id, load })
        }
        MetricsBody::Batch(ReadBatch { agent_id, boot, entries }) => {
            let entries = entries.into_iter().map(|entry| (entry.seq(), fate(entry, window))).collect();
            Ok(Job { agent_id, load: Load::Stream { boot, entries } })
        }
    }
}

/// Takes a body of `POST /api/v1/discovery`.
pub fn discovery(body: DiscoveryBody, window: &Window) -> Result<Job, IngestError> {
    let DiscoveryBody { agent_id, boot, seq, timestamp, discovery } = body;
    Ok(Job { agent_id, load: single(boot.zip(seq), timestamp, Record::Scan(discovery), window)? })
}

fn single(
    number: Option<(u64, u64)>,
    timestamp: Timestamp,
    record: Record,
    window: &Window,
) -> Result<Load, IngestError> {
    window.check_future(timestamp)?;
    let expired = window.is_expired(timestamp);
    Ok(match number {
        None => Load::Unnumbered(timestamp, (!expired).then_some(record)),
        Some((boot, seq)) => {
            let fate = if expired { Fate::Expired(timestamp) } else { Fate::Store(timestamp, record) };
            Load::Stream { boot, entries: vec![(seq, fate)] }
        }
    })
}

fn fate(entry: BatchEntry, window: &Window) -> Fate {
    let Sample { seq, timestamp, metrics, status } = match entry {
        BatchEntry::Good(sample) => sample,
        BatchEntry::Bad(rejected) => return Fate::Rejected(rejected),
    };
    if let Err(error) = window.check_future(timestamp) {
        let problem = ProblemType::TimestampInFuture.name().to_owned();
        return Fate::Rejected(Rejected { seq, problem, detail: error.to_string() });
    }
    if window.is_expired(timestamp) {
        return Fate::Expired(timestamp);
    }
    Fate::Store(timestamp, Record::Sample { status, metrics })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
    const RETENTION: Duration = Duration::from_secs(3600);

    fn take(json: &str) -> Result<Job, IngestError> {
        metrics(MetricsBody::read(json.as_bytes()).unwrap(), &Window::new(NOW, RETENTION))
    }

    fn single_at(seconds: i64, numbers: &str) -> Result<Load, IngestError> {
        let timestamp = NOW.plus_seconds(seconds);
        let json = format!(
            r#"{{"agentId":"a","timestamp":"{timestamp}","metrics":{{"cpu":1}},"status":"online"{numbers}}}"#
        );
        take(&json).map(|job| job.load)
    }

    #[test]
    fn a_single_sample_is_stored_expired_or_refused_by_its_time() {
        for (seconds, stored) in [(0, true), (300, true), (-3600, true), (-3601, false)] {
            let Load::Unnumbered(_, record) = single_at(seconds, "").unwrap() else {
                panic!("no numbers were sent")
            };
            assert_eq!(record.is_some(), stored, "{seconds}");
            let Load::Stream { boot: 7, entries } = single_at(seconds, r#","boot":7,"seq":3"#).unwrap()
            else {
                panic!("numbers were sent")
            };
            assert_eq!(matches!(entries[..], [(3, Fate::Store(..))]), stored, "{seconds}");
        }
        assert_eq!(single_at(301, ""), Err(IngestError::InFuture { ahead_seconds: 301 }));
        assert_eq!(single_at(400, r#","boot":7,"seq":3"#), Err(IngestError::InFuture { ahead_seconds: 400 }));
    }

    #[test]
    fn in_a_batch_each_sample_has_its_own_fate() {
        let sample = |seq: u64, seconds, cpu| {
            let timestamp = NOW.plus_seconds(seconds);
            format!(
                r#"{{"seq":{seq},"timestamp":"{timestamp}","metrics":{{"cpu":{cpu}}},"status":"online"}}"#
            )
        };
        let samples = [sample(2, 0, 1), sample(3, 301, 1), sample(5, -4000, 1), sample(6, 0, 101)].join(",");
        let job = take(&format!(r#"{{"agentId":"a","boot":9,"samples":[{samples}]}}"#)).unwrap();
        let Load::Stream { boot: 9, entries } = &job.load else { panic!("a batch is a stream") };
        let fates: Vec<_> = entries
            .iter()
            .map(|(seq, fate)| match fate {
                Fate::Store(..) => (*seq, "store"),
                Fate::Expired(_) => (*seq, "expired"),
                Fate::Rejected(rejected) if rejected.problem == "timestamp-in-future" => (*seq, "future"),
                Fate::Rejected(_) => (*seq, "rejected"),
            })
            .collect();
        assert_eq!(fates, [(2, "store"), (3, "future"), (5, "expired"), (6, "rejected")]);
        assert_eq!(job.rows(), 1);
    }

    #[test]
    fn a_scan_takes_the_same_road() {
        let json = format!(
            r#"{{"agentId":"a","timestamp":"{NOW}","discovery":{{"duration":5,"hosts":[{{"ip":"::1","latency":1,"ports":[80]}}]}}}}"#
        );
        let body: DiscoveryBody = pingup_protocol::schema::read(json.as_bytes()).unwrap();
        let job = discovery(body.clone(), &Window::new(NOW, RETENTION)).unwrap();
        assert_eq!(job.rows(), 2);
        assert!(discovery(body, &Window::new(NOW.plus_seconds(-301), RETENTION)).is_err());
    }

    #[test]
    fn an_endless_retention_keeps_everything() {
        let window = Window::new(NOW, Duration::MAX);
        assert!(!window.is_expired(Timestamp::parse("0000-01-01T00:00:00Z").unwrap()));
    }
}
