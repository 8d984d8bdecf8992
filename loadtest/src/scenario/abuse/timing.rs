//! Whether an agent that nobody knows is told from one that signs badly, by the time its answer takes.
//!
//! A hub has one agent, and is backed up; then it gets another one. The backup, restored, knows the first and not the second, though the
//! second's token is of its own making. Both send the same message, signed by a key that is nobody's, over one connection in an order that is
//! drawn by lot; the times are compared by rank (Mann and Whitney), for a mean says little where a few answers take long.

use crate::{
    client::Client,
    error::LoadError,
    fleet::{FleetAgent, METRICS, now, register_one},
    hub::{Stage, Start},
    measured::mix,
    progress, request,
    settings::{OwnHub, Target},
};
use pingup_protocol::{
    keys::{KEY_BYTES, Secret},
    signing::{self, Key},
};
use serde::Serialize;
use serde_json::json;
use std::{ffi::OsStr, path::Path, sync::Arc, time::Instant};

/// Messages of each kind: fewer than one agent may send at once.
const SAMPLES: usize = 4_000;
/// Messages of each kind that are sent before.
const WARM_UP: usize = 200;
/// Beyond so many standard deviations the ranks differ by more than chance has it, once in a thousand runs.
const TOLD_APART: f64 = 3.29;

/// What came of it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Timing {
    samples: usize,
    known_p50_micros: f64,
    unknown_p50_micros: f64,
    /// Standard deviations between the ranks; below zero, the unknown one is answered sooner.
    z: f64,
    /// The refusals had the same status and the same words.
    same_answer: bool,
}

impl Timing {
    pub(super) fn text(&self) -> String {
        let Self { samples, known_p50_micros, unknown_p50_micros, z, same_answer } = self;
        let word = if z.abs() < TOLD_APART { "not told apart" } else { "told apart" };
        let same = if *same_answer { "the same answer" } else { "ANOTHER ANSWER" };
        format!(
            "  a bad signature {known_p50_micros:.1} µs, an unknown agent {unknown_p50_micros:.1} µs at the median of {samples} each, \
             {same}; by rank z = {z:.1}: {word} (advisory)\n"
        )
    }
}

