//! Passes, without a hub: what is kept, for how long, and what ends it.

use super::*;
use crate::{auth::token::Tokens, generations::KeyRow};
use pingup_protocol::{ids::AgentId, keys::Secret};

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

fn tokens() -> Tokens {
    Tokens::new(&Secret::new([1; 32]))
}

fn token(agent_id: &str) -> String {
    tokens().issue_agent(&AgentId::parse(agent_id).unwrap(), 1, NOW).unwrap()
}

fn pass(passes: &Passes, text: &str) -> Result<Arc<Pass>, TokenError> {
    passes.of(text, NOW, || tokens().read_agent(text))
}

fn keys() -> Arc<AgentKeys> {
    let row = KeyRow {
        generation: 1,
        salt: [2; pingup_protocol::keys::SALT_BYTES],
        master: None,
        made_at: NOW,
        used_at: Some(NOW),
        ends_at: None,
    };
    Arc::new(AgentKeys::of(&Secret::new([1; 32]), &AgentId::parse("A").unwrap(), &row))
}

#[test]
fn a_token_is_verified_once() {
    let passes = Passes::new(10);
    let text = token("A");
    let first = pass(&passes, &text).unwrap();
    let again = passes.of(&text, NOW, || panic!("it was verified before")).unwrap();
    assert!(Arc::ptr_eq(&first, &again));
}

#[test]
fn what_did_not_verify_is_never_kept() {
    let passes = Passes::new(10);
    let text = token("A");
    let [header, claims, mac] = text.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    let other = token("B");
    let other_claims = other.split('.').nth(1).unwrap();
    pass(&passes, &text).unwrap();
    let forged = format!("{header}.{other_claims}.{mac}");
    let cut = format!("{header}.{claims}.{}", &mac[..mac.len() - 1]);
    for bad in [forged, cut, format!("{text} "), String::new()] {
        for _ in 0..2 {
            assert_eq!(pass(&passes, &bad).map(drop), Err(TokenError::Invalid), "{bad}");
        }
    }
    assert_eq!(passes.kept.read().unwrap().len(), 1);
}

#[test]
fn a_kept_token_still_expires() {
    let passes = Passes::new(10);
    let text = token("A");
    pass(&passes, &text).unwrap();
    let later = NOW.plus_seconds(101 * 365 * 24 * 3600);
    assert_eq!(passes.of(&text, later, || panic!("it is kept")).map(drop), Err(TokenError::Expired));
}

#[test]
fn a_forgotten_pass_never_vouches_again() {
    let passes = Passes::new(10);
    let (mine, other) = (token("A"), token("B"));
    let (held, others) = (pass(&passes, &mine).unwrap(), pass(&passes, &other).unwrap());
    passes.remember(&held, keys());
    passes.remember(&others, keys());
    assert!(held.keys().is_some());
    passes.forget("A");
    assert!(held.keys().is_none(), "also in the hands of a request that took it earlier");
    assert!(others.keys().is_some());
    // A finding that the removal overtook.
    passes.remember(&held, keys());
    let overtaken = pass(&passes, &mine).unwrap();
    passes.forget("A");
    passes.remember(&overtaken, keys());
    assert!(held.keys().is_none() && overtaken.keys().is_none());
}

#[test]
fn no_more_are_kept_than_there_is_room_for() {
    let passes = Passes::new(3);
    let first = pass(&passes, &token("A-0")).unwrap();
    passes.remember(&first, keys());
    for number in 0..10 {
        pass(&passes, &token(&format!("A-{number}"))).unwrap();
        assert!(passes.kept.read().unwrap().len() <= 3);
    }
    assert!(first.keys().is_none(), "a removal could no longer tell it");
}

#[test]
fn a_pass_proves_so_many_connections_and_counts_requests() {
    let passes = Passes::new(10);
    let kept = pass(&passes, &token("A")).unwrap();
    assert_eq!((0..).take_while(|_| kept.prove_one()).count(), PROVEN_CONNECTIONS_MAX);
    kept.prove_one_less();
    assert!(kept.prove_one() && !kept.prove_one());
    let per_second = |rate| Allowance::per_second(rate, 1);
    let allowances = Allowances { requests: per_second(2), refusals: per_second(3) };
    assert_eq!(
        (kept.take_request(&allowances, 1, NOW), kept.take_request(&allowances, 1, NOW)),
        (Ok(()), Ok(()))
    );
    assert_eq!(
        pass(&passes, &token("A")).unwrap().take_request(&allowances, 1, NOW),
        Err(1),
        "it is the same pass"
    );
    let other = pass(&passes, &token("B")).unwrap();
    for _ in 0..4 {
        other.note_refusal(&allowances, 1, NOW);
    }
    assert!(other.is_refused_often(&allowances, NOW), "too much that was bad");
    assert!(!other.is_refused_often(&allowances, NOW.plus_seconds(1)));
    // One that was dear is paid for before the next is taken.
    let later = NOW.plus_seconds(60);
    other.note_refusal(&allowances, 6, later);
    assert!(other.is_refused_often(&allowances, later.plus_seconds(1)));
    assert!(!other.is_refused_often(&allowances, later.plus_seconds(2)));
}
