//! Every limit of a body: the last that fits, and the first that does not.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails may panic")]

use pingup_protocol::{
    canonical::{self, JsonError},
    limits::{
        BATCH_SAMPLES_MAX, DEPTH_MAX, MEASUREMENTS_MAX, MEMBERS_MAX, STATUS_BYTES_MAX, STRING_BYTES_MAX,
    },
    metrics::{BatchEntry, MetricsBody},
    signing::{self, ScanError},
};
use serde_json::{Value, json};

fn nested(depth: usize) -> Vec<u8> {
    format!("{}{{\"signature\":\"x\"}}{}", "[".repeat(depth - 1), "]".repeat(depth - 1)).into_bytes()
}

#[test]
fn depth_is_sixteen_and_not_seventeen() {
    assert!(canonical::rewrite(&nested(DEPTH_MAX)).is_ok());
    assert!(matches!(canonical::rewrite(&nested(DEPTH_MAX + 1)), Err(JsonError::TooDeep { .. })));
    let deep = vec![b'['; 1 << 20];
    assert!(matches!(canonical::rewrite(&deep), Err(JsonError::TooDeep { at: DEPTH_MAX })));
    let within = format!("{{\"a\":{}{},\"signature\":\"x\"}}", "[".repeat(DEPTH_MAX), "]".repeat(DEPTH_MAX));
    assert!(canonical::recognise(within.as_bytes()).is_none());
}

#[test]
fn an_object_has_a_thousand_and_twenty_four_members() {
    let object = |members: usize| {
        let members: Vec<_> = (0..members).map(|i| format!("\"{i:05}\":0")).collect();
        format!("{{{}}}", members.join(","))
    };
    assert!(canonical::rewrite(object(MEMBERS_MAX).as_bytes()).is_ok());
    assert!(matches!(
        canonical::rewrite(object(MEMBERS_MAX + 1).as_bytes()),
        Err(JsonError::TooManyMembers { .. })
    ));
    let signed = |members| object(members).replace('}', ",\"signature\":\"x\"}");
    assert!(canonical::recognise(signed(MEMBERS_MAX - 1).as_bytes()).is_some());
    assert!(canonical::recognise(signed(MEMBERS_MAX).as_bytes()).is_none());
}

#[test]
fn a_string_is_sixty_four_kib_whichever_way_it_is_read() {
    for (unit, bytes) in [("x", 1), ("\\n", 1), ("é", 2), ("\\u0001", 1)] {
        let body = |count: usize| format!("{{\"a\":\"{}\",\"signature\":\"x\"}}", unit.repeat(count));
        let fits = body(STRING_BYTES_MAX / bytes);
        assert!(canonical::recognise(fits.as_bytes()).is_some(), "{unit}");
        assert!(canonical::rewrite(fits.as_bytes()).is_ok(), "{unit}");
        let long = body(STRING_BYTES_MAX / bytes + 1);
        assert!(canonical::recognise(long.as_bytes()).is_none(), "{unit}");
        assert!(
            matches!(canonical::rewrite(long.as_bytes()), Err(JsonError::StringTooLong { .. })),
            "{unit}"
        );
    }
}

#[test]
fn a_signature_is_forty_four_characters_that_mean_thirty_two_bytes() {
    let scan =
        |signature: &str| signing::scan(format!("{{\"signature\":\"{signature}\"}}").as_bytes()).map(drop);
    let good = "A".repeat(43) + "=";
    assert_eq!(scan(&good), Ok(()));
    for bad in [
        "",
        "x",
        &good[..43],
        &("A".repeat(42) + "B="),
        &("A".repeat(44)),
        &("A".repeat(42) + "=="),
        &good.replace("A=", "_="),
    ] {
        assert_eq!(scan(bad), Err(ScanError::SignatureMalformed), "{bad}");
    }
}

