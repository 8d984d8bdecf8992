//! How an agent gets other keys: offered, handed over, used, ended; at once when they were called compromised.

mod anew;
mod masters;

use super::*;
use crate::{
    auth::rotation::{OFFERED_PER_SWEEP_MAX, Tended},
    generations::ENDING_SECONDS,
};
use masters::{masters, restarted};
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
