//! A hub in which every refusal can be caused, and what must be the same in it afterwards.

use crate::harness::{
    Hub,
    agent::{Agent, enrolment, now},
    eventually,
    wire::Wire,
};
use pingup_protocol::time::Timestamp;
use pingup_server::events::STREAMS_MAX;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, io::Read, net::TcpStream};

/// What the neighbour is called: no answer to anybody else has it.
pub const NEIGHBOUR: &str = "neighbour-of-nobody";
/// The stream that has been committed, its last number, and one that is older.
pub const BOOT: u64 = 10;
pub const SEQ: u64 = 9;
/// The machine that is enrolled.
pub const MACHINE: &str = "m-1";

/// The hub, and who may ask it.
pub struct Scene {
    pub hub: Hub,
    /// Reads everything back.
    admin: Wire,
    /// Has a stream, a command that was cancelled, and a configuration.
    pub agent: Agent,
    /// Was removed.
    pub removed: Agent,
    /// When the last number of the stream was measured.
    pub at: Timestamp,
    /// The path of the command.
    pub cancelled: String,
    pub tokens: BTreeMap<&'static str, String>,
    /// All streams of events that there may be.
    _streams: Vec<TcpStream>,
}

impl Scene {
    pub fn new() -> Self {
        let hub = Hub::start_with(&[
            ("PINGUP_LOG", "debug"),
            ("PINGUP_ENROLMENTS_PER_MINUTE", "1000000"),
            ("PINGUP_STRANGER_REQUESTS_PER_SECOND", "1000000"),
            ("PINGUP_AGENT_REQUESTS_PER_SECOND", "1000000"),
            ("PINGUP_AGENT_REFUSALS_PER_SECOND", "1000000"),
        ]);
        let (agent, removed, neighbour) = (hub.register("A"), hub.register("R"), hub.register("B"));
        let operator = hub.operator("operator");
        operator.patch("/api/v1/agents/B", &json!({"name": NEIGHBOUR})).expect(200);
        let mut sample = neighbour.sample(now(), 1.0);
        sample["status"] = json!(NEIGHBOUR);
        neighbour.post("/api/v1/metrics", &sample).expect(200);
        let at = now();
        agent.post("/api/v1/metrics", &agent.sequenced(BOOT, SEQ, at)).expect(200);
        operator.post("/api/v1/config/A", &json!({"config": {"intervalSeconds": 5}})).expect(200);
        let command =
            operator.post("/api/v1/commands", &json!({"agentId": "A", "action": "ping"})).expect(201);
        let cancelled = format!("/api/v1/commands/{}", command["commandId"].as_str().unwrap());
        operator.delete(&cancelled).expect(200);
        let admin = hub.operator("admin");
        admin.delete("/api/v1/agents/R").expect(200);
        let tokens = tokens(&hub);
        let streams = streams(&hub);
        Self { hub, admin, agent, removed, at, cancelled, tokens, _streams: streams }
    }

    /// Everything that is stored, as text by its place.
    pub fn digest(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        let path = self.hub.folder().join("pingup.db");
        let records = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        let mut tables = records.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").unwrap();
        let tables: Vec<String> =
            tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        for table in tables {
            let columns = match table.as_str() {
                // Written down now and then, from what is in memory: asked for below.
                "agent_latest" => continue,
                // Whoever is silent goes offline, meanwhile too.
                "agents" => "id, name, info, metadata, machine_id, created_at, removed_at",
                // When it was used is written now and then too.
                "operator_tokens" => "id, digest, name, role, created_at, expires_at, revoked_at",
                _ => "*",
            };
            // That somebody was refused is written down: who knocks leaves a trace there, and there alone.
            let kept = if table == "audit" { "WHERE act <> 'request.refused'" } else { "" };
            let query = format!("SELECT {columns} FROM \"{table}\" {kept}");
            found.insert(table.clone(), rows(&records, &query));
        }
        for id in ["A", "B"] {
            for path in [format!("/api/v1/metrics/{id}"), format!("/api/v1/metrics/{id}/latest")] {
                let from = if path.ends_with("latest") { "" } else { "?from=2000-01-01T00:00:00Z" };
                let mut stored = self.admin.get(&format!("{path}{from}")).expect(200);
                stored.as_object_mut().unwrap().remove("to");
                found.insert(path, stored.to_string());
            }
        }
        let journal = fs::read_dir(self.hub.folder().join("journal")).unwrap();
        let bytes: u64 = journal.map(|file| file.unwrap().metadata().unwrap().len()).sum();
        found.insert("journal".to_owned(), bytes.to_string());
        found
    }

    /// An enrolment by one of the tokens.
    pub fn enrol(&self, token: &str, machine: &str) -> Vec<u8> {
        enrolment(&self.tokens[token], |body: &mut Value| body["machineId"] = json!(machine)).0
    }
}

/// Tokens that open nothing, or have been used.
fn tokens(hub: &Hub) -> BTreeMap<&'static str, String> {
    let join = |more: &[&str]| hub.line(&[&["join-token", "create"], more].concat());
    let (many, one, short) = (join(&["--uses", "1000"]), join(&[]), join(&["--ttl", "1s", "--uses", "1000"]));
    for (token, machine) in [(&many, MACHINE), (&one, "m-2")] {
        let body = enrolment(token, |body| body["machineId"] = json!(machine)).0;
        let made = hub.wire.post_bytes("/api/v1/agents", &body).expect(201);
        hub.keep_secret(made["credentials"]["token"].as_str().unwrap());
    }
    let expired = hub.line(&["token", "create", "--role", "admin", "--ttl", "1s"]);
    eventually("the operator's token has expired", || {
        (hub.wire.with_token(&expired).get("/api/v1/agents").status == 401).then_some(())
    });
    // Made before that one, for as long.
    eventually("the join token has expired", || {
        let body = enrolment(&short, |body| body["machineId"] = json!(MACHINE)).0;
        (hub.wire.post_bytes("/api/v1/agents", &body).status == 403).then_some(())
    });
    let (viewer, operator) = (hub.token("viewer"), hub.token("operator"));
    BTreeMap::from([
        ("many", many),
        ("one", one),
        ("short", short),
        ("expired", expired),
        ("viewer", viewer),
        ("operator", operator),
    ])
}

/// As many streams of events as there may be, each of them begun.
fn streams(hub: &Hub) -> Vec<TcpStream> {
    let head = format!(
        "GET /api/v1/events HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer {}\r\n\r\n",
        hub.token("viewer")
    );
    let open = |_| {
        let mut stream = hub.wire.half_sent(head.as_bytes());
        let mut begun = [0; b"HTTP/1.1 200".len()];
        stream.read_exact(&mut begun).unwrap();
        assert_eq!(&begun, b"HTTP/1.1 200");
        stream
    };
    (0..STREAMS_MAX).map(open).collect()
}

fn rows(records: &Connection, sql: &str) -> String {
    let mut statement = records.prepare(sql).unwrap();
    let columns = statement.column_count();
    let row = |row: &rusqlite::Row<'_>| {
        (0..columns)
            .map(|column| Ok(format!("{:?}", row.get_ref(column)?)))
            .collect::<rusqlite::Result<Vec<_>>>()
    };
    let mut rows: Vec<_> = statement.query_map([], row).unwrap().map(Result::unwrap).collect();
    rows.sort();
    format!("{rows:?}")
}
