//! What is done with an answer's commands, and what is left.

use super::*;
use crate::{
    clock::Clock,
    collect::Collector,
    config::tests::own,
    identity::Identity,
    journal::Journal,
    record::{Recorder, SharedSpool},
    spool::{Bounds, Spool},
    state::StateDir,
    transport::{Hub, Link},
};
use pingup_protocol::{
    enrol::{Credentials, KeyPair},
    ids::AgentId,
    keys::{KEY_BYTES, Secret},
    signing::{self, Key},
};
use serde_json::json;

const HOUR: i64 = 3_600;

fn secret() -> Secret {
    Secret::new([1; KEY_BYTES])
}

/// A hand that may ping, with its state in `home`.
async fn hand(home: &std::path::Path) -> (Hand, StateDir) {
    let state = StateDir::open(home).unwrap();
    let key = secret().to_base64();
    let credentials = Credentials {
        agent_id: AgentId::parse("a").unwrap(),
        generation: 1,
        keys: KeyPair { up: key.clone(), down: key },
        token: "t".into(),
    };
    let hub = Hub::at("http://127.0.0.1:1");
    let link = Link::new(hub, Identity::new(&credentials).unwrap());
    let clock = Rc::new(Clock::default());
    let bounds = Bounds { bytes_max: 1 << 30, age_max: Duration::from_secs(86_400) };
    let spool = Spool::open(&state.subdirectory("spool").unwrap(), bounds, machine_time()).unwrap();
    let spool = SharedSpool::new(spool);
    let recorder = Recorder::new(Collector::primed().await, spool, Rc::clone(&clock), Rc::clone(&link));
    let hand = Hand {
        signers: Rc::default(),
        sure: Cell::new(Sure::begun(None, steady())),
        results: Results::new(Journal::open(&state, machine_time()).unwrap()),
        config: Rc::new(ConfigKeeper::open(state.join("config.json"), own()).unwrap()),
        executor: Executor::new(Rc::new(recorder)),
        wishes: Rc::new(Wishes::default()),
        teller: Teller::new(link.session("progress"), clock),
        copied: stop::channel().1,
        asked_as: link.identity(),
    };
    (hand, state)
}

/// A ping that may be begun for a minute from `now` on.
fn ping(seq: u64, now: Timestamp) -> Value {
    let command = json!({
        "commandId": format!("CMD-2027-{seq:03}"), "agentId": "a", "commandSeq": seq, "action": "ping", "params": {},
        "issuedAt": now, "expiresAt": now.plus_seconds(60),
    });
    serde_json::from_slice(&signing::sign(&Key::new(&secret()), &command).unwrap()).unwrap()
}

/// The state of the oldest result that waits, which is then gone.
fn oldest(hand: &Hand) -> Option<ResultStatus> {
    let mut journal = hand.results.journal.borrow_mut();
    let finished = journal.oldest().unwrap()?;
    journal.remove(finished.command_seq).unwrap();
    Some(finished.status)
}

#[tokio::test]
async fn a_clock_that_is_set_neither_expires_a_fresh_command_nor_revives_an_old_one() {
    let home = tempfile::tempdir().unwrap();
    let ((mut hand, _state), (_stopper, stop)) = (hand(home.path()).await, stop::channel());
    let now = machine_time();
    // What the hub said, and what it is an hour later.
    for (said, command) in [(now, ping(1, now)), (now, ping(1, now.plus_seconds(-HOUR)))] {
        for set_on in [HOUR, -HOUR] {
            let told = Told::just_now(said).and_then_set_on(set_on);
            let handled = hand.work_off(std::slice::from_ref(&command), told, &stop).await.unwrap();
            assert_eq!(
                (handled.offered, handled.done, hand.last_seq()),
                (1, 0, 0),
                "left, to be asked for anew"
            );
            assert_eq!(oldest(&hand), None);
        }
    }
    let told = Told::just_now(now);
    let handled =
        hand.work_off(&[ping(1, now), ping(2, now.plus_seconds(-HOUR))], told, &stop).await.unwrap();
    assert_eq!((handled.done, hand.last_seq()), (2, 2));
    assert_eq!(oldest(&hand), Some(ResultStatus::Succeeded));
    assert_eq!(oldest(&hand), Some(ResultStatus::Rejected), "it expired an hour ago");
}

