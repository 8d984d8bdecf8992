//! Operators' tokens: each has a row in the records, and is good as long as that is there and not revoked.
//!
//! # The story
//! A token is made by the command line or by an admin's request ([`Fresh`]): signed by this hub, with 256 random bits in
//! it, and shown once; kept is the SHA-256 of its text ([`store`]). All rows are held in memory here by that digest, so a
//! token that comes is one digest and one look: no signature, no question to the records. What the command line changes
//! beside a running hub is heard within [`LISTEN_EVERY`], by a thread and a connection that have nothing else to do
//! ([`Operators::refresh`]); what the hub changes itself, at once.
//!
//! A token that is not held here may have been made a moment ago. So it is asked for in the records, but only if its
//! signature is this hub's: what strangers make up costs no question ([`Operators::introduce`]).
//!
//! # Promises
//! What was revoked opens nothing any more, and ends what was begun with it ([`Stay`]): at once where this hub was asked,
//! within a second where the command line was. Neither the records nor the master key are enough to make a token: the
//! one has digests only, and what the other signs has no row.
//!
//! Tokens that were made before tokens had rows are taken in when they come, for 30 days after the rows came about.
//!
//! # Refuses
//! More than [`TOKENS_MAX`] tokens; names that cannot be shown as they are.

mod badge;
mod fresh;
mod row;
pub mod store;
#[cfg(test)]
mod tests;

pub use badge::{Stay, Use};
pub use fresh::{Fresh, FreshError, random_id};

