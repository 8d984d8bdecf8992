//! How an agent gets other keys: offered, handed over, used, ended; at once when they were called compromised.

use super::*;
use crate::{
    auth::{
        operators::Fresh,
        rotation::{OFFERED_PER_SWEEP_MAX, Tended},
    },
    generations::ENDING_SECONDS,
    registry::AgentStatus,
    storage::Masters,
};
use std::{
    sync::atomic::{AtomicI32, Ordering},
    time::Duration,
};

/// Someone elsewhere, over plain HTTP.
const ELSEWHERE: Peer =
    Peer { address: SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)), 9), is_tls: false };
const DAY: i64 = 24 * 3_600;
/// The number of the next beat; none is as old as one at the clock's time.
static BEATS: AtomicI32 = AtomicI32::new(1);

impl House {
    async fn rotate(&self, id: &str, body: Value) -> Result<Value, Refusal> {
        let (state, body) = (State(Arc::clone(&self.room)), OperatorBody(body.to_string().into()));
        Ok(read(handler::rotate(state, Path(id.to_owned()), ada(), body).await?).await.1)
    }

    /// The keys of a generation, as the gate has them.
    async fn keys(&self, generation: u32) -> Option<Arc<AgentKeys>> {
        match self.generation_standing("a", generation).await {
            KeyStanding::Alive(keys) => Some(keys),
            KeyStanding::Revoked | KeyStanding::Unknown => None,
        }
    }

    /// Which generations of `a` are let in.
    async fn living(&self) -> Vec<u32> {
        let mut living = Vec::new();
        for generation in 1..12 {
            living.extend(self.keys(generation).await.map(|keys| keys.generation()));
        }
        living
    }

    /// A heartbeat that the gate let in; what it is answered.
    async fn beat_as(&self, generation: u32, peer: Peer) -> Result<Value, Refusal> {
        let keys =
            self.keys(generation).await.ok_or_else(|| Refusal::new(ProblemType::AgentRevoked, "dead"))?;
        if keys.are_unused() {
            self.keyring.note_use(&keys, Some(peer.address.ip())).await.unwrap();
        }
        // Each newer than the one before.
        let at = Timestamp::from_micros(
            self.clock.now().as_micros() + i64::from(BEATS.fetch_add(1, Ordering::Relaxed)),
        );
        let beat = json!({"agentId": "a", "timestamp": at, "status": "online"});
        self.beat_under(keys, peer, beat).await
    }

    /// The generation that a heartbeat hands over.
    async fn handed(&self, generation: u32, peer: Peer) -> Option<u64> {
        self.beat_as(generation, peer).await.unwrap()["credentials"]["generation"].as_u64()
    }
}

async fn with_agent() -> House {
    let house = House::new();
    house.register(json!({"id": "a"})).await.unwrap();
    house
}

#[tokio::test]
async fn the_next_keys_are_handed_over_again_and_again_until_they_are_used() {
    let house = with_agent().await;
    assert_eq!(house.handed(1, HERE).await, None);
    let view = house.rotate("a", json!({})).await.unwrap();
    assert_eq!((&view["key"]["generation"], &view["key"]["offered"]), (&json!(1), &json!(2)));
    let first = house.beat_as(1, HERE).await.unwrap()["credentials"].clone();
    assert_eq!((&first["agentId"], &first["generation"]), (&json!("a"), &json!(2)));
    house.clock.advance(3_600);
    house.rotate("a", json!({})).await.unwrap();
    let again = house.beat_as(1, HERE).await.unwrap()["credentials"].clone();
    assert_eq!(again, first, "the answer may have been lost: the same keys, and the same token");
    assert_eq!(house.living().await, [1, 2]);

    assert_eq!(house.handed(2, HERE).await, None);
    assert_eq!(
        house.handed(1, HERE).await,
        None,
        "they were used: who still has the old ones gets no others"
    );
    let view = house.get("a").await.unwrap();
    assert_eq!((&view["key"]["generation"], &view["key"]["offered"]), (&json!(2), &Value::Null));
}

/// Whoever kept a heartbeat that was signed once has no key by it.
#[tokio::test]
async fn a_replayed_heartbeat_is_handed_nothing_and_makes_nothing() {
    let house = restarted(with_agent().await, masters(1, None));
    let keys = house.keys(1).await.unwrap();
    let beat = json!({"agentId": "a", "timestamp": house.clock.now(), "status": "online"});
    house.beat_under(Arc::clone(&keys), HERE, beat.clone()).await.unwrap();
    house.rotate("a", json!({})).await.unwrap();
    let replayed = house.beat_under(Arc::clone(&keys), HERE, beat).await.unwrap();
    assert_eq!(replayed.get("credentials"), None);
    let older = json!({"agentId": "a", "timestamp": NOW.plus_seconds(-60), "status": "online"});
    let replayed = house.beat_under(keys, HERE, older).await.unwrap();
    assert_eq!(replayed.get("credentials"), None);
    assert_eq!(house.handed(1, HERE).await, Some(2), "who signs a new one has them");
}

