//! Every row of the route table, asked by everyone: what is answered follows from the row's auth class alone, and nothing
//! is stored by whoever is refused.

mod scene;

use crate::harness::wire::Answer;
use pingup_server::{
    auth::Role,
    http::{
        body::Kind,
        respond::Representation,
        route::Route,
        router,
        rules::{Auth, Dialect},
    },
};
use scene::Scene;

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
