//! POST /api/v1/agents by a machine with a join token: once, in time, not too often.

use crate::harness::{
    Hub,
    agent::{Agent, enrolment, now},
    eventually, refused,
};
use pingup_protocol::signing;
use serde_json::{Value, json};
use std::{collections::BTreeMap, thread};

#[test]
fn a_machine_enrols_by_join_token_once() {
    let hub = Hub::start();
    let token = hub.join_token();
    let (body, key) = enrolment(&token, |body| body["machineId"] = json!("m-1"));
    let answer = hub.wire.post_bytes("/api/v1/agents", &body);
    let made = answer.expect(201);
    assert!(signing::scan(&answer.body).unwrap().verify(&key), "signed with the token's key");
    let sent: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(made["nonce"], sent["nonce"]);
    assert!(made["serverTime"].is_string());
    assert_eq!(made["agent"]["info"]["hostname"], "here");
    let agent = Agent::new(hub.wire.clone(), &made["credentials"]);
    assert_eq!(agent.post("/api/v1/metrics", &agent.sample(now(), 1.0)).expect(200)["accepted"], 1);

    refused(
        &hub.wire.post_bytes("/api/v1/agents", &enrolment(&token, |_| ()).0),
        403,
        "join-token-exhausted",
    );
    let again = enrolment(&hub.join_token(), |body| body["machineId"] = json!("m-1")).0;
    refused(&hub.wire.post_bytes("/api/v1/agents", &again), 409, "machine-already-enrolled");

    let replacing = hub.line(&["join-token", "create", "--replace", &agent.id]);
    let replaced = hub
        .wire
        .post_bytes("/api/v1/agents", &enrolment(&replacing, |body| body["machineId"] = json!("m-1")).0);
    assert_ne!(replaced.expect(201)["agent"]["id"], json!(agent.id));
    refused(&agent.post("/api/v1/metrics", &agent.sample(now(), 1.0)), 403, "agent-revoked");
}

#[test]
fn a_join_token_can_name_its_agent_and_expires() {
    let hub = Hub::start();
    let named = hub.line(&["join-token", "create", "--agent-id", "EDGE-7"]);
    let made = hub.wire.post_bytes("/api/v1/agents", &enrolment(&named, |_| ()).0).expect(201);
    assert_eq!(made["agent"]["id"], "EDGE-7");
    let short = hub.line(&["join-token", "create", "--ttl", "1s", "--uses", "1000"]);
    let mut machine = 0;
    eventually("the token has expired", || {
        machine += 1;
        let body = enrolment(&short, |body| body["machineId"] = json!(format!("m-{machine}"))).0;
        let answer = hub.wire.post_bytes("/api/v1/agents", &body);
        (answer.status != 201).then(|| refused(&answer, 403, "join-token-expired"))
    });
}

#[test]
fn a_join_token_that_was_not_made_here_and_a_forged_body_look_the_same() {
    let hub = Hub::start();
    let (_, secret) = hub
        .join_token()
        .strip_prefix("pjt_")
        .unwrap()
        .split_once('_')
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    let foreign = enrolment(&format!("pjt_abcdefgh_{secret}"), |_| ()).0;
    let unknown = refused(&hub.wire.post_bytes("/api/v1/agents", &foreign), 401, "join-token-invalid");
    let mut body: Value = serde_json::from_slice(&enrolment(&hub.join_token(), |_| ()).0).unwrap();
    body["name"] = json!("changed behind the signature");
    let forged = refused(&hub.wire.post("/api/v1/agents", &body), 401, "join-token-invalid");
    assert_eq!(unknown["detail"], forged["detail"]);
    assert_eq!(hub.operator("viewer").get("/api/v1/agents").expect(200)["items"], json!([]));
}

#[test]
fn fifty_tries_at_once_with_a_one_use_token_make_one_agent() {
    let hub = Hub::start();
    let token = hub.join_token();
    let statuses: Vec<_> = thread::scope(|scope| {
        let tries: Vec<_> = (0..50)
            .map(|i| {
                let (wire, body) =
                    (hub.wire.clone(), enrolment(&token, |b| b["machineId"] = json!(format!("m-{i}"))).0);
                scope.spawn(move || wire.post_bytes("/api/v1/agents", &body).status)
            })
            .collect();
        tries.into_iter().map(|handle| handle.join().unwrap()).collect()
    });
    let mut counts = BTreeMap::new();
    statuses.into_iter().for_each(|status| *counts.entry(status).or_insert(0) += 1);
    assert_eq!(counts, BTreeMap::from([(201, 1), (403, 49)]));
    assert_eq!(
        hub.operator("viewer").get("/api/v1/agents").expect(200)["items"].as_array().unwrap().len(),
        1
    );
}

#[test]
fn enrolment_is_limited_to_five_a_minute_and_address() {
    let hub = Hub::start_with(&[("PINGUP_ENROLMENTS_PER_MINUTE", "5")]);
    let token = hub.line(&["join-token", "create", "--uses", "10"]);
    for i in 0..5 {
        let body = enrolment(&token, |b| b["machineId"] = json!(format!("m-{i}"))).0;
        hub.wire.post_bytes("/api/v1/agents", &body).expect(201);
    }
    let answer = hub.wire.post_bytes("/api/v1/agents", &enrolment(&token, |_| ()).0);
    assert_eq!(refused(&answer, 429, "rate-limited")["retryable"], true);
    assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() <= 60);
    hub.operator("operator").post("/api/v1/agents", &json!({})).expect(201);
}
