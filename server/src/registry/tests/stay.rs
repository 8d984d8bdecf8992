//! Who is heard, changed and found, and how one goes.

use super::*;
use pingup_protocol::limits::LABELS_MAX;

#[tokio::test]
async fn an_id_is_used_once_and_never_again() {
    let house = House::new();
    let hostile = "<b>\u{0}\u{1f980}\"';--";
    let answer =
        house.register(json!({"id": "a", "name": hostile, "metadata": {"k": hostile}})).await.unwrap();
    assert_eq!(answer["agent"]["name"], hostile);
    assert_eq!(house.get("a").await.unwrap()["metadata"]["k"], hostile);
    assert_eq!(house.register(json!({"id": "a"})).await.unwrap_err().kind(), ProblemType::AgentIdRetired);

    assert_eq!(house.remove("a").await.unwrap()["status"], "revoked");
    assert!(matches!(house.key_standing("a").await, KeyStanding::Revoked));
    assert_eq!(house.remove("a").await.unwrap_err().kind(), ProblemType::Gone);
    assert_eq!(house.remove("b").await.unwrap_err().kind(), ProblemType::NotFound);
    assert_eq!(house.register(json!({"id": "a"})).await.unwrap_err().kind(), ProblemType::AgentIdRetired);
}

#[tokio::test]
async fn heartbeats_are_heard_in_their_order() {
    let house = House::new();
    house.register(json!({"id": "a"})).await.unwrap();
    let beat = |seconds: i64, status: &str| json!({"agentId": "a", "timestamp": NOW.plus_seconds(seconds), "status": status});
    let mut first = beat(0, "online");
    first["metrics"] = json!({"cpu": 12.5});
    first["info"] = json!({"hostname": "web"});
    let answer = house.beat("a", first).await.unwrap();
    assert_eq!(answer["pendingCommands"], PENDING_COMMANDS);
    assert_eq!((&answer["configVersion"], &answer["generation"]), (&json!(CONFIG_VERSION), &json!(1)));
    let view = house.get("a").await.unwrap();
    assert_eq!((&view["status"], &view["lastSeen"]), (&json!("online"), &json!(NOW)));
    assert_eq!((&view["latest"]["metrics"]["cpu"], &view["info"]["hostname"]), (&json!(12.5), &json!("web")));

    house.clock.advance(10);
    house.beat("a", beat(0, "offline")).await.unwrap();
    assert_eq!(house.get("a").await.unwrap(), view, "one that is not newer changes nothing");
    let future = house.beat("a", beat(311, "online")).await.unwrap_err();
    assert_eq!(future.kind(), ProblemType::TimestampInFuture);
    house.beat("a", beat(9, "offline")).await.unwrap();
    let view = house.get("a").await.unwrap();
    assert_eq!((&view["status"], &view["info"]["hostname"]), (&json!("offline"), &json!("web")));
}

/// A machine that starts with its clock a year behind, as one without a battery does: what it says first is old, the
/// answer tells it the time, and from then on it counts. Nobody's clock but the hub's is needed for that.
#[tokio::test]
async fn an_agent_that_comes_back_with_its_clock_behind_is_heard_once_it_goes_by_the_hubs() {
    let house = House::new();
    house.register(json!({"id": "a"})).await.unwrap();
    let beat = |at: Value, status: &str| json!({"agentId": "a", "timestamp": at, "status": status});
    house.beat("a", beat(json!(NOW.plus_seconds(-1)), "online")).await.unwrap();
    house.beat("a", beat(json!(NOW), "offline")).await.unwrap();
    house.clock.advance(60);
    let answer = house.beat("a", beat(json!(NOW.plus_seconds(-365 * 86_400)), "online")).await.unwrap();
    assert_eq!(house.get("a").await.unwrap()["status"], "offline", "it may be one of then, sent again");
    house.beat("a", beat(answer["serverTime"].clone(), "online")).await.unwrap();
    let view = house.get("a").await.unwrap();
    assert_eq!((&view["status"], &view["lastSeen"]), (&json!("online"), &json!(NOW.plus_seconds(60))));
}

