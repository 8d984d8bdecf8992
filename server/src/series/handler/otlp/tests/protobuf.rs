//! Requests in protobuf, which say the same as those in JSON, and what is no request in either.

use super::*;
use crate::http::protobuf::{put_bytes, put_eight, put_number};

fn message(parts: &[(u64, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    parts.iter().for_each(|(number, bytes)| put_bytes(&mut out, *number, bytes));
    out
}

fn request(metrics: &[Vec<u8>]) -> Vec<u8> {
    let metrics: Vec<_> = metrics.iter().map(|metric| (2, &metric[..])).collect();
    message(&[(1, &message(&[(2, &message(&metrics))]))])
}

#[test]
fn protobuf_says_the_same() {
    let attribute = |key: &str, value: &[u8]| message(&[(1, key.as_bytes()), (2, value)]);
    let text = |text: &str| message(&[(1, text.as_bytes())]);
    let with = |fill: &dyn Fn(&mut Vec<u8>)| {
        let mut out = Vec::new();
        fill(&mut out);
        out
    };
    let map = message(&[(6, &message(&[(1, &attribute("k", &with(&|out| put_number(out, 2, 1))))]))]);
    let list = message(&[(5, &message(&[(1, &text("a")), (1, b"")]))]);
    let mut number = message(&[
        (7, &attribute("int", &with(&|out| put_number(out, 3, (-7_i64).cast_unsigned())))),
        (7, &attribute("double", &with(&|out| put_eight(out, 4, 0.5_f64.to_bits())))),
        (7, &attribute("bytes", &message(&[(7, &[0, 1, 2])]))),
        (7, &attribute("map", &map)),
        (7, &attribute("list", &list)),
    ]);
    put_eight(&mut number, 3, NANOS);
    put_eight(&mut number, 6, (-3_i64).cast_unsigned());
    let mut sum = message(&[(1, &number)]);
    put_number(&mut sum, 2, 2);
    put_number(&mut sum, 3, 1);
    let sum = message(&[(1, b"requests"), (2, b"How many."), (3, b"By"), (7, &sum)]);

    // Counts packed, bounds one by one.
    let mut histogram = Vec::new();
    put_eight(&mut histogram, 3, NANOS);
    put_eight(&mut histogram, 4, 3);
    put_eight(&mut histogram, 5, 4.5_f64.to_bits());
    put_bytes(&mut histogram, 6, &[1_u64.to_le_bytes(), 2_u64.to_le_bytes()].concat());
    put_eight(&mut histogram, 7, 2.5_f64.to_bits());
    let mut histogram = message(&[(1, &histogram)]);
    put_number(&mut histogram, 2, 2);
    let histogram = message(&[(1, b"h"), (9, &histogram)]);

    let mut summary = Vec::new();
    put_eight(&mut summary, 3, NANOS);
    put_eight(&mut summary, 4, 2);
    put_eight(&mut summary, 5, 3_f64.to_bits());
    let mut quantile = Vec::new();
    put_eight(&mut quantile, 1, 0.9_f64.to_bits());
    put_eight(&mut quantile, 2, 8_f64.to_bits());
    put_bytes(&mut summary, 6, &quantile);
    let summary = message(&[(1, b"s"), (11, &message(&[(1, &summary)]))]);
    let exponential = message(&[(1, b"e"), (10, &message(&[(1, b""), (1, b"")]))]);

    let resource = message(&[(1, &attribute("service.name", &text("shop")))]);
    let metrics = message(&[(2, &sum), (2, &histogram), (2, &summary), (2, &exponential)]);
    // What measures may stand behind what it measured.
    let body = message(&[(1, &message(&[(2, &metrics), (1, &resource)]))]);
    let (points, brought) = reading(Encoding::Protobuf, &body).unwrap();
    let job = "job=\"shop\"";
    let own = r#"bytes="AAEC", double="0.5", int="-7", job="shop", list="[\"a\",null]", map="{\"k\":true}""#;
    assert_eq!(
        values(&brought),
        expected(&[
            (&format!("requests_bytes_total{{{own}}}"), -3.0),
            (&format!("h_bucket{{{job}, le=\"2.5\"}}"), 1.0),
            (&format!("h_bucket{{{job}, le=\"+Inf\"}}"), 3.0),
            (&format!("h_count{{{job}}}"), 3.0),
            (&format!("h_sum{{{job}}}"), 4.5),
            (&format!("s{{{job}, quantile=\"0.9\"}}"), 8.0),
            (&format!("s_count{{{job}}}"), 2.0),
            (&format!("s_sum{{{job}}}"), 3.0),
        ])
    );
    assert_eq!((points, brought.refused.count), (3, 2));
}

#[test]
fn what_is_no_request_is_refused_as_a_whole() {
    for body in [&b"\x0a\x05"[..], b"\x0a\x02\x12\x05", &request(&[message(&[(1, b"\xff")])])] {
        assert!(reading(Encoding::Protobuf, body).err().unwrap().contains("no protobuf message"));
    }
    let mut deep = message(&[(1, b"x")]);
    for _ in 0..10 {
        deep = message(&[(5, &message(&[(1, &deep)]))]);
    }
    let point = message(&[(7, &message(&[(1, b"k"), (2, &deep)]))]);
    let gauge = message(&[(5, &message(&[(1, &point)]))]);
    assert!(reading(Encoding::Protobuf, &request(&[gauge])).err().unwrap().contains("deeper than 8"));
    for body in [
        "",
        "[]",
        "{\"resourceMetrics\": 1}",
        "{\"resourceMetrics\": [{\"scopeMetrics\": [{\"metrics\": [{\"gauge\": {\"dataPoints\": [{\"asInt\": 1.5}]}}]}]}]}",
    ] {
        assert!(
            reading(Encoding::Json, body.as_bytes()).err().unwrap().contains("no OTLP in JSON"),
            "{body}"
        );
    }
    assert_eq!(reading(Encoding::Protobuf, b"").unwrap().0, 0, "nothing was sent");
    assert_eq!(reading(Encoding::Json, b"{}").unwrap().0, 0);
}

#[test]
fn small_bodies_that_tell_much_stop_at_their_allowance() {
    // Two bytes a point, some seventy in memory.
    let points: Vec<_> = vec![(1, &b""[..]); REQUEST_BYTES_MAX / 64];
    let body = request(&[message(&[(5, &message(&points))])]);
    let objects = format!("{{\"resourceMetrics\": [{}{{}}]}}", "{},".repeat(REQUEST_BYTES_MAX / 64));
    for (encoding, body) in [(Encoding::Protobuf, &body[..]), (Encoding::Json, objects.as_bytes())] {
        assert!(body.len() < UNPACKED_BYTES_MAX);
        let why = reading(encoding, body).err().unwrap();
        assert!(why.contains("send less at once"), "{why}");
    }
}
