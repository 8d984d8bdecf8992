//! Remote write: what is written is read back as it was, however often it is sent.

use super::{moment, now_ms, packed, request, samples, series, write, written};
use crate::harness::Hub;
use pingup_server::http::protobuf::{put_bytes, put_number};
use serde_json::json;

/// Prometheus's own NaN for the end of a series.
const STALE: f64 = f64::from_bits(0x7ff0_0000_0000_0002);

#[test]
fn what_is_written_is_read_as_it_was_sent() {
    let mut hub = Hub::start();
    let (sender, now) = (hub.operator("writer"), now_ms());
    let labels = [("zone", "eu"), ("__name__", "temperature"), ("empty", ""), ("room", "Küche \"1\"")];
    let values = [(0.1 + 0.2, now - 2_000), (-0.0, now - 1_500), (f64::INFINITY, now - 1_000), (5e-324, now)];
    let body = request(&[series(&labels, &values), series(&[("__name__", "other")], &[(1.0, now)])]);
    for _ in 0..3 {
        assert_eq!(write(&sender, &body).status, 204);
    }
    // One by one, in another order, and some of it once more.
    for value in values.iter().rev() {
        written(&sender, &[series(&labels, &[*value])]);
    }
    let metric = json!({"__name__": "temperature", "zone": "eu", "room": "Küche \"1\""});
    let points: Vec<_> = ["0.30000000000000004", "-0", "+Inf", "5e-324"]
        .into_iter()
        .zip(values)
        .map(|(value, (_, at))| json!([moment(at), value]))
        .collect();
    let wanted = vec![(metric, json!(points))];
    assert_eq!(samples(&hub, "temperature", now), wanted);
    hub.kill();
    hub.restart();
    assert_eq!(samples(&hub, "temperature", now), wanted, "204 means on disk");
    assert_eq!(samples(&hub, "{room=~\"K.*\"}", now), wanted);
    assert_eq!(samples(&hub, "other", now).len(), 1);
}

#[test]
fn a_stale_marker_ends_its_series() {
    let hub = Hub::start();
    let (sender, now) = (hub.operator("writer"), now_ms() / 1_000 * 1_000);
    let with = |value: f64, at: i64| series(&[("__name__", "gone"), ("job", "x")], &[(value, at)]);
    written(&sender, &[with(7.0, now - 30_000), with(STALE, now - 15_000)]);
    let value = |at: i64| {
        let path = format!("/prometheus/api/v1/query?query=gone&time={}", at / 1_000);
        hub.operator("viewer").get(&path).expect(200)["data"]["result"].clone()
    };
    assert_eq!(value(now - 16_000)[0]["value"][1], "7");
    assert_eq!(value(now - 15_000), json!([]), "though five minutes are not over");
    assert_eq!(value(now), json!([]));
}

#[test]
fn metadata_is_told_of_written_metrics() {
    let hub = Hub::start();
    let sender = hub.operator("writer");
    let mut metadata = Vec::new();
    put_number(&mut metadata, 1, 1);
    for (number, text) in [(2, "sent_total"), (4, "How much was sent."), (5, "bytes")] {
        put_bytes(&mut metadata, number, text.as_bytes());
    }
    let mut message = Vec::new();
    put_bytes(&mut message, 1, &series(&[("__name__", "sent_total")], &[(1.0, now_ms())]));
    put_bytes(&mut message, 3, &metadata);
    assert_eq!(write(&sender, &packed(&message)).status, 204);
    let told = hub.operator("viewer").get("/prometheus/api/v1/metadata?metric=sent_total").expect(200);
    assert_eq!(
        told["data"]["sent_total"],
        json!([{"type": "counter", "help": "How much was sent.", "unit": "bytes"}])
    );
}

#[test]
fn nothing_is_taken_too() {
    let hub = Hub::start();
    let sender = hub.operator("writer");
    written(&sender, &[]);
    written(&sender, &[series(&[("__name__", "up")], &[])]);
    // As vmagent asks whether its own protocol is spoken: it is not.
    let asked =
        sender.send("POST", &format!("{}?get_vm_proto_version=1", super::WRITE), &super::WRITTEN, Some(b""));
    super::line(&asked, 400);
}

/// What vmagent makes of a scrape of many long ids unless told otherwise: nearly 8 MiB, of which snappy saves nothing.
#[test]
fn a_block_that_snappy_does_not_shrink_is_taken() {
    let hub = Hub::start();
    let (sender, now) = (hub.operator("writer"), now_ms());
    let mut state = 1_u64;
    let mut id = || {
        let letters = (0..600).map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(b' ' + (state >> 40) as u8 % 95)
        });
        letters.collect::<String>()
    };
    let all: Vec<_> = (0..1_600)
        .map(|at| {
            let ids: Vec<_> = (0..8).map(|n| (format!("id_{n}"), id())).collect();
            let mut labels = vec![("__name__", if at % 2 == 0 { "even" } else { "odd" })];
            labels.extend(ids.iter().map(|(name, value)| (name.as_str(), value.as_str())));
            series(&labels, &[(1.0, now)])
        })
        .collect();
    let body = request(&all);
    assert!((6 << 20..10 << 20).contains(&body.len()), "{} bytes", body.len());
    let answer = write(&sender, &body);
    assert_eq!((answer.status, answer.text()), (204, ""));
    let query = crate::prometheus::encode("count(even)");
    let counted = hub
        .operator("viewer")
        .get(&format!("/prometheus/api/v1/query?query={query}&time={}", (now + 1_000) / 1_000));
    assert_eq!(counted.expect(200)["data"]["result"][0]["value"][1], "800");
}
