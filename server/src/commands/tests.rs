//! Stories of the room with real records and real keys: what an operator queues, an agent gets.

mod batches;
mod house;
mod pulls;
mod running;

use self::house::{Agent, House, NOW, ada, read};
use super::{PARAMS_DEPTH_MAX, handler};
use crate::{
    auth::{AgentCaller, AgentMessage, Standing as KeyStanding, token::AgentToken},
    generations,
    http::{held::settled, problem::Refusal, query::Params},
    storage::StorageError,
};
use axum::extract::{Path, State};
use http::StatusCode;
use pingup_protocol::problem::ProblemType;
use serde_json::{Value, json};
use std::sync::Arc;

#[tokio::test]
async fn a_command_goes_out_signed_and_its_result_comes_back_once() {
    let house = House::new();
    let agent = house.agent("a").await;
    let params = json!({"argv": ["true"]});
    let (created, view) =
        house.queue(json!({"agentId": "a", "action": "exec", "params": params})).await.unwrap();
    assert_eq!(created, StatusCode::CREATED);
    assert_eq!(view["commandId"], "CMD-2027-001");

    let commands = house.pull(&agent, "").await.unwrap();
    assert_eq!(commands[0]["params"], params);
    assert_eq!(commands[0]["expiresAt"], json!(NOW.plus_seconds(3_600)));
    assert_eq!(house.status("CMD-2027-001").await, "delivered");
    assert_eq!(house.pull(&agent, "").await.unwrap(), commands, "handed out again until a result comes");
    assert_eq!(house.pull(&agent, "after=1").await.unwrap(), json!([]));

    let first = agent.result("CMD-2027-001", 1, "done");
    for _ in 0..2 {
        let answer = house.report(&agent, "CMD-2027-001", first.clone()).await.unwrap();
        assert_eq!(answer, json!({"commandId": "CMD-2027-001", "status": "succeeded", "serverTime": NOW}));
    }
    let other = agent.result("CMD-2027-001", 1, "done otherwise");
    let refused = house.report(&agent, "CMD-2027-001", other).await.unwrap_err();
    assert_eq!(refused.kind(), ProblemType::ResultConflict);
    assert_eq!(house.cancel("CMD-2027-001").await.unwrap_err().kind(), ProblemType::ResultConflict);
    assert_eq!(house.pull(&agent, "").await.unwrap(), json!([]));
}

#[tokio::test]
async fn every_change_is_told_once_after_it_was_made() {
    let house = House::new();
    let agent = house.agent("a").await;
    let (one, two) = ("CMD-2027-001".to_owned(), "CMD-2027-002".to_owned());
    for _ in 0..2 {
        house.queue(json!({"agentId": "a", "action": "ping", "idempotencyKey": "k"})).await.unwrap();
    }
    assert_eq!(house.told(), [(one.clone(), "pending")]);
    let (first, second) = tokio::join!(house.pull(&agent, ""), house.pull(&agent, ""));
    assert!(first.is_ok() && second.is_ok() && house.pull(&agent, "").await.is_ok());
    assert_eq!(house.told(), [(one.clone(), "delivered")]);
    for _ in 0..2 {
        house.report(&agent, &one, agent.result(&one, 1, "x")).await.unwrap();
    }
    assert_eq!(house.told(), [(one, "succeeded")]);
    let batch = house.queue(json!({"agentIds": ["a"], "action": "ping"})).await.unwrap().1;
    let id = batch["batchId"].as_str().unwrap();
    for _ in 0..2 {
        let path = Path(id.to_owned());
        handler::cancel_batch(State(Arc::clone(&house.room)), path, ada()).await.unwrap();
    }
    assert_eq!(house.told(), [(two.clone(), "pending"), (two, "cancelled")]);
    house.queue(json!({"agentId": "a", "action": "ping"})).await.unwrap();
    house.cancel("CMD-2027-003").await.unwrap();
    assert_eq!(house.told().last().unwrap(), &("CMD-2027-003".to_owned(), "cancelled"));
}

#[tokio::test]
async fn what_was_not_issued_to_an_agent_is_refused_with_one_answer() {
    let house = House::new();
    let (a, b) = (house.agent("a").await, house.agent("b").await);
    house.queue(json!({"agentId": "a", "action": "ping"})).await.unwrap();
    let mut details = Vec::new();
    for (agent, id, seq) in [(&b, "CMD-2027-001", 1), (&a, "CMD-2027-001", 2), (&a, "CMD-2027-999", 1)] {
        let refused = house.report(agent, id, agent.result(id, seq, "x")).await.unwrap_err();
        assert_eq!(refused.kind(), ProblemType::AgentMismatch);
        details.push(refused.problem().detail.clone());
    }
    details.dedup();
    assert_eq!(details.len(), 1, "{details:?}");
    let elsewhere = house.report(&a, "CMD-2027-002", a.result("CMD-2027-001", 1, "x")).await.unwrap_err();
    assert_eq!(elsewhere.problem().errors[0].pointer, "/commandId");
    assert_eq!(house.status("CMD-2027-001").await, "pending");
}

#[tokio::test]
async fn one_key_makes_one_command() {
    let house = House::new();
    house.agent("a").await;
    let body = |action: &str| json!({"agentId": "a", "action": action, "idempotencyKey": "k"});
    let (status, first) = house.queue(body("ping")).await.unwrap();
    assert_eq!(status, StatusCode::CREATED);
    house.clock.advance(5);
    assert_eq!(house.queue(body("ping")).await.unwrap(), (StatusCode::OK, first));
    let refused = house.queue(body("collect_now")).await.unwrap_err();
    assert_eq!(refused.problem().errors[0].pointer, "/idempotencyKey");
}

#[tokio::test]
async fn nobody_is_asked_who_does_not_live() {
    let house = House::new();
    for (agent_id, kind) in [("gone", ProblemType::Gone), ("nobody", ProblemType::NotFound)] {
        let refused = house.queue(json!({"agentId": agent_id, "action": "ping"})).await.unwrap_err();
        assert_eq!(refused.kind(), kind);
    }
    assert_eq!(house.cancel("CMD-2027-001").await.unwrap_err().kind(), ProblemType::NotFound);
}

#[tokio::test]
async fn the_deepest_parameters_that_are_taken_can_be_signed() {
    let house = House::new();
    let agent = house.agent("a").await;
    let params = (1..PARAMS_DEPTH_MAX).fold(json!({}), |inner, _| json!({ "x": inner }));
    house.queue(json!({"agentId": "a", "action": "other", "params": params})).await.unwrap();
    assert_eq!(house.pull(&agent, "").await.unwrap()[0]["params"], params);
}

#[tokio::test]
async fn a_cancelled_or_expired_command_is_not_handed_out_and_has_no_result() {
    let house = House::new();
    let agent = house.agent("a").await;
    for _ in 0..2 {
        house.queue(json!({"agentId": "a", "action": "ping", "ttlSeconds": 60})).await.unwrap();
    }
    assert_eq!(house.cancel("CMD-2027-001").await.unwrap()["status"], "cancelled");
    house.clock.advance(60);
    assert_eq!(house.status("CMD-2027-002").await, "expired", "before any sweep wrote it down");
    assert_eq!(house.pull(&agent, "").await.unwrap(), json!([]));
    for (id, seq) in [("CMD-2027-001", 1), ("CMD-2027-002", 2)] {
        let refused = house.report(&agent, id, agent.result(id, seq, "x")).await.unwrap_err();
        assert_eq!(refused.kind(), ProblemType::ResultConflict);
    }
}
