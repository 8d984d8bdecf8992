//! Stories of batches in the room: queued for many, woken together.

use super::*;
use futures_util::future::join_all;

/// More than commands are handed out to at once.
const MANY: usize = 300;

#[tokio::test]
async fn a_batch_reaches_all_that_wait_and_each_gets_its_own() {
    let house = House::new();
    let names: Vec<_> = (0..MANY).map(|n| format!("w-{n:03}")).collect();
    let agents = join_all(names.iter().map(|name| house.agent(name))).await;
    let order = async {
        while house.room.waiting() < MANY {
            tokio::task::yield_now().await;
        }
        house.queue(json!({"selector": {"q": "W-"}, "action": "ping"})).await.unwrap()
    };
    let pulls = join_all(agents.iter().map(|agent| house.pull(agent, "wait=60")));
    let (pulled, (status, batch)) = tokio::join!(pulls, order);
    assert_eq!(
        (status, &batch["agents"], &batch["counts"]["pending"]),
        (StatusCode::CREATED, &json!(MANY), &json!(MANY))
    );
    for (name, commands) in names.iter().zip(pulled) {
        let commands = commands.unwrap();
        assert_eq!((commands.as_array().unwrap().len(), &commands[0]["agentId"]), (1, &json!(name)));
    }
    assert_eq!(house.room.waiting(), 0);
}

#[tokio::test]
async fn a_batch_names_the_agent_that_does_not_live_and_queues_nothing() {
    let house = House::new();
    let agent = house.agent("a").await;
    for (id, kind) in [("gone", ProblemType::Gone), ("nobody", ProblemType::NotFound)] {
        let refused = house.queue(json!({"agentIds": ["a", id], "action": "ping"})).await.unwrap_err();
        assert_eq!(refused.kind(), kind);
        assert!(refused.problem().detail.contains(id), "{}", refused.problem().detail);
    }
    let refused = house.queue(json!({"selector": {"q": "zzz"}, "action": "ping"})).await.unwrap_err();
    assert_eq!(refused.problem().errors[0].pointer, "/selector");
    assert_eq!(house.pull(&agent, "").await.unwrap(), json!([]));
}