#[tokio::test]
async fn nothing_is_handed_over_where_somebody_could_read_it() {
    let house = with_agent().await;
    house.rotate("a", json!({})).await.unwrap();
    assert_eq!(house.handed(1, ELSEWHERE).await, None);
    assert_eq!(house.handed(1, Peer { is_tls: true, ..ELSEWHERE }).await, Some(2));
    assert_eq!(house.handed(1, HERE).await, Some(2));
}

#[tokio::test]
async fn the_old_ones_are_good_for_a_day_and_not_a_second_longer() {
    let house = with_agent().await;
    house.rotate("a", json!({})).await.unwrap();
    house.clock.advance(400 * DAY);
    assert_eq!(house.living().await, [1, 2], "an agent that does not know of this goes on for ever");
    house.beat_as(2, HERE).await.unwrap();
    house.clock.advance(ENDING_SECONDS - 1);
    assert!(house.beat_as(1, HERE).await.is_ok());
    let in_hand = house.keys(1).await.unwrap();
    house.clock.advance(1);
    assert_eq!(house.living().await, [2]);
    let late = json!({"agentId": "a", "timestamp": house.clock.now(), "status": "online"});
    let refused = house.beat_under(in_hand, HERE, late).await.unwrap_err();
    assert_eq!(refused.kind(), ProblemType::AgentRevoked, "one that was let in a moment before too");
}

/// What the gate remembers of a token must not outlive its generation.
#[tokio::test]
async fn a_token_that_is_remembered_ends_with_its_generation() {
    let house = with_agent().await;
    let token = {
        let view = house.rotate("a", json!({})).await.unwrap();
        assert_eq!(view["key"]["generation"], 1);
        house.beat_as(1, HERE).await.unwrap()["credentials"]["token"].as_str().unwrap().to_owned()
    };
    let alive = async || {
        let pass = house.keyring.check(&token, house.clock.now()).unwrap();
        matches!(house.keyring.standing(&pass).await.unwrap(), KeyStanding::Alive(_))
    };
    assert!(alive().await && alive().await);
    house.beat_as(2, HERE).await.unwrap();
    house.rotate("a", json!({})).await.unwrap();
    house.beat_as(3, HERE).await.unwrap();
    assert!(alive().await, "it is ending");
    house.clock.advance(ENDING_SECONDS - 1);
    assert!(alive().await);
    house.clock.advance(1);
    assert!(!alive().await);
}

#[tokio::test]
async fn a_third_generation_ends_the_first_at_once() {
    let house = with_agent().await;
    house.rotate("a", json!({})).await.unwrap();
    house.beat_as(2, HERE).await.unwrap();
    house.rotate("a", json!({})).await.unwrap();
    assert_eq!(house.living().await, [2, 3]);
}

#[tokio::test]
async fn what_was_called_compromised_is_dead_and_the_agent_comes_back_as_who_it_was() {
    let house = with_agent().await;
    house.beat_as(1, HERE).await.unwrap();
    house.rotate("a", json!({})).await.unwrap();
    let before = house.get("a").await.unwrap();
    house.told();
    let view = house.rotate("a", json!({"compromised": true})).await.unwrap();
    assert_eq!((&view["key"], &view["status"]), (&Value::Null, &json!("offline")));
    assert_eq!(house.told(), [("a".to_owned(), AgentChange::Offline)]);
    assert_eq!(house.living().await, [0_u32; 0], "the one that was offered too");
    let nothing = house.rotate("a", json!({})).await.unwrap_err();
    assert_eq!(nothing.kind(), ProblemType::Gone);
    assert!(house.rotate("a", json!({"compromised": true})).await.is_ok(), "again is no error");
    assert_eq!(house.register(json!({"id": "a"})).await.unwrap_err().kind(), ProblemType::AgentIdRetired);

    let again = Token { rekeys: Some("a"), ..ONCE };
    house.issue(again).await;
    let answer = house.enrol(again, Some("m-1")).await.unwrap();
    assert_eq!(answer["credentials"]["generation"], 3, "no number twice: tokens of before are of others");
    let after = house.get("a").await.unwrap();
    assert_eq!((&after["id"], &after["createdAt"]), (&before["id"], &before["createdAt"]));
    assert_eq!((&after["key"]["generation"], house.living().await), (&json!(3), vec![3]));
    assert_eq!(house.enrol(again, Some("m-1")).await.unwrap_err().kind(), ProblemType::JoinTokenExhausted);
}

