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
mod tests;