/// The machine is an hour wrong all the time, this way or that: only the hub's word counts.
#[tokio::test]
async fn a_machine_whose_clock_is_wrong_goes_by_the_hubs() {
    let home = tempfile::tempdir().unwrap();
    let ((mut hand, _state), (_stopper, stop)) = (hand(home.path()).await, stop::channel());
    for (seq, apart) in [(1, -HOUR), (2, HOUR)] {
        let hub = machine_time().plus_seconds(apart);
        hand.work_off(&[ping(seq, hub)], Told::just_now(hub), &stop).await.unwrap();
        assert_eq!(oldest(&hand), Some(ResultStatus::Succeeded), "{apart} s apart");
    }
}

#[tokio::test]
async fn what_time_it_is_at_least_is_kept_where_orders_are_judged_by_it() {
    let home = tempfile::tempdir().unwrap();
    let ((mut hand, _state), (_stopper, stop)) = (hand(home.path()).await, stop::channel());
    let now = machine_time();
    hand.work_off(&[], Told::just_now(now), &stop).await.unwrap();
    assert_eq!(hand.results.journal.borrow().sure(), None, "nobody needs it");
    let key = "pok_F0VTtFbd38aQjsqxwQH-arIeK6oGF3lbfUOmNIKZP9U".to_owned();
    hand.signers = Rc::new(Signers::parse(&[key], &[]).unwrap());
    let behind = now.plus_seconds(-HOUR);
    hand.work_off(&[], Told::just_now(behind), &stop).await.unwrap();
    let kept = |hand: &Hand| hand.results.journal.borrow().sure().unwrap();
    assert!(behind <= kept(&hand) && kept(&hand) < now, "the earlier one of both clocks");
    hand.work_off(&[], Told::just_now(now.plus_seconds(9 * HOUR)), &stop).await.unwrap();
    assert!(now <= kept(&hand) && kept(&hand) <= machine_time(), "a hub drives it nowhere alone");
    hand.work_off(&[], Told::just_now(behind), &stop).await.unwrap();
    assert!(hand.sure.get().now(steady()) >= now, "nor back");
}

/// What ran is told, though nothing could be written down when it ended.
#[tokio::test]
async fn a_result_that_cannot_be_kept_is_reported_and_what_is_left_is_run_later() {
    let home = tempfile::tempdir().unwrap();
    let ((mut hand, _state), (_stopper, stop)) = (hand(home.path()).await, stop::channel());
    let (results, aside) = (home.path().join("results"), home.path().join("aside"));
    let now = machine_time();
    let commands = [ping(1, now), ping(2, now)];
    std::fs::rename(&results, &aside).unwrap();
    assert!(hand.work_off(&commands, Told::just_now(now), &stop).await.is_err());
    assert_eq!((oldest(&hand), oldest(&hand)), (Some(ResultStatus::Succeeded), None));
    std::fs::rename(&aside, &results).unwrap();
    hand.work_off(&commands[1..], Told::just_now(now), &stop).await.unwrap();
    assert_eq!((oldest(&hand), oldest(&hand)), (Some(ResultStatus::Succeeded), None));
    assert_eq!(hand.last_seq(), 2);
}

#[test]
fn it_is_asked_again_at_once_only_where_something_came_of_it() {
    let at_once = Duration::ZERO;
    let handled = |offered, done| Handled { offered, done };
    assert!(handled(2, 1).is_progress(at_once, false));
    assert!(handled(0, 0).is_progress(HELD_LEAST, false));
    assert!(handled(0, 0).is_progress(at_once, true), "a burst of configurations holds no command up");
    assert!(!handled(0, 0).is_progress(at_once, false));
    assert!(!handled(2, 0).is_progress(HELD_LEAST, true));
}
