//! What is applied, what is refused, and what is told of both.

use super::*;
use crate::{
    execute::AllowList,
    scan::{Plan, PlanError, Wish},
};
use pingup_protocol::{ids::AgentId, time::Timestamp};
use serde_json::json;
use std::time::Duration;

/// What a machine without a file of its own has.
pub(crate) fn own() -> Effective {
    Effective {
        interval: Duration::from_secs(30),
        allow: AllowList::default(),
        scan_every: None,
        places: None,
        force: false,
        ports: vec![22],
        rate: crate::scan::RATE,
    }
}

fn answer(version: u64, config: Value) -> ConfigAnswer {
    ConfigAnswer {
        agent_id: AgentId::parse("a").unwrap(),
        nonce: "n".into(),
        version,
        issued_at: Timestamp::default(),
        config: config.as_object().unwrap().clone(),
    }
}

#[test]
fn the_hub_takes_actions_away_and_never_adds_any() {
    let home = tempfile::tempdir().unwrap();
    let keeper = ConfigKeeper::open(home.path().join("config.json"), own()).unwrap();
    keeper.apply(answer(1, json!({"allow": ["ping", "exec"], "intervalSeconds": 5}))).unwrap();
    let current = keeper.current();
    assert!(current.allow.permits("ping") && !current.allow.permits("exec"));
    assert!(!current.allow.permits("collect_now"), "it was not named any more");
    assert_eq!(current.interval, Duration::from_secs(5));
    keeper.apply(answer(2, json!({}))).unwrap();
    assert_eq!(*keeper.current(), own(), "every version starts from the machine's own settings");
}

#[test]
fn a_lower_version_is_refused_also_after_a_restart() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("config.json");
    let keeper = ConfigKeeper::open(path.clone(), own()).unwrap();
    keeper.apply(answer(7, json!({"discovery": {"everySeconds": 60, "ports": [80]}}))).unwrap();
    let keeper = ConfigKeeper::open(path, own()).unwrap();
    assert_eq!(keeper.current().scan_every, Some(Duration::from_secs(60)));
    assert_eq!(keeper.current().ports, [80]);
    let refusal = keeper.apply(answer(6, json!({})));
    assert!(matches!(refusal, Err(ConfigError::Older { offered: 6, applied: 7 })));
}

#[test]
fn what_was_kept_and_cannot_be_read_any_more_does_not_open_the_machine() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("config.json");
    write_json(&path, &json!({"version": 4, "config": {"allow": "everything"}})).unwrap();
    let keeper = ConfigKeeper::open(path, own()).unwrap();
    assert_eq!(keeper.current().allow.to_string(), "ping");
    assert!(keeper.is_wanting(), "it is fetched without being spoken of");
    assert!(matches!(keeper.apply(answer(3, json!({}))), Err(ConfigError::Older { .. })));
    keeper.apply(answer(4, json!({"allow": ["collect_now"]}))).unwrap();
    assert_eq!(keeper.current().allow.to_string(), "collect_now");
    assert!(!keeper.is_wanting());
}

/// Empty, cut off, or full of zeros: as files are after a power cut.
#[test]
fn what_is_damaged_neither_opens_the_machine_nor_ends_the_agent() {
    for damaged in [&b""[..], b"{\"version\":", &[0; 40]] {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("config.json");
        std::fs::write(&path, damaged).unwrap();
        assert!(fault(&path).unwrap().is_some());
        let keeper = ConfigKeeper::open(path.clone(), own()).unwrap();
        assert_eq!((keeper.current().allow.to_string().as_str(), keeper.version()), ("ping", None));
        assert_eq!(
            keeper.report(),
            ConfigReport { applied: None, refused: None },
            "which it was is not known"
        );
        assert!(keeper.is_wanting(), "it is fetched without being spoken of");
        assert!(keeper.decide(answer(4, json!({"allow": ["collect_now"]}))));
        assert_eq!(
            (keeper.current().allow.to_string().as_str(), keeper.is_wanting()),
            ("collect_now", false)
        );
        assert_eq!(
            (fault(&path).unwrap(), ConfigKeeper::open(path, own()).unwrap().version()),
            (None, Some(4))
        );
    }
}

#[test]
fn what_was_announced_is_open_until_that_was_applied_or_refused() {
    let home = tempfile::tempdir().unwrap();
    let keeper = ConfigKeeper::open(home.path().join("config.json"), own()).unwrap();
    keeper.hear(3);
    assert!(!keeper.decide(answer(2, json!({}))), "less than what was announced");
    assert!(keeper.is_newer(3) && !keeper.is_newer(2) && !keeper.is_wanting());
    keeper.hear(3);
    assert!(keeper.decide(answer(3, json!({"intervalSeconds": 0}))));
    assert!(!keeper.is_newer(3), "refused");
    assert!(keeper.is_newer(4));
}

/// Whether there is something to tell the hub, which is then told.
async fn has_news(keeper: &ConfigKeeper) -> bool {
    tokio::select! {
        biased;
        () = keeper.news() => true,
        () = std::future::ready(()) => false,
    }
}

#[tokio::test]
async fn what_became_of_each_version_is_reported() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("config.json");
    let keeper = ConfigKeeper::open(path.clone(), own()).unwrap();
    let report = |keeper: &ConfigKeeper| {
        let ConfigReport { applied, refused } = keeper.report();
        (applied, refused.map(|refused| refused.version))
    };
    assert_eq!(report(&keeper), (Some(0), None));
    for (version, config, expected) in [
        (1, json!({}), (Some(1), None)),
        (2, json!({"intervalSeconds": 0}), (Some(1), Some(2))),
        (3, json!({"allow": 5}), (Some(1), Some(3))),
        (4, json!({}), (Some(4), None)),
    ] {
        keeper.hear(version);
        keeper.decide(answer(version, config));
        assert_eq!(report(&keeper), expected);
        assert!(has_news(&keeper).await && !has_news(&keeper).await, "each is news once");
    }
    write_json(&path, &json!({"version": 4, "config": {"allow": "everything"}})).unwrap();
    assert_eq!(report(&ConfigKeeper::open(path, own()).unwrap()), (None, Some(4)));
}

#[test]
fn what_cannot_be_read_changes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let keeper = ConfigKeeper::open(home.path().join("config.json"), own()).unwrap();
    for bad in [
        json!({"intervalSeconds": 0}),
        json!({"discovery": {"cidrs": ["10.0.0.0/8"]}}),
        json!({"discovery": {"cidrs": ["here"]}}),
        json!({"discovery": {"cidrs": ["10.1.0.0/16"]}}),
        json!({"discovery": {"cidrs": ["10.1.0.0/17", "10.2.0.0/17"]}}),
    ] {
        assert!(keeper.apply(answer(1, bad.clone())).is_err(), "{bad}");
        assert_eq!(*keeper.current(), own());
    }
}

#[test]
fn many_addresses_are_scanned_where_the_hub_insists() {
    let home = tempfile::tempdir().unwrap();
    let keeper = ConfigKeeper::open(home.path().join("config.json"), own()).unwrap();
    let wide = json!({"discovery": {"cidrs": ["10.1.0.0/16"], "force": true}});
    keeper.apply(answer(1, wide)).unwrap();
    let current = keeper.current();
    let plan = Plan::choose(Wish::default(), &current).unwrap();
    assert_eq!((plan.addresses(), current.force), (65_534, true));
    let two = json!({"discovery": {"cidrs": ["10.1.0.0/16", "10.9.0.0/16"], "force": true}});
    assert!(matches!(keeper.apply(answer(2, two)), Err(ConfigError::Plan(PlanError::TooMany))));
}
