//! Whatever is said comes back as data, unbroken: control characters, markup, long and wide text. Where a person may read
//! it, nothing in it acts.

mod outputs;
mod paths;

use crate::harness::{Hub, agent::now};
use serde_json::{Value, json};

fn hostile() -> Vec<String> {
    vec![
        (0..0x20).map(|c| char::from(c as u8)).collect::<String>() + "\u{7f}\u{85}\u{2028}",
        "</script><script>alert('1')</script>\"'`${x}{{y}}%s%n".to_owned(),
        "'; DROP TABLE agents; --".to_owned(),
        "😂דּ\u{202e}txt.exe\u{0301}\u{10ffff}".to_owned(),
        "=1+1\r\nSet-Cookie: x".to_owned(),
        "x".repeat(65_536),
        "é".repeat(32_768),
        "\u{10348}".repeat(16_384),
        "\0".repeat(1_000),
    ]
}

#[test]
fn what_operators_write_comes_back_as_it_was() {
    let hub = Hub::start();
    let operator = hub.operator("operator");
    for (i, text) in hostile().into_iter().enumerate() {
        let id = format!("A-{i}");
        // The limit of a metadata object is the limit of a string: the longest go by name alone.
        let short = text.chars().take(1_000).collect::<String>();
        let metadata = json!({ short.clone(): [short.clone()] });
        operator.post("/api/v1/agents", &json!({"id": id, "name": text, "metadata": metadata})).expect(201);
        let seen = operator.get(&format!("/api/v1/agents/{id}")).expect(200);
        assert_eq!((&seen["name"], &seen["metadata"]), (&json!(text), &metadata));

        let params = json!({"argv": ["echo", short.replace('\0', "")]});
        let command = operator
            .post("/api/v1/commands", &json!({"agentId": id, "action": "exec", "params": params}))
            .expect(201);
        let path = format!("/api/v1/commands/{}", command["commandId"].as_str().unwrap());
        assert_eq!(operator.get(&path).expect(200)["params"], params);

        let config = json!({"note": short});
        operator.post(&format!("/api/v1/config/{id}"), &json!({"config": config})).expect(200);
        assert_eq!(operator.get(&format!("/api/v1/config/{id}")).expect(200)["config"], config);
        let found = operator
            .get(&format!("/api/v1/agents?q={}", percent(&short.chars().take(20).collect::<String>())))
            .expect(200);
        assert!(
            found["items"].as_array().unwrap().iter().any(|agent| agent["id"] == json!(id)),
            "{short:?} is found again"
        );
    }
}

#[test]
fn what_agents_write_comes_back_as_it_was() {
    let mut hub = Hub::start();
    let mut agent = hub.register("A");
    let operator = hub.operator("operator");
    let texts = hostile();
    let mut commands = Vec::new();
    for (i, text) in texts.iter().enumerate() {
        let at = now().plus_seconds(i as i64 - 100);
        let status: String = text.chars().take(12).collect();
        let mut sample = agent.sample(at, 1.0);
        sample["status"] = json!(status);
        agent.post("/api/v1/metrics", &sample).expect(200);
        assert_eq!(operator.get("/api/v1/metrics/A/latest").expect(200)["status"], json!(status));

        let hosts = json!([{"ip": "10.0.0.1", "latency": 1.0, "ports": [1], "hostname": text}]);
        agent
            .post(
                "/api/v1/discovery",
                &json!({"agentId": "A", "timestamp": at, "discovery": {"hosts": hosts, "duration": 1}}),
            )
            .expect(200);
        assert_eq!(operator.get("/api/v1/discovery/A/latest").expect(200)["hosts"], hosts);

        let command =
            operator.post("/api/v1/commands", &json!({"agentId": "A", "action": "ping"})).expect(201);
        agent.pending("");
        let path = format!("/api/v1/commands/{}", command["commandId"].as_str().unwrap());
        let result = json!({"agentId": "A", "timestamp": now(), "commandId": command["commandId"], "commandSeq": command["commandSeq"],
            "status": "failed", "output": text, "startedAt": now(), "finishedAt": now()});
        agent.post(&format!("{path}/result"), &result).expect(200);
        commands.push((path, text));
        let beat =
            json!({"agentId": "A", "timestamp": now(), "status": "online", "info": {"hostname": text}});
        agent.post("/api/v1/agents/A/heartbeat", &beat).expect(200);
        assert_eq!(operator.get("/api/v1/agents/A").expect(200)["info"]["hostname"], json!(text));
    }
    hub.kill();
    hub.restart();
    agent = agent.at(&hub.wire);
    let operator = hub.operator("operator");
    for (path, text) in commands {
        assert_eq!(operator.get(&path).expect(200)["result"]["output"], json!(text));
    }
    let scans = operator.get("/api/v1/discovery/A?limit=100").expect(200);
    let named: Vec<Value> = scans["items"]
        .as_array()
        .unwrap()
        .iter()
        .rev()
        .map(|scan| scan["hosts"][0]["hostname"].clone())
        .collect();
    assert_eq!(named, texts.iter().map(|text| json!(text)).collect::<Vec<_>>());
    assert_eq!(agent.post("/api/v1/metrics", &agent.sample(now(), 1.0)).expect(200)["accepted"], 1);
}

fn percent(text: &str) -> String {
    text.bytes().map(|b| format!("%{b:02X}")).collect()
}