fn single(change: impl FnOnce(&mut Value)) -> Result<MetricsBody, String> {
    let mut body = json!({
        "agentId": "A", "timestamp": "2026-02-25T10:00:00Z", "status": "online",
        "metrics": {"cpu": 1, "ram": 2.5, "disk": null, "load1": 0.5}
    });
    change(&mut body);
    MetricsBody::read(&serde_json::to_vec(&body).unwrap()).map_err(|e| e.errors[0].pointer.clone())
}

#[test]
fn a_sample_is_read_with_its_measurements() {
    let Ok(MetricsBody::Single(body)) = single(|_| ()) else { panic!("a good sample") };
    assert_eq!((body.metrics.cpu, body.metrics.ram, body.metrics.disk), (Some(1.0), Some(2.5), None));
    assert_eq!(body.metrics.further, [("load1".to_owned(), 0.5)]);
    let Ok(MetricsBody::Single(body)) = single(|b| b["metrics"]["note"] = json!({"deep": [1, "x"]})) else {
        panic!("what is no number has no meaning")
    };
    assert_eq!(body.metrics.further.len(), 1);
}

#[test]
fn a_bad_sample_is_pointed_at() {
    for (pointer, change) in [
        ("/metrics/cpu", json!({"metrics": {"cpu": 100.5}})),
        ("/metrics/ram", json!({"metrics": {"ram": -1}})),
        ("/metrics/cpu", json!({"metrics": {"cpu": "50"}})),
        ("/metrics/latency", json!({"metrics": {"latency": -0.5}})),
        ("/metrics/Load", json!({"metrics": {"Load": 1}})),
        ("/metrics", json!({"metrics": 7})),
        ("/timestamp", json!({"timestamp": "yesterday"})),
        ("/agentId", json!({"agentId": "a b"})),
        ("/status", json!({"status": ""})),
        ("/status", json!({"status": "x".repeat(STATUS_BYTES_MAX + 1)})),
        ("/seq", json!({"boot": 1})),
        ("/boot", json!({"seq": 1})),
        ("/seq", json!({"boot": 1, "seq": 0})),
    ] {
        let read = single(|body| body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone()));
        assert_eq!(read.unwrap_err(), pointer, "{change}");
    }
    let many: serde_json::Map<_, _> = (0..=MEASUREMENTS_MAX).map(|i| (format!("m{i}"), json!(1))).collect();
    assert_eq!(single(|body| body["metrics"] = many.into()).unwrap_err(), "/metrics");
}

#[test]
fn one_bad_sample_does_not_hold_up_a_batch() {
    let sample = |seq: u64, cpu: Value| json!({"seq": seq, "timestamp": "2026-02-25T10:00:00Z", "metrics": {"cpu": cpu}, "status": "online"});
    let batch = |samples: Vec<Value>| {
        MetricsBody::read(
            &serde_json::to_vec(&json!({"agentId": "A", "boot": 5, "samples": samples})).unwrap(),
        )
    };
    let Ok(MetricsBody::Batch(read)) =
        batch(vec![sample(1, json!(1)), sample(2, json!("x")), sample(4, json!(101))])
    else {
        panic!("a batch")
    };
    assert!(matches!(&read.entries[0], BatchEntry::Good(sample) if sample.seq == 1));
    assert!(
        matches!(&read.entries[1], BatchEntry::Bad(bad) if bad.seq == 2 && bad.problem == "schema-invalid")
    );
    assert!(
        matches!(&read.entries[2], BatchEntry::Bad(bad) if bad.seq == 4 && bad.detail.contains("/metrics/cpu"))
    );

    assert_eq!(batch(vec![]).unwrap_err().errors[0].pointer, "/samples");
    assert_eq!(
        batch(vec![sample(2, json!(1)), sample(2, json!(1))]).unwrap_err().errors[0].pointer,
        "/samples/1/seq"
    );
    assert_eq!(batch(vec![json!({"no": "seq"})]).unwrap_err().errors[0].pointer, "/samples/0/seq");
    let many = (1..=BATCH_SAMPLES_MAX as u64 + 1).map(|seq| sample(seq, json!(1))).collect();
    assert_eq!(batch(many).unwrap_err().errors[0].pointer, "/samples");
}
