//! Parts that work, fail, panic and hang, and examinations that do not come.

use super::*;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tokio::sync::Notify;

fn well(name: &'static str) -> Probe {
    Probe::new(name, || async { Ok::<_, String>(()) })
}

#[tokio::test]
async fn one_part_that_fails_degrades_the_hub() {
    let broken = Probe::new("duckdb", || async { Err("no disk space") });
    let health = Health::new(vec![
        well("sqlite"),
        broken,
        Probe::new("queue", || async { panic!("on purpose") as Result<(), String> }),
    ]);
    health.examine().await;
    let report = health.report();
    assert_eq!(report.status, HealthStatus::Degraded);
    assert_eq!(report.checks["sqlite"].status, PartStatus::Ok);
    assert_eq!(report.checks["duckdb"], PartView::failed("no disk space"));
    assert_eq!(report.checks["queue"], PartView::failed("asking it panicked"));
}

#[tokio::test]
async fn a_part_that_works_may_say_something() {
    let remark = || async { Ok::<_, String>(Some("a backup takes long")) };
    let health = Health::new(vec![well("sqlite"), Probe::with_remarks("keeper", remark)]);
    health.examine().await;
    let report = health.report();
    assert_eq!(report.status, HealthStatus::Ok);
    assert_eq!(report.checks["keeper"].detail.as_deref(), Some("a backup takes long"));
}

#[tokio::test]
async fn what_is_told_has_the_promised_shape() {
    let health = Health::new(vec![well("sqlite")]);
    health.examine().await;
    let told = serde_json::to_value(health.report()).unwrap();
    let expected = serde_json::json!({
        "status": "ok", "version": env!("CARGO_PKG_VERSION"), "uptimeSeconds": 0, "checks": {"sqlite": {"status": "ok"}},
    });
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_part_that_does_not_answer_is_asked_only_once() {
    let (asked, answer) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let probe = Probe::new("duckdb", {
        let (asked, answer) = (Arc::clone(&asked), Arc::clone(&answer));
        move || {
            asked.fetch_add(1, Ordering::SeqCst);
            let answer = Arc::clone(&answer);
            async move {
                answer.notified().await;
                Ok::<_, String>(())
            }
        }
    });
    for _ in 0..3 {
        assert_eq!(probe.examine(Duration::ZERO).await, PartView::failed("no answer within 0 s"));
    }
    answer.notify_one();
    assert_eq!(probe.examine(Duration::from_secs(60)).await.status, PartStatus::Ok);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_examination_that_is_missing_or_old_is_a_failure() {
    let health = Health::new(vec![well("sqlite")]);
    assert_eq!(health.report().status, HealthStatus::Degraded);
    health.examine().await;
    let now = Instant::now();
    assert_eq!(health.report_at(now).status, HealthStatus::Ok);
    let late = health.report_at(now + EXAMINATION_AGE_MAX + Duration::from_secs(1));
    assert_eq!(late.checks["sqlite"], PartView::failed("not examined lately"));
}
