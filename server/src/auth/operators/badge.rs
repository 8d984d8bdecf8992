//! A token that has a row, as it is known in memory: whose it is, whether it still opens doors, who used it last.

use super::store::Row;
use crate::auth::{
    oidc::Hold,
    role::Operator,
    token::{Expiry, TokenError},
};
use pingup_protocol::time::Timestamp;
use std::{
    future::pending,
    net::IpAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::watch;

/// How much later than the one before a use has to be to be noted anew, seconds.
const USE_SECONDS: i64 = 1;

/// A token's last use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    /// When.
    pub at: Timestamp,
    /// From where.
    pub from: IpAddr,
}

/// A token that has a row.
#[derive(Debug)]
pub(super) struct Badge {
    pub(super) id: String,
    pub(super) operator: Operator,
    expiry: Expiry,
    /// How many looks at the records had begun when it was made.
    pub(super) looks: u64,
    /// Turns true once, and never back: whatever was read of the records before that.
    revoked: watch::Sender<bool>,
    used: Mutex<Uses>,
}

#[derive(Debug, Default)]
struct Uses {
    last: Option<Use>,
    is_dirty: bool,
}

impl Badge {
    pub(super) fn new(row: &Row, looks: u64) -> Arc<Self> {
        Arc::new(Self {
            looks,
            id: row.id.clone(),
            operator: Operator { name: row.name.clone(), role: row.role },
            expiry: Expiry::at(row.expires_at),
            revoked: watch::Sender::new(row.revoked_at.is_some()),
            used: Mutex::default(),
        })
    }

    pub(super) fn check(&self, now: Timestamp) -> Result<(), TokenError> {
        if *self.revoked.borrow() {
            return Err(TokenError::Revoked);
        }
        self.expiry.check(now)
    }

    /// Ends it, and all that was begun with it.
    pub(super) fn revoke(&self) {
        // Whoever is woken for nothing looks once more.
        self.revoked.send_if_modified(|revoked| !std::mem::replace(revoked, true));
    }

    /// The last use that is not written down yet.
    pub(super) fn take_use(&self) -> Option<Use> {
        let mut used = self.used.try_lock().ok()?;
        let last = used.last.filter(|_| used.is_dirty);
        used.is_dirty = false;
        last
    }

    /// The last use since the hub started.
    pub(super) fn last_use(&self) -> Option<Use> {
        self.used.try_lock().ok().and_then(|used| used.last)
    }
}

/// How long an operator may stay: until the token expires or is revoked. What they began ends then too.
#[derive(Clone, Debug)]
pub struct Stay {
    expiry: Expiry,
    badge: Option<Arc<Badge>>,
    hold: Option<Arc<Hold>>,
}

impl Stay {
    /// Until then, unless the key goes before that: for a provider's tokens, which nobody here can revoke.
    pub fn vouched(expiry: Expiry, hold: Hold) -> Self {
        Self { expiry, badge: None, hold: Some(Arc::new(hold)) }
    }

    pub(super) fn with(badge: Arc<Badge>) -> Self {
        Self { expiry: badge.expiry, badge: Some(badge), hold: None }
    }

    /// Whether it is not over.
    pub fn check(&self, now: Timestamp) -> Result<(), TokenError> {
        if self.hold.as_ref().is_some_and(|hold| hold.is_gone()) {
            return Err(TokenError::Revoked);
        }
        self.badge.as_ref().map_or_else(|| self.expiry.check(now), |badge| badge.check(now))
    }

    /// Whether the token was revoked, or its key.
    pub fn is_revoked(&self) -> bool {
        self.hold.as_ref().is_some_and(|hold| hold.is_gone())
            || self.badge.as_ref().is_some_and(|badge| *badge.revoked.borrow())
    }

    /// Until the token is revoked, or its key; for ever, if it never is.
    pub async fn revoked(&self) {
        if let Some(hold) = &self.hold {
            return hold.gone().await;
        }
        if let Some(badge) = &self.badge
            && badge.revoked.subscribe().wait_for(|revoked| *revoked).await.is_ok()
        {
            return;
        }
        pending::<()>().await;
    }

    /// How long it is until the token expires.
    pub fn left(&self, now: Timestamp) -> Duration {
        self.expiry.left(now)
    }

    /// What the token is called by, if it has a row.
    pub fn token_id(&self) -> Option<&str> {
        self.badge.as_ref().map(|badge| badge.id.as_str())
    }

    /// Notes that the token opened a door. Whoever finds somebody else noting leaves it to them.
    pub fn note_use(&self, at: Timestamp, from: IpAddr) {
        let Some(mut used) = self.badge.as_ref().and_then(|badge| badge.used.try_lock().ok()) else { return };
        let is_new = |last: Use| {
            let micros = at.as_micros().saturating_sub(last.at.as_micros());
            from != last.from || !(0..USE_SECONDS * 1_000_000).contains(&micros)
        };
        if used.last.is_none_or(is_new) {
            *used = Uses { last: Some(Use { at, from }), is_dirty: true };
        }
    }
}

#[cfg(test)]
impl Stay {
    /// Until then, whatever happens.
    pub(crate) const fn until(expiry: Expiry) -> Self {
        Self { expiry, badge: None, hold: None }
    }

    /// One of a token that is good until it is revoked by calling what comes with it.
    pub(crate) fn revocable() -> (Self, impl Fn()) {
        let moment = Timestamp::from_micros;
        let operator = Operator { name: "ada".to_owned(), role: crate::auth::Role::Viewer };
        let token = crate::auth::token::OperatorToken {
            id: "t".to_owned(),
            operator,
            made_at: moment(0),
            expires_at: moment(i64::MAX),
        };
        let badge = Badge::new(&Row::new(&token, crate::auth::digest::TokenDigest::of(""), None), 0);
        (Self::with(Arc::clone(&badge)), move || badge.revoke())
    }
}
