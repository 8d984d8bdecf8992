//! The keys at hand: those that are used, and those before them, for when the hub does not know the new ones.
//!
//! The hub offers the next generation in a signed answer, again and again until it is used. It is on disk before it is
//! used, and the one before stays beside it (`identity.former.json`) until there is another: whatever dies at whatever
//! moment, one of the two is known to the hub, also to one that was restored from a backup of before.
//!
//! ```text
//! identity.json   identity.former.json
//! n               n - 1, or none          before
//! n               n                       the old one is kept: after the first write
//! n + 1           n                       after the second; from here on n + 1 is used
//! ```

use crate::{
    identity::Identity,
    state::{StateDir, StateError, read_json, write_json},
};
use pingup_protocol::enrol::Credentials;
use std::{cell::RefCell, fmt, path::PathBuf, rc::Rc};

/// Where the keys are kept that are used.
pub const FILE: &str = "identity.json";
/// Where those before them are.
pub const FORMER_FILE: &str = "identity.former.json";

/// The keys at hand.
pub struct Keys {
    places: Option<Places>,
    hand: RefCell<Hand>,
}

struct Places {
    current: PathBuf,
    former: PathBuf,
}

struct Hand {
    current: Rc<Identity>,
    /// Tried when the hub does not know the current ones.
    former: Option<Rc<Identity>>,
    /// What the hub did not know, while the former ones are tried, or used.
    unknown: Option<Rc<Identity>>,
}

impl Keys {
    /// These and no others; what the hub offers is not taken.
    pub fn only(identity: Identity) -> Self {
        let hand = Hand { current: Rc::new(identity), former: None, unknown: None };
        Self { places: None, hand: RefCell::new(hand) }
    }

    /// Those that were handed out when the machine enrolled just now, kept in `state`.
    pub fn enrolled(state: &StateDir, identity: Identity) -> Self {
        Self { places: Some(Places::of(state)), ..Self::only(identity) }
    }

    /// Those in `state`; `None` while the machine is not enrolled.
    pub fn load(state: &StateDir) -> Result<Option<Self>, StateError> {
        let Some(current) = Identity::load(state)? else { return Ok(None) };
        let former = match read_json::<Credentials>(&state.join(FORMER_FILE)) {
            Ok(former) => former,
            // They are not needed while the others are good.
            Err(error) => {
                tracing::warn!("the keys of before cannot be read: {error}");
                None
            }
        };
        let is_other = |former: &Credentials| {
            let Credentials { agent_id, generation, .. } = &current.credentials;
            former.agent_id == *agent_id && former.generation != *generation
        };
        let former = former.filter(is_other).and_then(|former| Identity::new(&former)).map(Rc::new);
        let keys = Self::enrolled(state, current);
        keys.hand.borrow_mut().former = former;
        Ok(Some(keys))
    }

    /// Those that are used now.
    pub fn current(&self) -> Rc<Identity> {
        Rc::clone(&self.hand.borrow().current)
    }

    /// The hub does not know `asked`. Whether there are others to ask with: those before them, or those that were put in
    /// use meanwhile; where both are not known, the last word is what it says of the newer ones.
    pub fn refused(&self, asked: &Rc<Identity>) -> bool {
        let mut hand = self.hand.borrow_mut();
        if !Rc::ptr_eq(asked, &hand.current) {
            return true;
        }
        if let Some(former) = hand.former.take() {
            let unknown = std::mem::replace(&mut hand.current, former);
            tracing::warn!(
                unknown = unknown.credentials.generation,
                generation = hand.current.credentials.generation,
                "the hub does not know the keys that are used; those before them are tried"
            );
            hand.unknown = Some(unknown);
            return true;
        }
        match hand.unknown.take() {
            Some(unknown) => {
                hand.current = unknown;
                true
            }
            None => false,
        }
    }

    /// Takes what the hub offers, if it is newer than what is used: on disk first. What cannot be kept is not used, and is
    /// offered again.
    pub fn take(&self, offered: &Credentials) {
        let mut hand = self.hand.borrow_mut();
        let current = &hand.current.credentials;
        let is_unknown = hand.unknown.as_ref().is_some_and(|unknown| unknown.credentials == *offered);
        if offered.generation <= current.generation || is_unknown {
            return;
        }
        let identity = Identity::new(offered).filter(|_| offered.agent_id == current.agent_id);
        let (Some(places), Some(identity)) = (&self.places, identity) else {
            tracing::warn!("what the hub offers are not this agent's keys");
            return;
        };
        let kept = write_json(&places.former, current).and_then(|()| write_json(&places.current, offered));
        if let Err(error) = kept {
            tracing::error!("new keys cannot be kept, and are not used: {error}");
            return;
        }
        tracing::info!(generation = offered.generation, "new keys are used");
        let former = std::mem::replace(&mut hand.current, Rc::new(identity));
        (hand.former, hand.unknown) = (Some(former), None);
    }
}

impl Places {
    fn of(state: &StateDir) -> Self {
        Self { current: state.join(FILE), former: state.join(FORMER_FILE) }
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({:?})", self.hand.borrow().current)
    }
}

#[cfg(test)]
mod tests {
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
}