use self::{
    badge::Badge,
    store::{CreateError, Row},
};
use super::{
    digest::{ByDigest, TokenDigest},
    oidc::NAME_MARK,
    role::Operator,
    token::{OperatorToken, TokenError, Tokens},
};
use crate::{
    clock::Clock,
    deed::{By, Record, Who},
    storage::{Sqlite, StorageError, Watch},
};
use pingup_protocol::{enrol::is_token_id, time::Timestamp};
use rusqlite::Connection;
use std::{
    fmt,
    net::IpAddr,
    path::Path,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

/// Tokens that there may be, those included that expired or were revoked and are not deleted yet. Each takes less than a
/// kilobyte of memory.
pub const TOKENS_MAX: usize = 4_096;
/// How often a running hub looks for what was changed beside it.
pub const LISTEN_EVERY: Duration = Duration::from_millis(250);
/// Bytes of the name that stands in a token and beside what its holder changes.
pub const NAME_BYTES_MAX: usize = 128;
/// The longest that a token may live.
pub const TTL_SECONDS_MAX: i64 = 3_650 * 24 * 3_600;

const _: () = assert!(LISTEN_EVERY.as_millis() < 1_000, "a revocation is heard within a second");

/// Whether a name may be given to a token: it stands in logs and lists, so it must look like what it is, and not like that
/// of somebody whom a provider vouches for.
pub fn is_name(text: &str) -> bool {
    // What turns the direction of the text around it, which is no control character.
    let turns = |c| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let fits = (1..=NAME_BYTES_MAX).contains(&text.len());
    fits && !text.starts_with(NAME_MARK)
        && !text.chars().any(|c| c.is_control() || turns(c) || matches!(c, '\u{2028}' | '\u{2029}'))
}

/// Why a token that is not known here opens nothing.
#[derive(Debug, thiserror::Error)]
pub enum IntroduceError {
    /// It is no good.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The records could not say.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// All operators' tokens; clones share everything.
#[derive(Clone)]
pub struct Operators(Arc<Inner>);

struct Inner {
    tokens: Tokens,
    sqlite: Sqlite,
    clock: Clock,
    record: Record,
    known: RwLock<ByDigest<Arc<Badge>>>,
    /// The count of changes up to which `known` is as the records are.
    changes: AtomicI64,
    /// How many looks at the records have begun.
    looks: AtomicU64,
}

impl fmt::Debug for Operators {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Operators(…)")
    }
}

impl Operators {
    pub(super) fn new(tokens: Tokens, sqlite: Sqlite, clock: Clock, record: Record) -> Self {
        let (known, changes, looks) = (RwLock::default(), AtomicI64::new(0), AtomicU64::new(0));
        Self(Arc::new(Inner { tokens, sqlite, clock, record, known, changes, looks }))
    }

    /// What signs them.
    pub fn tokens(&self) -> &Tokens {
        &self.0.tokens
    }

    /// Whose token this is, if it is known here; then also whether it opens anything now.
    pub fn known(&self, text: &str, now: Timestamp) -> Option<Result<(Operator, Stay), TokenError>> {
        let digest = TokenDigest::of(text);
        let badge = self.0.known.read().unwrap_or_else(PoisonError::into_inner).get(&digest).cloned()?;
        Some(let_in(badge, now))
    }

    /// Gets to know a token that came from `address`: its signature, then its row.
    pub async fn introduce(&self, text: &str, address: IpAddr) -> Result<(Operator, Stay), IntroduceError> {
        let now = self.0.clock.now();
        let (token, has_key) = self.0.tokens.read_operator(text)?;
        if token.expires_at <= now {
            return Err(TokenError::Expired.into());
        }
        let digest = TokenDigest::of(text);
        let find = move |connection: &Connection| Ok::<_, StorageError>(store::find(connection, &digest)?);
        let row = match self.0.sqlite.read(find).await? {
            Some(row) => Some(row),
            None if has_key => None,
            None => self.take_in(&token, digest, address, now).await?,
        };
        let row = row.ok_or(TokenError::Invalid)?;
        Ok(let_in(self.learn(&row), now)?)
    }

    async fn take_in(
        &self,
        token: &OperatorToken,
        digest: TokenDigest,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<Option<Row>, IntroduceError> {
        if !is_token_id(&token.id) || !is_name(&token.operator.name) {
            return Ok(None);
        }
        let (row, record) = (Row::new(token, digest, None), self.0.record);
        let by = By::over(Who::operator(token.operator.clone(), Some(&token.id)), address);
        let work = move |connection: &Connection| store::take_in(connection, &row, (record, &by), now);
        let taken = self.0.sqlite.write(work).await;
        let taken = match taken {
            Ok(taken) => taken,
            Err(CreateError::TooMany) => return Err(TokenError::Invalid.into()),
            Err(CreateError::Storage(error)) => return Err(error.into()),
        };
        if let Some(Row { id, name, .. }) = &taken {
            tracing::info!(token = id, ?name, "a token that was made before tokens had rows was taken in");
        }
        Ok(taken)
    }

    /// Knows a row from now on; what is known already stays as it is.
    fn learn(&self, row: &Row) -> Arc<Badge> {
        let mut known = self.0.known.write().unwrap_or_else(PoisonError::into_inner);
        let looks = self.0.looks.load(Ordering::Acquire);
        let badge = Arc::clone(known.entry(row.digest).or_insert_with(|| Badge::new(row, looks)));
        drop(known);
        if row.revoked_at.is_some() {
            badge.revoke();
        }
        badge
    }

    /// Hears of a row that this hub made or revoked. Call it once that is committed, before it is answered.
    pub fn heed(&self, row: &Row) {
        self.learn(row);
    }

    /// Looks for what was changed since the last look, beside this hub too.
    pub fn refresh(&self, connection: &Connection) -> rusqlite::Result<()> {
        // Before the rows, so that a change between the two is looked for again.
        let changes = store::changes(connection)?;
        if changes == self.0.changes.load(Ordering::Acquire) {
            return Ok(());
        }
        let looks = self.0.looks.fetch_add(1, Ordering::AcqRel) + 1;
        let rows = store::all(connection)?;
        let mut known = self.0.known.write().unwrap_or_else(PoisonError::into_inner);
        let mut former = std::mem::take(&mut *known);
        for row in &rows {
            let badge = former.remove(&row.digest).unwrap_or_else(|| Badge::new(row, looks));
            if row.revoked_at.is_some() {
                badge.revoke();
            }
            known.insert(row.digest, badge);
        }
        // A row that is gone opens nothing; one that came while the rows were read is not gone.
        for (digest, badge) in former {
            if badge.looks >= looks {
                known.insert(digest, badge);
            } else {
                badge.revoke();
            }
        }
        drop(known);
        self.0.changes.store(changes, Ordering::Release);
        Ok(())
    }

    /// Looks now, and then every [`LISTEN_EVERY`], until what is returned is dropped.
    pub fn listen(&self, path: &Path) -> Result<Watch, StorageError> {
        let operators = self.clone();
        Watch::start(path, LISTEN_EVERY, move |connection| Ok(operators.refresh(connection)?))
    }

    /// The last uses that are not written down yet, with their tokens' ids.
    pub fn take_uses(&self) -> Vec<(String, Use)> {
        let known = self.0.known.read().unwrap_or_else(PoisonError::into_inner);
        known.values().filter_map(|badge| Some((badge.id.clone(), badge.take_use()?))).collect()
    }

    /// When a token was used last since the hub started, and from where.
    pub fn last_use(&self, digest: &TokenDigest) -> Option<Use> {
        self.0.known.read().unwrap_or_else(PoisonError::into_inner).get(digest)?.last_use()
    }
}

fn let_in(badge: Arc<Badge>, now: Timestamp) -> Result<(Operator, Stay), TokenError> {
    badge.check(now)?;
    Ok((badge.operator.clone(), Stay::with(badge)))
}
