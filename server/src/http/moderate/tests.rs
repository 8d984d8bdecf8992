//! Who is slowed, and who is not.

use super::*;
use crate::http::{
    Peer,
    places::{Places, Proof},
};
use crate::{
    auth::{Pass, Role},
    deed::Who,
};
use pingup_protocol::ids::AgentId;

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
/// What an address may ask at once.
const BURST: usize = 10;

struct Door {
    moderator: Moderator,
    places: Arc<Places>,
}

impl Door {
    fn new() -> Self {
        let limits = Limits { stranger_requests_per_second: 1, ..Limits::default() };
        let moderator = Moderator::new(&limits, Arc::default());
        Self { moderator, places: Places::new(100, limits, Arc::default()) }
    }

    async fn seat(&self, address: &str) -> Arc<Seat> {
        let peer = Peer { address: format!("{address}:1").parse().unwrap(), is_tls: false };
        self.places.seat(peer, self.places.free().await.unwrap(), NOW).unwrap()
    }

    /// The verdict, and whether the answer became another.
    fn judge(&self, seat: &Seat, refused: Option<ProblemType>) -> (Verdict, bool) {
        let refused = refused.map(|kind| Refusal::new(kind, ""));
        self.judge_answer(seat, refused.map_or_else(Response::default, Refusal::into_response))
    }

    fn judge_answer(&self, seat: &Seat, mut response: Response) -> (Verdict, bool) {
        let kind = |response: &Response| response.extensions().get().map(Refusal::kind);
        let before = kind(&response);
        let verdict = self.moderator.judge(seat, &mut response, || NOW);
        let after = kind(&response);
        assert!(after == before || after == Some(ProblemType::RateLimited), "{after:?}");
        (verdict, after != before)
    }

    /// What has not been told yet, in words.
    fn told(&self) -> String {
        self.moderator.0.floods.of()
    }
}

#[tokio::test]
async fn strangers_are_slowed_and_whoever_has_a_token_is_not() {
    let door = Door::new();
    let (stranger, agent) = (door.seat("10.0.0.1").await, door.seat("10.0.0.1").await);
    agent.prove(|| Proof::Operator);
    for _ in 0..BURST {
        let judged = door.judge(&stranger, Some(ProblemType::TokenInvalid));
        assert!(matches!(judged, (Verdict::Leaves, false)));
    }
    assert!(matches!(door.judge(&stranger, Some(ProblemType::TokenInvalid)), (Verdict::Waits(_), true)));
    for fine in [None, Some(ProblemType::SchemaInvalid), Some(ProblemType::Overloaded)] {
        assert!(matches!(door.judge(&agent, fine), (Verdict::Leaves, false)), "{fine:?}");
    }
    assert!(matches!(door.judge(&agent, Some(ProblemType::TokenInvalid)), (Verdict::Waits(_), true)));
    let elsewhere = door.seat("10.0.0.2").await;
    assert!(matches!(door.judge(&elsewhere, Some(ProblemType::TokenInvalid)), (Verdict::Leaves, false)));
}

#[tokio::test(start_paused = true)]
async fn so_many_wait_and_the_next_is_the_last_on_its_connection() {
    let door = Door::new();
    let stranger = door.seat("10.0.0.1").await;
    let mut waiting = Vec::new();
    for _ in 0..BURST {
        door.judge(&stranger, None);
    }
    for _ in 0..WAITING_MAX {
        match door.judge(&stranger, None) {
            (Verdict::Waits(penalty), false) => waiting.push(penalty),
            other => panic!("{other:?}"),
        }
    }
    let refused = Some(ProblemType::NotFound);
    assert!(matches!(door.judge(&stranger, refused), (Verdict::Last, true)));
    assert!(matches!(door.judge(&stranger, None), (Verdict::Leaves, false)), "what is no refusal leaves");
    let begun = tokio::time::Instant::now();
    waiting.pop().unwrap().served().await;
    assert_eq!(begun.elapsed(), WAIT_OF_GOOD);
    match door.judge(&stranger, refused) {
        (Verdict::Waits(penalty), true) => penalty.served().await,
        other => panic!("{other:?}"),
    }
    assert_eq!(begun.elapsed(), WAIT_OF_GOOD + WAIT);
}

