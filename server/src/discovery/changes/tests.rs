//! What is told of two scans: by address, by ports and names, and by where both looked.

use super::*;

const THEN: Timestamp = Timestamp::from_micros(0);
const NOW: Timestamp = Timestamp::from_micros(1);

fn host(ip: &str, ports: &[u16]) -> Host {
    Host { ip: ip.parse().unwrap(), latency: None, ports: ports.to_vec(), hostname: None, mac: None }
}

fn named(ip: &str, hostname: &str, mac: &str) -> Host {
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Host { hostname: text(hostname), mac: text(mac), ..host(ip, &[22]) }
}

fn seen(at: Timestamp, hosts: &[Host], networks: &[&str]) -> Seen {
    let networks = networks.iter().map(|network| Network::parse(network).unwrap()).collect();
    Seen { at, networks, hosts: hosts.to_vec() }
}

fn between(before: &[Host], now: &[Host]) -> ScanChanges {
    ScanChanges::between(Some(&seen(THEN, before, &[])), &seen(NOW, now, &[]))
}

#[test]
fn hosts_appear_and_disappear_by_address() {
    let (a, b, c) = (host("10.0.0.9", &[80]), host("10.0.0.10", &[]), host("::1", &[22]));
    let changes = between(&[c.clone(), b.clone()], &[c, a.clone()]);
    assert_eq!((changes.timestamp, changes.before), (NOW, Some(THEN)));
    assert_eq!((&changes.appeared[..], &changes.disappeared[..]), (&[a.clone()][..], &[b.clone()][..]));
    assert!(changes.changed.is_empty());
    let all = between(&[], &[b.clone(), a.clone()]);
    assert_eq!(all.appeared, [a.clone(), b.clone()], "in the order of addresses");
    assert_eq!(between(&[a.clone(), b.clone()], &[]).disappeared, [a, b]);
}

#[test]
fn of_hosts_that_stay_ports_names_and_machines_change() {
    let opened = between(&[host("::1", &[80, 22])], &[host("::1", &[22, 443, 443])]);
    let [change] = &opened.changed[..] else { panic!("{opened:?}") };
    assert_eq!((&change.ports_opened[..], &change.ports_closed[..]), (&[443][..], &[80][..]));
    let renamed = between(&[named("::1", "web", "aa:bb")], &[named("::1", "db", "aa:cc")]);
    let [change] = &renamed.changed[..] else { panic!("{renamed:?}") };
    let replaced = |before: &str, now: &str| Some(Replaced { before: before.into(), now: now.into() });
    assert_eq!((&change.hostname, &change.mac), (&replaced("web", "db"), &replaced("aa:bb", "aa:cc")));
    for (before, now) in [
        (named("::1", "web", "aa:bb"), named("::1", "WEB", "AA:BB")),
        (named("::1", "", ""), named("::1", "web", "aa:bb")),
        (named("::1", "web", "aa:bb"), named("::1", "", "")),
        (host("::1", &[80, 22]), Host { latency: Some(1.0), ..host("::1", &[22, 80, 22]) }),
    ] {
        assert_eq!(between(&[before], &[now]).changed, []);
    }
}

#[test]
fn where_there_is_no_scan_before_nothing_has_changed() {
    let first = ScanChanges::between(None, &seen(NOW, &[host("::1", &[])], &[]));
    assert_eq!((first.before, first.appeared.len()), (None, 0));
}

#[test]
fn a_host_that_is_named_twice_is_as_it_is_named_last() {
    let twice = [host("::1", &[1]), host("::1", &[2])];
    assert_eq!(between(&twice, &[host("::1", &[2])]).changed, []);
    assert_eq!(between(&[], &twice).appeared, [host("::1", &[2])]);
}

const NOBODY: &[u8] = &[];

