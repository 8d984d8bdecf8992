//! Every row of the route table, asked by everyone: what is answered follows from the row's auth class alone, and nothing
//! is stored by whoever is refused.

use super::{ASKED, forged, id_of};
use crate::harness::{
    Hub,
    agent::{Agent, now},
    eventually,
    wire::Answer,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use pingup_protocol::{ids::AgentId, keys::Secret};
use pingup_server::{
    auth::{
        Operator, Role,
        token::{OperatorToken, Tokens},
    },
    http::{
        body::Kind,
        respond::Representation,
        route::Route,
        router,
        rules::{Auth, Dialect},
    },
};
use rusqlite::{Connection, OpenFlags, types::Value};
use sha2::{Digest, Sha256};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Who comes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Who {
    Nobody,
    /// With something that is no token of this hub, or none any more.
    Stranger,
    /// With a token that has expired.
    Late,
    Operator(Role),
    /// The agent that paths name.
    Agent,
    Neighbour,
    Removed,
}

/// What becomes of them, before anybody looks at what they want.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    In,
    Out(u16, &'static str),
}

const MISSING: Fate = Fate::Out(401, "token-missing");
const INVALID: Fate = Fate::Out(401, "token-invalid");

/// One who comes, with what they bring.
struct Visitor {
    what: String,
    who: Who,
    authorization: Option<String>,
    is_basic: bool,
}

impl Visitor {
    fn fate(&self, auth: Auth) -> Fate {
        let who = match auth {
            Auth::Dashboard(_) => self.who,
            // A password is no bearer token.
            _ if self.is_basic => Who::Nobody,
            _ => self.who,
        };
        match (auth, who) {
            (Auth::Open, _) => Fate::In,
            (_, Who::Nobody) => MISSING,
            (Auth::Agent(_) | Auth::AgentOr(..), Who::Agent) => Fate::In,
            (Auth::Agent(None), Who::Neighbour) => Fate::In,
            (Auth::Agent(Some(_)) | Auth::AgentOr(..), Who::Neighbour) => Fate::Out(403, "agent-mismatch"),
            (Auth::Agent(_) | Auth::AgentOr(..), Who::Removed) => Fate::Out(403, "agent-revoked"),
            (Auth::Agent(_), _) | (_, Who::Stranger | Who::Agent | Who::Neighbour | Who::Removed) => INVALID,
            (_, Who::Late) => Fate::Out(401, "token-expired"),
            (
                Auth::Operator(asked) | Auth::Dashboard(asked) | Auth::Enrol(asked) | Auth::AgentOr(_, asked),
                Who::Operator(role),
            ) => match role.allows(asked) {
                true => Fate::In,
                false => Fate::Out(403, "scope-denied"),
            },
        }
    }
}

/// A hub, and all who may come to it.
struct Scene {
    hub: Hub,
    visitors: Vec<Visitor>,
}

impl Scene {
    fn set() -> Self {
        // More strangers than any address may send, and all from here.
        let hub = Hub::start_with(&[("PINGUP_STRANGER_REQUESTS_PER_SECOND", "1000000")]);
        let mut scene = Self { hub, visitors: Vec::new() };
        let hub = &scene.hub;
        let (agent, neighbour, removed) = (hub.register("A"), hub.register("B"), hub.register("R"));
        let admin = hub.operator("admin");
        admin.delete("/api/v1/agents/R").expect(200);
        let revoked = hub.token("admin");
        admin.delete(&format!("/api/v1/tokens/{}", id_of(hub, &revoked))).expect(200);
        let late = hub.line(&["token", "create", "--role", "admin", "--ttl", "1s"]);
        eventually("a token has expired", || {
            (hub.wire.with_token(&late).get(ASKED).status == 401).then_some(())
        });
        let [_, claims, signature] = admin.token().split('.').collect::<Vec<_>>()[..] else { panic!() };
        let elsewhere = Tokens::new(&Secret::new([9; 32]));
        let operator = Operator { name: "ada".to_owned(), role: Role::Admin };
        let expires_at = now().plus_seconds(600);
        let foreign = OperatorToken { id: "t".to_owned(), operator, made_at: now(), expires_at };
        let bad = [
            ("rubbish", "rubbish".to_owned()),
            ("an empty token", String::new()),
            ("a token cut short", admin.token()[..admin.token().len() - 4].to_owned()),
            ("a token without an algorithm", format!("eyJhbGciOiJub25lIn0.{claims}.")),
            ("a token of another algorithm", format!("eyJhbGciOiJIUzUxMiJ9.{claims}.{signature}")),
            ("a join token", hub.join_token()),
            ("another hub's operator's token", elsewhere.issue_operator(&foreign, Some("k")).unwrap()),
            (
                "another hub's agent's token",
                elsewhere.issue_agent(&AgentId::parse("A").unwrap(), 1, now()).unwrap(),
            ),
            ("a token without a row", forged(hub, "thief", now(), Some("key"))),
            ("a token without a row or a key", forged(hub, "thief", now(), None)),
            ("a revoked token", revoked),
        ];
        let mut known: Vec<_> =
            bad.into_iter().map(|(what, token)| (what.to_owned(), Who::Stranger, token)).collect();
        known.push(("an expired token".to_owned(), Who::Late, late));
        for role in Role::ALL {
            known.push((format!("{}'s token", role.as_str()), Who::Operator(role), hub.token(role.as_str())));
        }
        let token = |agent: &Agent| agent.wire.token().to_owned();
        known.push(("the agent's token".to_owned(), Who::Agent, token(&agent)));
        known.push(("its neighbour's token".to_owned(), Who::Neighbour, token(&neighbour)));
        known.push(("a removed agent's token".to_owned(), Who::Removed, token(&removed)));
        let nobody = |what: &str, authorization: Option<&str>| Visitor {
            what: what.to_owned(),
            who: Who::Nobody,
            authorization: authorization.map(str::to_owned),
            is_basic: false,
        };
        scene.visitors.extend([nobody("nothing", None), nobody("another scheme", Some("Digest x"))]);
        for (what, who, token) in known {
            let basic = format!("Basic {}", STANDARD.encode(format!("any:{token}")));
            let bearer = Some(format!("Bearer {token}"));
            // An empty header field is trimmed to its scheme, so nothing is brought.
            let who_by_bearer = if token.is_empty() { Who::Nobody } else { who };
            let password = format!("{what} as a password");
            scene.visitors.push(Visitor { what, who: who_by_bearer, authorization: bearer, is_basic: false });
            scene.visitors.push(Visitor { what: password, who, authorization: Some(basic), is_basic: true });
        }
        scene
    }

    fn ask(&self, route: &Route, method: &str, visitor: &Visitor) -> Answer {
        let (mut headers, body) = body(route);
        if let Some(authorization) = &visitor.authorization {
            headers.push(("authorization", authorization));
        }
        self.hub.wire.send(method, &path(route), &headers, body.filter(|_| method != "HEAD"))
    }

    /// A digest of all that is kept, but for when tokens were used last.
    fn digest(&self) -> Vec<u8> {
        let mut digest = Sha256::new();
        let path = self.hub.folder().join("pingup.db");
        let records = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        let names = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name";
        let mut tables = records.prepare(names).unwrap();
        let tables: Vec<String> =
            tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        assert!(tables.len() > 10, "{tables:?}");
        for table in tables {
            // That somebody was refused is written down: who knocks leaves a trace there, and there alone.
            let kept = if table == "audit" { "WHERE act <> 'request.refused'" } else { "" };
            let mut select = records.prepare(&format!("SELECT * FROM {table} {kept}")).unwrap();
            let kept: Vec<_> = select.column_names().map(|name| !name.starts_with("used_")).collect();
            let mut rows = select.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                let cells = kept.iter().enumerate().filter(|(_, kept)| **kept);
                let cells: Vec<Value> = cells.map(|(column, _)| row.get(column).unwrap()).collect();
                digest.update(format!("{table}{cells:?}"));
            }
        }
        for folder in ["journal", "history"] {
            for file in files(&self.hub.folder().join(folder)) {
                digest.update(format!("{file:?}"));
                digest.update(fs::read(file).unwrap());
            }
        }
        digest.finalize().to_vec()
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// Agents' paths name an agent that there is, others' nothing that there is.
fn path(route: &Route) -> String {
    let mut path = route.path.to_owned();
    while let (Some(begin), Some(end)) = (path.find('{'), path.find('}')) {
        let named = matches!(route.rules.auth, Auth::Agent(_) | Auth::AgentOr(..));
        path.replace_range(begin..=end, if named { "A" } else { "none-such" });
    }
    path
}

/// Headers and a body that say they are what the route takes; none that is.
fn body(route: &Route) -> (Vec<(&'static str, &str)>, Option<&'static [u8]>) {
    let media_type = ("content-type", route.rules.body_kind.media_type());
    match route.rules.body_kind {
        _ if route.rules.body_bytes_max.is_none() => (vec![], None),
        Kind::Snappy | Kind::Written => (vec![media_type, ("content-encoding", "snappy")], Some(b"x")),
        Kind::Json => (vec![media_type], Some(b"[]")),
        Kind::Form => (vec![media_type], Some(b"query=(")),
        Kind::Otlp => (vec![media_type], Some(b"x")),
    }
}

#[track_caller]
fn check(route: &Route, visitor: &Visitor, answer: &Answer, fate: Fate) {
    let told = format!("{} {} with {}: {answer:?}", route.method, route.path, visitor.what);
    let name = answer.json_or_null()["type"].as_str().map(|kind| kind.rsplit(':').next().unwrap().to_owned());
    match fate {
        Fate::In => {
            assert!(!matches!(answer.status, 403 | 429), "{told}");
            // What they want is not signed, and not more than that.
            let signature = name.as_deref() == Some("signature-invalid");
            assert!(answer.status != 401 || signature, "{told}");
        }
        Fate::Out(status, kind) => {
            assert_eq!(answer.status, status, "{told}");
            if route.rules.dialect == Dialect::Pingup && !answer.body.is_empty() {
                assert_eq!(name.as_deref(), Some(kind), "{told}");
            }
        }
    }
}

#[test]
fn every_row_lets_in_whom_its_auth_class_names_and_nobody_else() {
    let scene = Scene::set();
    let table = router::table();
    let before = scene.digest();
    let mut refused = 0;
    for route in &table {
        for visitor in &scene.visitors {
            let fate = visitor.fate(route.rules.auth);
            if fate == Fate::In {
                continue;
            }
            check(route, visitor, &scene.ask(route, route.method.as_str(), visitor), fate);
            refused += 1;
            if route.method == "GET" {
                let answer = scene.ask(route, "HEAD", visitor);
                let agents_alone = matches!(route.rules.auth, Auth::Agent(_));
                check(route, visitor, &answer, if agents_alone { Fate::Out(405, "") } else { fate });
            }
        }
    }
    assert_eq!(scene.digest(), before, "what was refused has left something");
    assert!(refused > table.len() * 20, "{refused}");
    for route in &table {
        for visitor in scene.visitors.iter().filter(|visitor| visitor.fate(route.rules.auth) == Fate::In) {
            // It would not end.
            if !route.rules.offers.contains(&Representation::EventStream) {
                check(route, visitor, &scene.ask(route, route.method.as_str(), visitor), Fate::In);
            }
        }
    }
}

#[test]
fn whoever_comes_finds_two_doors_open() {
    let table = router::table();
    let open = table.iter().filter(|route| route.rules.auth == Auth::Open);
    let open: Vec<_> = open.map(|route| (route.method.as_str(), route.path)).collect();
    assert_eq!(open, [("GET", "/health"), ("GET", "/api/v1/openapi.json")]);
    // And none that changes anything to those who only look.
    for route in table.iter().filter(|route| matches!(route.method.as_str(), "PATCH" | "DELETE")) {
        let Auth::Operator(role) = route.rules.auth else { panic!("{route:?}") };
        assert!(!Role::Viewer.allows(role) && !Role::Writer.allows(role), "{route:?}");
    }
}
