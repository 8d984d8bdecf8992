//! Stories of commands that run: they are heard of while they do, and ended when an operator says so.

use super::*;

const A: &str = "CMD-2027-001";
/// What an agent asks with that wants no more commands, and waits.
const BUSY: &str = "after=9007199254740991&wait=60";

impl House {
    async fn say(&self, agent: &Agent, id: &str, offset: u64, output: &str) -> Result<Value, Refusal> {
        let body = json!({
            "agentId": agent.keys.agent_id(), "timestamp": NOW, "commandId": id, "commandSeq": 1,
            "startedAt": NOW, "offset": offset, "output": output,
        });
        let message =
            AgentMessage::verified(Arc::clone(&agent.keys), body.to_string().into(), body.to_string().len());
        let path = Path(A.to_owned());
        Ok(read(handler::progress(State(Arc::clone(&self.room)), path, message).await?).await.1)
    }

    /// Has the agent of this house fetch a command, with a timeout.
    async fn given(&self, agent: &Agent) -> Value {
        self.queue(json!({"agentId": "a", "action": "ping", "timeoutSeconds": 90})).await.unwrap();
        self.pull(agent, "after=0").await.unwrap()[0].clone()
    }
}

#[tokio::test]
async fn a_command_is_heard_of_while_it_runs_and_told_once() {
    let house = House::new();
    let agent = house.agent("a").await;
    assert_eq!(house.given(&agent).await["timeoutSeconds"], 90, "signed with the command");
    house.told();
    let answer = house.say(&agent, A, 0, "one ").await.unwrap();
    assert_eq!(answer, json!({"commandId": A, "status": "running", "outputBytes": 4, "serverTime": NOW}));
    house.say(&agent, A, 0, "one two").await.unwrap();
    assert_eq!(house.told(), [(A.to_owned(), "running")]);
    let view = read(handler::get(State(Arc::clone(&house.room)), Path(A.to_owned())).await.unwrap()).await.1;
    assert_eq!((&view["status"], &view["outputSoFar"]), (&json!("running"), &json!("one two")));
    assert_eq!((&view["startedAt"], &view["timeoutSeconds"]), (&json!(NOW), &json!(90)));
    house.report(&agent, A, agent.result(A, 1, "one two three")).await.unwrap();
    assert_eq!(house.say(&agent, A, 7, " three").await.unwrap()["status"], "succeeded");
    assert_eq!(house.told(), [(A.to_owned(), "succeeded")]);
}

#[tokio::test]
async fn progress_is_its_own_commands_only() {
    let house = House::new();
    let (agent, thief) = (house.agent("a").await, house.agent("b").await);
    house.given(&agent).await;
    assert_eq!(house.say(&thief, A, 0, "x").await.unwrap_err().kind(), ProblemType::AgentMismatch);
    let elsewhere = house.say(&agent, "CMD-2027-002", 0, "x").await.unwrap_err();
    assert_eq!(elsewhere.problem().errors[0].pointer, "/commandId");
    assert_eq!(house.status(A).await, "delivered");
}

#[tokio::test]
async fn an_agent_that_is_busy_hears_at_once_what_it_is_to_end() {
    let house = House::new();
    let agent = house.agent("a").await;
    house.given(&agent).await;
    house.queue(json!({"agentId": "a", "action": "ping"})).await.unwrap();
    assert_eq!(
        house.ask(&agent, "after=9007199254740991").await.unwrap().get("cancel"),
        None,
        "left away where there is none"
    );
    let cancel = async {
        while house.room.waiting() == 0 {
            tokio::task::yield_now().await;
        }
        house.cancel(A).await.unwrap()
    };
    let (answer, view) = tokio::join!(house.ask(&agent, BUSY), cancel);
    assert_eq!((&view["status"], &view["cancelAskedAt"]), (&json!("delivered"), &json!(NOW)));
    let answer = answer.unwrap();
    assert_eq!((&answer["cancel"], &answer["commands"]), (&json!([A]), &json!([])));
    let again = house.ask(&agent, BUSY).await.unwrap();
    assert_eq!(again["cancel"], json!([A]), "said at once until it is over, for an answer can be lost");
    let mut result = agent.result(A, 1, "so far");
    result["status"] = json!("cancelled");
    house.report(&agent, A, result).await.unwrap();
    assert_eq!(house.status(A).await, "cancelled");
    assert_eq!(house.ask(&agent, "after=9007199254740991").await.unwrap().get("cancel"), None);
}

#[tokio::test]
async fn an_agent_that_has_not_begun_what_is_to_end_never_will() {
    let house = House::new();
    let agent = house.agent("a").await;
    house.given(&agent).await;
    house.cancel(A).await.unwrap();
    house.told();
    assert_eq!(house.pull(&agent, "").await.unwrap(), json!([]), "who does not say may have begun it");
    assert_eq!(house.status(A).await, "delivered");
    assert_eq!(house.pull(&agent, "after=0").await.unwrap(), json!([]));
    assert_eq!(house.told(), [(A.to_owned(), "cancelled")]);
    house.pull(&agent, "after=0").await.unwrap();
    assert!(house.told().is_empty(), "once");
}

#[tokio::test]
async fn what_waits_for_a_machine_that_is_off_comes_in_order_for_thirty_days() {
    const DAY: i64 = 24 * 3_600;
    let house = House::new();
    let agent = house.agent("a").await;
    for _ in 0..3 {
        house.queue(json!({"agentId": "a", "action": "ping", "ttlSeconds": 30 * DAY})).await.unwrap();
    }
    house.clock.advance(30 * DAY - 1);
    let commands = house.pull(&agent, "after=0").await.unwrap();
    let seqs: Vec<_> = commands.as_array().unwrap().iter().map(|command| &command["commandSeq"]).collect();
    assert_eq!(seqs, [1, 2, 3]);
    house.report(&agent, A, agent.result(A, 1, "pong")).await.unwrap();
    house.clock.advance(1);
    assert_eq!(house.pull(&agent, "after=2").await.unwrap(), json!([]));
    let view = read(handler::get(State(Arc::clone(&house.room)), Path(A.to_owned())).await.unwrap()).await.1;
    let late = NOW.plus_seconds(30 * DAY);
    assert_eq!((&view["createdAt"], &view["expiresAt"]), (&json!(NOW), &json!(late)));
    assert_eq!((&view["deliveredAt"], &view["finishedAt"]), (&json!(late.plus_seconds(-1)), &json!(NOW)));
    for (id, status) in [("CMD-2027-002", "delivered"), ("CMD-2027-003", "expired")] {
        assert_eq!(house.status(id).await, status, "begun by the agent's word, or not");
    }
}

#[tokio::test]
async fn what_a_batch_handed_out_is_ended_with_it() {
    let house = House::new();
    let agents = [house.agent("a").await, house.agent("b").await];
    let batch = house.queue(json!({"agentIds": ["a", "b"], "action": "ping"})).await.unwrap().1;
    house.pull(&agents[0], "after=0").await.unwrap();
    let cancel = async {
        while house.room.waiting() == 0 {
            tokio::task::yield_now().await;
        }
        let path = Path(batch["batchId"].as_str().unwrap().to_owned());
        read(handler::cancel_batch(State(Arc::clone(&house.room)), path, ada()).await.unwrap()).await.1
    };
    let (answer, view) = tokio::join!(house.ask(&agents[0], BUSY), cancel);
    assert_eq!((&view["counts"]["delivered"], &view["counts"]["cancelled"]), (&json!(1), &json!(1)));
    assert_eq!(answer.unwrap()["cancel"], json!([A]));
}