/// What is told of hosts by the last numbers of their addresses: appeared, not looked for before, disappeared.
fn told(before: (&[u8], &[&str]), now: (&[u8], &[&str])) -> [Vec<u8>; 3] {
    let of = |at, (hosts, networks): (&[u8], &[&str])| {
        let hosts: Vec<_> = hosts.iter().map(|last| host(&format!("10.0.0.{last}"), &[])).collect();
        seen(at, &hosts, networks)
    };
    let last = |host: &Host| host.ip.to_string().rsplit('.').next().unwrap().parse().unwrap();
    let changes = ScanChanges::between(Some(&of(THEN, before)), &of(NOW, now));
    assert_eq!(changes.changed, []);
    [changes.appeared, changes.not_looked_for_before, changes.disappeared]
        .map(|hosts| hosts.iter().map(last).collect())
}

#[test]
fn a_scan_of_one_host_lets_no_other_disappear() {
    let (network, one) = (&["10.0.0.0/27"][..], &["10.0.0.1/32"][..]);
    assert_eq!(told((&[1, 2, 3], network), (&[1], one)), [NOBODY, NOBODY, NOBODY]);
    assert_eq!(told((&[1, 2], network), (&[], one)), [NOBODY, NOBODY, &[1]]);
    assert_eq!(told((&[1], one), (&[1, 2, 3], network)), [NOBODY, &[2, 3], NOBODY]);
    assert_eq!(told((&[], one), (&[1], network)), [&[1][..], NOBODY, NOBODY]);
}

#[test]
fn of_networks_that_overlap_only_what_both_looked_at_is_compared() {
    let (low, high) = (&["10.0.0.0/26", "10.9.0.0/24"][..], &["10.0.0.32/27", "10.0.0.64/26"][..]);
    assert_eq!(told((&[1, 40, 41], low), (&[41, 42, 70], high)), [&[42_u8][..], &[70], &[40]]);
}

#[test]
fn a_scan_that_does_not_say_where_it_looked_is_compared_as_a_whole() {
    let one = &["10.0.0.1/32"][..];
    assert_eq!(told((&[1], one), (&[2], &[])), [NOBODY, &[2], &[1]]);
    assert_eq!(told((&[2], &[]), (&[1], one)), [&[1][..], NOBODY, NOBODY]);
    assert_eq!(told((&[1], &[]), (&[2], &[])), [&[2][..], NOBODY, &[1]]);
}

#[test]
fn the_first_and_the_last_address_of_a_network_are_not_looked_for() {
    let (both, low, high) = (&["10.0.0.0/29"][..], &["10.0.0.0/30"][..], &["10.0.0.4/30"][..]);
    assert_eq!(told((&[1, 2, 3, 4], both), (&[1], low)), [NOBODY, NOBODY, &[2]]);
    assert_eq!(told((&[3, 4, 5, 6], both), (&[5], high)), [NOBODY, NOBODY, &[6]]);
    assert_eq!(told((&[1], low), (&[1, 2, 3, 4], both)), [&[2][..], &[3, 4], NOBODY]);
    let narrow = &["10.0.0.2/31", "10.0.0.4/32"][..];
    assert_eq!(told((&[2, 3, 4], both), (&[], narrow)), [NOBODY, NOBODY, &[2, 3, 4]]);
}

/// As the agent tells of a `/28` whose hosts after the tenth did not fit.
#[test]
fn who_did_not_fit_into_a_scan_is_not_gone() {
    let (whole, cut) = (&["10.0.0.0/28"][..], &["10.0.0.0/29", "10.0.0.8/31"][..]);
    assert_eq!(told((&[1, 2, 8, 12, 13], whole), (&[1, 9], cut)), [&[9][..], NOBODY, &[2, 8]]);
    assert_eq!(told((&[1, 9], cut), (&[1, 9, 12, 13], whole)), [NOBODY, &[12, 13], NOBODY]);
    assert_eq!(told((&[1, 9], cut), (&[1], &["10.0.0.0/30"])), [NOBODY, NOBODY, NOBODY]);
}
