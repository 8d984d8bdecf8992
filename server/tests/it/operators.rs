//! /api/v1/tokens, and operators' tokens wherever they are used: made, listed, revoked, locked out. Who may come in where is
//! walked row by row in `walk`.

mod lockout;
mod walk;

use crate::harness::{Hub, PATIENCE, agent::now, refused, stream::Stream, wire::Wire};
use pingup_protocol::{keys::Secret, time::Timestamp};
use pingup_server::auth::{
    Operator, Role,
    token::{OperatorToken, Tokens},
};
use rusqlite::Connection;
use serde_json::{Map, Value, json};
use std::{fs, io::Read};

/// A place for an operator that does not change.
const ASKED: &str = "/api/v1/agents";

/// What signs a hub's tokens, as a thief of its master key has it.
fn stolen_key(hub: &Hub) -> Tokens {
    Tokens::new(&Secret::from_slice(&fs::read(hub.folder().join("master.key")).unwrap()).unwrap())
}

/// A token that such a thief writes: it has no row.
pub fn forged(hub: &Hub, id: &str, made_at: Timestamp, key: Option<&str>) -> String {
    let operator = Operator { name: "thief".to_owned(), role: Role::Admin };
    let token = OperatorToken { id: id.to_owned(), operator, made_at, expires_at: now().plus_seconds(3_600) };
    stolen_key(hub).issue_operator(&token, key).unwrap()
}

/// The token's id, as its text says.
fn id_of(hub: &Hub, token: &str) -> String {
    stolen_key(hub).read_operator(token).unwrap().0.id
}

fn listed(admin: &Wire, id: &str) -> Value {
    let page = admin.get("/api/v1/tokens?limit=1000").expect(200);
    let items = page["items"].as_array().unwrap();
    items.iter().find(|item| item["id"] == id).unwrap_or_else(|| panic!("{id} in {page}")).clone()
}

#[test]
fn admins_make_list_and_revoke_tokens() {
    let mut hub = Hub::start_with(&[("PINGUP_LOG", "debug")]);
    let admin = hub.operator("admin");
    let made = admin
        .post("/api/v1/tokens", &json!({"role": "viewer", "name": "Ада", "ttlSeconds": 600}))
        .expect(201);
    let (id, bearer) = (made["token"]["id"].as_str().unwrap(), made["bearer"].as_str().unwrap());
    assert_eq!((&made["token"]["status"], &made["token"]["name"]), (&json!("active"), &json!("Ада")));
    assert_eq!(made["token"]["madeBy"], json!({"name": "admin", "tokenId": id_of(&hub, admin.token())}));
    assert_eq!(made["token"]["lastUsedAt"], Value::Null);
    let viewer = hub.wire.with_token(bearer);
    viewer.get(ASKED).expect(200);
    let seen = listed(&admin, id);
    assert_eq!((&seen["lastUsedFrom"], &seen["former"]), (&json!("127.0.0.1"), &json!(false)));
    assert!(seen["lastUsedAt"].is_string() && seen["bearer"].is_null(), "{seen}");

    let default = admin.post("/api/v1/tokens", &json!({"role": "operator"})).expect(201);
    let moment = |name: &str| Timestamp::parse(default["token"][name].as_str().unwrap()).unwrap();
    let half_a_day = moment("createdAt").plus_seconds(12 * 3_600);
    assert!([half_a_day, half_a_day.plus_seconds(1)].contains(&moment("expiresAt")), "{default}");
    let page = admin.get("/api/v1/tokens?limit=1").expect(200);
    let next = admin.get(&format!("/api/v1/tokens?limit=1&cursor={}", page["nextCursor"].as_str().unwrap()));
    assert_ne!(next.expect(200)["items"][0]["id"], page["items"][0]["id"]);
    for body in [json!({}), json!({"role": "god"}), json!({"role": "viewer", "name": "a\u{202e}b"})] {
        refused(&admin.post("/api/v1/tokens", &body), 422, "schema-invalid");
    }

    let path = format!("/api/v1/tokens/{id}");
    let gone = admin.delete(&path).expect(200);
    assert_eq!((&gone["status"], &gone["revokedBy"]), (&json!("revoked"), &json!("admin")));
    let problem = refused(&viewer.get(ASKED), 401, "token-invalid");
    assert!(problem["detail"].as_str().unwrap().contains("revoked"), "{problem}");
    assert_eq!(admin.delete(&path).expect(200), gone, "a second time changes nothing");
    refused(&admin.delete("/api/v1/tokens/nobody"), 404, "not-found");
    let figures = admin.get("/metrics");
    assert!(figures.text().contains("pingup_operator_tokens_refused_total{reason=\"revoked\"} 1\n"));

    let (bearer, key) = (bearer.to_owned(), bearer.rsplit('.').next().unwrap().to_owned());
    let log = hub.stop();
    assert!(log.contains("token made") && log.contains("token revoked") && !log.contains(&bearer), "{log}");
    for entry in fs::read_dir(hub.folder()).unwrap().map(Result::unwrap).filter(|e| e.path().is_file()) {
        let bytes = fs::read(entry.path()).unwrap();
        assert!(!bytes.windows(key.len()).any(|part| part == key.as_bytes()), "in {entry:?}");
    }
}

