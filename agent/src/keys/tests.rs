//! New keys taken, kept through any death, and given up for the former ones.

use super::*;
use pingup_protocol::{
    enrol::KeyPair,
    ids::AgentId,
    keys::{KEY_BYTES, Secret},
};

fn credentials(generation: u8) -> Credentials {
    let key = Secret::new([generation; KEY_BYTES]).to_base64();
    Credentials {
        agent_id: AgentId::parse("a").unwrap(),
        generation: generation.into(),
        keys: KeyPair { up: key.clone(), down: key },
        token: format!("token-{generation}"),
    }
}

fn generation(keys: &Keys) -> u32 {
    keys.current().credentials.generation
}

fn enrolled() -> (tempfile::TempDir, StateDir, Keys) {
    let home = tempfile::tempdir().unwrap();
    let state = StateDir::open(home.path()).unwrap();
    Identity::save(&state, &credentials(1)).unwrap();
    let keys = Keys::load(&state).unwrap().unwrap();
    (home, state, keys)
}

fn loaded(state: &StateDir) -> Keys {
    Keys::load(state).unwrap().unwrap()
}

#[test]
fn what_is_offered_is_on_disk_before_it_is_used_with_the_old_beside_it() {
    let (_home, state, keys) = enrolled();
    keys.take(&credentials(2));
    assert_eq!(generation(&keys), 2);
    let again = loaded(&state);
    assert_eq!(generation(&again), 2);
    assert!(again.refused(&again.current()) && generation(&again) == 1);
}

#[test]
fn what_is_not_newer_or_not_ours_is_not_taken() {
    let (_home, state, keys) = enrolled();
    keys.take(&credentials(3));
    let others = Credentials { agent_id: AgentId::parse("b").unwrap(), ..credentials(9) };
    let broken = Credentials { keys: KeyPair { up: "x".into(), down: "x".into() }, ..credentials(9) };
    for offered in [credentials(2), credentials(3), others, broken] {
        keys.take(&offered);
        assert_eq!((generation(&keys), generation(&loaded(&state))), (3, 3));
    }
    let only = Keys::only(Identity::new(&credentials(1)).unwrap());
    only.take(&credentials(2));
    assert_eq!(generation(&only), 1, "they could not be kept");
}

/// As after a kill between the two writes, and in the middle of one.
#[test]
fn cut_short_anywhere_the_old_or_the_new_ones_are_there() {
    let (_home, state, _) = enrolled();
    write_json(&state.join(FORMER_FILE), &credentials(1)).unwrap();
    let keys = loaded(&state);
    assert!(generation(&keys) == 1 && !keys.refused(&keys.current()), "the same twice is no other");
    std::fs::write(state.join("identity.tmp"), b"{\"agen").unwrap();
    std::fs::write(state.join(FORMER_FILE), b"{\"agen").unwrap();
    let keys = loaded(&state);
    assert_eq!(generation(&keys), 1);
    keys.take(&credentials(2));
    assert_eq!(generation(&loaded(&state)), 2);
}

#[test]
fn what_cannot_be_kept_is_not_used() {
    let (home, state, keys) = enrolled();
    let place = home.path().join(FILE);
    std::fs::remove_file(&place).unwrap();
    std::fs::create_dir_all(place.join("in the way")).unwrap();
    keys.take(&credentials(2));
    assert_eq!(generation(&keys), 1);
    std::fs::remove_dir_all(&place).unwrap();
    keys.take(&credentials(2));
    assert_eq!((generation(&keys), generation(&loaded(&state))), (2, 2), "offered again");
}

#[test]
fn when_the_hub_knows_neither_the_newer_ones_have_the_last_word() {
    let (_home, _state, keys) = enrolled();
    keys.take(&credentials(2));
    let (newer, asked) = (keys.current(), keys.current());
    assert!(keys.refused(&asked) && generation(&keys) == 1);
    assert!(keys.refused(&newer), "one that was on its way is asked again with the others");
    assert_eq!(generation(&keys), 1);
    assert!(keys.refused(&keys.current()) && generation(&keys) == 2);
    assert!(!keys.refused(&keys.current()), "and that is that");
}

/// A hub that was restored knows generation 1, and offers its own next one.
#[test]
fn after_a_restore_the_old_ones_lead_to_new_ones_and_what_is_unknown_is_not_taken_again() {
    let (_home, state, keys) = enrolled();
    keys.take(&credentials(2));
    assert!(keys.refused(&keys.current()));
    keys.take(&credentials(2));
    assert_eq!(generation(&keys), 1);
    keys.take(&Credentials { token: "another".into(), ..credentials(2) });
    assert_eq!((generation(&keys), keys.current().credentials.token.as_str()), (2, "another"));
    assert_eq!(loaded(&state).current().credentials.token, "another");
}
