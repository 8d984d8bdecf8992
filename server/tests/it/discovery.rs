//! /api/v1/discovery: scans arrive and are read back whole.

use crate::harness::{Hub, agent::now, refused};
use serde_json::{Value, json};

#[test]
fn scans_are_stored_whole_and_listed_newest_first() {
    let mut hub = Hub::start();
    let agent = hub.register("A");
    let first = now().plus_seconds(-3600);
    let host = |n: u8| json!({"ip": format!("192.168.1.{n}"), "latency": 2.5, "ports": [80, 443], "hostname": "h\u{1f602}", "mac": "aa:bb:cc:dd:ee:ff"});
    let scan = |at, hosts: Vec<Value>| json!({"agentId": "A", "timestamp": at, "discovery": {"hosts": hosts, "duration": 15230}});
    let two = scan(first, vec![host(1), host(2)]);
    assert_eq!(agent.post("/api/v1/discovery", &two).expect(200)["accepted"], 1);
    assert_eq!(agent.post("/api/v1/discovery", &two).expect(200)["duplicates"], 1);
    let nobody = scan(first.plus_seconds(60), vec![]);
    agent.post("/api/v1/discovery", &nobody).expect(200);
    let one = json!({"agentId": "A", "timestamp": first.plus_seconds(120), "discovery": {"hosts": [{"ip": "fe80::1", "ports": []}], "duration": 0.5}});
    agent.post("/api/v1/discovery", &one).expect(200);

    hub.kill();
    hub.restart();
    let viewer = hub.operator("viewer");
    let all = viewer.get("/api/v1/discovery/A").expect(200);
    let items = all["items"].as_array().unwrap();
    assert_eq!(items.len(), 3, "{all}");
    assert_eq!(items[0]["hosts"][0]["ip"], "fe80::1");
    assert_eq!((&items[1]["hosts"], &items[1]["timestamp"]), (&json!([]), &json!(first.plus_seconds(60))));
    assert_eq!((items[2]["hosts"].as_array().unwrap().len(), &items[2]["duration"]), (2, &json!(15230.0)));
    let stored = items[2]["hosts"].as_array().unwrap().iter().find(|h| h["ip"] == "192.168.1.1").unwrap();
    assert_eq!(*stored, host(1));
    assert_eq!(viewer.get("/api/v1/discovery/A/latest").expect(200), items[0]);

    let page = viewer.get("/api/v1/discovery/A?limit=2").expect(200);
    let next = page["nextCursor"].as_str().unwrap();
    let rest = viewer.get(&format!("/api/v1/discovery/A?limit=2&cursor={next}")).expect(200);
    assert_eq!((rest["items"].as_array().unwrap().len(), &rest["nextCursor"]), (1, &Value::Null));
    let until = format!("/api/v1/discovery/A?to={}", first.plus_seconds(60));
    assert_eq!(viewer.get(&until).expect(200)["items"].as_array().unwrap().len(), 1);
    refused(&viewer.get("/api/v1/discovery/nobody"), 404, "not-found");
    hub.register("B");
    refused(&viewer.get("/api/v1/discovery/B/latest"), 404, "not-found");
}

#[test]
fn a_scan_that_is_none_is_refused_by_its_place() {
    let hub = Hub::start();
    let agent = hub.register("A");
    for (pointer, discovery) in [
        ("/discovery/hosts/0/ip", json!({"hosts": [{"ip": "not an address", "ports": []}], "duration": 1})),
        (
            "/discovery/hosts/1/ports/0",
            json!({"hosts": [{"ip": "::1", "ports": []}, {"ip": "::1", "ports": [70000]}], "duration": 1}),
        ),
        ("/discovery/duration", json!({"hosts": [], "duration": -1})),
        (
            "/discovery/hosts/0/latency",
            json!({"hosts": [{"ip": "::1", "latency": -1, "ports": []}], "duration": 1}),
        ),
        ("/discovery", json!({"hosts": []})),
    ] {
        let body = json!({"agentId": "A", "timestamp": now(), "discovery": discovery});
        let problem = refused(&agent.post("/api/v1/discovery", &body), 422, "schema-invalid");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    assert_eq!(hub.operator("viewer").get("/api/v1/discovery/A").expect(200)["items"], json!([]));
}
