//! What a pusher does with an answer, and what it sends next.

use super::{unstored::at_hubs_time, verdict::Verdict, witness::WITHIN, *};
use crate::{
    copied,
    identity::Identity,
    spool::{Bounds, Kind, Spool},
    stop,
    transport::{Hub, Link},
};
use pingup_protocol::{
    enrol::{Credentials, KeyPair},
    ids::AgentId,
    keys::{KEY_BYTES, Secret},
    time::Timestamp,
};

const NOON: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

/// A pusher to nowhere, from a spool in which `waiting` samples wait.
pub(super) fn pusher(home: &tempfile::TempDir, waiting: u64) -> Pusher {
    witnessed_pusher(home, waiting).0
}

/// That, and the word on whose state it is.
fn witnessed_pusher(home: &tempfile::TempDir, waiting: u64) -> (Pusher, Word) {
    let key = Secret::new([1; KEY_BYTES]).to_base64();
    let credentials = Credentials {
        agent_id: AgentId::parse("a").unwrap(),
        generation: 1,
        keys: KeyPair { up: key.clone(), down: key },
        token: "t".into(),
    };
    let hub = Hub::at("http://127.0.0.1:1");
    let link = Link::new(hub.clone(), Identity::new(&credentials).unwrap());
    // However late these tests are run.
    let bounds = Bounds { bytes_max: 1 << 30, age_max: Duration::from_secs(100 * 366 * 86_400) };
    let mut spool = Spool::open(home.path(), bounds, NOON).unwrap();
    (0..waiting).for_each(|_| _ = spool.append(Kind::Sample, NOON, b"{}".to_vec()).unwrap());
    let (witness, word) = Witness::new(home.path().to_owned());
    let pusher = Pusher::new(
        link.session("push"),
        SharedSpool::new(spool),
        Rc::new(Clock::default()),
        Rc::new(Vitals::begun("a", &hub, NOON)),
        witness,
    );
    (pusher, word)
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

fn told(pusher: &mut Pusher, verdict: Verdict) {
    pusher.carry_out(verdict, 1, &[], None).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_push_that_is_committed_shows_whose_this_state_is() {
    let home = tempfile::tempdir().unwrap();
    let (mut pusher, word) = witnessed_pusher(&home, 1);
    told(&mut pusher, Verdict::Later { retry_after: None });
    assert!(!word.own.is_set() && !word.copied.is_set());
    commit(&mut pusher, Lane::Live, 1);
    assert!(word.own.is_set() && !word.copied.is_set());
    assert_eq!(copied::found(home.path()).unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_conflict_is_on_disk_before_it_is_told() {
    let home = tempfile::tempdir().unwrap();
    let (mut pusher, word) = witnessed_pusher(&home, 1);
    told(&mut pusher, Verdict::Conflict { why: "x".into() });
    assert!(word.copied.is_set() && !word.own.is_set());
    assert_eq!(copied::found(home.path()).unwrap().as_deref(), Some("x"));
    tokio::time::sleep(2 * WITHIN).await;
    told(&mut pusher, Verdict::Later { retry_after: None });
    assert!(!word.own.is_set(), "however long it lasts");
}

#[tokio::test(start_paused = true)]
async fn commands_wait_a_bounded_time_for_a_hub_that_answers_and_none_for_one_that_is_away() {
    let home = tempfile::tempdir().unwrap();
    let (mut pusher, word) = witnessed_pusher(&home, 1);
    for _ in 0..3 {
        told(&mut pusher, Verdict::Away);
        tokio::time::sleep(WITHIN).await;
    }
    told(&mut pusher, Verdict::Later { retry_after: None });
    assert!(!word.own.is_set(), "it answered just now");
    tokio::time::sleep(WITHIN).await;
    told(&mut pusher, Verdict::Later { retry_after: None });
    assert!(word.own.is_set());
}

#[tokio::test(start_paused = true)]
async fn commands_wait_a_bounded_time_where_there_is_nothing_to_push() {
    let home = tempfile::tempdir().unwrap();
    let (mut pusher, word) = witnessed_pusher(&home, 0);
    let (_stopper, stop) = stop::channel();
    tokio::select! {
        ended = pusher.run(&stop) => ended.unwrap(),
        () = word.own.wait() => {}
    }
    assert!(word.own.is_set());
}
