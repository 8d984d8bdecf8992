//! The handlers themselves, called as the router calls them.

use super::*;
use crate::{
    history::handler,
    http::{problem::Refusal, query::Params, respond::Representation},
    latest::LatestSample,
    storage::StorageError,
};
use axum::{
    body::to_bytes,
    extract::{Path, State},
    response::Response,
};
use pingup_protocol::{ids::AgentId, problem::ProblemType};

/// Agents that begin with `a` are known, one of them removed.
fn standing(_: &rusqlite::Connection, agent_id: &str) -> rusqlite::Result<Standing> {
    Ok(match agent_id {
        "a-removed" => Standing::Removed,
        known if known.starts_with('a') => Standing::Living,
        _ => Standing::Unknown,
    })
}

fn room(scratch: &Scratch) -> Arc<History> {
    let clock = Clock::fixed(Timestamp::from_micros(100 * SECOND));
    let history = History::new(scratch.duck(), scratch.sqlite(), clock, Arc::default(), standing);
    history
        .duck
        .write_blocking(|connection| {
            insert(connection, 0, 3);
            Ok(())
        })
        .unwrap();
    Arc::new(history)
}

async fn get(
    room: &Arc<History>,
    agent: &str,
    query: &str,
    form: Representation,
) -> Result<Response, Refusal> {
    handler::get(State(Arc::clone(room)), Path(agent.to_owned()), Params::parse(query), form).await
}

async fn latest(room: &Arc<History>, agent: &str) -> Result<String, Refusal> {
    Ok(text(handler::latest(State(Arc::clone(room)), Path(agent.to_owned())).await?).await)
}

