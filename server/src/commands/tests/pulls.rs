//! Stories of requests that are held open, and what answers them.

use super::*;

#[tokio::test]
async fn a_held_open_request_is_answered_when_a_command_is_queued() {
    let house = House::new();
    let agent = house.agent("a").await;
    let (commands, queued) =
        tokio::join!(house.pull(&agent, "wait=60"), house.queue(json!({"agentId": "a", "action": "ping"})));
    assert_eq!(commands.unwrap()[0]["commandId"], queued.unwrap().1["commandId"]);
    assert_eq!(house.room.waiting(), 0);
}

#[tokio::test]
async fn the_stop_and_another_rooms_call_answer_a_held_open_request_empty() {
    let house = House::new();
    let agent = house.agent("a").await;
    let call = async {
        while house.room.waiting() == 0 {
            tokio::task::yield_now().await;
        }
        house.room.wake(agent.keys.agent_id().as_str());
    };
    let (commands, ()) = tokio::join!(house.pull(&agent, "wait=60"), call);
    assert_eq!(commands.unwrap(), json!([]));
    house.stop.send_replace(true);
    assert_eq!(house.pull(&agent, "wait=60").await.unwrap(), json!([]));
}

#[tokio::test]
async fn a_question_that_was_held_over_its_generations_end_is_refused() {
    let house = House::new();
    let mut agent = house.agent("a").await;
    let (agent_id, master) = (agent.keys.agent_id().clone(), house.keyring.tokens().master());
    let id = agent_id.clone();
    let rotated = move |connection: &rusqlite::Connection| {
        generations::offer(connection, id.as_str(), ([2; 16], master), NOW)?;
        Ok::<_, StorageError>(generations::note_use(connection, id.as_str(), 2, NOW)?)
    };
    assert!(house.sqlite.write(rotated).await.unwrap());
    let token = AgentToken { agent_id, generation: 1, master };
    let KeyStanding::Alive(ending) = house.keyring.find(&token).await.unwrap() else { panic!("for a day") };
    agent.keys = ending;
    house.clock.advance(generations::ENDING_SECONDS - 1);
    assert_eq!(house.pull(&agent, "").await.unwrap(), json!([]));
    let end = async {
        while house.room.waiting() == 0 {
            tokio::task::yield_now().await;
        }
        house.clock.advance(1);
        house.stop.send_replace(true);
    };
    let asked = async {
        let caller = AgentCaller::new(Arc::clone(&agent.keys));
        let params = Params::parse("nonce=n1&wait=60");
        settled(handler::pending(State(Arc::clone(&house.room)), caller, params).await.unwrap()).await
    };
    let (answer, ()) = tokio::join!(asked, end);
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_dropped_request_leaves_no_waiter_behind() {
    let house = House::new();
    let agent = house.agent("a").await;
    tokio::select! {
        _ = house.pull(&agent, "wait=60") => panic!("nothing ends it"),
        () = async { while house.room.waiting() == 0 { tokio::task::yield_now().await } } => {}
    }
    assert_eq!(house.room.waiting(), 0);
}

#[tokio::test]
async fn parameters_of_a_pull_are_checked() {
    let house = House::new();
    let agent = house.agent("a").await;
    for query in ["wait=61", "wait=-1", "after=x"] {
        let refused = house.pull(&agent, query).await.unwrap_err();
        assert_eq!(refused.kind(), ProblemType::SchemaInvalid, "{query}");
    }
    for query in ["", "nonce=%C3%A9"] {
        let caller = AgentCaller::new(Arc::clone(&agent.keys));
        let refused = handler::pending(State(Arc::clone(&house.room)), caller, Params::parse(query)).await;
        assert_eq!(refused.unwrap_err().kind(), ProblemType::SchemaInvalid);
    }
}
