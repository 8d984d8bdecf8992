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

#[tokio::test]
async fn pages_of_a_batch_name_all_who_are_missing_and_all_who_were_left_out() {
    let house = House::new();
    join_all((0..5).map(|n| format!("w-{n}")).map(async |name| house.agent(&name).await)).await;
    let batch = house.queue(json!({"selector": {"q": "w-"}, "action": "ping"})).await.unwrap().1;
    let id = batch["batchId"].as_str().unwrap().to_owned();
    let named = id.clone();
    let leave_out = move |connection: &rusqlite::Connection| {
        let sql = "INSERT INTO command_batch_left_out VALUES (?1, 'off-' || ?2, 'too-many-open-commands')";
        (0..3).try_for_each(|n| connection.execute(sql, (&named, n)).map(drop)).map_err(StorageError::from)
    };
    house.sqlite.write(leave_out).await.unwrap();
    let (mut missing, mut left_out, mut sizes, mut cursor) = (Vec::new(), Vec::new(), Vec::new(), None);
    loop {
        let query = cursor.map_or_else(|| "limit=2".to_owned(), |cursor| format!("limit=2&cursor={cursor}"));
        let params = Params::parse(&query);
        let page =
            handler::get_batch(State(Arc::clone(&house.room)), Path(id.clone()), params).await.unwrap();
        let page = read(page).await.1;
        let ids = |list: &str| -> Vec<String> {
            let items = page[list].as_array().unwrap();
            items.iter().map(|item| item["agentId"].as_str().unwrap().to_owned()).collect()
        };
        sizes.push((ids("missing").len(), ids("leftOut").len()));
        missing.extend(ids("missing"));
        left_out.extend(ids("leftOut"));
        cursor = page["nextCursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(sizes, [(2, 2), (2, 1), (1, 0)]);
    assert_eq!(missing, ["w-0", "w-1", "w-2", "w-3", "w-4"]);
    assert_eq!(left_out, ["off-0", "off-1", "off-2"]);
}

/// It had it in time, behind one that ran long, and asks anew without having begun it.
#[tokio::test]
async fn who_had_a_command_and_had_no_time_for_it_is_missing() {
    let house = House::new();
    let agent = house.agent("a").await;
    house.queue(json!({"agentId": "a", "action": "ping"})).await.unwrap();
    let order = json!({"agentIds": ["a"], "action": "ping", "ttlSeconds": 4});
    let batch = house.queue(order).await.unwrap().1["batchId"].as_str().unwrap().to_owned();
    assert_eq!(house.pull(&agent, "").await.unwrap().as_array().unwrap().len(), 2, "handed out together");
    house.clock.advance(4);
    house.report(&agent, "CMD-2027-001", agent.result("CMD-2027-001", 1, "done")).await.unwrap();
    assert_eq!(house.pull(&agent, "after=1").await.unwrap(), json!([]));
    let view = handler::get(State(Arc::clone(&house.room)), Path("CMD-2027-002".to_owned())).await.unwrap();
    let view = read(view).await.1;
    assert_eq!(
        (&view["status"], &view["deliveredAt"], &view["reason"]),
        (&json!("expired"), &json!(NOW), &json!("the agent got it, but had not begun it in time"))
    );
    let page =
        handler::get_batch(State(Arc::clone(&house.room)), Path(batch), Params::parse("")).await.unwrap();
    let page = read(page).await.1;
    assert_eq!(page["missing"], json!([{"agentId": "a", "commandId": "CMD-2027-002", "status": "expired"}]));
}