/// Makes such a hub beside that of `target`, and asks it.
pub(super) async fn run(target: &Target, seed: u64) -> Result<Timing, LoadError> {
    let Target::Own(own) = target else { return Err(LoadError::Nothing("timing wants hubs of its own")) };
    let folder = tempfile::Builder::new()
        .prefix("pingup-loadtest-")
        .tempdir()
        .map_err(|source| LoadError::File { path: std::env::temp_dir().display().to_string(), source })?;
    let of = |name: &str| folder.path().join(name);
    let hub_on = |data_dir| Target::Own(OwnHub { server: own.server.clone(), data_dir: Some(data_dir) });

    let stage = Stage::open(&hub_on(of("first"))).await?;
    let known = agent(&stage, "known", seed).await?;
    let line =
        |words: [&'static str; 1], to: &Path| [OsStr::new(words[0]).to_owned(), to.as_os_str().to_owned()];
    let data_dir = |path: &Path| [OsStr::new("--data-dir").to_owned(), path.as_os_str().to_owned()];
    let call = |first: [std::ffi::OsString; 2], second: [std::ffi::OsString; 2]| [first, second].concat();
    let backup = call(line(["backup"], &of("backup")), data_dir(&of("first")));
    stage.told_by(&backup.iter().map(AsRef::as_ref).collect::<Vec<_>>()).await?;
    let unknown = agent(&stage, "unknown", seed).await?;
    let restore = call(line(["restore"], &of("backup")), data_dir(&of("second")));
    stage.told_by(&restore.iter().map(AsRef::as_ref).collect::<Vec<_>>()).await?;
    stage.close().await?;

    // What is compared is how long a refusal takes, not how many there may be.
    let environment = vec![("PINGUP_AGENT_REFUSALS_PER_SECOND", "1000000".to_owned())];
    let start = Start { environment, ..Start::default() };
    let stage = Stage::open_with(&hub_on(of("second")), start).await?;
    let compared = compare(&stage, [&known, &unknown], seed).await;
    stage.close().await?;
    compared
}

async fn agent(stage: &Stage, name: &str, seed: u64) -> Result<FleetAgent, LoadError> {
    let mut client = Client::new(Arc::clone(&stage.hub));
    let credentials = register_one(&mut client, &stage.hub, &stage.bearer, name.to_owned()).await?;
    FleetAgent::new(&credentials, 1, seed)
}

async fn compare(stage: &Stage, agents: [&FleetAgent; 2], seed: u64) -> Result<Timing, LoadError> {
    let key = Key::new(&Secret::new([9; KEY_BYTES]));
    let mut requests = Vec::new();
    for agent in agents {
        let body =
            json!({"agentId": agent.id(), "timestamp": now(), "status": "online", "metrics": {"cpu": 1}});
        let body = signing::sign(&key, &body).map_err(|error| LoadError::Credentials(error.to_string()))?;
        let mut request = agent.head(&stage.hub, METRICS);
        let head = request.len();
        request.extend_from_slice(&body);
        request::close(&mut request, head);
        requests.push(request);
    }
    let bar = progress::bar("timing", 2 * SAMPLES as u64, "messages");
    let mut client = Client::new(Arc::clone(&stage.hub));
    let mut times = [Vec::new(), Vec::new()];
    let mut details = [None, None];
    for turn in 0..2 * (SAMPLES + WARM_UP) as u64 {
        // In pairs, each in an order by lot: what drifts, drifts for both.
        let first = mix(seed ^ (turn / 2)) % 2;
        let who = usize::from((turn % 2) != first);
        let asked = Instant::now();
        let answer = client.exchange(&requests[who]).await?;
        let took = asked.elapsed();
        let said = answer.problem().map(|problem| (answer.status, problem.kind, problem.detail));
        details[who] = said;
        if turn >= 2 * WARM_UP as u64 {
            times[who].push(took.as_nanos() as u64);
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    let [known, unknown] = &mut times;
    let z = z_by_rank(known, unknown);
    let median = |times: &mut Vec<u64>| {
        times.sort_unstable();
        times.get(times.len() / 2).copied().unwrap_or_default() as f64 / 1e3
    };
    Ok(Timing {
        samples: SAMPLES,
        known_p50_micros: median(known),
        unknown_p50_micros: median(unknown),
        z,
        same_answer: details[0].is_some() && details[0] == details[1],
    })
}

/// How many standard deviations the ranks of `second` lie above what they would be if both were alike (ties at their mean rank).
fn z_by_rank(first: &[u64], second: &[u64]) -> f64 {
    let mut all: Vec<_> =
        first.iter().map(|time| (*time, false)).chain(second.iter().map(|time| (*time, true))).collect();
    all.sort_unstable();
    let (mut ranks, mut at) = (0.0, 0);
    while at < all.len() {
        let end = at + all[at..].iter().take_while(|(time, _)| *time == all[at].0).count();
        let rank = f64::midpoint((at + 1) as f64, end as f64);
        ranks += rank * all[at..end].iter().filter(|(_, is_second)| *is_second).count() as f64;
        at = end;
    }
    let (n, m) = (first.len() as f64, second.len() as f64);
    let above = ranks - m * (m + 1.0) / 2.0;
    (above - n * m / 2.0) / (n * m * (n + m + 1.0) / 12.0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_tell_what_differs_and_nothing_else() {
        let even: Vec<u64> = (0..1_000).map(|number| 2 * number).collect();
        let odd: Vec<u64> = (0..1_000).map(|number| 2 * number + 1).collect();
        assert!(z_by_rank(&even, &odd).abs() < 0.1);
        assert_eq!(z_by_rank(&[5; 100], &[5; 100]), 0.0);
        let later: Vec<u64> = even.iter().map(|time| time + 300).collect();
        assert!(z_by_rank(&even, &later) > 10.0);
        assert!(z_by_rank(&later, &even) < -10.0);
    }
}
