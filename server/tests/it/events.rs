//! /api/v1/events: what happens is told while it happens, and nothing is left away silently.

use crate::harness::{
    Hub,
    agent::{Agent, now},
    eventually, refused,
    stream::Stream,
    wire::Wire,
};
use serde_json::{Value, json};

/// Streams that the hub has open at most.
const STREAMS_MAX: usize = 256;

/// Says that `command` runs, and then that it succeeded.
fn carry_out(agent: &Agent, command: &Value) {
    let id = command["commandId"].as_str().unwrap();
    let mut body = json!({
        "agentId": agent.id, "timestamp": now(), "commandId": id, "commandSeq": command["commandSeq"],
        "startedAt": now(),
    });
    for _ in 0..2 {
        agent.post(&format!("/api/v1/commands/{id}/progress"), &body).expect(200);
    }
    body["status"] = json!("succeeded");
    body["finishedAt"] = json!(now());
    for _ in 0..2 {
        agent.post(&format!("/api/v1/commands/{id}/result"), &body).expect(200);
    }
}

fn scan(agent: &Agent, hosts: &Value) {
    let discovery = json!({"hosts": hosts, "duration": 5});
    let body = json!({"agentId": agent.id, "timestamp": now(), "discovery": discovery});
    agent.post("/api/v1/discovery", &body).expect(200);
}

#[test]
fn what_happens_is_told_as_it_happens() {
    let hub = Hub::start();
    let (viewer, operator) = (hub.operator("viewer"), hub.operator("operator"));
    let mut stream = Stream::open(&viewer, "", None);
    assert_eq!(stream.told(1), ["ready"]);
    let agent = hub.register("A");
    agent.heartbeat("online").expect(200);
    agent.heartbeat("online").expect(200);
    operator.post("/api/v1/commands", &json!({"agentId": "A", "action": "ping"})).expect(201);
    let commands = agent.pending("");
    carry_out(&agent, &commands["commands"][0]);
    scan(&agent, &json!([{"ip": "192.168.1.7", "ports": [80]}]));
    agent.heartbeat("offline").expect(200);
    let second = operator.post("/api/v1/commands", &json!({"agentIds": ["A"], "action": "ping"})).expect(201);
    operator.delete(&format!("/api/v1/commands/batches/{}", second["batchId"].as_str().unwrap())).expect(200);
    operator.post("/api/v1/commands", &json!({"agentId": "A", "action": "ping"})).expect(201);
    hub.operator("admin").delete("/api/v1/agents/A").expect(200);
    let told: Vec<_> = (0..13).map(|_| stream.next().unwrap()).collect();
    let short: Vec<_> = told.iter().map(|event| event.short()).collect();
    assert_eq!(
        short,
        [
            "agent:registered",
            "agent:online",
            "command:pending",
            "command:delivered",
            "command:running",
            "command:succeeded",
            "scan:1",
            "agent:offline",
            "command:pending",
            "command:cancelled",
            "command:pending",
            "command:cancelled",
            "agent:removed",
        ]
    );
    assert!(told.iter().all(|event| event.data["agentId"] == "A" && event.data["at"].is_string()));
    assert!(told[2].data["commandId"].as_str().unwrap().starts_with("CMD-"), "{:?}", told[2]);
    assert_eq!(told[6].data["duration"], 5.0);
    let figures = viewer.get("/metrics");
    assert!(figures.text().contains("\npingup_event_streams 1\n"), "{}", figures.text());
}

#[test]
fn who_comes_back_misses_nothing_or_is_told() {
    let mut hub = Hub::start_with(&[("PINGUP_EVENTS_KEPT", "4")]);
    let viewer = hub.operator("viewer");
    let mut stream = Stream::open(&viewer, "", None);
    let opening = stream.next().unwrap().id.unwrap();
    hub.register("A");
    let first = stream.next().unwrap().id.unwrap();
    drop(stream);
    (0..3).for_each(|n| drop(hub.register(&format!("B{n}"))));
    let mut back = Stream::open(&viewer, "", Some(&first));
    assert_eq!(back.next().unwrap().id, Some(first), "nothing between that and what follows");
    let names: Vec<_> = (0..3).map(|_| back.next().unwrap().data["agentId"].clone()).collect();
    assert_eq!(names, ["B0", "B1", "B2"]);
    assert_eq!(Stream::open(&viewer, "", Some(&opening)).told(2), ["ready", "agent:registered"]);

    hub.register("C");
    let mut late = Stream::open(&viewer, "", Some(&opening));
    let reset = late.next().unwrap();
    assert_eq!(reset.short(), "reset", "the ring has let go of what came next");
    hub.register("D");
    let newest = late.next().unwrap();
    assert_eq!(newest.data["agentId"], "D");
    assert_eq!(Stream::open(&viewer, "", Some("nonsense \u{e9}")).told(1), ["reset"]);

    hub.kill();
    hub.restart_in_place();
    let mut after = Stream::open(&viewer, "", newest.id.as_deref());
    let begins = after.next().unwrap();
    assert_eq!(begins.short(), "reset", "what is in memory does not survive");
    let start =
        |id: &Option<String>| id.as_deref().unwrap().split('-').next().unwrap().parse::<i64>().unwrap();
    assert!(start(&begins.id) > start(&newest.id), "ids rise across a restart");
    let mut resumed = Stream::open(&viewer, "", begins.id.as_deref());
    assert_eq!(resumed.told(1), ["ready"]);
}

