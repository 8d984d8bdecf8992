//! Which master keys there are: the one in force, and the one before while keys come from it.
//!
//! Each row says which it comes from, by an id that tells nothing of the key. Rows of before, when there was only one, say
//! nothing, and whether the file that is here is theirs nobody knows from them. So they are written down as its own only
//! once an agent came with a token of theirs that it signed ([`Keyring::note_proof`]): a wrong file refuses them all, and
//! leaves them as they were for the right one. Until then it makes no keys either, and seals no join tokens of before:
//! those would be lost with it.

use super::{keyring::Keyring, token::Tokens};
use crate::{
    generations::{self, KeyRow, MasterId},
    http::problem::Refusal,
    joining::{self, KeptSecret},
    storage::{Masters, StorageError},
};
use pingup_protocol::{keys::Secret, problem::ProblemType};
use rusqlite::Connection;
use std::sync::{Arc, PoisonError, RwLock};

/// A master key, and the tokens that come from it.
pub(super) struct Master {
    pub(super) secret: Secret,
    pub(super) tokens: Tokens,
}

impl Master {
    fn new(secret: Secret) -> Self {
        let tokens = Tokens::new(&secret);
        Self { secret, tokens }
    }
}

/// Those there are.
pub(super) struct Known {
    pub(super) current: Master,
    /// The one before, while keys come from it.
    former: RwLock<Option<Arc<Master>>>,
}

impl From<Masters> for Known {
    fn from(Masters { current, former }: Masters) -> Self {
        let former = RwLock::new(former.map(|former| Arc::new(Master::new(former))));
        Self { current: Master::new(current), former }
    }
}

impl Known {
    pub(super) fn former(&self) -> Option<Arc<Master>> {
        self.former.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What `of` makes of the master key of that id. Rows of before, when there was only one, come from the eldest.
    pub(super) fn with<T>(&self, id: Option<MasterId>, of: impl FnOnce(&Master) -> T) -> Option<T> {
        let (current, former) = (&self.current, self.former());
        match (id, former) {
            (Some(id), _) if id == current.tokens.master() => Some(of(current)),
            (Some(id), Some(former)) if id == former.tokens.master() => Some(of(&former)),
            (Some(_), _) => None,
            (None, Some(former)) => Some(of(&former)),
            (None, None) => Some(of(current)),
        }
    }
}

impl Keyring {
    /// The secret of a join token, where the master key that it is sealed under is here.
    pub fn join_secret(&self, token_id: &str, kept: &KeptSecret) -> Option<Secret> {
        match kept.master {
            None => kept.plain(),
            id => self.masters().with(id, |master| kept.open(&master.secret, token_id)).flatten(),
        }
    }

    /// Refuses to go on where keys come from a master key that is not here, and seals join tokens under the one in force,
    /// if it is known to be the right one.
    pub async fn check_masters(&self) -> Result<(), StorageError> {
        let (current, former) = self.master_ids();
        let known = [current, former.unwrap_or(current)];
        let count = move |connection: &Connection| {
            Ok::<_, StorageError>(generations::count_of_strangers(connection, known)?)
        };
        match self.sqlite().read(count).await? {
            0 => {}
            keys => {
                return Err(StorageError::Folder(format!(
                    "{keys} keys of agents come from another master key than the one that is here; put the right file \
                     back from a backup, or end them for good with `pingup-server master-key retire`"
                )));
            }
        }
        let current = self.masters().current.secret.clone();
        let former = self.masters().former().map(|former| former.secret.clone());
        let adopt = move |connection: &Connection| match former.is_none() && has_unproven(connection)? {
            true => Ok(0),
            false => joining::adopt(connection, &current, former.as_ref()),
        };
        // Where the disk is full the hub starts all the same; the next start tries again.
        if let Err(error) = self.sqlite().write(adopt).await {
            tracing::warn!(%error, "join tokens of before are not sealed under this master key");
        }
        Ok(())
    }

    /// Refuses while there are keys of before and no agent has shown that they come from the master key that is here: what
    /// was made of a wrong one would be lost with it, and keep the hub with the right one from starting.
    ///
    /// # Errors
    ///
    /// 503 `overloaded`, and where the records cannot be read.
    pub async fn check_vouched(&self) -> Result<(), Refusal> {
        match self.masters().former().is_none() && self.sqlite().read(has_unproven).await? {
            false => Ok(()),
            true => Err(Refusal::new(
                ProblemType::Overloaded,
                "no keys are made until an agent of before the update has come: it shows that this is its master key; if \
                 none of them comes any more, delete them, or run `pingup-server master-key rotate`",
            )),
        }
    }

    /// An agent came with a token that the master key in force signed, for keys of before that say of none that they come
    /// from it: all of these do, since there was one only. Join tokens of before are sealed under it now.
    pub(super) async fn note_proof(&self, row: &KeyRow) {
        let (current, former) = self.master_ids();
        if row.master.is_some() || former.is_some() {
            return;
        }
        let secret = self.masters().current.secret.clone();
        let adopt = move |connection: &Connection| {
            joining::adopt(connection, &secret, None)?;
            Ok::<_, StorageError>(generations::adopt(connection, current)?)
        };
        match self.sqlite().write(adopt).await {
            Ok(0) => {}
            Ok(keys) => {
                tracing::info!(keys, "keys of before come from this master key, as an agent has shown");
            }
            // The next agent shows it again.
            Err(error) => tracing::warn!(%error, "keys of before are not noted to come from this master key"),
        }
    }

    /// Whether a rotation of the master key is under way, and this row comes from the former one.
    pub(super) fn is_of_former(&self, row: &KeyRow) -> bool {
        row.master != Some(self.tokens().master()) && self.masters().former().is_some()
    }

    /// The ids of the master keys there are; the one in force, and the former one if there is one.
    pub(super) fn master_ids(&self) -> (MasterId, Option<MasterId>) {
        (self.tokens().master(), self.masters().former().map(|former| former.tokens.master()))
    }

    /// Forgets the former master key: nothing comes from it any more.
    pub fn forget_former(&self) {
        *self.masters().former.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

pub(super) fn has_unproven(connection: &Connection) -> Result<bool, StorageError> {
    Ok(generations::has_unproven(connection)?)
}
