//! The hub's front door, asked as strangers may ask it: every row of its route table, by whoever the row lets in, with
//! parameters and bodies that are the fuzzer's. Whatever comes is answered, and no answer says that the hub is at fault.

use crate::hub::{AGENT, Answer, ENDED, Hub, OTHER, hub};
use pingup_protocol::signing;
use pingup_server::http::{body::Kind, route::Route, router::table, rules::Auth};
use std::sync::LazyLock;

/// Rows that are not asked here. SQL is answered by this program's own file, started as an engine, and this is another
/// ([`crate::sql`] reads what is asked); a stream of events has no end, and whoever asks for commands may wait for them.
const LEFT_OUT: [&str; 3] = ["/api/v1/sql", "/api/v1/events", "/api/v1/commands/pending/{agentId}"];

static ROWS: LazyLock<Vec<Route>> = LazyLock::new(|| {
    let mut rows = table();
    rows.retain(|row| !LEFT_OUT.contains(&row.path));
    rows
});

/// A query in PromQL: a byte that says how it is asked, then the query.
pub fn promql(bytes: &[u8]) {
    let Some((choice, query)) = bytes.split_first() else { return };
    let query = escaped(query, b"");
    let hub = hub();
    let form = match choice % 4 {
        0 => format!("query={query}"),
        1 => format!("query={query}&start=0&end=3600&step=60"),
        2 => format!("query={query}&start={}&end={}&step=15s&lookback_delta=1h", hub.began - 600, hub.began),
        _ => format!("match[]={query}"),
    };
    let path = ["query", "query_range", "query_range", "series"][usize::from(choice % 4)];
    let path = format!("/prometheus/api/v1/{path}");
    let answer = hub.ask("POST", &path, &hub.admin, "application/x-www-form-urlencoded", form.as_bytes());
    check(&answer.expect("an answer"), &path);
}

/// A message of those who send series: a byte that chooses the door and the form, then the body.
pub fn senders(bytes: &[u8]) {
    let Some((choice, body)) = bytes.split_first() else { return };
    let hub = hub();
    let (path, kind) = match choice % 3 {
        0 => ("/prometheus/api/v1/write", "application/x-protobuf"),
        1 => ("/otlp/v1/metrics", "application/x-protobuf"),
        _ => ("/otlp/v1/metrics", "application/json"),
    };
    let encoding = match choice % 3 {
        0 => "snappy",
        _ if choice & 0x80 == 0 => "identity",
        _ => "gzip",
    };
    let kind = format!("{kind}\r\nContent-Encoding: {encoding}");
    check(&hub.ask("POST", path, &hub.admin, &kind, body).expect("an answer"), path);
}

/// Any row: a byte that chooses it, a line for its path's parameters, a line for its query, and the body.
pub fn api(bytes: &[u8]) {
    let _answer = asked(bytes);
}

/// Which row such bytes ask, by its method and path, and what it answers; nothing where there are no bytes.
pub fn asked(bytes: &[u8]) -> Option<(String, Answer)> {
    let (choice, rest) = bytes.split_first()?;
    let row = &ROWS[usize::from(*choice) % ROWS.len()];
    let mut parts = rest.splitn(3, |&byte| byte == b'\n');
    let [path, query, body] = [(); 3].map(|()| parts.next().unwrap_or_default());
    Some((name(row), ask(hub(), row, path, query, body)))
}

/// Rows that read a body, by method and path.
pub fn readers() -> Vec<String> {
    ROWS.iter().filter(|row| row.rules.body_bytes_max.is_some()).map(name).collect()
}

fn name(row: &Route) -> String {
    format!("{} {}", row.method, row.path)
}

/// Any bytes on a connection.
pub fn wire(bytes: &[u8]) {
    let answers = hub().send(bytes).expect("the hub closes what ended");
    if let Some(answer) = Answer::read(&answers) {
        check(&answer, "the wire");
    }
}

fn ask(hub: &Hub, row: &Route, path: &[u8], query: &[u8], body: &[u8]) -> Answer {
    let is_agents = matches!(row.rules.auth, Auth::Agent(_));
    // An agent's own path names it; elsewhere anything may stand.
    let named = match path {
        _ if row.rules.auth == Auth::Agent(Some("id")) => AGENT.to_owned(),
        b"" => AGENT.to_owned(),
        other => escaped(other, b""),
    };
    // The agent must live on: what operators change or end is another's.
    let named = match row.method.as_str() {
        "DELETE" if named == AGENT => ENDED.to_owned(),
        "POST" | "PATCH" if named == AGENT && !is_agents => OTHER.to_owned(),
        _ => named,
    };
    let path: String = row
        .path
        .split('/')
        .map(|part| if part.starts_with('{') { &named } else { part })
        .collect::<Vec<_>>()
        .join("/");
    let target = match query {
        // A row that takes none would refuse any before it reads the body.
        _ if row.rules.query.is_empty() => path,
        b"" => path,
        query => format!("{path}?{}", escaped(query, b"&=%+")),
    };
    let kind = match row.rules.body_kind {
        Kind::Json => "application/json",
        Kind::Form => "application/x-www-form-urlencoded",
        Kind::Snappy | Kind::Written => "application/x-protobuf\r\nContent-Encoding: snappy",
        _ => "application/x-protobuf",
    };
    // What an agent says is signed, so that the fuzzer comes past the signature.
    let signed = is_agents.then(|| signing::sign_json(&hub.up, body).ok()).flatten();
    let token = if is_agents { &hub.agent } else { &hub.admin };
    let body = match row.rules.body_bytes_max {
        Some(_) => signed.as_deref().unwrap_or(body),
        None => &[],
    };
    let answer = hub.ask(row.method.as_str(), &target, token, kind, body).expect("an answer");
    check(&answer, row.path);
    answer
}

/// 503 says that the hub has too much to do, which is no fault; 500 is.
fn check(answer: &Answer, asked: &str) {
    let text = String::from_utf8_lossy(&answer.body);
    assert!(answer.status != 500 && answer.status < 600, "{asked}: {} {text}", answer.status);
    if answer.head.contains("application/problem+json") {
        let problem: serde_json::Value = serde_json::from_slice(&answer.body).expect("a problem is JSON");
        assert_eq!(problem["status"], answer.status, "{asked}: {text}");
    }
}

/// Bytes as they may stand in a request's target or a form; those of `kept` stay as they are.
fn escaped(bytes: &[u8], kept: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for &byte in bytes {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                text.push(char::from(byte));
            }
            _ if kept.contains(&byte) => text.push(char::from(byte)),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}
