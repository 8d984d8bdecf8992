//! What keeps an operator with a provider's token in, while what they began goes on: the key that signed the token.

use super::{Oidc, jwk::KeySet};
use std::{fmt, sync::Arc, time::Duration};
use tokio::time::timeout;

/// How often somebody who stays sees to it that the keys are fetched when they are stale.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// A key that signed a token.
#[derive(Clone)]
pub struct Hold {
    oidc: Oidc,
    kid: Arc<str>,
    keys: Arc<KeySet>,
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hold({:?})", self.kid)
    }
}

impl Hold {
    pub(super) const fn new(oidc: Oidc, kid: Arc<str>, keys: Arc<KeySet>) -> Self {
        Self { oidc, kid, keys }
    }

    /// Whether the provider has withdrawn it, or was away for so long that nobody can tell.
    pub fn is_gone(&self) -> bool {
        let inner = &self.oidc.0;
        let now = inner.clock.read().steady;
        !inner.held().vouches(&self.kid, &self.keys, now)
    }

    /// Until it is gone. Has the keys fetched meanwhile, when they are stale: nobody else may come.
    pub async fn gone(&self) {
        let mut landed = self.oidc.0.landed.subscribe();
        loop {
            // Before the look: a fetch that ends after it is not missed.
            landed.borrow_and_update();
            if self.is_gone() {
                return;
            }
            self.oidc.next(&self.kid);
            // Time or a fetch: the next look tells. The sender lives as long as `self`.
            let _either = timeout(LOOK_EVERY, landed.changed()).await;
        }
    }
}
