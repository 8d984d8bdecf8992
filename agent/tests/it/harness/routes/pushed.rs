//! What comes of samples and scans that are pushed.

use super::{Answer, refuse, respond};
use crate::harness::HubState;
use pingup_protocol::{
    discovery::DiscoveryBody,
    metrics::{BatchEntry, MetricsBody, PushAnswer, Rejected, Sample},
    problem::{Problem, ProblemType},
    schema,
    time::Timestamp,
};

pub(super) fn metrics(state: &mut HubState, body: &[u8]) -> Answer {
    let Ok(MetricsBody::Batch(batch)) = MetricsBody::read(body) else {
        state.complaints.push(format!("no batch: {}", String::from_utf8_lossy(body)));
        return refuse(Problem::new(ProblemType::SchemaInvalid, "x"));
    };
    state.batches.push(batch.entries.len());
    let mut answer = empty_answer(state.now());
    let oldest = state.now().plus_seconds(state.keeps_seconds.saturating_neg());
    let mut mark = state.marks.get(&batch.boot).copied().unwrap_or_default();
    for entry in batch.entries {
        if entry.seq() <= mark {
            answer.duplicates += 1;
            let is_old = |sample: &Sample| sample.timestamp < oldest;
            answer.duplicates_expired +=
                u64::from(matches!(&entry, BatchEntry::Good(sample) if is_old(sample)));
            continue;
        }
        mark = entry.seq();
        match entry {
            BatchEntry::Good(sample) if sample.timestamp > state.now().plus_seconds(300) => {
                let problem = ProblemType::TimestampInFuture.name().to_owned();
                answer.rejected.push(Rejected { seq: sample.seq, problem, detail: "x".into() });
            }
            BatchEntry::Good(sample) if sample.timestamp < oldest => answer.expired += 1,
            BatchEntry::Good(sample) => {
                answer.accepted += 1;
                state.samples.push((batch.boot, sample));
            }
            BatchEntry::Bad(rejected) => state.complaints.push(format!("{rejected:?}")),
        }
    }
    state.marks.insert(batch.boot, mark);
    answer.high_water = Some(mark);
    respond(200, "application/json", serde_json::to_vec(&answer).unwrap())
}

pub(super) fn discovery(state: &mut HubState, body: &[u8]) -> Answer {
    let scan: DiscoveryBody = schema::read(body).unwrap();
    let (boot, seq) = (scan.boot.unwrap(), scan.seq.unwrap());
    let mut answer = empty_answer(state.now());
    let mark = state.marks.entry(boot).or_default();
    if seq > *mark {
        *mark = seq;
        answer.accepted = 1;
        state.scans.push(scan);
    } else {
        answer.duplicates = 1;
    }
    answer.high_water = state.marks.get(&boot).copied();
    respond(200, "application/json", serde_json::to_vec(&answer).unwrap())
}

fn empty_answer(server_time: Timestamp) -> PushAnswer {
    PushAnswer {
        accepted: 0,
        duplicates: 0,
        duplicates_expired: 0,
        expired: 0,
        rejected: Vec::new(),
        high_water: None,
        server_time,
    }
}
