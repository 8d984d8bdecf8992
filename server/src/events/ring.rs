//! The newest events in memory, numbered: bounded by count and by bytes, the oldest go first.
//!
//! Whoever tells holds the lock for a push. Whoever reads holds it for a look at [`LOOK_EVENTS_MAX`] events at most and
//! takes references, not copies. Neither waits for a reader.

use super::{Event, filter::Filter};
use pingup_protocol::time::Timestamp;
use std::{
    collections::VecDeque,
    fmt,
    mem::size_of,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;

/// Events that are looked at with the lock held.
const LOOK_EVENTS_MAX: usize = 2_048;
/// Events that are taken at once: what a stream writes in one go.
pub(super) const PAGE_EVENTS_MAX: usize = 256;
/// What an event takes beside itself: two counts, and its place in the list.
const OVERHEAD_BYTES: usize = size_of::<[usize; 2]>() + size_of::<Arc<Event>>();

/// The ring.
pub struct Ring {
    /// Tells this run of the hub from every other: microseconds since 1970 when it began.
    start: i64,
    events_max: usize,
    bytes_max: usize,
    kept: Mutex<Kept>,
    bell: watch::Sender<()>,
}

#[derive(Default)]
struct Kept {
    /// The newest `events.len()` of all that were told.
    events: VecDeque<Arc<Event>>,
    bytes: usize,
    /// How many were told, which is the number of the newest.
    told: u64,
}

/// Where a stream begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// Behind this number, with nothing missing.
    Ready(u64),
    /// Behind this number; what came between it and the reader's last id is not known.
    Reset(u64),
}

/// Some events from a place on.
#[derive(Debug, Default)]
pub struct Page {
    /// Those that are wanted, with their numbers.
    pub events: Vec<(u64, Arc<Event>)>,
    /// The last number that was looked at.
    pub place: u64,
    /// Whether there is more to look at.
    pub more: bool,
}

/// The ring has let go of what comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behind;

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ring({} told)", self.kept().told)
    }
}

impl Ring {
    /// An empty ring, of a hub that began at `start`.
    pub fn new(start: Timestamp, events_max: usize, bytes_max: usize) -> Self {
        let (kept, bell) = (Mutex::default(), watch::Sender::new(()));
        Self { start: start.as_micros(), events_max, bytes_max, kept, bell }
    }

    /// Adds events, lets go of what is too much, and wakes who waits; says how many were added.
    pub fn tell(&self, events: impl IntoIterator<Item = Event>) -> u64 {
        let mut kept = self.kept();
        let before = kept.told;
        for event in events {
            kept.push(event);
            while kept.events.len() > self.events_max || kept.bytes > self.bytes_max {
                kept.let_go();
            }
        }
        let told = kept.told - before;
        drop(kept);
        if told > 0 {
            self.bell.send_replace(());
        }
        told
    }

    /// Rings whenever something was told.
    pub fn bell(&self) -> watch::Receiver<()> {
        self.bell.subscribe()
    }

    /// Where a reader begins that saw `last_id` last, or nothing yet.
    pub fn open(&self, last_id: Option<&str>) -> Opening {
        let kept = self.kept();
        match last_id.map(|id| self.number(id)) {
            None => Opening::Ready(kept.told),
            Some(Some(number)) if kept.reaches(number) => Opening::Ready(number),
            Some(_) => Opening::Reset(kept.told),
        }
    }

    /// What of the events behind `place` is wanted, as many as are taken at once.
    pub fn read(&self, place: u64, wanted: &Filter) -> Result<Page, Behind> {
        let kept = self.kept();
        if !kept.reaches(place) {
            return Err(Behind);
        }
        let skipped = usize::try_from(place - kept.before_first()).unwrap_or(usize::MAX);
        let mut page = Page { place, ..Page::default() };
        for event in kept.events.iter().skip(skipped).take(LOOK_EVENTS_MAX) {
            page.place += 1;
            if wanted.lets_through(event) {
                page.events.push((page.place, Arc::clone(event)));
            }
            if page.events.len() == PAGE_EVENTS_MAX {
                break;
            }
        }
        page.more = page.place < kept.told;
        Ok(page)
    }

    /// The id of an event, or of the place behind it.
    pub fn id(&self, number: u64) -> String {
        format!("{}-{number}", self.start)
    }

    /// The number in an id of this ring's.
    fn number(&self, id: &str) -> Option<u64> {
        let (start, number) = id.split_once('-')?;
        let number = number.parse().ok()?;
        // Only in the form it was given out: what else reads as a number was never one.
        (start.parse() == Ok(self.start) && self.id(number) == id).then_some(number)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn push(&mut self, event: Event) {
        self.bytes += event.bytes() + OVERHEAD_BYTES;
        self.events.push_back(Arc::new(event));
        self.told += 1;
    }

    fn let_go(&mut self) {
        if let Some(oldest) = self.events.pop_front() {
            self.bytes -= oldest.bytes() + OVERHEAD_BYTES;
        }
    }

    /// The number before the oldest that is kept.
    fn before_first(&self) -> u64 {
        self.told - self.events.len() as u64
    }

    /// Whether all behind `place` is kept.
    fn reaches(&self, place: u64) -> bool {
        (self.before_first()..=self.told).contains(&place)
    }
}
