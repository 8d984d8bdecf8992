//! Limits of series, over the wire: what is new and too much is refused by name, what is known goes on.

use super::{gauge, line, now_ms, of_shop, otlp, request, samples, series, write, written};
use crate::harness::Hub;
use serde_json::json;

#[test]
fn a_sender_at_its_limit_goes_on_with_what_it_has() {
    let hub = Hub::start_with(&[("PINGUP_SERIES_MAX_PER_SENDER", "2")]);
    let (sender, now) = (hub.operator("writer"), now_ms());
    let one = |name: &str, at: i64| series(&[("__name__", name)], &[(1.0, at)]);
    written(&sender, &[one("a", now - 2_000), one("b", now - 2_000)]);
    let answer = write(&sender, &request(&[one("a", now - 1_000), one("c", now - 1_000)]));
    let said = line(&answer, 400);
    assert!(said.starts_with("1 samples were not stored, 1 are: a sender may write 2 series"), "{said}");
    assert_eq!(samples(&hub, "a", now)[0].1.as_array().unwrap().len(), 2);
    assert_eq!(samples(&hub, "c", now), []);

    let answer = otlp(&sender, &of_shop(&json!([gauge("d", now, 1.0)])));
    let partial = &answer.expect(200)["partialSuccess"];
    assert_eq!(partial["rejectedDataPoints"], "1");
    assert!(partial["errorMessage"].as_str().unwrap().contains("a sender may write 2 series"), "{partial}");

    // Another sender has a limit of its own; the name of the token tells who it is.
    let other = hub.line(&["token", "create", "--role", "writer", "--name", "other"]);
    written(&hub.wire.with_token(&other), &[one("c", now)]);
    assert_eq!(samples(&hub, "c", now).len(), 1);
}

/// Two labels of four thousand bytes, its own both.
fn long(n: usize, at: i64) -> Vec<u8> {
    let own = format!("{n:0>4000}");
    series(&[("__name__", "long"), ("a", &own), ("b", &format!("b{}", &own[1..]))], &[(1.0, at)])
}

#[test]
fn labels_take_so_much_memory_and_no_more() {
    let hub = Hub::start_with(&[("PINGUP_SERIES_BYTES_MAX", "1MiB")]);
    let (sender, now) = (hub.operator("writer"), now_ms());
    let ten = |first: usize| request(&(first..first + 10).map(|n| long(n, now)).collect::<Vec<_>>());
    let fitted = (0..100).find(|ten_of| {
        let answer = write(&sender, &ten(10 * ten_of));
        if answer.status == 204 {
            return false;
        }
        let said = line(&answer, 400);
        assert!(said.contains("the hub keeps 1048576 bytes of labels (series_bytes_max)"), "{said}");
        true
    });
    let fitted = 10 * fitted.unwrap();
    assert!((50..130).contains(&fitted), "{fitted} of eight thousand bytes each");
    assert_eq!(write(&sender, &ten(fitted - 10)).status, 204, "what is known goes on");
    let counted = hub.operator("scrape").get("/metrics");
    assert!(counted.text().contains(&format!("pingup_written_series {fitted}")), "{}", counted.text());
    // A short one still fits, of whomever.
    written(&hub.operator("writer"), &[series(&[("__name__", "short")], &[(1.0, now)])]);
    let (delete, form) = (
        "/prometheus/api/v1/admin/tsdb/delete_series",
        ("content-type", "application/x-www-form-urlencoded"),
    );
    assert_eq!(hub.operator("admin").send("POST", delete, &[form], Some(b"match[]=long")).status, 204);
    assert_eq!(write(&sender, &ten(fitted)).status, 204, "there is room again");
}

#[test]
fn a_token_writes_so_often_and_no_other_pays_for_it() {
    let mut hub = Hub::start_with(&[("PINGUP_AGENT_REQUESTS_PER_SECOND", "1")]);
    let (eager, other) = (hub.operator("writer"), hub.operator("writer"));
    let one = || request(&[series(&[("__name__", "up")], &[(1.0, now_ms())])]);
    let refused = (0..100).map(|_| write(&eager, &one())).find(|answer| answer.status != 204).unwrap();
    let told = line(&refused, 429);
    assert!(told.contains("requests of this token"), "{told}");
    assert!(refused.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
    written(&other, &[series(&[("__name__", "up")], &[(1.0, now_ms())])]);
    let log = hub.stop();
    assert!(log.contains("too much is asked of the hub") && log.contains("requests of this token"), "{log}");
}
