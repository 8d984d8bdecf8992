//! What handshakes show, and what comes back to them: the certificate in force, and the tickets of those who were here
//! before.
//!
//! A ticket says that somebody saw the hub prove its key. So with another key there are other tickets: whoever comes back
//! with one of before is shown the new key like a stranger, and one who goes by the former key learns it at once, not
//! when its tickets end.

use super::pair::Pair;
use rustls::{
    Error,
    crypto::aws_lc_rs::Ticketer,
    server::{ClientHello, ProducesTickets, ResolvesServerCert},
    sign::CertifiedKey,
};
use std::sync::{Arc, PoisonError, RwLock};

/// What handshakes show.
#[derive(Debug)]
pub(super) struct Shown(RwLock<Pair>);

impl Shown {
    pub(super) const fn new(pair: Pair) -> Self {
        Self(RwLock::new(pair))
    }

    pub(super) fn now(&self) -> Pair {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn put(&self, pair: Pair) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = pair;
    }
}

impl ResolvesServerCert for Shown {
    /// One for all names: a client that wanted another says so itself.
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.now().key)
    }
}

/// Tickets by which sessions are resumed.
#[derive(Debug)]
pub(super) struct Tickets(RwLock<Arc<dyn ProducesTickets>>);

impl Tickets {
    pub(super) fn new() -> Result<Self, Error> {
        Ok(Self(RwLock::new(Ticketer::new()?)))
    }

    /// From now on no ticket of before is good.
    pub(super) fn begin_anew(&self) -> Result<(), Error> {
        let fresh = Ticketer::new()?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    fn now(&self) -> Arc<dyn ProducesTickets> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        self.now().enabled()
    }

    fn lifetime(&self) -> u32 {
        self.now().lifetime()
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.now().encrypt(plain)
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.now().decrypt(cipher)
    }
}
