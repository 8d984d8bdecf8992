//! Keys that were called compromised, and keys anew for an agent that stays who it is.

use super::*;

#[tokio::test]
async fn what_was_called_compromised_is_dead_and_the_agent_comes_back_as_who_it_was() {
    let house = with_agent().await;
    house.beat_as(1, HERE).await.unwrap();
    house.rotate("a", json!({})).await.unwrap();
    let before = house.get("a").await.unwrap();
    house.told();
    let view = house.rotate("a", json!({"compromised": true})).await.unwrap();
    assert_eq!((&view["key"], &view["status"]), (&Value::Null, &json!("offline")));
    assert_eq!(house.told(), [("a".to_owned(), AgentChange::Offline)]);
    assert_eq!(house.living().await, [0_u32; 0], "the one that was offered too");
    let nothing = house.rotate("a", json!({})).await.unwrap_err();
    assert_eq!(nothing.kind(), ProblemType::Gone);
    assert!(house.rotate("a", json!({"compromised": true})).await.is_ok(), "again is no error");
    assert_eq!(house.register(json!({"id": "a"})).await.unwrap_err().kind(), ProblemType::AgentIdRetired);

    let again = Token { rekeys: Some("a"), ..ONCE };
    house.issue(again).await;
    let answer = house.enrol(again, Some("m-1")).await.unwrap();
    assert_eq!(answer["credentials"]["generation"], 3, "no number twice: tokens of before are of others");
    let after = house.get("a").await.unwrap();
    assert_eq!((&after["id"], &after["createdAt"]), (&before["id"], &before["createdAt"]));
    assert_eq!((&after["key"]["generation"], house.living().await), (&json!(3), vec![3]));
    assert_eq!(house.enrol(again, Some("m-1")).await.unwrap_err().kind(), ProblemType::JoinTokenExhausted);
}

#[tokio::test]
async fn keys_anew_are_for_a_living_agent_on_a_machine_that_is_nobody_elses() {
    let house = with_agent().await;
    house.issue(OFTEN).await;
    house.enrol(OFTEN, Some("m-2")).await.unwrap();
    let rekey = Token { id: "rekeys", uses: 9, rekeys: Some("a"), ..ONCE };
    house.issue(rekey).await;
    let taken = house.enrol(rekey, Some("m-2")).await.unwrap_err();
    assert_eq!(taken.kind(), ProblemType::MachineAlreadyEnrolled);
    assert_eq!(house.uses_left(rekey).await, 9);
    // Keys that live are dead from then on: the machine was lost, and is found again elsewhere.
    for generation in 2..4 {
        let answer = house.enrol(rekey, Some("m-1")).await.unwrap();
        assert_eq!(answer["credentials"]["generation"], generation);
    }
    assert_eq!(house.living().await, [3]);
    house.remove("a").await.unwrap();
    assert_eq!(house.enrol(rekey, Some("m-1")).await.unwrap_err().kind(), ProblemType::Gone);
}