#[tokio::test]
async fn keys_anew_are_for_a_living_agent_on_a_machine_that_is_nobody_elses() {
    let house = with_agent().await;
    house.issue(OFTEN).await;
    house.enrol(OFTEN, Some("m-2")).await.unwrap();
    let rekey = Token { id: "rekeys", uses: 9, rekeys: Some("a"), ..ONCE };
    house.issue(rekey).await;
    let taken = house.enrol(rekey, Some("m-2")).await.unwrap_err();
    assert_eq!(taken.kind(), ProblemType::MachineAlreadyEnrolled);
    assert_eq!(house.uses_left(rekey).await, 9);
    // Keys that live are dead from then on: the machine was lost, and is found again elsewhere.
    for generation in 2..4 {
        let answer = house.enrol(rekey, Some("m-1")).await.unwrap();
        assert_eq!(answer["credentials"]["generation"], generation);
    }
    assert_eq!(house.living().await, [3]);
    house.remove("a").await.unwrap();
    assert_eq!(house.enrol(rekey, Some("m-1")).await.unwrap_err().kind(), ProblemType::Gone);
}

#[tokio::test]
async fn those_that_are_not_there_cannot_be_rotated() {
    let house = with_agent().await;
    house.remove("a").await.unwrap();
    for (id, kind) in [("a", ProblemType::Gone), ("b", ProblemType::NotFound)] {
        for body in [json!({}), json!({"compromised": true})] {
            assert_eq!(house.rotate(id, body).await.unwrap_err().kind(), kind, "{id}");
        }
    }
}

#[tokio::test]
async fn time_offers_new_keys_to_some_at_once_and_ends_old_ones() {
    let house = House::new();
    let agents = OFFERED_PER_SWEEP_MAX + 3;
    for n in 0..agents {
        house.register(json!({"id": format!("agent-{n:03}")})).await.unwrap();
    }
    house.register(json!({"id": "a"})).await.unwrap();
    let period = Some(Duration::from_secs(90 * 24 * 3_600));
    let tend = async |period| house.keyring.tend(house.clock.now(), period).await.unwrap();
    assert_eq!(tend(period).await, Tended::default());
    house.clock.advance(90 * DAY + 1);
    assert_eq!(tend(None).await, Tended::default(), "turned off");
    assert_eq!(tend(period).await.offered, OFFERED_PER_SWEEP_MAX, "not the whole fleet in one minute");
    assert_eq!(tend(period).await.offered, agents + 1 - OFFERED_PER_SWEEP_MAX);
    assert_eq!(tend(period).await, Tended::default(), "once each");
    house.beat_as(2, HERE).await.unwrap();
    house.clock.advance(ENDING_SECONDS);
    assert_eq!(tend(period).await, Tended { ended: 1, ..Tended::default() });
    assert_eq!(house.living().await, [2]);
}

fn masters(current: u8, former: Option<u8>) -> Masters {
    let secret = |seed| Secret::new([seed; KEY_BYTES]);
    Masters { current: secret(current), former: former.map(secret) }
}

/// The house with another hub over the same records: as after a restart with these master keys.
fn restarted(house: House, masters: Masters) -> House {
    let keyring =
        Keyring::new(masters, house.sqlite.clone(), house.clock.clone(), crate::audit::store::record);
    let neighbours = neighbours(&house.told);
    let (records, keys, newest) = (house.sqlite.clone(), keyring.clone(), Arc::clone(&house.latest));
    let clock = house.clock.clone();
    let room = Registry::new(records, keys, clock, newest, ENROLMENTS_PER_MINUTE, neighbours);
    House { keyring, room: Arc::new(room), ..house }
}