#[tokio::test]
async fn a_hubs_clock_that_was_set_back_leaves_nobody_offline() {
    let house = House::new();
    house.register(json!({"id": "a"})).await.unwrap();
    let beat = |seconds: i64, status: &str| json!({"agentId": "a", "timestamp": NOW.plus_seconds(seconds), "status": status});
    house.clock.advance(3_600);
    house.beat("a", beat(3_599, "online")).await.unwrap();
    house.beat("a", beat(3_600, "offline")).await.unwrap();
    house.clock.advance(-3_600);
    house.beat("a", beat(0, "online")).await.unwrap();
    assert_eq!(house.get("a").await.unwrap()["status"], "online");
}

#[tokio::test]
async fn what_becomes_of_an_agent_is_told_once_each() {
    use AgentChange::{Offline, Online, Registered, Removed};
    let house = House::new();
    house.register(json!({"id": "a"})).await.unwrap();
    house.register(json!({"id": "a"})).await.unwrap_err();
    for (seconds, status) in [(1, "online"), (2, "online"), (1, "offline"), (3, "offline"), (4, "online")] {
        let beat = json!({"agentId": "a", "timestamp": NOW.plus_seconds(seconds), "status": status});
        house.beat("a", beat).await.unwrap();
    }
    house.remove("a").await.unwrap();
    house.remove("a").await.unwrap_err();
    let a = |change| ("a".to_owned(), change);
    assert_eq!(house.told(), [a(Registered), a(Online), a(Offline), a(Online), a(Removed)]);

    house.register(json!({"id": "b"})).await.unwrap();
    house.issue(Token { replaces: Some("b"), ..ONCE }).await;
    let new = house.enrol(ONCE, None).await.unwrap()["agent"]["id"].as_str().unwrap().to_owned();
    let b = |change| ("b".to_owned(), change);
    assert_eq!(house.told(), [b(Registered), b(Removed), (new, Registered)]);
}

#[tokio::test]
async fn what_an_agent_made_of_its_configuration_shows_beside_what_is_wanted() {
    let house = House::new();
    house.register(json!({"id": "a"})).await.unwrap();
    let shown = async |seconds: i64, config: Value| {
        let beat = json!({
            "agentId": "a", "timestamp": NOW.plus_seconds(seconds), "status": "online", "config": config,
        });
        house.beat("a", beat).await.unwrap();
        house.get("a").await.unwrap()["config"].clone()
    };
    let state = |applied: Value, refused: Value| json!({"wanted": CONFIG_VERSION, "applied": applied, "refused": refused});
    assert_eq!(house.get("a").await.unwrap()["config"], state(Value::Null, Value::Null));
    assert_eq!(shown(1, json!({"applied": 5})).await, state(json!(5), Value::Null));
    let refused = json!({"version": 7, "reason": "because"});
    let both = state(json!(6), refused.clone());
    assert_eq!(shown(2, json!({"applied": 6, "refused": refused})).await, both);
    assert_eq!(shown(3, Value::Null).await, both, "one that does not tell changes nothing");
    assert_eq!(shown(2, json!({"applied": 1})).await, both, "nor does one that is not newer");
    assert_eq!(shown(4, json!({"applied": 7})).await, state(json!(7), Value::Null));
    assert_eq!(shown(5, json!({"applied": null})).await, state(Value::Null, Value::Null));
}

#[tokio::test]
async fn a_sample_that_says_error_shows_and_a_heartbeat_does_not_hide_it() {
    let house = House::new();
    house.register(json!({"id": "a"})).await.unwrap();
    house.latest.offer(&AgentId::parse("a").unwrap(), NOW, "error", &Measurements::default());
    let beat = json!({
        "agentId": "a", "timestamp": NOW.plus_seconds(1), "status": "online", "metrics": {"cpu": 1}
    });
    house.beat("a", beat).await.unwrap();
    assert_eq!(house.get("a").await.unwrap()["status"], "error");
}

