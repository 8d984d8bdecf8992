//! Keys of two master keys, and of one that is not theirs.

use super::*;
use crate::{
    auth::{operators::Fresh, token::Tokens},
    registry::AgentStatus,
    storage::Masters,
};

pub(super) fn masters(current: u8, former: Option<u8>) -> Masters {
    let secret = |seed| Secret::new([seed; KEY_BYTES]);
    Masters { current: secret(current), former: former.map(secret) }
}

/// The house with another hub over the same records: as after a restart with these master keys.
pub(super) fn restarted(house: House, masters: Masters) -> House {
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
    let stolen = Tokens::new(&Secret::new([1; KEY_BYTES]));
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

/// As the records were before they said which master key: an agent shows it, and a wrong key in its place changes nothing.
#[tokio::test]
async fn keys_of_before_are_the_only_master_keys_once_an_agent_has_shown_it() {
    let house = with_agent().await;
    let forget = |connection: &rusqlite::Connection| {
        Ok::<_, StorageError>(connection.execute("UPDATE agent_keys SET master = NULL", ())?)
    };
    assert_eq!(house.sqlite.write(forget).await.unwrap(), 1);
    let held = Tokens::new(&Secret::new([1; KEY_BYTES]));
    let held = held.issue_agent(&AgentId::parse("a").unwrap(), 1, NOW).unwrap();

    let house = restarted(house, masters(3, None));
    house.keyring.check_masters().await.unwrap();
    assert!(house.keyring.check(&held, house.clock.now()).is_err(), "the wrong file: nobody is known");
    let house = restarted(house, masters(1, None));
    house.keyring.check_masters().await.unwrap();
    let house = restarted(house, masters(3, None));
    house.keyring.check_masters().await.expect("that the right one was here shows nothing");

    let house = restarted(house, masters(1, None));
    let pass = house.keyring.check(&held, house.clock.now()).unwrap();
    assert!(matches!(house.keyring.standing(&pass).await.unwrap(), KeyStanding::Alive(_)));
    let house = restarted(house, masters(3, None));
    let refused = house.keyring.check_masters().await.unwrap_err().to_string();
    assert!(refused.contains("another master key"), "{refused}");
}

/// A wrong key meanwhile makes nothing that is lost with it, and nothing that keeps the right one from starting.
#[tokio::test]
async fn a_wrong_master_key_that_no_agent_vouched_for_makes_no_keys_and_leaves_join_tokens() {
    let house = with_agent().await;
    house.issue(OFTEN).await;
    let forget = |connection: &rusqlite::Connection| {
        Ok::<_, StorageError>(connection.execute("UPDATE agent_keys SET master = NULL", ())?)
    };
    assert_eq!(house.sqlite.write(forget).await.unwrap(), 1);
    let held = Tokens::new(&Secret::new([1; KEY_BYTES]));
    let held = held.issue_agent(&AgentId::parse("a").unwrap(), 1, NOW).unwrap();

    let house = restarted(house, masters(3, None));
    house.keyring.check_masters().await.unwrap();
    for refused in [
        house.register(json!({"id": "b"})).await.unwrap_err(),
        house.enrol(OFTEN, Some("m-1")).await.unwrap_err(),
        house.rotate("a", json!({})).await.unwrap_err(),
    ] {
        assert_eq!(refused.kind(), ProblemType::Overloaded);
    }
    let tended = house.keyring.tend(NOW.plus_seconds(365 * DAY), Some(Duration::ZERO)).await.unwrap();
    assert_eq!(tended, Tended::default(), "nor does time");

    let house = restarted(house, masters(1, None));
    house.keyring.check_masters().await.expect("all is as it was");
    let pass = house.keyring.check(&held, house.clock.now()).unwrap();
    assert!(matches!(house.keyring.standing(&pass).await.unwrap(), KeyStanding::Alive(_)));
    let find = |connection: &rusqlite::Connection| store::join_token(connection, OFTEN.id);
    let kept = house.sqlite.read(find).await.unwrap().unwrap().secret;
    assert_eq!(kept.plain(), None, "sealed, now that the key is known to be the right one");
    house.enrol(OFTEN, Some("m-1")).await.unwrap();
    house.register(json!({"id": "b"})).await.unwrap();
}

/// Join tokens outlive a rotation that both keys see, and no other.
#[tokio::test]
async fn a_join_token_goes_over_to_a_new_master_key_or_is_dead() {
    let house = House::new();
    house.issue(OFTEN).await;
    house.keyring.check_masters().await.unwrap();
    let kept = async |house: &House| {
        let find = |connection: &rusqlite::Connection| store::join_token(connection, OFTEN.id);
        house.sqlite.read(find).await.unwrap().unwrap().secret
    };
    assert_eq!(kept(&house).await.plain(), None, "who reads the records has nothing");
    house.enrol(OFTEN, Some("m-1")).await.unwrap();
    let house = restarted(house, masters(2, Some(1)));
    house.enrol(OFTEN, Some("m-2")).await.expect("also before it is sealed anew");
    house.keyring.check_masters().await.unwrap();
    let house = restarted(house, masters(2, None));
    house.enrol(OFTEN, Some("m-3")).await.unwrap();
    let house = restarted(house, masters(3, None));
    let refused = house.enrol(OFTEN, Some("m-4")).await.unwrap_err();
    assert_eq!(refused.kind(), ProblemType::JoinTokenInvalid);
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
