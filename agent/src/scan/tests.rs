//! Scans of this machine itself, which needs no network. A network of hosts is in the integration tests.

use super::*;
use std::net::TcpListener;

fn plan(network: &str, ports: &[u16]) -> Plan {
    Plan::new(vec![parse_network(network).unwrap()], ports.to_vec(), false).unwrap()
}

async fn scanned(plan: &Plan) -> Scan {
    run(plan, |_| {}).await.unwrap().scan
}

/// A port of this machine that refuses.
fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[tokio::test]
async fn what_listens_here_is_found_and_what_does_not_is_not() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let open = listener.local_addr().unwrap().port();
    let (mut told, mut last) = (Vec::new(), None);
    let made = run(&plan("127.0.0.1", &[closed_port(), open]), |news| match news {
        News::Progress(progress) => last = Some(progress),
        News::Found(host) => told.push(host.clone()),
    })
    .await
    .unwrap();
    let (remark, scan) = (made.remark(), made.scan);
    assert_eq!((remark, scan.networks.len()), (None, 1));
    assert_eq!(last, Some(Progress { done: 1, total: 1 }));
    let [host] = scan.hosts.as_slice() else { panic!("one host expected: {scan:?}") };
    assert_eq!((host.ip.to_string().as_str(), host.ports.as_slice()), ("127.0.0.1", [open].as_slice()));
    assert!(host.latency.is_some_and(|latency| latency >= 0.0));
    assert_eq!(told, scan.hosts, "it was told as it was found");
}

/// Linux answers for all of 127.0.0.0/8.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn more_addresses_than_are_examined_at_a_time_are_all_examined() {
    let plan = plan("127.0.0.0/22", &[1, 2]);
    assert!(plan.addresses() > ADDRESSES_AT_A_TIME as u64);
    let scan = scanned(&plan).await;
    assert_eq!(scan.hosts.len() as u64, plan.addresses());
    assert!(scan.hosts.is_sorted_by_key(|host| host.ip));
}

#[tokio::test]
async fn a_host_that_only_refuses_is_there() {
    let scan = scanned(&plan("127.0.0.1/32", &[closed_port()])).await;
    assert!(scan.hosts.len() == 1 && scan.hosts[0].ports.is_empty(), "{scan:?}");
}

#[tokio::test]
async fn one_scan_waits_for_the_other() {
    let plan = plan("127.0.0.1", &[closed_port()]);
    let alone = ONE.lock().await;
    let mut second = std::pin::pin!(scanned(&plan));
    tokio::select! {
        biased;
        _ = &mut second => panic!("it did not wait"),
        () = tokio::task::yield_now() => {}
    }
    drop(alone);
    assert_eq!(second.await.hosts.len(), 1);
}

/// Nobody may connect to all, whatever this machine's network is.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_scan_that_can_send_nothing_is_none() {
    assert_eq!(run(&plan("255.255.255.255", &[1, 2]), |_| {}).await, Err(NothingSent));
    let networks = ["127.0.0.1", "255.255.255.255"].map(|text| parse_network(text).unwrap());
    let made = run(&Plan::new(networks.to_vec(), vec![1], false).unwrap(), |_| {}).await;
    assert_eq!(made, Err(NothingSent), "to answer oneself is not to be sent");
}