#[tokio::test]
async fn a_patch_changes_what_it_names() {
    let house = House::new();
    house.register(json!({"id": "a", "name": "one", "metadata": {"rack": 1}})).await.unwrap();
    let patch = async |body: Value| {
        let body = OperatorBody(body.to_string().into());
        let response =
            handler::patch(State(Arc::clone(&house.room)), Path("a".to_owned()), ada(), body).await.unwrap();
        let view = read(response).await.1;
        (view["name"].clone(), view["metadata"].clone())
    };
    assert_eq!(patch(json!({})).await, (json!("one"), json!({"rack": 1})));
    assert_eq!(patch(json!({"name": null})).await, (json!(null), json!({"rack": 1})));
    assert_eq!(
        patch(json!({"name": "two", "metadata": {"row": 2}})).await,
        (json!("two"), json!({"row": 2}))
    );
    assert_eq!(patch(json!({"metadata": null})).await, (json!("two"), json!({})));
}

#[tokio::test]
async fn labels_are_merged_bounded_and_searched() {
    let house = House::new();
    for id in ["a", "b"] {
        house.register(json!({"id": id})).await.unwrap();
    }
    let patch = async |labels: Value| {
        let body = OperatorBody(json!({ "labels": labels }).to_string().into());
        let response =
            handler::patch(State(Arc::clone(&house.room)), Path("a".to_owned()), ada(), body).await?;
        Ok::<_, Refusal>(read(response).await.1["labels"].clone())
    };
    assert_eq!(
        patch(json!({"role": "web", "site": "ber:1"})).await.unwrap(),
        json!({"role": "web", "site": "ber:1"})
    );
    assert_eq!(patch(json!({"role": null})).await.unwrap(), json!({"site": "ber:1"}));
    assert_eq!(house.list("label=site:ber:1").await.0, ["a"]);
    assert!(house.list("label=site:ber").await.0.is_empty());
    let many: serde_json::Map<_, _> = (0..LABELS_MAX).map(|n| (format!("l{n}"), json!("x"))).collect();
    let refused = patch(Value::Object(many)).await.unwrap_err();
    assert_eq!(refused.problem().errors[0].pointer, "/labels");
    assert_eq!(house.get("a").await.unwrap()["labels"], json!({"site": "ber:1"}), "nothing of it was kept");
    assert_eq!(patch(Value::Null).await.unwrap(), json!({}));
}

#[tokio::test]
async fn lists_are_filtered_searched_and_paged() {
    let house = House::new();
    for (id, name) in [("a1", "Web%"), ("a2", "web_"), ("a3", "db")] {
        house.register(json!({"id": id, "name": name})).await.unwrap();
    }
    house.issue(ONCE).await;
    let machine = house.enrol(ONCE, None).await.unwrap()["agent"]["id"].as_str().unwrap().to_owned();
    house.remove("a3").await.unwrap();
    let beat = json!({"agentId": "a1", "timestamp": NOW, "status": "online"});
    house.beat("a1", beat).await.unwrap();

    let ids = async |query: &str| house.list(query).await.0;
    assert_eq!(ids("").await, ["a1", "a2", &machine]);
    assert_eq!(ids("status=revoked").await, ["a3"]);
    assert_eq!(ids("status=online").await, ["a1"]);
    assert_eq!(ids("status=pending").await, ["a2", &machine]);
    assert!(ids("status=error").await.is_empty());
    assert_eq!(ids("q=WEB").await, ["a1", "a2"]);
    assert_eq!(ids("q=%25").await, ["a1"], "a percent sign is a percent sign");
    assert_eq!(ids("q=H&status=pending").await, [machine.as_str()], "the hostname is searched");
    let (page, cursor) = house.list("limit=2").await;
    assert_eq!(page, ["a1", "a2"]);
    assert_eq!(house.list(&format!("limit=2&cursor={}", cursor.unwrap())).await, (vec![machine], None));
    let count =
        house.sqlite.read(|connection| store::count_by_status(connection).map_err(StorageError::from));
    let expected = [("pending", 2), ("online", 1), ("offline", 0), ("error", 0), ("revoked", 1)];
    assert_eq!(count.await.unwrap(), expected.map(|(word, count)| (word.to_owned(), count)));
}
