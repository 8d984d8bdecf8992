//! The fake hub's way with samples and scans: marks in memory, and the faults on request.

use super::{Answer, Fault, HangUp, State, json_answer, refuse};
use pingup_protocol::{
    discovery::DiscoveryBody,
    metrics::{MetricsBody, PushAnswer, Rejected},
    problem::ProblemType,
    schema,
    signing::{self, Key},
    time::Timestamp,
};
use std::sync::Mutex;

pub(super) fn metrics(
    state: &Mutex<State>,
    fault: Fault,
    id: &str,
    first: bool,
    body: &[u8],
) -> Result<Answer, HangUp> {
    let mut state = state.lock().unwrap();
    if !signing::scan(body).unwrap().verify(&Key::new(&state.keys[id])) {
        return Ok(refuse(ProblemType::SignatureInvalid));
    }
    match fault {
        Fault::RefusesAll => return Ok(refuse(ProblemType::SchemaInvalid)),
        Fault::OverloadedOnce if first => return Ok(refuse(ProblemType::Overloaded)),
        _ => {}
    }
    let mut counts = PushAnswer {
        accepted: 0,
        duplicates: 0,
        duplicates_expired: 0,
        expired: 0,
        rejected: Vec::new(),
        high_water: None,
        server_time: Timestamp::from_micros(0),
    };
    for (index, seq) in numbers(body).into_iter().enumerate() {
        let mark = state.marks.entry(id.to_owned()).or_default();
        if seq <= *mark || fault == Fault::CallsAllDuplicates {
            counts.duplicates += 1;
            continue;
        }
        let gap = (seq != *mark + 1).then(|| format!("{id} jumped from {mark} to {seq}"));
        *mark = seq;
        state.faults_of_caller.extend(gap);
        if fault == Fault::RejectsFirstSample && index == 0 {
            let problem = ProblemType::SchemaInvalid.name().to_owned();
            counts.rejected.push(Rejected { seq, problem, detail: "on purpose".to_owned() });
            continue;
        }
        counts.accepted += 1;
        state.stored += 1;
    }
    counts.high_water = state.marks.get(id).copied();
    match fault {
        Fault::LosesFirstAnswer if first => Err(HangUp),
        _ => Ok(json_answer(200, &counts)),
    }
}

fn numbers(body: &[u8]) -> Vec<u64> {
    if let Ok(scan) = schema::read::<DiscoveryBody>(body) {
        return vec![scan.seq.unwrap()];
    }
    match MetricsBody::read(body).unwrap() {
        MetricsBody::Single(body) => vec![body.seq.unwrap()],
        MetricsBody::Batch(body) => body.entries.iter().map(|entry| entry.seq()).collect(),
    }
}
