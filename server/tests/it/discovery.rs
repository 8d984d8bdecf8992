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
fn what_appeared_and_disappeared_is_told_scan_by_scan() {
    let hub = Hub::start();
    let agent = hub.register("A");
    let first = now().plus_seconds(-3600);
    let at = |minutes: i64| first.plus_seconds(minutes * 60);
    let host = |n: u8, ports: &[u16]| json!({"ip": format!("10.0.0.{n}"), "latency": null, "ports": ports});
    let named =
        |n: u8, name: &str| json!({"ip": format!("10.0.0.{n}"), "ports": [], "hostname": name, "mac": "aa"});
    for (minutes, hosts) in [
        (0, vec![host(1, &[22]), named(2, "web")]),
        (1, vec![host(1, &[22]), named(2, "web")]),
        (2, vec![host(1, &[80]), named(2, "db"), host(3, &[])]),
        (3, vec![host(3, &[])]),
    ] {
        let discovery = json!({"hosts": hosts, "duration": 1});
        let body = json!({"agentId": "A", "timestamp": at(minutes), "discovery": discovery});
        agent.post("/api/v1/discovery", &body).expect(200);
    }
    let viewer = hub.operator("viewer");
    let ask = |query: &str| viewer.get(&format!("/api/v1/discovery/A/changes{query}")).expect(200);
    let all = ask("");
    let items = all["items"].as_array().unwrap();
    assert_eq!((items.len(), &all["nextCursor"]), (4, &Value::Null));
    let times: Vec<_> =
        items.iter().map(|item| (item["timestamp"].clone(), item["before"].clone())).collect();
    let pairs = [3, 2, 1].map(|n| (json!(at(n)), json!(at(n - 1))));
    assert_eq!((&times[..3], &times[3]), (&pairs[..], &(json!(at(0)), Value::Null)));
    assert_eq!((&items[0]["appeared"], items[0]["disappeared"].as_array().unwrap().len()), (&json!([]), 2));
    assert_eq!(items[1]["appeared"], json!([host(3, &[])]));
    assert_eq!(
        items[1]["changed"],
        json!([
            {"ip": "10.0.0.1", "portsOpened": [80], "portsClosed": [22]},
            {"ip": "10.0.0.2", "portsOpened": [], "portsClosed": [], "hostname": {"before": "web", "now": "db"}},
        ])
    );
    for still in [&items[2], &items[3]] {
        assert!(
            ["appeared", "disappeared", "changed"].iter().all(|list| still[list] == json!([])),
            "{still}"
        );
    }

    // Page by page it is the same, and a time cuts what is told, not what it is compared with.
    let (mut paged, mut query) = (Vec::new(), "?limit=1".to_owned());
    loop {
        let page = ask(&query);
        paged.extend(page["items"].as_array().unwrap().clone());
        let Some(next) = page["nextCursor"].as_str() else { break };
        query = format!("?limit=1&cursor={next}");
    }
    assert_eq!(paged, *items);
    let middle = ask(&format!("?from={}&to={}", at(1), at(3)));
    assert_eq!((&middle["items"], &middle["nextCursor"]), (&json!(items[1..3]), &Value::Null));
    let one = ask(&format!("?limit=1&from={}&to={}", at(2), at(3)));
    assert_eq!((&one["items"], &one["nextCursor"]), (&json!(items[1..2]), &Value::Null));
    let none = ask(&format!("?to={}", at(0)));
    assert_eq!((&none["items"], &none["nextCursor"]), (&json!([]), &Value::Null));
    refused(&viewer.get("/api/v1/discovery/nobody/changes"), 404, "not-found");
    refused(&viewer.get("/api/v1/discovery/A/changes?limit=10001"), 422, "schema-invalid");
    refused(&agent.wire.get("/api/v1/discovery/A/changes"), 401, "token-invalid");
}

#[test]
fn a_scan_of_one_host_says_nothing_of_the_others() {
    let hub = Hub::start();
    let agent = hub.register("A");
    let first = now().plus_seconds(-3600);
    let scan = |minutes: i64, network: &str, hosts: std::ops::RangeInclusive<u8>| {
        let hosts: Vec<_> = hosts.map(|n| json!({"ip": format!("10.0.0.{n}"), "ports": []})).collect();
        let discovery = json!({"hosts": hosts, "duration": 1, "networks": [network]});
        let body =
            json!({"agentId": "A", "timestamp": first.plus_seconds(minutes * 60), "discovery": discovery});
        agent.post("/api/v1/discovery", &body).expect(200);
    };
    scan(0, "10.0.0.0/27", 1..=30);
    scan(1, "10.0.0.1/32", 1..=1);
    scan(2, "10.0.0.0/27", 1..=30);
    scan(3, "10.0.0.0/27", 1..=29);
    let viewer = hub.operator("viewer");
    let told = viewer.get("/api/v1/discovery/A/changes").expect(200);
    let count = |place: usize, list: &str| told["items"][place][list].as_array().map(Vec::len);
    let lists = ["appeared", "notLookedForBefore", "disappeared"];
    let counts: Vec<_> = (0..4).map(|place| lists.map(|list| count(place, list))).collect();
    let (none, nothing) = (Some(0), [Some(0), None, Some(0)]);
    assert_eq!(counts, [[none, None, Some(1)], [none, Some(29), none], nothing, nothing], "{told}");
    let all = viewer.get("/api/v1/discovery/A?limit=4").expect(200);
    let networks: Vec<_> = (0..4).map(|place| all["items"][place]["networks"][0].as_str().unwrap()).collect();
    assert_eq!(networks, ["10.0.0.0/27", "10.0.0.0/27", "10.0.0.1/32", "10.0.0.0/27"]);
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
        ("/discovery/networks/0", json!({"hosts": [], "duration": 1, "networks": ["10.0.0.0/33"]})),
    ] {
        let body = json!({"agentId": "A", "timestamp": now(), "discovery": discovery});
        let problem = refused(&agent.post("/api/v1/discovery", &body), 422, "schema-invalid");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    assert_eq!(hub.operator("viewer").get("/api/v1/discovery/A").expect(200)["items"], json!([]));
}
