//! delete_series: how an operator gets out of a limit, who may, and what is told of it.

use super::{now_ms, samples, series, write, written};
use crate::harness::{Hub, eventually, wire::Answer};
use pingup_server::deed::Act;
use serde_json::{Value, json};

const DELETE: &str = "/prometheus/api/v1/admin/tsdb/delete_series";
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

fn delete(hub: &Hub, role: &str, form: &str) -> Answer {
    hub.operator(role).send("POST", DELETE, &[FORM], Some(form.as_bytes()))
}

/// How many series each sender has.
fn senders(hub: &Hub) -> Value {
    let answer = hub.operator("viewer").get("/prometheus/api/v1/status/tsdb").expect(200);
    answer["data"]["seriesCountBySender"].clone()
}

fn names(hub: &Hub) -> Vec<String> {
    let path = "/prometheus/api/v1/label/__name__/values?match[]=%7Bjob%3D%22x%22%7D";
    let answer = hub.operator("viewer").get(path).expect(200);
    answer["data"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_operator_makes_room_for_a_sender_at_its_limit() {
    let mut hub = Hub::start_with(&[("PINGUP_SERIES_MAX_PER_SENDER", "3")]);
    let now = now_ms();
    let sender = |name: &str| {
        let token = hub.line(&["token", "create", "--role", "writer", "--name", name]);
        hub.wire.with_token(&token)
    };
    let (ada, bob) = (sender("ada"), sender("bob"));
    let one = |name: &str| series(&[("__name__", name), ("job", "x")], &[(1.0, now)]);
    written(&ada, &[one("a"), one("b"), one("c")]);
    written(&bob, &[one("d")]);
    assert_eq!(senders(&hub), json!([{"name": "ada", "value": 3}, {"name": "bob", "value": 1}]));
    let refused = write(&ada, &super::request(&[one("e")]));
    assert_eq!(refused.status, 400, "{refused:?}");

    assert_eq!(delete(&hub, "operator", "sender=ada").status, 403);
    for (form, said) in [("", "no match[] parameter"), ("sender=ada&start=5", "deleted whole")] {
        let answer = delete(&hub, "admin", form);
        let told = answer.expect(400);
        assert!(told["error"].as_str().unwrap().contains(said), "{told}");
    }
    assert_eq!(delete(&hub, "admin", "match[]=nosuch").status, 204);
    assert_eq!(names(&hub), ["a", "b", "c", "d"]);

    assert_eq!(delete(&hub, "admin", "match[]=%7B__name__%3D~%22a%7Cd%22%7D&sender=ada").status, 204);
    assert_eq!((names(&hub), samples(&hub, "a", now)), (vec!["b".into(), "c".into(), "d".into()], vec![]));
    written(&ada, &[one("e")]);
    let url = format!("{DELETE}?match[]=d");
    assert_eq!(hub.operator("admin").send("POST", &url, &[], Some(b"")).status, 204, "as others ask");
    // Whoever is sent again begins anew, without what it had.
    written(&ada, &[series(&[("__name__", "e"), ("job", "x")], &[(2.0, now + 1)])]);
    assert_eq!(delete(&hub, "admin", "match[]=e").status, 204);
    written(&ada, &[series(&[("__name__", "e"), ("job", "x")], &[(3.0, now + 2)])]);
    assert_eq!(samples(&hub, "e", now + 2)[0].1, json!([[super::moment(now + 2), "3"]]));

    hub.stop();
    hub.restart();
    assert_eq!(names(&hub), ["b", "c", "e"]);
    assert_eq!(senders(&hub), json!([{"name": "ada", "value": 3}]));
    let figures = hub.operator("scrape").get("/metrics");
    for line in ["pingup_written_series 3", "pingup_sender_series{sender=\"ada\"} 3"] {
        assert!(figures.text().lines().any(|told| told == line), "{line}");
    }
    let path = format!("/api/v1/audit?act={}", Act::SeriesDeleted.as_str());
    let rows = hub.operator("admin").get(&path).expect(200)["items"].as_array().unwrap().clone();
    let told: Vec<_> = rows.iter().rev().map(|row| (&row["who"], &row["detail"]["series"])).collect();
    assert_eq!(told, [(&json!("admin"), &json!(1)); 3]);
    let detail = &rows[2]["detail"];
    assert_eq!((&detail["match"], &detail["sender"]), (&json!("{__name__=~\"a|d\"}"), &json!("ada")));
    let path = format!("/api/v1/audit?act={}", Act::RequestRefused.as_str());
    eventually("who may not is told too", || {
        let refused = hub.operator("admin").get(&path).expect(200);
        refused.to_string().contains(DELETE).then_some(())
    });
}
