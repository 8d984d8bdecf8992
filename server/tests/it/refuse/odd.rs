//! What is hardly HTTP, or not what the hub speaks of it: odd methods and targets, upgrades, chunks that lie, heads of every size.

use super::Door;
use crate::harness::{refused, wire::Answer};
use pingup_protocol::limits::HEADER_BYTES_MAX;

#[test]
fn methods_and_targets_that_the_hub_does_not_know() {
    let door = Door::open();
    let raw = |text: &str| door.hub.wire.raw(text.as_bytes());
    for (text, status, name) in [
        ("BREW /health HTTP/1.1\r\nhost: hub\r\n\r\n", 405, "method-not-allowed"),
        ("OPTIONS /api/v1/agents HTTP/1.1\r\nhost: hub\r\n\r\n", 405, "method-not-allowed"),
        ("TRACE /api/v1/agents HTTP/1.1\r\nhost: hub\r\n\r\n", 405, "method-not-allowed"),
        ("OPTIONS * HTTP/1.1\r\nhost: hub\r\n\r\n", 404, "not-found"),
        ("GET http://elsewhere.example/secret HTTP/1.1\r\nhost: elsewhere.example\r\n\r\n", 404, "not-found"),
        ("GET http://elsewhere.example/api/v1/agents HTTP/1.1\r\nhost: hub\r\n\r\n", 401, "token-missing"),
        ("GET //api/v1/agents HTTP/1.1\r\nhost: hub\r\n\r\n", 404, "not-found"),
    ] {
        refused(&raw(text), status, name);
    }
    // No tunnel is ever opened.
    let connect = raw("CONNECT elsewhere.example:443 HTTP/1.1\r\nhost: elsewhere.example:443\r\n\r\n");
    assert!((400..500).contains(&connect.status), "{connect:?}");
    // An upgrade that nobody knows is no upgrade.
    let upgrade = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
    let asked = raw(&format!("GET /health HTTP/1.1\r\nhost: hub\r\n{upgrade}\r\n"));
    assert_eq!(asked.status, 200, "{asked:?}");
    refused(
        &raw(&format!("GET /api/v1/events HTTP/1.1\r\nhost: hub\r\n{upgrade}\r\n")),
        401,
        "token-missing",
    );
    door.nothing_stored();
}

#[test]
fn bodies_whose_length_lies() {
    let door = Door::open();
    let signed = String::from_utf8(door.agent.sign(&door.sample())).unwrap();
    let head = format!(
        "POST /api/v1/metrics HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n",
        door.agent.wire.token()
    );
    let length = signed.len();
    for (form, what) in [
        (
            format!("content-length: {length}\r\ncontent-length: {}\r\n\r\n{signed}", length - 1),
            "two lengths",
        ),
        (format!("content-length: -1\r\n\r\n{signed}"), "below zero"),
        (format!("content-length: 99999999999999999999\r\n\r\n{signed}"), "more than a number holds"),
        ("transfer-encoding: chunked\r\n\r\nzz\r\n".to_owned() + &signed, "a chunk without a length"),
        (
            "transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n".to_owned() + &signed,
            "a chunk of too much",
        ),
        (
            format!("transfer-encoding: gzip, chunked\r\n\r\n{length:x}\r\n{signed}\r\n0\r\n\r\n"),
            "another coding",
        ),
    ] {
        let answer = door.hub.wire.raw(format!("{head}{form}").as_bytes());
        assert!(is_refusal(&answer), "{what}: {answer:?}");
    }
    // Both at once: the chunks count, or it is refused; never is what follows taken for another request.
    let hidden = "GET /health HTTP/1.1\r\nhost: hub\r\n\r\n";
    let both = format!("{head}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{hidden}");
    assert!(is_refusal(&door.hub.wire.raw(both.as_bytes())));
    // Extensions and trailers of chunks mean nothing.
    let torn = &signed[..10];
    let forms = format!(
        "{head}transfer-encoding: chunked\r\n\r\n{:x};a=\"b\"\r\n{torn}\r\n0\r\nx-trailer: 1\r\n\r\n",
        torn.len()
    );
    refused(&door.hub.wire.raw(forms.as_bytes()), 400, "malformed-json");
    door.nothing_stored();
}

/// By a name, or by hyper where there is no request yet.
fn is_refusal(answer: &Answer) -> bool {
    (400..500).contains(&answer.status) || answer.status == 501
}

#[test]
fn heads_of_every_size_are_answered() {
    let door = Door::open();
    for bytes in [0, 1, 1_000, 8_191, 8_192, HEADER_BYTES_MAX - 300] {
        let text = format!("GET /health HTTP/1.1\r\nhost: hub\r\nx: {}\r\n\r\n", "x".repeat(bytes));
        assert_eq!(door.hub.wire.raw(text.as_bytes()).status, 200, "{bytes} bytes");
    }
    for bytes in [HEADER_BYTES_MAX, 2 * HEADER_BYTES_MAX, 4 * HEADER_BYTES_MAX, 1 << 20] {
        let text = format!("GET /health HTTP/1.1\r\nhost: hub\r\nx: {}\r\n\r\n", "x".repeat(bytes));
        assert_eq!(door.hub.wire.raw(text.as_bytes()).status, 431, "{bytes} bytes");
    }
    let many = |count: usize| (0..count).map(|number| format!("x{number}: y\r\n")).collect::<String>();
    let with = |count| {
        door.hub.wire.raw(format!("GET /health HTTP/1.1\r\nhost: hub\r\n{}\r\n", many(count)).as_bytes())
    };
    assert_eq!((with(90).status, with(200).status), (200, 431));
    let long = format!("GET /{} HTTP/1.1\r\nhost: hub\r\n\r\n", "a".repeat(70_000));
    assert!(matches!(door.hub.wire.raw(long.as_bytes()).status, 414 | 431));
}
