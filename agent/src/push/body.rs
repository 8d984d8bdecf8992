//! From records to a body: samples become a batch, a scan goes alone.

use crate::{
    record::SpooledSample,
    spool::{Kind, Record},
    transport::{Failure, Session},
};
use pingup_protocol::{
    discovery::{DiscoveryBody, Scan},
    ids::AgentId,
    metrics::{BatchBody, PushAnswer, Rejected, Sample},
    problem::ProblemType,
};

/// What goes out in one request.
pub(super) enum Outgoing<'a> {
    /// Samples.
    Batch { agent_id: &'a AgentId, boot: u64, samples: Vec<Sample> },
    /// A scan.
    Scan(DiscoveryBody),
}

impl<'a> Outgoing<'a> {
    /// Makes a body of `records`, the first of which is number `seq` of `boot`. Samples behind one that cannot
    /// be read are left for the next time; `None` when it is the first.
    pub(super) fn read(agent_id: &'a AgentId, boot: u64, seq: u64, records: &[Record]) -> Option<Self> {
        let first = records.first()?;
        if first.kind == Kind::Scan {
            let discovery: Scan = serde_json::from_slice(&first.json).ok()?;
            return Some(Self::Scan(DiscoveryBody {
                agent_id: agent_id.clone(),
                boot: Some(boot),
                seq: Some(seq),
                timestamp: first.timestamp,
                discovery,
            }));
        }
        let sample = |record: &Record| {
            let SpooledSample { metrics, status } = serde_json::from_slice(&record.json).ok()?;
            let seq = seq + (record.number - first.number);
            Some(Sample { seq, timestamp: record.timestamp, metrics, status })
        };
        let samples: Vec<Sample> = records.iter().map_while(sample).collect();
        (!samples.is_empty()).then_some(Self::Batch { agent_id, boot, samples })
    }

    /// Signs it now, and sends it.
    pub(super) async fn send(&self, session: &mut Session) -> Result<PushAnswer, Failure> {
        let answer = match self {
            Self::Batch { agent_id, boot, samples } => {
                let body = BatchBody { agent_id, boot: *boot, samples };
                session.post("/api/v1/metrics", &body).await?
            }
            Self::Scan(body) => session.post("/api/v1/discovery", body).await?,
        };
        serde_json::from_slice(&answer)
            .map_err(|error| Failure::Unverified(format!("it does not say what was committed: {error}")))
    }
}

/// Whether a sample was rejected because its time lies in the hub's future.
pub(super) fn is_ahead(rejected: &Rejected) -> bool {
    ProblemType::from_name(&rejected.problem) == Some(ProblemType::TimestampInFuture)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pingup_protocol::time::Timestamp;

    fn record(number: u64, kind: Kind, json: &str) -> Record {
        let timestamp = Timestamp::from_micros(number.cast_signed() * 1_000_000);
        Record { number, kind, timestamp, json: json.into() }
    }

    const SAMPLE: &str = r#"{"metrics":{"cpu":1.5,"load1":0.25},"status":"online"}"#;

    #[test]
    fn samples_keep_their_own_time_and_get_the_numbers_of_the_boot() {
        let id = AgentId::parse("a").unwrap();
        let records = [record(11, Kind::Sample, SAMPLE), record(13, Kind::Sample, SAMPLE)];
        let Some(Outgoing::Batch { samples, boot: 5, .. }) = Outgoing::read(&id, 5, 1, &records) else {
            panic!("a batch expected")
        };
        let seen: Vec<_> = samples.iter().map(|sample| (sample.seq, sample.timestamp.as_micros())).collect();
        assert_eq!(seen, [(1, 11_000_000), (3, 13_000_000)]);
        assert_eq!(samples[0].metrics.cpu, Some(1.5));
    }

    #[test]
    fn a_scan_goes_alone_and_what_cannot_be_read_does_not_go() {
        let id = AgentId::parse("a").unwrap();
        let scan = [record(4, Kind::Scan, r#"{"hosts":[],"duration":3}"#)];
        assert!(
            matches!(Outgoing::read(&id, 5, 4, &scan), Some(Outgoing::Scan(body)) if body.seq == Some(4))
        );
        assert!(Outgoing::read(&id, 5, 1, &[record(1, Kind::Sample, "{")]).is_none());
        let mixed = [record(1, Kind::Sample, SAMPLE), record(2, Kind::Sample, "{")];
        assert!(
            matches!(Outgoing::read(&id, 5, 1, &mixed), Some(Outgoing::Batch { samples, .. }) if samples.len() == 1)
        );
    }
}
