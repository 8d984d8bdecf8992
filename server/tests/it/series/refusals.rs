//! Every refusal of the two doors, provoked over the wire: its status, its words, and what was stored all the same.

use super::{
    JSON, OTLP, WRITE, WRITTEN, gauge, line, now_ms, of_shop, otlp, packed, request, samples, series, write,
};
use crate::harness::{
    Hub,
    wire::{Answer, Wire},
};
use flate2::{Compression, write::GzEncoder};
use serde_json::json;
use std::io::Write;

const MIB: usize = 1024 * 1024;

/// A `google.rpc.Status` in JSON: its message.
#[track_caller]
fn status(answer: &Answer, status: u16, code: u64) -> String {
    let body = answer.expect(status);
    assert_eq!((answer.header("content-type"), &body["code"]), (Some("application/json"), &json!(code)));
    body["message"].as_str().unwrap().to_owned()
}

/// A request that says how long its body is, which is never sent: it is refused by that alone.
fn announced(sender: &Wire, path: &str, headers: &[(&str, &str)], length: usize) -> Answer {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer {}\r\n{headers}content-length: {length}\r\n\r\n",
        sender.token()
    );
    sender.raw(head.as_bytes())
}

#[test]
fn what_is_bad_of_a_write_is_named_and_the_rest_is_stored() {
    let hub = Hub::start();
    let (sender, now) = (hub.operator("writer"), now_ms());
    let one = |labels: &[(&str, &str)], at: i64| series(labels, &[(1.0, at)]);
    let day = 24 * 3_600_000;
    for (at, (bad, said)) in [
        (one(&[("job", "x")], now), "{job=\"x\"}: a series has no label __name__"),
        (one(&[("__name__", "pingup_up")], now), "reserved"),
        (one(&[("__name__", "a b")], now), "the metric name \"a b\""),
        (
            one(&[("__name__", "up"), ("x", "1"), ("x", "2")], now),
            "up{x=\"1\", x=\"2\"}: the label \"x\" is there twice",
        ),
        (
            one(&[("__name__", "late"), ("job", "x")], now - 40 * day),
            "older than the hub keeps samples, such as late{job=\"x\"} at",
        ),
        (one(&[("__name__", "ahead")], now + 11 * 60_000), "ahead of the hub's clock, such as ahead{} at"),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("good_{at}");
        let good = one(&[("__name__", &name)], now);
        let answer = write(&sender, &request(&[good.clone(), bad.clone(), good]));
        let text = line(&answer, 400);
        assert!(text.starts_with("1 samples were not stored, ") && text.contains(said), "{text}");
        assert_eq!(samples(&hub, &name, now).len(), 1, "what was good was stored");
    }
    for absent in ["late", "ahead", "up"] {
        assert_eq!(samples(&hub, absent, now + 3_600_000), []);
    }
}

#[test]
fn what_is_no_write_is_refused_as_a_whole() {
    let hub = Hub::start();
    let sender = hub.operator("writer");
    for (body, said) in [
        (b"no snappy".to_vec(), "no snappy block"),
        (b"".to_vec(), "no snappy block"),
        (vec![0xff, 0xff, 0xff, 0xff, 0x0f], "at most 16777216 bytes"),
        (packed(&vec![0; 16 * MIB + 1]), "at most 16777216 bytes"),
        (packed(b"\x0a\x05"), "no protobuf message"),
        (packed(b"\x22\x00"), "remote write 2"),
        // Samples of two bytes each, far more than there is room for.
        (request(&[b"\x12\x00".repeat(3 * MIB)]), "send less at once"),
    ] {
        let text = line(&write(&sender, &body), 400);
        assert!(text.starts_with("nothing was stored: ") && text.contains(said), "{text}");
    }
    let send = |headers: &[(&str, &str)], body: &[u8]| sender.send("POST", WRITE, headers, Some(body));
    let version_2 = ("content-type", "application/x-protobuf;proto=io.prometheus.write.v2.Request");
    for headers in [
        [version_2, WRITTEN[1], ("x-prometheus-remote-write-version", "2.0.0")],
        [WRITTEN[0], WRITTEN[1], ("x-prometheus-remote-write-version", "2.0.0")],
        [JSON[0], WRITTEN[1], WRITTEN[2]],
    ] {
        assert!(line(&send(&headers, &packed(b"")), 415).contains("remote write 1, not 2"));
    }
    let zstd = [WRITTEN[0], ("content-encoding", "zstd"), WRITTEN[2]];
    assert!(line(&send(&zstd, b""), 415).contains("Content-Encoding: snappy"));
    // All of it is read before the answer: a sender hears nothing while it writes, and must not come back with it.
    for length in [10 * MIB + 1, 40 * MIB] {
        assert!(line(&send(&WRITTEN, &vec![0; length]), 400).contains("10485760 bytes"));
    }
    assert!(line(&sender.get(WRITE), 405).contains("Allow"));
}