#[test]
fn what_the_command_line_revokes_ends_beside_a_running_hub() {
    let hub = Hub::start();
    let token = hub.token("viewer");
    let (viewer, id) = (hub.wire.with_token(&token), id_of(&hub, &token));
    viewer.get(ASKED).expect(200);
    let mut stream = Stream::open(&viewer, "", None);
    assert_eq!(stream.told(1), ["ready"]);
    assert!(hub.line(&["token", "list"]).contains(&id));
    assert_eq!(hub.line(&["token", "revoke", &id]), format!("revoked {id} (viewer, viewer)"));
    assert_eq!(stream.told(1), ["end:token-revoked"]);
    assert_eq!(stream.next(), None);
    refused(&viewer.get(ASKED), 401, "token-invalid");
    assert!(!hub.line(&["token", "list"]).contains(&id));
    assert!(hub.line(&["token", "list", "--all"]).contains(&id));
    assert_eq!(hub.run(&["token", "revoke", "nobody"]).status.code(), Some(1));
}

#[test]
fn a_revoked_token_stays_so_and_others_live_on_across_a_kill() {
    let mut hub = Hub::start();
    let (admin, viewer) = (hub.operator("admin"), hub.operator("viewer"));
    admin.delete(&format!("/api/v1/tokens/{}", id_of(&hub, viewer.token()))).expect(200);
    hub.kill();
    hub.restart();
    refused(&hub.wire.with_token(viewer.token()).get(ASKED), 401, "token-invalid");
    hub.wire.with_token(admin.token()).get(ASKED).expect(200);
}

/// As wide as samples may be, so that a page is longer than all that lies between the hub and its reader.
#[test]
fn a_long_answer_is_cut_when_its_token_is_revoked() {
    let hub = Hub::start();
    let agent = hub.register("A");
    let from = now().plus_seconds(-3_600);
    let metrics: Map<_, _> = (0..60).map(|number| (format!("m{number:063}"), json!(0.5))).collect();
    for batch in 0..3 {
        let mut body = agent.batch(1, batch * 800 + 1..=(batch + 1) * 800, from);
        for sample in body["samples"].as_array_mut().unwrap() {
            sample["metrics"] = metrics.clone().into();
        }
        agent.post("/api/v1/metrics", &body).expect(200);
    }
    let (admin, viewer) = (hub.operator("admin"), hub.operator("viewer"));
    let head = format!(
        "GET /api/v1/metrics/A?from={from}&limit=10000 HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer {}\r\n\r\n",
        viewer.token()
    );
    let mut reader = viewer.half_sent(head.as_bytes());
    reader.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut begin = [0; b"HTTP/1.1 200".len()];
    reader.read_exact(&mut begin).unwrap();
    assert_eq!(&begin, b"HTTP/1.1 200");
    admin.delete(&format!("/api/v1/tokens/{}", id_of(&hub, viewer.token()))).expect(200);
    // What lies on the way comes, and then nothing more.
    let mut rest = Vec::new();
    let _ = reader.read_to_end(&mut rest);
    let text = String::from_utf8_lossy(&rest);
    let length = text.split("content-length: ").nth(1).and_then(|text| text.split("\r\n").next());
    let length: usize = length.unwrap().parse().unwrap();
    assert!(rest.len() < length, "all {length} bytes came");
}

