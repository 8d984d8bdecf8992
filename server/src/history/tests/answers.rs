//! The handlers themselves, called as the router calls them.

use super::*;
use crate::{
    history::{handler, newest},
    http::{problem::Refusal, query::Params, respond::Representation},
    latest::LatestSample,
    storage::{StorageError, scratch::Scratch},
};
use arrow::{
    array::{AsArray, RecordBatch},
    datatypes::{Float64Type, TimestampMicrosecondType},
    ipc::reader::StreamReader,
};
use axum::{
    body::{Bytes, to_bytes},
    extract::{Path, State},
    response::Response,
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use pingup_protocol::problem::ProblemType;

/// Three samples from 1970 on; it is a minute and a half later.
fn three() -> (Bench, Arc<History>) {
    let mut bench = Bench::new();
    append(&mut bench, samples(0, 3));
    bench.seal_all();
    let room = room(&bench, at(100));
    (bench, room)
}

fn get(room: &Arc<History>, agent: &str, query: &str, form: Representation) -> Result<Response, Refusal> {
    wait(handler::get(State(Arc::clone(room)), Path(agent.to_owned()), Params::parse(query), form))
}

fn bytes(response: Response) -> Bytes {
    wait(to_bytes(response.into_body(), 1 << 20)).unwrap()
}

fn latest(room: &Arc<History>, agent: &str) -> Result<String, Refusal> {
    Ok(text(wait(handler::latest(State(Arc::clone(room)), Path(agent.to_owned())))?))
}

fn text(response: Response) -> String {
    String::from_utf8(bytes(response).to_vec()).unwrap()
}

#[test]
fn a_page_comes_in_each_form_with_its_cursor() {
    let (_bench, room) = three();
    let json = text(get(&room, "a", "limit=2&fields=ram", Representation::Json).unwrap());
    let (items, cursor) = json.split_once(r#"],"nextCursor":""#).unwrap();
    assert!(items.starts_with(
        r#"{"items":[{"timestamp":"1970-01-01T00:00:00Z","status":"online","metrics":{"ram":50.0}},"#
    ));
    let cursor = cursor.trim_end_matches(r#"","tiers":["raw"]}"#);
    for (form, wanted) in [
        (
            Representation::NdJson,
            "{\"timestamp\":\"1970-01-01T00:00:00Z\",\"status\":\"online\",\"metrics\":{\"ram\":50.0}}\n",
        ),
        (Representation::Csv, "timestamp,status,ram\r\n1970-01-01T00:00:00Z,online,50\r\n"),
    ] {
        let page = get(&room, "a", "limit=2&fields=ram", form).unwrap();
        assert_eq!(page.headers()["x-next-cursor"], cursor);
        assert_eq!(page.headers()["x-pingup-tiers"], "raw");
        assert!(page.headers()["content-type"].to_str().unwrap().starts_with(form.media_type()));
        assert!(text(page).starts_with(wanted));
        let last = get(&room, "a", &format!("limit=2&fields=ram&cursor={cursor}"), form).unwrap();
        assert!(!last.headers().contains_key("x-next-cursor"));
        assert!(text(last).contains("1970-01-01T00:00:02Z"));
    }
    let buckets = text(get(&room, "a", "step=1m&fields=ram", Representation::Json).unwrap());
    let wanted = r#"{"items":[{"start":"1970-01-01T00:00:00Z","count":3,"metrics":{"ram":{"min":50.0,"max":50.0,"avg":50.0,"last":50.0,"count":3}}}],"nextCursor":null,"tiers":["raw"]}"#;
    assert_eq!(buckets, wanted);
}

#[test]
fn columns_come_as_arrow_and_as_parquet() {
    let (_bench, room) = three();
    let read_stream = |bytes: Bytes| {
        let reader = StreamReader::try_new(std::io::Cursor::new(bytes), None).unwrap();
        reader.map(Result::unwrap).collect::<Vec<RecordBatch>>()
    };
    let read_parquet = |bytes: Bytes| {
        ParquetRecordBatchReader::try_new(bytes, 1_024).unwrap().map(Result::unwrap).collect::<Vec<_>>()
    };
    for (query, columns, third) in [
        ("limit=2", "timestamp status cpu ram disk latency load1 swap", vec![None, Some(1.0)]),
        ("step=1h&fields=cpu", "start count cpu_min cpu_max cpu_avg cpu_last cpu_count", vec![Some(1.0)]),
    ] {
        for form in [Representation::Arrow, Representation::Parquet] {
            let page = get(&room, "a", query, form).unwrap();
            assert_eq!(page.headers()["content-type"], form.media_type());
            assert_eq!(page.headers()["x-pingup-tiers"], if query == "limit=2" { "raw" } else { "hour" });
            assert_eq!(page.headers().contains_key("x-next-cursor"), query == "limit=2");
            let body = bytes(page);
            let batches = if form == Representation::Arrow { read_stream(body) } else { read_parquet(body) };
            let names: Vec<_> =
                batches[0].schema().fields().iter().map(|field| field.name().clone()).collect();
            assert_eq!(names.join(" "), columns);
            let moments = batches[0].column(0).as_primitive::<TimestampMicrosecondType>();
            assert_eq!(moments.value(0), 0);
            assert_eq!(batches[0].column(2).as_primitive::<Float64Type>().iter().collect::<Vec<_>>(), third);
        }
    }
    let nothing = get(&room, "a-silent", "", Representation::Parquet).unwrap();
    assert!(bytes(nothing).starts_with(b"PAR1"));
}

#[test]
fn refusals_name_what_to_change() {
    let (_bench, room) = three();
    for (query, parameter) in [
        ("from=1970-01-02T00:00:00Z", "from"),
        ("step=10ms", "step"),
        ("step=1s&from=0001-01-01T00:00:00Z", "step"),
        ("fields=a;b", "fields"),
        ("limit=10001", "limit"),
        ("cursor=x", "cursor"),
    ] {
        let refused = get(&room, "a", query, Representation::Json).unwrap_err();
        assert_eq!(refused.kind(), ProblemType::SchemaInvalid);
        assert!(
            refused.problem().detail.contains(&format!("parameter {parameter}:")),
            "{query}: {refused:?}"
        );
    }
    for (agent, kind) in [("nobody", Some(ProblemType::NotFound)), ("a-removed", None)] {
        let answer = get(&room, agent, "", Representation::Json);
        assert_eq!(answer.err().map(|refused| refused.kind()), kind, "{agent}");
    }
}

#[test]
fn the_latest_is_the_newest_wherever_it_is() {
    let (_bench, room) = three();
    assert!(latest(&room, "a").unwrap().contains("1970-01-01T00:00:02Z"), "on disk only");
    for (agent, word) in [("a-silent", "no sample"), ("nobody", "there is no agent")] {
        let refused = latest(&room, agent).unwrap_err();
        assert_eq!(refused.kind(), ProblemType::NotFound);
        assert!(refused.problem().detail.contains(word), "{refused:?}");
    }
    let agent = agent_id("a");
    room.latest.offer(&agent, Timestamp::from_micros(SECOND), "spooled", &Measurements::default());
    assert!(latest(&room, "a").unwrap().contains("1970-01-01T00:00:02Z"), "the disk has a newer one");
    room.latest.offer(&agent, Timestamp::from_micros(9 * SECOND), "live", &Measurements::default());
    assert_eq!(
        latest(&room, "a").unwrap(),
        r#"{"timestamp":"1970-01-01T00:00:09Z","status":"live","metrics":{}}"#
    );
}

#[test]
fn what_was_noted_in_the_records_counts_too() {
    let (_bench, room) = three();
    let note = |connection: &rusqlite::Connection| {
        connection.execute_batch(
            r#"INSERT INTO agents (id, created_at) VALUES ('a', 0), ('a-noted', 0);
               INSERT INTO agent_latest VALUES ('a', 1000000, 'old', '{}'),
                                               ('a-noted', 7000000, 'noted', '{"cpu":1.5,"load1":0.25}')"#,
        )?;
        Ok::<_, StorageError>(())
    };
    wait(room.sqlite.write(note)).unwrap();
    assert!(latest(&room, "a").unwrap().contains("1970-01-01T00:00:02Z"), "the disk has a newer one");
    let noted = r#"{"timestamp":"1970-01-01T00:00:07Z","status":"noted","metrics":{"cpu":1.5,"load1":0.25}}"#;
    assert_eq!(latest(&room, "a-noted").unwrap(), noted);
}

#[test]
fn what_is_noted_is_never_replaced_by_an_older_one() {
    let sqlite = Scratch::new().sqlite();
    let sample = |micros, status: &str| {
        let further = vec![("load1".to_owned(), 0.1)];
        let metrics = Measurements { cpu: Some(1.5), further, ..Measurements::default() };
        let timestamp = Timestamp::from_micros(micros);
        (agent_id("a"), LatestSample { timestamp, status: status.to_owned(), metrics })
    };
    let check = move |connection: &rusqlite::Connection| {
        newest::note(connection, &sample(1, "not enrolled"))?;
        assert_eq!(newest::noted(connection, "a")?, None);
        connection.execute("INSERT INTO agents (id, created_at) VALUES ('a', 0)", [])?;
        for (micros, status) in [(5, "first"), (4, "older"), (6, "newest"), (2, "oldest")] {
            newest::note(connection, &sample(micros, status))?;
        }
        assert_eq!(newest::noted(connection, "a")?, Some(sample(6, "newest").1));
        Ok::<_, StorageError>(())
    };
    wait(sqlite.write(check)).unwrap();
}