#[test]
fn what_is_bad_of_otlp_is_a_partial_success() {
    let hub = Hub::start();
    let (sender, now) = (hub.operator("writer"), now_ms());
    let good = gauge("good", now, 1.5);
    let delta = json!({"name": "d", "sum": {"aggregationTemporality": 1, "dataPoints": [{}, {}]}});
    let old = gauge("old", now - 40 * 24 * 3_600_000, 1.0);
    let answer = otlp(&sender, &of_shop(&json!([good, delta, old])));
    let partial = &answer.expect(200)["partialSuccess"];
    assert_eq!(partial["rejectedDataPoints"], "3");
    let said = partial["errorMessage"].as_str().unwrap();
    assert!(said.contains("d: delta temporality") && said.contains("such as old{job=\"shop\"}"), "{said}");
    assert_eq!(samples(&hub, "good", now).len(), 1);
    assert_eq!(otlp(&sender, &of_shop(&json!([good]))).expect(200), json!({}), "all of it is stored");
}

#[test]
fn what_is_no_otlp_is_refused_in_its_own_encoding() {
    let hub = Hub::start();
    let sender = hub.operator("writer");
    let send = |headers: &[(&str, &str)], body: &[u8]| sender.send("POST", OTLP, headers, Some(body));
    let gzip = [JSON[0], ("content-encoding", "gzip")];
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&vec![b' '; 16 * MIB + 1]).unwrap();
    let bomb = encoder.finish().unwrap();
    assert!(status(&send(&JSON, b"no"), 400, 3).contains("no OTLP in JSON"));
    assert!(status(&send(&gzip, b"{}"), 400, 3).contains("no gzip"));
    assert!(status(&send(&gzip, &bomb), 400, 3).contains("at most 16777216 bytes"));
    // Half a million words: refused before they are taken apart, and nothing else for it.
    let (words, now) = ("a.".repeat(MIB), now_ms());
    let answer = otlp(&sender, &of_shop(&json!([gauge(&words, now, 1.0), gauge("short", now, 1.0)])));
    let partial = &answer.expect(200)["partialSuccess"];
    assert_eq!(partial["rejectedDataPoints"], "1");
    assert!(partial["errorMessage"].as_str().unwrap().contains("2097152 bytes"), "{partial}");
    let many = format!("{{\"resourceMetrics\": [{}{{}}]}}", "{},".repeat(MIB));
    assert!(status(&send(&JSON, many.as_bytes()), 400, 3).contains("send less at once"));
    assert!(status(&announced(&sender, OTLP, &JSON, 4 * MIB + 1), 413, 3).contains("4194304 bytes"));
    assert!(status(&send(&[JSON[0], ("content-encoding", "zstd")], b""), 415, 3).contains("gzip"));
    assert!(status(&hub.wire.send("POST", OTLP, &JSON, Some(b"{}")), 401, 16).contains("Bearer"));
    assert!(
        status(&hub.operator("viewer").send("POST", OTLP, &JSON, Some(b"{}")), 403, 7).contains("writer")
    );
    let traces = sender.send("POST", "/otlp/v1/traces", &JSON, Some(b"{}"));
    assert!(status(&traces, 404, 5).contains("no such path"));

    let protobuf = [("content-type", "application/x-protobuf")];
    let refused = send(&protobuf, b"\x0a\x05");
    assert_eq!((refused.status, refused.header("content-type")), (400, Some("application/x-protobuf")));
    assert_eq!(refused.body[..3], [0x08, 3, 0x12]);
    assert!(String::from_utf8_lossy(&refused.body).contains("no protobuf message"));
    let nothing = send(&protobuf, b"");
    assert_eq!((nothing.status, nothing.body.len()), (200, 0));
    let text = send(&[("content-type", "text/plain")], b"");
    assert_eq!((text.status, text.header("content-type")), (415, Some("application/x-protobuf")));
}

#[test]
fn a_token_is_asked_for_in_both_schemes() {
    let hub = Hub::start();
    let agent = hub.register("A");
    for (path, headers) in [(WRITE, &WRITTEN[..]), (OTLP, &JSON)] {
        for wire in [&hub.wire, &agent.wire] {
            let answer = wire.send("POST", path, headers, Some(b"\0"));
            assert_eq!(answer.status, 401, "{answer:?}");
            let schemes = answer.all("www-authenticate");
            assert!(schemes.iter().any(|scheme| scheme.starts_with("Bearer ")), "{schemes:?}");
            assert!(schemes.iter().any(|scheme| scheme.starts_with("Basic ")), "{schemes:?}");
        }
    }
    assert!(line(&write(&hub.operator("viewer"), b"\0"), 403).contains("needs the role writer"));
    let counted = hub.operator("scrape").get("/metrics");
    let wanted = "pingup_refusals_total{problem=\"scope-denied\"} 1";
    assert!(counted.text().contains(wanted), "{wanted}: {}", counted.text());
}
