//! Requests of remote write, read by themselves: what is kept to the bit, and what is left out by which words.

use super::*;
use crate::{
    http::{
        body::Budget,
        protobuf::{put_bytes, put_eight, put_number},
        unpack::Allowance,
    },
    series::{Described, Incoming, handler::REQUEST_BYTES_MAX},
};
use pingup_promql::STALE_BITS;

fn message(parts: &[(u64, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    parts.iter().for_each(|(number, bytes)| put_bytes(&mut out, *number, bytes));
    out
}

fn label(name: &[u8], value: &[u8]) -> Vec<u8> {
    message(&[(1, name), (2, value)])
}

fn sample(bits: u64, at_ms: i64) -> Vec<u8> {
    let mut out = Vec::new();
    put_eight(&mut out, 1, bits);
    put_number(&mut out, 2, at_ms.cast_unsigned());
    out
}

fn series(labels: &[(&str, &str)], samples: &[(u64, i64)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in labels {
        put_bytes(&mut out, 1, &label(name.as_bytes(), value.as_bytes()));
    }
    samples.iter().for_each(|&(bits, at)| put_bytes(&mut out, 2, &sample(bits, at)));
    out
}

fn read_all(message: &[u8]) -> Result<Brought, Unfit> {
    let allowance = Allowance::of(&Budget::senders(), REQUEST_BYTES_MAX);
    let mut brought = Brought::by("ada".to_owned(), allowance);
    read(message, &mut brought).map(|()| brought)
}

fn bad(message: &[u8]) -> String {
    match read_all(message) {
        Err(Unfit::Bad(why)) => why,
        Err(Unfit::Refused(refusal)) => panic!("{refusal:?}"),
        Ok(_) => panic!("it was read"),
    }
}

fn kept(brought: &Brought) -> Vec<&Incoming> {
    brought.pushes.iter().flat_map(|push| &push.series).collect()
}

#[test]
fn samples_are_kept_to_the_bit_whatever_the_order_of_labels() {
    // As vmagent sends them, and with an empty value, which is no label.
    let labels = [("zone", "eu"), ("__name__", "up"), ("empty", ""), ("job", "ä\"\n")];
    let values = [(1.5_f64.to_bits(), 5), (STALE_BITS, -1), (f64::NAN.to_bits() | 1 << 63, i64::MAX)];
    let mut one = series(&labels, &values);
    // An exemplar, and a field that nobody knows.
    put_bytes(&mut one, 3, b"\x08\x01");
    put_bytes(&mut one, 15, b"?");
    let empty = series(&labels, &[]);
    let brought = read_all(&message(&[(1, &one), (1, &empty), (2, b"?"), (1, &one)])).unwrap();
    let kept = kept(&brought);
    assert_eq!(kept.len(), 2, "the same series twice is for the room");
    for series in kept {
        assert_eq!(series.labels.to_string(), "up{job=\"ä\\\"\\n\", zone=\"eu\"}");
        let points: Vec<_> = series.points.iter().map(|point| (point.value.to_bits(), point.at_ms)).collect();
        assert_eq!(points, values);
    }
    assert_eq!((brought.refused.count, brought.refused.why()), (0, String::new()));
    assert_eq!(kept_sender(&brought), "ada");
}

fn kept_sender(brought: &Brought) -> &str {
    &brought.pushes[0].sender
}

#[test]
fn what_cannot_be_stored_is_left_out_and_named() {
    let one = &[(0, 1)][..];
    let good = series(&[("__name__", "up")], one);
    let with_histogram = |samples: &[(u64, i64)]| {
        let mut series = series(&[("__name__", "wait"), ("job", "x")], samples);
        put_bytes(&mut series, 4, b"");
        series
    };
    let mut no_text = series(&[("__name__", "up")], one);
    put_bytes(&mut no_text, 1, &label(b"job", b"\xff"));
    for (bad, count, said) in [
        (series(&[("job", "x")], one), 1, "{job=\"x\"}: a series has no label __name__"),
        (series(&[], one), 1, "{}: a series has no label __name__"),
        (series(&[("__name__", "a.b")], &[(0, 1), (0, 2)]), 2, "a.b{}: the metric name \"a.b\" is not"),
        (
            series(&[("__name__", "pingup_up")], one),
            1,
            "pingup_up{}: the metric \"pingup_up\" is the hub's own",
        ),
        (series(&[("__name__", "up"), ("a-b", "c")], one), 1, "up{a-b=\"c\"}: the label name \"a-b\""),
        (series(&[("__name__", "up"), ("a", "c"), ("a", "d")], one), 1, "the label \"a\" is there twice"),
        (with_histogram(&[]), 1, "wait{job=\"x\"}: native histograms are not stored here"),
        (no_text, 1, "a label of up{…} is no UTF-8"),
    ] {
        let brought = read_all(&message(&[(1, &good), (1, &bad), (1, &good)])).unwrap();
        assert_eq!((kept(&brought).len(), brought.refused.count), (2, count), "the good ones are kept");
        assert!(brought.refused.why().contains(said), "{}", brought.refused.why());
    }
    let brought = read_all(&message(&[(1, &with_histogram(one))])).unwrap();
    assert_eq!((kept(&brought).len(), brought.refused.count), (1, 1), "its samples are");
}

#[test]
fn many_reasons_are_told_by_their_number() {
    let nameless: Vec<_> = (0..7).map(|n| series(&[("n", &n.to_string())], &[(0, 1)])).collect();
    let parts: Vec<_> = nameless.iter().map(|series| (1, &series[..])).collect();
    let why = read_all(&message(&parts)).unwrap().refused.why();
    assert!(why.starts_with("{n=\"0\"}: ") && why.ends_with("; and 4 more reasons"), "{why}");
    let long = series(&[("l", &"v".repeat(100_000))], &[(0, 1)]);
    let why = read_all(&message(&[(1, &long)])).unwrap().refused.why();
    assert!(why.len() < 1_000, "{} bytes", why.len());
}

#[test]
fn metadata_is_told_of_metrics() {
    let mut counter = Vec::new();
    put_number(&mut counter, 1, 1);
    counter.extend(message(&[(2, b"requests_total"), (4, b"How many."), (5, b"requests")]));
    let brought = read_all(&message(&[(3, &counter), (3, &message(&[(2, b"x")]))])).unwrap();
    let described = |metric: &str, kind, help: &str, unit: &str| Described {
        metric: metric.into(),
        kind,
        help: help.into(),
        unit: unit.into(),
    };
    assert_eq!(
        brought.pushes[0].described,
        [
            described("requests_total", MetricKind::Counter, "How many.", "requests"),
            described("x", MetricKind::Unknown, "", "")
        ]
    );
}

#[test]
fn what_is_no_request_of_version_1_is_refused_as_a_whole() {
    let good = message(&[(1, &series(&[("__name__", "up")], &[(0, 1)]))]);
    for broken in [&b"\x0a\x05"[..], b"\x0a\x02\x0a\x05", b"\x0a\x02\x12\x05", b"\x1a\x01\x0a"] {
        assert!(bad(&[&good, broken].concat()).contains("no protobuf message"));
    }
    for version_2 in [message(&[(4, b"")]), message(&[(4, b""), (4, b"up"), (5, b"\x0a\x02\x01\x02")])] {
        assert!(bad(&version_2).contains("remote write 2"));
    }
}

#[test]
fn a_small_body_that_tells_much_stops_at_its_allowance() {
    // Two bytes a sample, sixteen in memory.
    let mut many = series(&[("__name__", "up")], &[]);
    for _ in 0..REQUEST_BYTES_MAX / size_of::<Point>() {
        put_bytes(&mut many, 2, b"");
    }
    assert!(many.len() < UNPACKED_BYTES_MAX);
    assert!(bad(&message(&[(1, &many)])).contains("send less at once"));
}