#[test]
fn uses_are_written_down_for_the_command_line() {
    let mut hub = Hub::start();
    let token = hub.token("viewer");
    let id = id_of(&hub, &token);
    let line = |hub: &Hub| {
        let list = hub.line(&["token", "list"]);
        list.lines().find(|line| line.starts_with(&id)).unwrap().to_owned()
    };
    assert!(line(&hub).ends_with("never"), "{}", line(&hub));
    hub.wire.with_token(&token).get(ASKED).expect(200);
    // Also the newest, when the hub stops.
    hub.stop();
    assert!(line(&hub).ends_with("127.0.0.1"), "{}", line(&hub));
}

#[test]
fn a_stolen_master_key_makes_no_token() {
    let hub = Hub::start();
    let known = id_of(&hub, &hub.token("admin"));
    for (id, key) in [("thief", Some("key")), ("thief", None), (&*known, None), (&*known, Some("key"))] {
        let token = forged(&hub, id, now().plus_seconds(-60), key);
        refused(&hub.wire.with_token(&token).get(ASKED), 401, "token-invalid");
    }
}

#[test]
fn tokens_that_are_older_than_their_rows_are_taken_in() {
    let mut hub = Hub::start();
    let admin = hub.operator("admin");
    hub.stop();
    let records = Connection::open(hub.folder().join("pingup.db")).unwrap();
    let since = "UPDATE schema_migrations SET applied_at = applied_at - 86400000000 * iif(name = 'operator_tokens', 1, 9)";
    records.execute(since, []).unwrap();
    drop(records);
    hub.restart();
    let former = |id: &str, days: i64| forged(&hub, id, now().plus_seconds(-days * 86_400), None);
    let (taken, young) = (former("old", 2), former("young", 0));
    hub.wire.with_token(&taken).get(ASKED).expect(200);
    refused(&hub.wire.with_token(&young).get(ASKED), 401, "token-invalid");
    let admin = hub.wire.with_token(admin.token());
    let seen = listed(&admin, "old");
    assert_eq!((&seen["former"], &seen["name"]), (&json!(true), &json!("thief")));
    admin.delete("/api/v1/tokens/old").expect(200);
    refused(&hub.wire.with_token(&taken).get(ASKED), 401, "token-invalid");
}

/// Known by its row, a token needs no key of the hub's; but those of before can be written by whoever has the former one.
#[test]
fn another_master_key_voids_only_tokens_that_the_former_could_write() {
    let mut hub = Hub::start();
    let (admin, former) = (hub.operator("admin"), hub.token("viewer"));
    let theirs = forged(&hub, "theirs", now().plus_seconds(-60), Some("k"));
    hub.stop();
    let records = Connection::open(hub.folder().join("pingup.db")).unwrap();
    records.execute("UPDATE operator_tokens SET is_former = 1 WHERE role = 'viewer'", []).unwrap();
    drop(records);
    let told = hub.line(&["master-key", "rotate"]);
    assert!(told.contains("tokens stay good") && told.contains("1 TOKENS THAT WERE MADE BEFORE"), "{told}");
    hub.restart();
    let asked = |token: &str| hub.wire.with_token(token).get(ASKED);
    asked(admin.token()).expect(200);
    asked(&hub.token("operator")).expect(200);
    let refusal = refused(&asked(&former), 401, "token-invalid");
    assert!(refusal["detail"].as_str().unwrap().contains("revoked"), "{refusal}");
    refused(&asked(&theirs), 401, "token-invalid");
}

#[test]
fn tokens_are_made_beside_a_hub_until_there_are_too_many() {
    let hub = Hub::start();
    let admin = hub.operator("admin");
    let records = Connection::open(hub.folder().join("pingup.db")).unwrap();
    let fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4095) \
                INSERT INTO operator_tokens (id, digest, name, role, created_at, expires_at) \
                SELECT 'n' || i, randomblob(32), 'n', 'viewer', 0, 4102444800000000 FROM n";
    records.execute(fill, []).unwrap();
    refused(&admin.post("/api/v1/tokens", &json!({"role": "viewer"})), 503, "overloaded");
    let output = hub.run(&["token", "create", "--role", "viewer"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("4096 tokens"), "{output:?}");
    assert_eq!(hub.line(&["token", "revoke", "--name", "n"]).lines().count(), 4_095);
    admin.post("/api/v1/tokens", &json!({"role": "viewer"})).expect(201);
}
