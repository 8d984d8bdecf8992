//! A hub, everyone who may come to it, and a look at all that it keeps.

use super::{Visitor, Who, body, path};
use crate::{
    harness::{
        Hub,
        agent::{Agent, now},
        eventually,
        wire::Answer,
    },
    operators::{ASKED, forged, id_of},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use pingup_protocol::{ids::AgentId, keys::Secret};
use pingup_server::{
    auth::{
        Operator, Role,
        token::{OperatorToken, Tokens},
    },
    http::route::Route,
};
use rusqlite::{Connection, OpenFlags, types::Value};
use sha2::{Digest, Sha256};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A hub, and all who may come to it.
pub(super) struct Scene {
    pub(super) hub: Hub,
    pub(super) visitors: Vec<Visitor>,
}

impl Scene {
    pub(super) fn set() -> Self {
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

    pub(super) fn ask(&self, route: &Route, method: &str, visitor: &Visitor) -> Answer {
        let (mut headers, body) = body(route);
        if let Some(authorization) = &visitor.authorization {
            headers.push(("authorization", authorization));
        }
        self.hub.wire.send(method, &path(route), &headers, body.filter(|_| method != "HEAD"))
    }

    /// A digest of all that is kept, but for when tokens were used last.
    pub(super) fn digest(&self) -> Vec<u8> {
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
