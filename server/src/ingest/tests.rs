//! The whole road by its handlers: verified messages in, answers out, rows on a real disk.

mod doubted;
mod largest;

use super::*;
use crate::{
    auth::{AgentKeys, AgentMessage, Keyring, Standing, token::AgentToken},
    clock::Clock,
    figures::Figures,
    generations,
    http::problem::Refusal,
    storage::{Duck, Sqlite, StorageError, scratch::Scratch},
    tsdb::{
        Tsdb,
        record::OwnedSample,
        testing::{self as history, Bench, NOW, RETENTION},
    },
};
use axum::{
    body::{Bytes, to_bytes},
    extract::State,
};
use pingup_protocol::{
    ids::AgentId,
    keys::{KEY_BYTES, Secret},
    problem::ProblemType,
};
use tokio::task::spawn_blocking;

/// How long bodies are said to have been: like all here, well below any limit.
const RECEIVED_BYTES: usize = 100;

struct Hub {
    room: Arc<Ingest>,
    keys: Arc<AgentKeys>,
    clock: Clock,
    engine: Duck,
    tsdb: Tsdb,
    queue: Arc<Queue>,
    writer: Option<Writer>,
    _scratch: Scratch,
}

/// The keys of agent `a`, enrolled the way the registry does it.
async fn enrol(sqlite: &Sqlite, clock: &Clock) -> Arc<AgentKeys> {
    let keyring =
        Keyring::new(Secret::new([7; KEY_BYTES]), sqlite.clone(), clock.clone(), crate::audit::store::record);
    let agent_id = AgentId::parse("a").unwrap();
    let row = keyring.fresh(&agent_id, 1).unwrap().row;
    let insert = move |connection: &rusqlite::Connection| {
        connection.execute("INSERT INTO agents (id, created_at) VALUES ('a', 0)", [])?;
        Ok::<_, StorageError>(generations::insert(connection, "a", &row)?)
    };
    sqlite.write(insert).await.unwrap();
    match keyring
        .find(&AgentToken { agent_id, generation: 1, master: keyring.tokens().master() })
        .await
        .unwrap()
    {
        Standing::Alive(keys) => keys,
        other => panic!("{other:?}"),
    }
}

async fn hub_on(bench: Bench, keys: Arc<AgentKeys>) -> Hub {
    let Bench { clock, engine, tsdb, appender, scratch, .. } = bench;
    let figures = Arc::<Figures>::default();
    let queue = Arc::new(Queue::new(100, 1 << 20, Arc::clone(&figures)));
    let start = {
        let queue = Arc::clone(&queue);
        move || Writer::start(queue, appender, Arc::default(), figures).unwrap()
    };
    let writer = spawn_blocking(start).await.unwrap();
    let room = Arc::new(Ingest::new(Arc::clone(&queue), tsdb.clone()));
    Hub { room, keys, clock, engine, tsdb, queue, writer: Some(writer), _scratch: scratch }
}

async fn hub() -> Hub {
    let bench = spawn_blocking(Bench::new).await.unwrap();
    let keys = enrol(&bench.sqlite, &bench.clock).await;
    hub_on(bench, keys).await
}

impl Hub {
    fn message(&self, body: String) -> AgentMessage {
        AgentMessage::verified(Arc::clone(&self.keys), Bytes::from(body), RECEIVED_BYTES)
    }

    async fn metrics(&self, body: String) -> Result<PushAnswer, Refusal> {
        let response = handler::post_metrics(State(Arc::clone(&self.room)), self.message(body)).await?;
        Ok(read(response).await)
    }

    async fn discovery(&self, body: String) -> Result<PushAnswer, Refusal> {
        let response = handler::post_discovery(State(Arc::clone(&self.room)), self.message(body)).await?;
        Ok(read(response).await)
    }

    fn samples(&self) -> Vec<OwnedSample> {
        history::samples(&self.engine, &self.tsdb.view())
    }

    fn scans(&self) -> usize {
        history::scans(&self.engine, &self.tsdb.view(), &["a"]).len()
    }
}

async fn read(response: axum::response::Response) -> PushAnswer {
    serde_json::from_slice(&to_bytes(response.into_body(), 1 << 20).await.unwrap()).unwrap()
}

