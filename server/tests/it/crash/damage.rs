//! A journal that the disk damaged: the hub does not start, loses nothing in silence, and goes on once its
//! operator did one of the things that the documentation offers.

use crate::harness::{Hub, agent::now};
use pingup_protocol::time::Timestamp;
use std::fs;

const BATCH: u64 = 100;

/// What is stored of agent A.
fn count(hub: &Hub, start: Timestamp) -> u64 {
    let path = format!("/api/v1/metrics/A?from={start}&step=1d");
    let buckets = hub.operator("viewer").get(&path).expect(200);
    let buckets = buckets["items"].as_array().unwrap().iter();
    buckets.map(|bucket| bucket["count"].as_u64().unwrap()).sum()
}

#[test]
fn a_damaged_journal_is_refused_by_file_and_byte_until_it_is_cut_or_moved_by_hand() {
    let mut hub = Hub::start();
    let (agent, start) = (hub.register("A"), now().plus_seconds(-86_400));
    let journal = hub.folder().join("journal");
    let segment = fs::read_dir(&journal).unwrap().next().unwrap().unwrap().path();
    let length = || fs::metadata(&segment).unwrap().len();
    let mut ends = vec![length()];
    for batch in 0..3 {
        let seqs = batch * BATCH + 1..=(batch + 1) * BATCH;
        assert_eq!(
            agent.post("/api/v1/metrics", &agent.batch(1, seqs, start)).expect(200)["accepted"],
            BATCH
        );
        ends.push(length());
    }
    hub.kill();
    let mut bytes = fs::read(&segment).unwrap();
    bytes[(ends[1] + ends[2]) as usize / 2] ^= 1;
    fs::write(&segment, &bytes).unwrap();

    let named = format!("{} is damaged from byte {} on", segment.display(), ends[1]);
    let command = hub.serve_command();
    let said = hub.try_start(command).unwrap_err();
    assert!(said.contains(&named), "{said}");
    let checked = hub.run(&["check"]);
    let found = String::from_utf8(checked.stdout).unwrap();
    assert!(found.contains(&format!("trouble  history: {named}")), "{found}");
    assert_eq!(checked.status.code(), Some(1));
    assert_eq!(fs::read(&segment).unwrap(), bytes, "nothing was changed");

    fs::File::options().write(true).open(&segment).unwrap().set_len(ends[1]).unwrap();
    hub.restart();
    assert_eq!(count(&hub, start), BATCH);
    hub.kill();

    fs::rename(&segment, hub.beside().join("aside.log")).unwrap();
    hub.restart();
    assert_eq!(count(&hub, start), 0);
    let again = agent.at(&hub.wire).post("/api/v1/metrics", &agent.batch(1, 301..=302, start)).expect(200);
    assert_eq!(again["accepted"], 2, "the agent goes on");
    assert_eq!(count(&hub, start), 2);
}