#[tokio::test]
async fn what_was_dear_to_refuse_is_heard_less_often() {
    let door = Door::new();
    let stranger = door.seat("10.0.0.1").await;
    let bytes = (2 * BURST - 1) * REFUSED_BYTES_OF_ONE;
    let large = || Refusal::new(ProblemType::MalformedJson, "").after(bytes).into_response();
    assert!(matches!(door.judge_answer(&stranger, large()), (Verdict::Leaves, false)), "it is heard why");
    assert!(matches!(door.judge_answer(&stranger, large()), (Verdict::Waits(_), true)));
    let at = |seconds| {
        let mut response = Refusal::new(ProblemType::NotFound, "").into_response();
        door.moderator.judge(&stranger, &mut response, || NOW.plus_seconds(seconds))
    };
    assert!(matches!(at(BURST as i64), Verdict::Waits(_)), "ten are still owed");
    assert!(matches!(at(BURST as i64 + 1), Verdict::Leaves));
}

#[tokio::test]
async fn what_an_agent_asks_without_its_token_is_counted_as_its_own() {
    let door = Door::new();
    let seat = door.seat("10.0.0.1").await;
    let pass = Arc::new(Pass::for_test("web", NOW));
    seat.prove(|| Proof::Agent(Arc::clone(&pass)));
    let health = || {
        let mut response = Response::default();
        response.extensions_mut().insert(ForAnyone);
        response
    };
    let burst = Limits::default().agent_requests_per_second * AGENT_BURST_SECONDS;
    for _ in 0..burst {
        assert!(matches!(door.judge_answer(&seat, health()), (Verdict::Leaves, false)));
    }
    assert!(matches!(door.judge_answer(&seat, health()), (Verdict::Waits(_), false)));
    assert!(
        matches!(door.judge(&seat, Some(ProblemType::NotFound)), (Verdict::Waits(_), false)),
        "as it was"
    );
    assert!(matches!(door.judge(&seat, None), (Verdict::Leaves, false)), "the gate has counted it");
    assert!(door.moderator.take_agent(&pass, seat.host(), NOW).is_err());
    assert_eq!(door.told(), "agent web: 2 requests of this agent");
    let other = door.seat("10.0.0.1").await;
    assert!(matches!(door.judge_answer(&other, health()), (Verdict::Leaves, false)), "nobody else's");
}

#[tokio::test]
async fn what_others_send_with_an_agents_token_does_not_silence_it() {
    let door = Door::new();
    let (here, elsewhere) = (door.seat("10.0.0.1").await.host(), door.seat("10.0.0.2").await.host());
    let pass = Pass::for_test("web", NOW);
    let ask = |host, seconds| door.moderator.take_agent(&pass, host, NOW.plus_seconds(seconds));
    door.moderator.note_refusal(&pass, elsewhere, u32::MAX, NOW);
    let (what, seconds) = ask(elsewhere, 0).unwrap_err();
    assert_eq!((what, seconds), ("messages of this agent that cannot be read or do not verify", 11));
    assert_eq!(ask(here, 0), Ok(()));
    door.moderator.note_refusal(&pass, here, u32::MAX, NOW);
    assert!(ask(here, 10).is_err(), "its own hold it up");
    assert_eq!((ask(here, 11), ask(elsewhere, 11)), (Ok(()), Ok(())));
}

#[tokio::test]
async fn a_senders_token_asks_so_often_and_no_other_pays_for_it() {
    let door = Door::new();
    let burst = Limits::default().agent_requests_per_second * AGENT_BURST_SECONDS;
    for _ in 0..burst {
        assert_eq!(door.moderator.take_sender("one", NOW), Ok(()));
    }
    assert_eq!(door.moderator.take_sender("one", NOW), Err(1));
    assert_eq!(door.moderator.take_sender("other", NOW), Ok(()));
    assert_eq!(door.moderator.take_sender("one", NOW.plus_seconds(1)), Ok(()));
}

#[tokio::test]
async fn what_is_refused_is_told_of_whom_it_was() {
    let door = Door::new();
    let seat = door.seat("10.0.0.1").await;
    let by = |who| Refusal::too_often("requests of this token", 1).to(who).into_response();
    let name = "otel".to_owned();
    door.judge_answer(&seat, by(Who::Operator { name, role: Role::Writer, token: None }));
    door.judge_answer(&seat, by(Who::Agent(AgentId::parse("web").unwrap())));
    door.moderator.note_turned(seat.host());
    assert_eq!(
        door.told(),
        "10.0.0.1: 1 connections from this address; agent web: 1 requests of this token; \
         token \"otel\": 1 requests of this token"
    );
}

#[test]
fn lines_about_single_addresses_are_bounded() {
    let moderator = Moderator::new(&Limits::default(), Arc::default());
    let told = |now| (0..10_000).filter(|_| moderator.may_tell(now)).count();
    assert_eq!(told(NOW), (LINES_PER_SECOND * LINES_BURST_SECONDS) as usize);
    assert_eq!(told(NOW.plus_seconds(1)), LINES_PER_SECOND as usize);
}
