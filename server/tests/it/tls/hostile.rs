//! Those who do not speak TLS, or only half of it.

use crate::harness::{Hub, eventually, sealed};
use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

const OWN: (&str, &str) = ("PINGUP_TLS_SELF_SIGNED", "true");
/// As the hub has it; what is awaited here is that it ends something at all.
const PATIENCE: Duration = Duration::from_secs(60);

/// What came until the hub closed; a line that is torn down is closed too.
fn until_closed(stream: &mut TcpStream) -> Vec<u8> {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut text = Vec::new();
    if let Err(error) = stream.read_to_end(&mut text) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
    text
}

#[test]
fn plain_http_is_told_to_speak_tls() {
    let hub = Hub::start_with(&[OWN]);
    for request in [
        "GET /health HTTP/1.1\r\nhost: hub\r\n\r\n".to_owned(),
        format!("POST / HTTP/1.1\r\n{}", "x".repeat(9_000)),
    ] {
        let mut stream = TcpStream::connect(hub.wire.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let answer = String::from_utf8(until_closed(&mut stream)).unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("https://"), "{answer}");
        assert!(!answer.contains("x-content-type-options"), "nobody looked at a request");
    }
    hub.wire.get("/health").expect(200);
}

/// A handshake is a connection: those that say nothing take places, and give them back when their time is over.
#[test]
fn silent_handshakes_are_bounded_and_end() {
    let hub = Hub::start_with(&[OWN, ("PINGUP_CONNECTIONS_MAX", "3")]);
    let mut silent: Vec<_> = [&b""[..], b"\x16\x03\x01\x02\x00\x01", b"\x16\x03\x01\x00\x05\x01\x00\x00"]
        .iter()
        .map(|bytes| {
            let mut stream = TcpStream::connect(hub.wire.address).unwrap();
            stream.write_all(bytes).unwrap();
            stream
        })
        .collect();
    // It waits in the system's queue until one of them is ended.
    hub.wire.get("/health").expect(200);
    for stream in &mut silent {
        assert!(until_closed(stream).len() < 32, "an alert at most");
    }
    let mut line = hub.wire.sealed.clone().unwrap().open().unwrap();
    assert_eq!(sealed::get(&mut line, "/health").status, 200);
    let scrape = hub.operator("scrape");
    eventually("they are counted, and gone", || {
        let figures = scrape.get("/metrics").text().to_owned();
        let told = |name: &str| -> u32 {
            let value = figures.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            value.unwrap().parse().unwrap()
        };
        // With three places they are short at once: some have to give way before their time is over.
        let ended = told("pingup_tls_failed_handshakes_total") + told("pingup_connections_evicted_total");
        (ended >= 3 && told("pingup_connections") == 2).then_some(())
    });
}

#[test]
fn what_is_no_handshake_and_what_breaks_off_harms_nobody() {
    let hub = Hub::start_with(&[OWN]);
    let mut kept = hub.wire.sealed.clone().unwrap().open().unwrap();
    let seed = 0x5eed_u64;
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for round in 0..200 {
        let mut bytes: Vec<u8> = (0..random.usize(1..600)).map(|_| random.u8(..)).collect();
        if round % 2 == 0 {
            // As if it were a handshake.
            bytes.splice(0..0, *b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03");
        }
        let mut stream = TcpStream::connect(hub.wire.address).unwrap();
        let _ = stream.write_all(&bytes);
    }
    assert_eq!(sealed::get(&mut kept, "/health").status, 200);
    let scrape = hub.operator("scrape");
    eventually("all of them are gone", || {
        scrape.get("/metrics").text().contains("\npingup_connections 2\n").then_some(())
    });
}

#[test]
fn a_hub_that_stops_says_goodbye_and_waits_for_no_handshake() {
    let mut hub = Hub::start_with(&[OWN]);
    let mut parked = hub.wire.sealed.clone().unwrap().open().unwrap();
    assert_eq!(sealed::get(&mut parked, "/health").status, 200);
    let scrape = hub.operator("scrape");
    eventually("the line rests", || {
        scrape.get("/metrics").text().contains("\npingup_connections_parked 1\n").then_some(())
    });
    let mut silent = TcpStream::connect(hub.wire.address).unwrap();
    silent.write_all(b"\x16\x03\x01").unwrap();
    let log = hub.stop();
    assert!(!log.contains("did not finish in time"), "{log}");
    // An end that TLS vouches for; a line that was cut would be an error.
    assert_eq!(parked.read(&mut [0; 16]).unwrap(), 0);
    until_closed(&mut silent);
}
