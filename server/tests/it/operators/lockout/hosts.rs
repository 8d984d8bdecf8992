//! What counts as one address: a host of IPv6 has a whole /64, and is locked as one, whichever of its addresses it takes next.
//!
//! Told in a network namespace with addresses of its own, by this same program once more.

use super::ASKED;
use crate::harness::{
    Hub,
    wire::{Answer, Wire},
};
use socket2::{Domain, Socket, Type};
use std::{
    env,
    io::Write,
    net::{IpAddr, Ipv6Addr, SocketAddr, TcpStream},
    process::Command,
};

/// Says that there are no namespaces here, and that this is known.
const WITHOUT: &str = "PINGUP_TEST_WITHOUT_NAMESPACES";
/// Set in the namespace.
const INSIDE: &str = "PINGUP_TEST_INSIDE";
/// Addresses of a host. Each guess that finds no lock any more doubles the next: so many are never needed.
const ADDRESSES: u16 = 12;
/// Where the hub is found.
const HUB: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0xff, 0, 0, 0, 1);

/// An address of a host.
const fn of_host(host: u16, number: u16) -> Ipv6Addr {
    Ipv6Addr::new(0xfd00, 0, 0, host, 0, 0, 0, number)
}

/// How namespaces can be made here.
fn unshare() -> Option<&'static [&'static str]> {
    const WAYS: [&[&str]; 2] = [&["--net"], &["--user", "--map-root-user", "--net"]];
    let works = |way: &&&[&str]| {
        let tried = Command::new("unshare").args(**way).args(["ip", "link", "set", "lo", "up"]).output();
        tried.is_ok_and(|output| output.status.success())
    };
    let way = WAYS.iter().find(works).copied();
    let is_known = env::var_os(WITHOUT).is_some_and(|value| value == "1");
    assert!(way.is_some() || is_known, "no namespaces, unshare or ip here; {WITHOUT}=1 leaves this out");
    way
}

#[test]
fn a_host_of_ipv6_is_locked_with_all_its_addresses_and_its_neighbour_is_not() {
    if env::var_os(INSIDE).is_some() {
        return inside();
    }
    let Some(unshare) = unshare() else { return eprintln!("left out, since {WITHOUT} is set") };
    let addresses = [HUB, of_host(2, 1)].into_iter().chain((1..=ADDRESSES).map(|number| of_host(1, number)));
    let add: String =
        addresses.map(|address| format!("ip -6 address add {address}/128 dev lo nodad && ")).collect();
    // Its own name, without that of the program.
    let (_, module) = module_path!().split_once("::").unwrap();
    let test = format!("{module}::a_host_of_ipv6_is_locked_with_all_its_addresses_and_its_neighbour_is_not");
    let output = Command::new("unshare")
        .args(unshare)
        .args(["sh", "-c", &format!("ip link set lo up && {add}exec \"$@\""), "sh"])
        .arg(env::current_exe().unwrap())
        .args(["--exact", &test, "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let said =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

/// Asks from one of this machine's addresses.
fn ask(from: impl Into<IpAddr>, to: SocketAddr, token: &str) -> Answer {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(from.into(), 0).into()).unwrap();
    socket.connect(&to.into()).unwrap();
    let mut stream = TcpStream::from(socket);
    let head = format!(
        "GET {ASKED} HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    Wire::read_answer(&mut stream)
}

fn inside() {
    // The first bad token locks.
    let mut hub = Hub::prepare(&[("PINGUP_BAD_TOKENS_PER_MINUTE", "0"), ("PINGUP_INSECURE_HTTP", "true")]);
    hub.restart_as(hub.serve_command_at("[::]:0"));
    let (to, viewer) = (SocketAddr::new(HUB.into(), hub.wire.address.port()), hub.token("viewer"));
    assert_eq!(ask(of_host(1, 1), to, "guessed").status, 401);
    // A lock of a second may be over on a slow machine; then this one has earned the next, which is longer.
    let mut looks = (2..ADDRESSES).map(|number| ask(of_host(1, number), to, "guessed"));
    let locked = looks.find(|answer| answer.status == 429).expect("another address of the host is locked");
    assert!(locked.text().contains("too many bad tokens"), "{locked:?}");
    assert_eq!(ask(of_host(1, ADDRESSES), to, &viewer).status, 200, "who is known comes in from there too");
    assert_eq!(ask(of_host(2, 1), to, "guessed").status, 401, "the neighbour was not counted");
    let mapped = SocketAddr::new([127, 0, 0, 1].into(), to.port());
    assert_eq!(ask([127, 0, 0, 1], mapped, "guessed").status, 401, "nor was this machine");
    assert_eq!(ask([127, 0, 0, 1], mapped, &viewer).status, 200);
}