async fn text(response: Response) -> String {
    String::from_utf8(to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn a_page_comes_in_each_form_with_its_cursor() {
    let scratch = Scratch::new();
    let room = room(&scratch);
    let json = text(get(&room, "a", "limit=2&fields=ram", Representation::Json).await.unwrap()).await;
    let (items, cursor) = json.split_once(r#"],"nextCursor":""#).unwrap();
    assert!(items.starts_with(
        r#"{"items":[{"timestamp":"1970-01-01T00:00:00Z","status":"online","metrics":{"ram":50.0}},"#
    ));
    let cursor = cursor.trim_end_matches("\"}");
    for (form, wanted) in [
        (
            Representation::NdJson,
            "{\"timestamp\":\"1970-01-01T00:00:00Z\",\"status\":\"online\",\"metrics\":{\"ram\":50.0}}\n",
        ),
        (Representation::Csv, "timestamp,status,ram\r\n1970-01-01T00:00:00Z,online,50\r\n"),
    ] {
        let page = get(&room, "a", "limit=2&fields=ram", form).await.unwrap();
        assert_eq!(page.headers()["x-next-cursor"], cursor);
        assert!(page.headers()["content-type"].to_str().unwrap().starts_with(form.media_type()));
        assert!(text(page).await.starts_with(wanted));
        let last = get(&room, "a", &format!("limit=2&fields=ram&cursor={cursor}"), form).await.unwrap();
        assert!(!last.headers().contains_key("x-next-cursor"));
        assert!(text(last).await.contains("1970-01-01T00:00:02Z"));
    }
    let buckets = text(get(&room, "a", "step=1m&fields=ram", Representation::Json).await.unwrap()).await;
    let wanted = r#"{"items":[{"start":"1970-01-01T00:00:00Z","count":3,"metrics":{"ram":{"min":50.0,"max":50.0,"avg":50.0,"last":50.0}}}],"nextCursor":null}"#;
    assert_eq!(buckets, wanted);
}

#[tokio::test]
async fn refusals_name_what_to_change() {
    let scratch = Scratch::new();
    let room = room(&scratch);
    for (query, parameter) in [
        ("from=1970-01-02T00:00:00Z", "from"),
        ("step=10ms", "step"),
        ("step=1s&from=0001-01-01T00:00:00Z", "step"),
        ("fields=a;b", "fields"),
        ("limit=10001", "limit"),
        ("cursor=x", "cursor"),
    ] {
        let refused = get(&room, "a", query, Representation::Json).await.unwrap_err();
        assert_eq!(refused.kind(), ProblemType::SchemaInvalid);
        assert!(
            refused.problem().detail.contains(&format!("parameter {parameter}:")),
            "{query}: {refused:?}"
        );
    }
    for (agent, kind) in [("nobody", Some(ProblemType::NotFound)), ("a-removed", None)] {
        let answer = get(&room, agent, "", Representation::Json).await;
        assert_eq!(answer.err().map(|refused| refused.kind()), kind, "{agent}");
    }
}

#[tokio::test]
async fn the_latest_is_the_newest_wherever_it_is() {
    let scratch = Scratch::new();
    let room = room(&scratch);
    assert!(latest(&room, "a").await.unwrap().contains("1970-01-01T00:00:02Z"), "on disk only");
    for (agent, word) in [("a-silent", "no sample"), ("nobody", "there is no agent")] {
        let refused = latest(&room, agent).await.unwrap_err();
        assert_eq!(refused.kind(), ProblemType::NotFound);
        assert!(refused.problem().detail.contains(word), "{refused:?}");
    }
    let agent = AgentId::parse("a").unwrap();
    room.latest.offer(&agent, Timestamp::from_micros(SECOND), "spooled", &Measurements::default());
    assert!(latest(&room, "a").await.unwrap().contains("1970-01-01T00:00:02Z"), "the disk has a newer one");
    room.latest.offer(&agent, Timestamp::from_micros(9 * SECOND), "live", &Measurements::default());
    assert_eq!(
        latest(&room, "a").await.unwrap(),
        r#"{"timestamp":"1970-01-01T00:00:09Z","status":"live","metrics":{}}"#
    );
}

#[tokio::test]
async fn what_was_noted_in_the_records_counts_too() {
    let scratch = Scratch::new();
    let room = room(&scratch);
    let note = |connection: &rusqlite::Connection| {
        connection.execute_batch(
            r#"INSERT INTO agents (id, created_at) VALUES ('a', 0), ('a-noted', 0);
               INSERT INTO agent_latest VALUES ('a', 1000000, 'old', '{}'),
                                               ('a-noted', 7000000, 'noted', '{"cpu":1.5,"load1":0.25}')"#,
        )?;
        Ok::<_, StorageError>(())
    };
    room.sqlite.write(note).await.unwrap();
    assert!(latest(&room, "a").await.unwrap().contains("1970-01-01T00:00:02Z"), "the disk has a newer one");
    let noted = r#"{"timestamp":"1970-01-01T00:00:07Z","status":"noted","metrics":{"cpu":1.5,"load1":0.25}}"#;
    assert_eq!(latest(&room, "a-noted").await.unwrap(), noted);
}

#[tokio::test]
async fn what_is_noted_is_never_replaced_by_an_older_one() {
    let sqlite = Scratch::new().sqlite();
    let sample = |micros, status: &str| {
        let further = vec![("load1".to_owned(), 0.1)];
        let metrics = Measurements { cpu: Some(1.5), further, ..Measurements::default() };
        let timestamp = Timestamp::from_micros(micros);
        (AgentId::parse("a").unwrap(), LatestSample { timestamp, status: status.to_owned(), metrics })
    };
    let check = move |connection: &rusqlite::Connection| {
        store::note(connection, &sample(1, "not enrolled"))?;
        assert_eq!(store::noted(connection, "a")?, None);
        connection.execute("INSERT INTO agents (id, created_at) VALUES ('a', 0)", [])?;
        for (micros, status) in [(5, "first"), (4, "older"), (6, "newest"), (2, "oldest")] {
            store::note(connection, &sample(micros, status))?;
        }
        assert_eq!(store::noted(connection, "a")?, Some(sample(6, "newest").1));
        Ok::<_, StorageError>(())
    };
    sqlite.write(check).await.unwrap();
}
