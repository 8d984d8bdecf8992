//! Who may come, and who may not.

use super::*;

#[tokio::test]
async fn a_machine_that_enrols_gets_keys_that_work() {
    let house = House::new();
    house.issue(ONCE).await;
    let answer = house.enrol(ONCE, Some("m1")).await.unwrap();
    let id = answer["credentials"]["agentId"].as_str().unwrap();
    assert_eq!(answer["agent"]["status"], "pending");
    assert_eq!(answer["agent"]["info"]["hostname"], "h");
    assert!(matches!(house.key_standing(id).await, KeyStanding::Alive(_)));
    assert_eq!(house.get(id).await.unwrap(), answer["agent"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_tries_at_once_with_a_one_use_token_make_one_agent() {
    let house = Arc::new(House::new());
    house.issue(ONCE).await;
    let mut tries = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let house = Arc::clone(&house);
        tries.spawn(async move { house.enrol(ONCE, None).await.map_err(|refused| refused.kind()) });
    }
    let outcomes = tries.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert_eq!(outcomes.iter().filter(|o| **o == Err(ProblemType::JoinTokenExhausted)).count(), 49);
    assert_eq!(house.list("").await.0.len(), 1);
}

#[tokio::test]
async fn a_machine_enrols_once_and_a_refused_try_costs_no_use() {
    let house = House::new();
    house.issue(ONCE).await;
    house.issue(OFTEN).await;
    let first = house.enrol(OFTEN, Some("m1")).await.unwrap();
    for token in [OFTEN, ONCE] {
        let refused = house.enrol(token, Some("m1")).await.unwrap_err();
        assert_eq!(refused.kind(), ProblemType::MachineAlreadyEnrolled);
        assert!(refused.problem().detail.contains(first["agent"]["id"].as_str().unwrap()));
    }
    assert_eq!((house.uses_left(ONCE).await, house.uses_left(OFTEN).await), (1, 999));
    house.enrol(ONCE, Some("m2")).await.unwrap();
    let lost_answer = house.enrol(ONCE, Some("m2")).await.unwrap_err();
    assert_eq!(lost_answer.kind(), ProblemType::MachineAlreadyEnrolled, "not: exhausted");
}

#[tokio::test]
async fn a_replacing_token_takes_over_the_machine_and_a_bound_one_gives_the_id() {
    let house = House::new();
    let bound = Token { id: "bound", agent_id: Some("web-1"), ..OFTEN };
    house.issue(bound).await;
    house.issue(Token { id: "replacing", replaces: Some("web-1"), ..ONCE }).await;
    assert_eq!(house.enrol(bound, Some("m1")).await.unwrap()["agent"]["id"], "web-1");
    assert_eq!(house.enrol(bound, None).await.unwrap_err().kind(), ProblemType::AgentIdRetired);
    assert_eq!(house.uses_left(bound).await, 999);
    assert!(matches!(house.key_standing("web-1").await, KeyStanding::Alive(_)));

    let new = house.enrol_as("replacing", "replacing", house.enrolment(Some("m1"))).await.unwrap();
    assert!(matches!(house.key_standing("web-1").await, KeyStanding::Revoked));
    assert_eq!(house.get("web-1").await.unwrap_err().kind(), ProblemType::Gone);
    assert!(matches!(house.key_standing(new["agent"]["id"].as_str().unwrap()).await, KeyStanding::Alive(_)));
}

#[tokio::test]
async fn bad_enrolments_are_refused_and_store_nothing() {
    let house = House::new();
    house.issue(ONCE).await;
    let unknown = house.enrol_as("nosuch", "once", house.enrolment(None)).await.unwrap_err();
    let forged = house.enrol_as("once", "forger", house.enrolment(None)).await.unwrap_err();
    assert_eq!(unknown.kind(), ProblemType::JoinTokenInvalid);
    assert_eq!(unknown.problem(), forged.problem(), "one answer for both");
    let unsigned = house.post(None, br#"{"tokenId":"once"}"#.to_vec()).await.unwrap_err();
    assert_eq!(unsigned.kind(), ProblemType::SignatureMissing);
    let malformed = house.post(None, br#"{"tokenId":"once","signature":"x"}"#.to_vec()).await.unwrap_err();
    assert_eq!(malformed.kind(), ProblemType::SignatureMalformed);
    let nobody = house.post(None, br#"{"name":"x"}"#.to_vec()).await.unwrap_err();
    assert_eq!(nobody.kind(), ProblemType::TokenMissing);
    let untyped = house.enrol_as("once", "once", json!({"nonce": "n1"})).await.unwrap_err();
    assert_eq!(untyped.kind(), ProblemType::SchemaInvalid);
    for (seconds, kind) in [(301, ProblemType::TimestampInFuture), (-3_601, ProblemType::SchemaInvalid)] {
        let mut body = house.enrolment(None);
        body["timestamp"] = json!(NOW.plus_seconds(seconds));
        assert_eq!(house.enrol_as("once", "once", body).await.unwrap_err().kind(), kind);
    }
    house.clock.advance(3_600);
    assert_eq!(house.enrol(ONCE, None).await.unwrap_err().kind(), ProblemType::JoinTokenExpired);
    assert_eq!((house.list("").await.0.len(), house.uses_left(ONCE).await), (0, 1));
}

#[tokio::test]
async fn an_address_enrols_so_often_and_no_oftener() {
    let house = House::with_enrolments(2);
    house.issue(OFTEN).await;
    for _ in 0..2 {
        house.enrol(OFTEN, None).await.unwrap();
    }
    let refused = house.enrol(OFTEN, None).await.unwrap_err();
    assert_eq!(refused.kind(), ProblemType::RateLimited);
    assert!(house.register(json!({})).await.is_ok(), "operators are not held up");
    house.clock.advance(60);
    assert!(house.enrol(OFTEN, None).await.is_ok());
}