#[test]
fn only_what_is_asked_for_is_told_and_only_to_viewers() {
    let hub = Hub::start();
    let (viewer, operator) = (hub.operator("viewer"), hub.operator("operator"));
    let mut of_b = Stream::open(&viewer, "?agentId=B", None);
    let mut commands = Stream::open(&viewer, "?types=command,scan", None);
    let (a, b) = (hub.register("A"), hub.register("B"));
    for agent in [&a, &b] {
        agent.heartbeat("online").expect(200);
        operator.post("/api/v1/commands", &json!({"agentId": agent.id, "action": "ping"})).expect(201);
        scan(agent, &json!([]));
    }
    assert_eq!(of_b.told(5), ["ready", "agent:registered", "agent:online", "command:pending", "scan:0"]);
    assert_eq!(commands.told(5), ["ready", "command:pending", "scan:0", "command:pending", "scan:0"]);

    for (query, name) in [("types=agents", "types"), ("agentId=%2F", "agentId"), ("since=1", "since")] {
        let problem = refused(&viewer.get(&format!("/api/v1/events?{query}")), 422, "schema-invalid");
        assert!(problem["detail"].as_str().unwrap().contains(name), "{problem}");
    }
    let json = [("accept", "application/json")];
    refused(&viewer.send("GET", "/api/v1/events", &json, None), 406, "not-acceptable");
    refused(&hub.wire.get("/api/v1/events"), 401, "token-missing");
    refused(&hub.operator("scrape").get("/api/v1/events"), 403, "scope-denied");
    refused(&a.wire.get("/api/v1/events"), 401, "token-invalid");
    refused(&viewer.post("/api/v1/events", &json!({})), 405, "method-not-allowed");
}

#[test]
fn a_stream_ends_with_its_token() {
    let hub = Hub::start();
    let token = hub.line(&["token", "create", "--role", "viewer", "--ttl", "2s"]);
    let mut stream = Stream::open(&hub.wire.with_token(&token), "", None);
    assert_eq!(stream.told(2), ["ready", "end:token-expired"]);
    assert_eq!(stream.next(), None);
}

#[test]
fn so_many_streams_and_no_more() {
    let mut hub = Hub::start();
    let viewer = hub.operator("viewer");
    let mut open: Vec<_> = (0..STREAMS_MAX).map(|_| Stream::open(&viewer, "", None)).collect();
    let refused = Stream::try_open(&viewer, "", None).err().unwrap();
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("retry-after: 30"), "{refused}");
    // One that leaves makes room, as soon as the hub has heard that it left.
    open.pop();
    open.push(eventually("there is room", || Stream::try_open(&viewer, "", None).ok()));
    hub.register("A");
    for stream in &mut open {
        assert_eq!(stream.told(2), ["ready", "agent:registered"]);
    }
    let log = hub.stop();
    assert!(!log.contains("were left"), "{log}");
    for stream in &mut open {
        assert_eq!(stream.told(1), ["end:stopping"]);
        assert_eq!(stream.next(), None);
    }
}

/// Tells more than the buffers of both ends hold, as orders that are taken back at once.
fn flood(operator: &Wire, agents: &[String]) {
    for _ in 0..110 {
        let order = json!({"agentIds": agents, "action": "ping"});
        let batch = operator.post("/api/v1/commands", &order).expect(201);
        let path = format!("/api/v1/commands/batches/{}", batch["batchId"].as_str().unwrap());
        assert_eq!(operator.delete(&path).expect(200)["counts"]["cancelled"], agents.len());
    }
}

#[test]
fn a_reader_that_takes_nothing_holds_up_nobody() {
    // Enough for who reads, and far less than comes.
    let mut hub = Hub::start_with(&[("PINGUP_EVENTS_KEPT", "2000")]);
    let (viewer, operator) = (hub.operator("viewer"), hub.operator("operator"));
    let agents: Vec<_> = (0..100).map(|n| format!("{}{n:04}", "a-long-name-".repeat(5))).collect();
    for id in &agents {
        operator.post("/api/v1/agents", &json!({ "id": id })).expect(201);
    }
    let (mut slow, stuck) = (Stream::open(&viewer, "", None), Stream::open(&viewer, "", None));
    flood(&operator, &agents);
    assert_eq!(slow.told(1), ["ready"]);
    let read: Vec<_> = std::iter::from_fn(|| slow.next()).collect();
    assert_eq!(
        read.last().unwrap().short(),
        "end:behind",
        "it reads what was written, and hears that more was not"
    );
    // The system holds a thousand or so on its way to a reader.
    assert!(read.len() > 500, "buffers were full before the ring had lapped it: {}", read.len());
    let figures = viewer.get("/metrics");
    assert!(figures.text().contains("\npingup_event_streams_behind_total 1\n"), "{}", figures.text());
    // The other has not taken anything yet. A hub that stops does not wait for it.
    let log = hub.stop();
    assert!(!log.contains("were left"), "{log}");
    drop(stuck);
}
