//! Whose orders count on this machine, and for what: its own settings' word.

use crate::execute::{ACTIONS, AllowList};
use pingup_protocol::order::{KeyId, OperatorKey, OperatorKeyError};
use std::{collections::BTreeSet, fmt};

/// Keys of one machine: enough for all who are on duty, and each is tried by comparing it.
pub const KEYS_MAX: usize = 32;
/// What needs an order as soon as there is a key: all that changes the machine.
pub const ALWAYS_SIGNED: [&str; 2] = ["restart_service", "exec"];

/// Whose orders count, and for what. Without a key nothing needs one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signers {
    keys: Vec<OperatorKey>,
    actions: BTreeSet<&'static str>,
}

/// Why settings say nothing that can be kept to.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignersError {
    /// A line that is no key.
    #[error("operator-key: {0}")]
    Key(#[from] OperatorKeyError),
    /// One key twice.
    #[error("operator-key: {0} is named twice")]
    Twice(String),
    /// More than anybody needs.
    #[error("operator-key: at most {KEYS_MAX} expected")]
    TooMany,
    /// An action that is none.
    #[error("signed-actions: there is no action {0:?}; there are: {known}", known = ACTIONS.join(", "))]
    Action(String),
    /// Nobody could sign.
    #[error("signed-actions: nobody could sign without an operator-key; name one, or leave this away")]
    NoKey,
}

impl Signers {
    /// Those of these lines of keys, and of these actions beside those that always need an order.
    pub fn parse(keys: &[String], further: &[String]) -> Result<Self, SignersError> {
        let mut known: Vec<OperatorKey> = Vec::with_capacity(keys.len());
        for line in keys {
            let key: OperatorKey = line.parse()?;
            if known.iter().any(|other| other.id == key.id) {
                return Err(SignersError::Twice(key.to_string()));
            }
            known.push(key);
        }
        match known.len() {
            0 if further.is_empty() => return Ok(Self::default()),
            0 => return Err(SignersError::NoKey),
            1..=KEYS_MAX => {}
            _ => return Err(SignersError::TooMany),
        }
        let action = |word: &String| {
            let found = ACTIONS.into_iter().find(|action| *action == word.trim());
            found.ok_or_else(|| SignersError::Action(word.clone()))
        };
        let further = further.iter().map(action).collect::<Result<BTreeSet<_>, _>>()?;
        Ok(Self { keys: known, actions: ALWAYS_SIGNED.into_iter().chain(further).collect() })
    }

    /// Whether `action` needs an order.
    pub fn demand(&self, action: &str) -> bool {
        self.actions.contains(action)
    }

    /// Whether anything does.
    pub fn are_there(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Whether this key's word counts.
    pub(super) fn know(&self, id: &KeyId) -> bool {
        self.keys.iter().any(|key| key.id == *id)
    }

    /// The keys, each with its name, for people.
    pub fn keys(&self) -> Vec<String> {
        self.keys.iter().map(ToString::to_string).collect()
    }

    /// What needs an order.
    pub fn actions(&self) -> Vec<&'static str> {
        self.actions.iter().copied().collect()
    }

    /// What may run by the hub's word alone, and changes the machine.
    pub fn left_open(&self, allow: &AllowList) -> Vec<&'static str> {
        ALWAYS_SIGNED.into_iter().filter(|action| allow.permits(action) && !self.demand(action)).collect()
    }
}

impl fmt::Display for Signers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.are_there() {
            false => f.write_str("no operator keys: nothing needs a signed order"),
            true => write!(
                f,
                "{} need an order signed by {}",
                self.actions().join(", "),
                self.keys().join(" or ")
            ),
        }
    }
}