/// A sample `seconds` from now; `numbers` as they stand in its body.
fn sample(seconds: i64, numbers: &str) -> String {
    let timestamp = NOW.plus_seconds(seconds);
    format!(r#"{{"agentId":"a","timestamp":"{timestamp}","metrics":{{"cpu":1}},"status":"online"{numbers}}}"#)
}

fn numbers(boot: u64, seq: u64) -> String {
    format!(r#","boot":{boot},"seq":{seq}"#)
}

fn batch(boot: u64, samples: &[(u64, i64, &str)]) -> String {
    let one = |(seq, seconds, metrics): &(u64, i64, &str)| {
        let timestamp = NOW.plus_seconds(*seconds);
        format!(r#"{{"seq":{seq},"timestamp":"{timestamp}","metrics":{metrics},"status":"online"}}"#)
    };
    let samples: Vec<_> = samples.iter().map(one).collect();
    format!(r#"{{"agentId":"a","boot":{boot},"samples":[{}]}}"#, samples.join(","))
}

fn scan(seconds: i64, numbers: &str) -> String {
    let timestamp = NOW.plus_seconds(seconds);
    let host = r#"{"ip":"10.0.0.1","latency":1,"ports":[22]}"#;
    format!(
        r#"{{"agentId":"a","timestamp":"{timestamp}","discovery":{{"hosts":[{host}],"duration":5}}{numbers}}}"#
    )
}

#[tokio::test]
async fn a_body_of_the_first_kind_is_stored_once() {
    let hub = hub().await;
    let answer = hub.metrics(sample(0, "")).await.unwrap();
    let wanted = PushAnswer {
        accepted: 1,
        duplicates: 0,
        duplicates_expired: 0,
        expired: 0,
        rejected: Vec::new(),
        high_water: None,
        server_time: NOW,
    };
    assert_eq!(answer, wanted);
    let again = hub.metrics(sample(0, "")).await.unwrap();
    assert_eq!((again.accepted, again.duplicates), (0, 1));
    assert_eq!(
        hub.discovery(scan(0, "")).await.unwrap().accepted,
        1,
        "a scan of the same moment is another thing"
    );
    assert_eq!(hub.discovery(scan(0, "")).await.unwrap().duplicates, 1);
    assert_eq!((hub.samples().len(), hub.scans()), (1, 1));
}

#[tokio::test]
async fn samples_and_scans_share_one_stream() {
    let hub = hub().await;
    assert_eq!(hub.metrics(sample(0, &numbers(5, 1))).await.unwrap().high_water, Some(1));
    assert_eq!(hub.discovery(scan(1, &numbers(5, 2))).await.unwrap().high_water, Some(2));
    assert_eq!(
        hub.metrics(sample(2, &numbers(5, 2))).await.unwrap_err().kind(),
        ProblemType::SequenceConflict
    );
    let answer = hub.metrics(batch(5, &[(1, 0, "{}"), (2, 1, "{}"), (3, 2, "{}")])).await.unwrap();
    assert_eq!((answer.accepted, answer.duplicates, answer.high_water), (1, 2, Some(3)));
}

#[tokio::test]
async fn one_bad_sample_never_holds_up_a_spool() {
    let hub = hub().await;
    let body = batch(
        1,
        &[(1, 0, "{}"), (2, 301, "{}"), (3, -2_600_000, "{}"), (4, 0, r#"{"cpu":101}"#), (6, 1, "{}")],
    );
    let answer = hub.metrics(body.clone()).await.unwrap();
    assert_eq!((answer.accepted, answer.expired, answer.high_water), (2, 1, Some(6)));
    let rejected: Vec<_> = answer.rejected.iter().map(|r| (r.seq, r.problem.as_str())).collect();
    assert_eq!(rejected, [(2, "timestamp-in-future"), (4, "schema-invalid")]);
    let again = hub.metrics(body).await.unwrap();
    assert_eq!((again.duplicates, again.rejected.len(), again.high_water), (5, 0, Some(6)));
    assert_eq!(
        (again.duplicates_expired, again.expired),
        (1, 0),
        "whoever did not hear it the first time hears it now"
    );
    assert_eq!(hub.samples().len(), 2);
}

#[tokio::test]
async fn what_cannot_be_taken_is_refused_by_name_and_not_stored() {
    let hub = hub().await;
    hub.metrics(sample(0, &numbers(7, 1))).await.unwrap();
    for (body, kind) in [
        (sample(301, ""), ProblemType::TimestampInFuture),
        (sample(301, &numbers(7, 2)), ProblemType::TimestampInFuture),
        (sample(9, &numbers(7, 1)), ProblemType::SequenceConflict),
        (batch(7, &[(1, 9, "{}"), (2, 10, "{}")]), ProblemType::SequenceConflict),
        (sample(9, &numbers(6, 1)), ProblemType::BootRetired),
        (sample(9, "").replace(r#""a""#, r#""b""#), ProblemType::AgentMismatch),
        (sample(9, "").replace("cpu\":1", "cpu\":-1"), ProblemType::SchemaInvalid),
    ] {
        let refused = hub.metrics(body.clone()).await.unwrap_err();
        assert_eq!(refused.kind(), kind, "{body}");
        assert_eq!(refused.problem().min_boot, (kind == ProblemType::BootRetired).then_some(8));
    }
    assert_eq!(hub.discovery(scan(301, "")).await.unwrap_err().kind(), ProblemType::TimestampInFuture);
    assert_eq!((hub.samples().len(), hub.scans()), (1, 0));
    // The clock caught up: the number was not consumed.
    hub.clock.advance(1);
    assert_eq!(hub.metrics(sample(301, &numbers(7, 2))).await.unwrap().accepted, 1);
}

#[tokio::test]
async fn a_hub_that_is_full_or_stopping_says_come_back() {
    let bench = spawn_blocking(|| Bench::on(Scratch::with_reserve(u64::MAX), RETENTION)).await.unwrap();
    let elsewhere = spawn_blocking(|| Scratch::new().sqlite()).await.unwrap();
    let keys = enrol(&elsewhere, &bench.clock).await;
    let mut hub = hub_on(bench, keys).await;
    let come_back = |refused: Result<PushAnswer, Refusal>| {
        let refused = refused.unwrap_err();
        assert_eq!(refused.kind(), ProblemType::Overloaded);
        refused.problem().detail.clone()
    };
    assert!(come_back(hub.metrics(sample(0, "")).await).contains("committed to disk"), "no room on the disk");
    if let Some(writer) = hub.writer.take() {
        writer.stop();
    }
    assert!(!hub.queue.is_taking());
    assert!(come_back(hub.metrics(sample(0, "")).await).contains("stopping"));
    assert_eq!(hub.samples(), []);

    let idle = Arc::new(Queue::new(1, 1 << 20, Arc::default()));
    let room = Arc::new(Ingest::new(Arc::clone(&idle), hub.tsdb.clone()));
    let _waiting = idle.push(testing::unnumbered("a", 1)).unwrap();
    let full = handler::post_metrics(State(room), hub.message(sample(0, ""))).await.unwrap_err();
    assert_eq!(full.kind(), ProblemType::Overloaded);
    assert!(full.problem().detail.contains("too much waits"), "{full:?}");
}