#[tokio::test]
async fn agents_get_keys_of_a_new_master_key_as_they_beat_and_then_nothing_comes_from_the_old_one() {
    let house = with_agent().await;
    let bearer = |house: &House, answer: &Value| {
        house.keyring.check(answer["credentials"]["token"].as_str().unwrap(), house.clock.now())
    };
    let house = restarted(house, masters(2, Some(1)));
    house.keyring.check_masters().await.unwrap();
    let former = Keyring::new(
        masters(1, None),
        house.sqlite.clone(),
        house.clock.clone(),
        crate::audit::store::record,
    );
    let credentials = |generation| {
        let (former, sqlite) = (former.clone(), house.sqlite.clone());
        async move {
            let find = move |connection: &rusqlite::Connection| {
                crate::generations::find(connection, "a", generation).map_err(StorageError::from)
            };
            let row = sqlite.read(find).await.unwrap().unwrap().unwrap();
            former.credentials(&AgentId::parse("a").unwrap(), &row).unwrap()
        }
    };
    let token = credentials(1).await.token;
    let alive = async |house: &House, token: &str| match house.keyring.check(token, house.clock.now()) {
        Ok(pass) => match house.keyring.standing(&pass).await.unwrap() {
            KeyStanding::Alive(keys) => Some(keys),
            _ => None,
        },
        Err(_) => None,
    };
    let keys = alive(&house, &token).await.expect("what the former master key made is still good");
    let beat = |at: Timestamp| json!({"agentId": "a", "timestamp": at, "status": "online"});
    let told = house.beat_under(Arc::clone(&keys), ELSEWHERE, beat(NOW)).await.unwrap();
    assert!(told.get("credentials").is_none(), "not where somebody reads along");
    assert_eq!(house.keyring.tend(NOW, None).await.unwrap(), Tended::default());
    let told = house.beat_under(Arc::clone(&keys), HERE, beat(NOW.plus_seconds(1))).await.unwrap();
    assert_eq!(told["credentials"]["generation"], 2, "made by the beat itself");
    let again = house.beat_under(keys, HERE, beat(NOW.plus_seconds(2))).await.unwrap();
    assert_eq!(again["credentials"], told["credentials"]);
    assert!(bearer(&house, &told).is_ok());

    let next = alive(&house, told["credentials"]["token"].as_str().unwrap()).await.unwrap();
    house.keyring.note_use(&next, None).await.unwrap();
    let told = house.beat_under(next, HERE, beat(NOW.plus_seconds(3))).await.unwrap();
    assert!(told.get("credentials").is_none(), "it has keys of the new one");
    house.clock.advance(ENDING_SECONDS);
    assert!(alive(&house, &token).await.is_none());
    let ended = house.keyring.tend(house.clock.now(), None).await.unwrap();
    assert_eq!(ended, Tended { ended: 1, ..Tended::default() });
    assert!(house.keyring.tend(house.clock.now(), None).await.unwrap().is_former_idle);
    house.keyring.forget_former();
    assert!(alive(&house, &token).await.is_none(), "its tokens open nothing");
    assert!(!house.keyring.tend(house.clock.now(), None).await.unwrap().is_former_idle, "said once");
}

/// Whoever has the former master key can sign tokens with it: for no generation of the new one.
#[tokio::test]
async fn a_token_of_the_former_master_key_is_good_for_no_keys_of_the_new_one() {
    let house = restarted(with_agent().await, masters(2, Some(1)));
    house.rotate("a", json!({})).await.unwrap();
    let stolen = crate::auth::token::Tokens::new(&Secret::new([1; KEY_BYTES]));
    for (generation, is_good) in [(1, true), (2, false)] {
        let forged = stolen.issue_agent(&AgentId::parse("a").unwrap(), generation, NOW).unwrap();
        let pass = house.keyring.check(&forged, house.clock.now()).unwrap();
        let alive = matches!(house.keyring.standing(&pass).await.unwrap(), KeyStanding::Alive(_));
        assert_eq!(alive, is_good, "generation {generation}");
    }
    let eve = Operator { name: "eve".to_owned(), role: Role::Admin };
    let operator = Fresh::write(&stolen, eve, 60, NOW).unwrap();
    assert!(house.keyring.operators().introduce(&operator.text, HERE.address.ip()).await.is_err());
}

/// As the records were before they said which master key: the first start says it.
#[tokio::test]
async fn keys_of_before_are_the_only_master_keys_from_the_first_start_on() {
    let house = with_agent().await;
    let forget = |connection: &rusqlite::Connection| {
        Ok::<_, StorageError>(connection.execute("UPDATE agent_keys SET master = NULL", ())?)
    };
    assert_eq!(house.sqlite.write(forget).await.unwrap(), 1);
    let house = restarted(house, masters(1, None));
    house.keyring.check_masters().await.unwrap();
    assert!(house.beat_as(1, HERE).await.is_ok());
    let house = restarted(house, masters(3, None));
    let refused = house.keyring.check_masters().await.unwrap_err().to_string();
    assert!(refused.contains("another master key"), "{refused}");
}

#[tokio::test]
async fn a_hub_with_another_master_key_does_not_start() {
    let house = restarted(with_agent().await, masters(3, None));
    let refused = house.keyring.check_masters().await.unwrap_err().to_string();
    assert!(refused.contains("another master key"), "{refused}");
    let house = restarted(house, masters(3, Some(1)));
    house.keyring.check_masters().await.unwrap();
    assert_eq!(
        AgentStatus::from_word(house.get("a").await.unwrap()["status"].as_str().unwrap()),
        Some(AgentStatus::Pending)
    );
}
