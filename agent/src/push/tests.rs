//! What a pusher does with an answer, and what it sends next.

use super::{outcome::at_hubs_time, verdict::Verdict, *};
use crate::{
    identity::Identity,
    spool::{Bounds, Kind, Spool},
    stop,
    transport::Link,
};
use pingup_protocol::{
    enrol::{Credentials, KeyPair},
    ids::AgentId,
    keys::{KEY_BYTES, Secret},
    time::Timestamp,
};

const NOON: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

/// A pusher to nowhere, from a spool in which `waiting` samples wait.
fn pusher(home: &tempfile::TempDir, waiting: u64) -> Pusher {
    let key = Secret::new([1; KEY_BYTES]).to_base64();
    let credentials = Credentials {
        agent_id: AgentId::parse("a").unwrap(),
        generation: 1,
        keys: KeyPair { up: key.clone(), down: key },
        token: "t".into(),
    };
    let url = crate::settings::HubUrl::parse("http://127.0.0.1:1", false).unwrap();
    let link = Link::new(url.clone(), Identity::new(&credentials).unwrap());
    // However late these tests are run.
    let bounds = Bounds { bytes_max: 1 << 30, age_max: Duration::from_secs(100 * 366 * 86_400) };
    let mut spool = Spool::open(home.path(), bounds, NOON).unwrap();
    (0..waiting).for_each(|_| _ = spool.append(Kind::Sample, NOON, b"{}".to_vec()).unwrap());
    let (copy_found, _) = stop::channel();
    Pusher::new(
        link.session("push"),
        SharedSpool::new(spool),
        Rc::new(Clock::default()),
        Rc::new(Vitals::begun("a", &url, NOON)),
        copy_found,
    )
}

fn commit(pusher: &mut Pusher, lane: Lane, high_water: u64) {
    pusher.lane = lane;
    let boot = pusher.spool.spool.borrow().boot(lane);
    let step = pusher.carry_out(Verdict::Committed { high_water }, boot, &[], None).unwrap();
    assert!(matches!(step, Step::Moved));
}

#[test]
fn what_is_new_waits_for_one_request_at_most_once_the_hub_is_back() {
    let home = tempfile::tempdir().unwrap();
    let mut pusher = pusher(&home, WAITING_MAX + 2);
    assert_eq!(pusher.next_lane(), Some(Lane::Live), "nothing is set aside while nobody answers");
    commit(&mut pusher, Lane::Live, 1);
    let append = |pusher: &Pusher| {
        pusher.spool.append(Kind::Sample, NOON, b"{}".to_vec()).unwrap();
    };
    for new in 1..=3 {
        assert_eq!(pusher.next_lane(), Some(Lane::Backlog), "while nothing is new, the rest goes on");
        pusher.lane = Lane::Backlog;
        append(&pusher);
        assert_eq!(pusher.next_lane(), Some(Lane::Live));
        commit(&mut pusher, Lane::Live, new);
    }
    append(&pusher);
    assert_eq!(pusher.next_lane(), Some(Lane::Backlog), "nor does the rest wait for what is new");
    commit(&mut pusher, Lane::Backlog, WAITING_MAX + 2);
    assert_eq!(pusher.next_lane(), Some(Lane::Live));
    assert!(!pusher.spool.spool.borrow().waits_in(Lane::Backlog));
}

#[test]
fn a_little_that_waits_is_not_set_aside() {
    let home = tempfile::tempdir().unwrap();
    let mut pusher = pusher(&home, WAITING_MAX + 1);
    let boot = pusher.spool.spool.borrow().boot(Lane::Live);
    commit(&mut pusher, Lane::Live, 1);
    assert_eq!(pusher.next_lane(), Some(Lane::Live));
    assert_eq!(pusher.spool.spool.borrow().boot(Lane::Live), boot);
}

/// Each lane looks for what is refused in it by itself: the other's good answers do not begin the search anew.
#[test]
fn a_record_that_is_refused_is_looked_for_in_its_own_lane() {
    let home = tempfile::tempdir().unwrap();
    let mut pusher = pusher(&home, WAITING_MAX + 2);
    commit(&mut pusher, Lane::Live, 1);
    let records = pusher.spool.spool.borrow().oldest(Lane::Backlog, 500, usize::MAX).unwrap();
    pusher.lane = Lane::Backlog;
    let boot = pusher.spool.spool.borrow().boot(Lane::Backlog);
    pusher.carry_out(Verdict::Refused { why: String::new() }, boot, &records, None).unwrap();
    pusher.spool.append(Kind::Sample, NOON, b"{}".to_vec()).unwrap();
    commit(&mut pusher, Lane::Live, 1);
    assert_eq!((pusher.batch_max.backlog, pusher.batch_max.live), (250, BATCH_SAMPLES_MAX));
}

#[test]
fn what_was_measured_ahead_of_the_hub_keeps_its_distances() {
    let hub = Timestamp::from_micros(1_800_000_000_000_000);
    let here = hub.plus_seconds(7_200);
    let moved = [-60, -30, 0].map(|ago| at_hubs_time(here.plus_seconds(ago), hub, here));
    assert_eq!(moved, [hub.plus_seconds(-60), hub.plus_seconds(-30), hub]);
    assert_eq!(at_hubs_time(here.plus_seconds(90), hub, here), hub, "the clock was set back in between");
}
