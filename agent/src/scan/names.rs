//! Names of hosts, where they come quickly. A name server that is slow or away costs a scan a bounded time.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};

/// Lookups at a time. Each holds a thread, also when it is not waited for any more.
const LOOKUPS_MAX: usize = 4;
/// How long one may take.
const LOOKUP_WITHIN: Duration = Duration::from_millis(500);
/// So many in a row that took longer, and the name server is not asked any more: each may hold its thread for long.
const LOST_MAX: usize = 4;

/// Looks names up for one scan.
#[derive(Debug)]
pub(super) struct Names {
    threads: Arc<Semaphore>,
    lost: AtomicUsize,
}

impl Names {
    /// For a scan that begins.
    pub(super) fn new() -> Self {
        Self { threads: Arc::new(Semaphore::new(LOOKUPS_MAX)), lost: AtomicUsize::new(0) }
    }

    /// The name of `address`, if it has one that comes in time.
    pub(super) async fn of(&self, address: Ipv4Addr) -> Option<String> {
        self.by(move || dns_lookup::lookup_addr(&IpAddr::V4(address)).ok()).await
    }

    /// No more lookups: who waits for one gets nothing.
    pub(super) fn end(&self) {
        self.threads.close();
    }

    async fn by(&self, look_up: impl FnOnce() -> Option<String> + Send + 'static) -> Option<String> {
        // The permit goes into the thread, and comes back when that is free, not when we stop waiting.
        let permit = Arc::clone(&self.threads).acquire_owned().await.ok()?;
        let lookup = spawn_blocking(move || {
            let name = look_up();
            drop(permit);
            name
        });
        let Ok(name) = timeout(LOOKUP_WITHIN, lookup).await else {
            if self.lost.fetch_add(1, Ordering::Relaxed) + 1 >= LOST_MAX {
                tracing::debug!("the name server does not answer: no more names in this scan");
                self.end();
            }
            return None;
        };
        self.lost.store(0, Ordering::Relaxed);
        name.ok()?.filter(|name| !name.is_empty() && name.parse::<IpAddr>().is_err())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[tokio::test]
    async fn a_name_that_is_an_address_is_none() {
        let names = Names::new();
        let by = |name: &str| {
            let name = name.to_owned();
            names.by(move || Some(name))
        };
        assert_eq!(by("printer.example").await.as_deref(), Some("printer.example"));
        assert_eq!((by("10.0.0.9").await, by("").await, names.by(|| None).await), (None, None, None));
    }

    #[tokio::test]
    async fn a_name_server_that_does_not_answer_is_asked_a_few_times_only() {
        let names = Names::new();
        let (hold, held) = mpsc::channel::<()>();
        let held = Arc::new(std::sync::Mutex::new(held));
        let lookup = || {
            let held = Arc::clone(&held);
            names.by(move || {
                // Ends when the other side is gone.
                let _ = held.lock().unwrap().recv();
                Some("late.example".to_owned())
            })
        };
        let (a, b, c, d) = tokio::join!(lookup(), lookup(), lookup(), lookup());
        assert_eq!((a, b, c, d), (None, None, None, None));
        assert_eq!(names.by(|| Some("next.example".to_owned())).await, None, "it is not asked any more");
        drop(hold);
    }

    #[tokio::test]
    async fn who_waits_in_the_end_gets_nothing() {
        let names = Names::new();
        names.end();
        assert_eq!(names.of(Ipv4Addr::LOCALHOST).await, None);
    }
}
