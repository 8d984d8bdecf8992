//! Names of hosts, where they come quickly. A name server that is slow or away costs a scan a bounded time.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::Semaphore,
    task::{JoinSet, spawn_blocking},
    time::{Instant, timeout, timeout_at},
};

/// Lookups at a time. Each holds a thread, also when it is not waited for any more.
const LOOKUPS_MAX: usize = 4;
/// How long one may take.
const LOOKUP_WITHIN: Duration = Duration::from_millis(500);
/// How long all of them together may take; hosts that were not reached by then have no name.
const ALL_WITHIN: Duration = Duration::from_secs(10);

/// The names of `addresses`, of those that have one.
pub(super) async fn of(addresses: &[Ipv4Addr]) -> HashMap<Ipv4Addr, String> {
    let mut found = HashMap::new();
    let threads = Arc::new(Semaphore::new(LOOKUPS_MAX));
    let mut running = JoinSet::new();
    let mut left = addresses.iter().copied();
    let all = async {
        loop {
            while running.len() < LOOKUPS_MAX
                && let Some(address) = left.next()
            {
                running.spawn(name_of(address, Arc::clone(&threads)));
            }
            match running.join_next().await {
                Some(Ok(Some((address, name)))) => _ = found.insert(address, name),
                Some(_) => {}
                None => break,
            }
        }
    };
    // What was found until then stays.
    let _ = timeout_at(Instant::now() + ALL_WITHIN, all).await;
    found
}

async fn name_of(address: Ipv4Addr, threads: Arc<Semaphore>) -> Option<(Ipv4Addr, String)> {
    // The permit goes into the thread, and comes back when that is free, not when we stop waiting.
    let permit = threads.acquire_owned().await.ok()?;
    let lookup = spawn_blocking(move || {
        let name = dns_lookup::lookup_addr(&IpAddr::V4(address)).ok();
        drop(permit);
        name
    });
    let name = timeout(LOOKUP_WITHIN, lookup).await.ok()?.ok()??;
    (!name.is_empty() && name.parse::<IpAddr>().is_err()).then_some((address, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn looking_names_up_ends_whatever_the_name_server_does() {
        let names = of(&[Ipv4Addr::LOCALHOST]).await;
        assert!(names.values().all(|name| !name.is_empty() && name.parse::<IpAddr>().is_err()), "{names:?}");
    }
}
