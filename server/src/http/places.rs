//! Places: how many connections there may be, of all and of one address, and who gives way when they get short.
//!
//! A connection is **proven** once a good token came over it: an agent's whose key lives, or an operator's. A proven one keeps its
//! place. The others hold theirs only as long as there are enough: when fewer than an eighth of all places are left, each newcomer
//! takes the place of the one that has gone unproven for longest, at the address that has most of those. So ten thousand silent
//! connections keep nobody out, wherever they come from, and an address that has one loses it last.
//!
//! A token proves so many connections of one agent, and those of operators an eighth of all places; what is beyond stays unproven.
//!
//! Here is no lock on the road of a request: the book is opened when a connection comes, is proven, and goes.

mod book;

pub use book::Turned;

use self::book::Book;
use super::Peer;
use crate::{auth::Pass, brake, figures::Figures, settings::Limits};
use pingup_protocol::time::Timestamp;
use std::{
    fmt,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::AbortHandle,
    time::{Instant, timeout},
};

/// Free places are short below this share of all.
const SHORT_DIVISOR: usize = 8;
/// Share of all places that operators' tokens prove.
const OPERATORS_DIVISOR: usize = 8;
/// How often is looked for one who gives way, while all places are taken.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// All places.
pub struct Places {
    free: Arc<Semaphore>,
    all: usize,
    limits: Limits,
    book: Mutex<Book>,
    operators: AtomicUsize,
    figures: Arc<Figures>,
}

impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Places(…)")
    }
}

/// What proves a connection.
#[derive(Debug)]
pub enum Proof {
    /// The token of an agent whose key lives.
    Agent(Arc<Pass>),
    /// An operator's.
    Operator,
}

impl Places {
    /// So many places, given by these limits.
    pub fn new(all: usize, limits: Limits, figures: Arc<Figures>) -> Arc<Self> {
        let book = Mutex::new(Book::new(limits.connections_per_second()));
        let (free, operators) = (Arc::new(Semaphore::new(all)), AtomicUsize::new(0));
        Arc::new(Self { free, all, limits, book, operators, figures })
    }

    /// Waits for a free place. None: there will be no more.
    pub async fn free(&self) -> Option<OwnedSemaphorePermit> {
        loop {
            if self.free.available_permits() <= self.all / SHORT_DIVISOR {
                self.make_room();
            }
            if let Ok(place) = timeout(LOOK_EVERY, Arc::clone(&self.free).acquire_owned()).await {
                return place.ok();
            }
        }
    }

    /// How many there are.
    pub const fn all(&self) -> usize {
        self.all
    }

    /// How many are taken.
    pub fn taken(&self) -> usize {
        self.all - self.free.available_permits()
    }

    /// Ends the connection that gives way first, if there is one.
    fn make_room(&self) {
        let given_way = self.book().give_way(Instant::now());
        if let Some(conversation) = given_way {
            conversation.abort();
            self.figures.connections_evicted.add(1);
        }
    }

    /// Gives `place` to a connection that comes from `peer` at `now`, or turns it away.
    pub fn seat(
        self: &Arc<Self>,
        peer: Peer,
        place: OwnedSemaphorePermit,
        now: Timestamp,
    ) -> Result<Arc<Seat>, Turned> {
        let host = brake::host(peer.address.ip());
        let at_once = self.limits.connections_at_once(host.is_loopback(), self.all);
        let is_limited = !host.is_loopback() || self.limits.address_connections_per_second.is_some();
        let seated = self.book().seat(host, (Instant::now(), is_limited.then_some(now)), at_once);
        let number = seated.inspect_err(|_| self.figures.connections_refused.add(1))?;
        Ok(Arc::new(Seat {
            peer,
            host,
            number,
            is_proven: AtomicBool::new(false),
            proof: OnceLock::new(),
            places: Arc::clone(self),
            _place: place,
        }))
    }

    fn take_operators(&self) -> bool {
        let most = (self.all / OPERATORS_DIVISOR).max(1);
        let more = |count| (count < most).then_some(count + 1);
        self.operators.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place, until this is dropped.
pub struct Seat {
    /// Who sits there.
    pub peer: Peer,
    host: IpAddr,
    number: u64,
    is_proven: AtomicBool,
    proof: OnceLock<Proof>,
    places: Arc<Places>,
    _place: OwnedSemaphorePermit,
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seat({})", self.peer.address)
    }
}

impl Seat {
    /// The address as it is counted.
    pub const fn host(&self) -> IpAddr {
        self.host
    }

    /// Lets the place be taken back by ending `conversation`, until it is proven.
    pub fn give_way_by(&self, conversation: AbortHandle) {
        self.places.book().give_way_by(self.host, self.number, conversation);
    }

    /// The agent whose token proved it, by its pass.
    pub fn agent(&self) -> Option<&Pass> {
        match self.proof.get()? {
            Proof::Agent(pass) => Some(pass),
            Proof::Operator => None,
        }
    }

    /// Whether a good token came over this connection.
    pub fn is_proven(&self) -> bool {
        self.is_proven.load(Ordering::Relaxed)
    }

    /// A good token came: asked for at each request, it costs a look.
    pub fn prove(&self, proof: impl FnOnce() -> Proof) {
        if !self.is_proven() {
            self.prove_by(proof());
        }
    }

    #[cold]
    fn prove_by(&self, proof: Proof) {
        let is_granted = match &proof {
            Proof::Agent(pass) => pass.prove_one(),
            Proof::Operator => self.places.take_operators(),
        };
        if !is_granted {
            return;
        }
        match self.proof.set(proof) {
            Ok(()) => {
                self.is_proven.store(true, Ordering::Relaxed);
                self.places.book().prove(self.host, self.number);
            }
            // Another request of this connection was first.
            Err(proof) => self.take_back(&proof),
        }
    }

    fn take_back(&self, proof: &Proof) {
        match proof {
            Proof::Agent(pass) => pass.prove_one_less(),
            Proof::Operator => {
                self.places.operators.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(proof) = self.proof.get() {
            self.take_back(proof);
        }
        self.places.book().leave(self.host, self.number);
    }
}

#[cfg(test)]
mod tests;
