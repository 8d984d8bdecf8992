//! Who may come in: every route, asked by every role.

use super::{OTLP, WRITE, WRITTEN};
use crate::harness::Hub;
use base64::{Engine, engine::general_purpose::STANDARD};
use pingup_server::{
    auth::Role,
    http::{
        body::Kind,
        respond::Representation,
        router,
        rules::{Auth, Rules},
    },
};

/// The role that a route asks for, of those who come with an operator's token.
fn asked(auth: Auth) -> Option<Role> {
    match auth {
        Auth::Operator(role) | Auth::Dashboard(role) | Auth::Enrol(role) | Auth::AgentOr(_, role) => {
            Some(role)
        }
        Auth::Open | Auth::Agent(_) => None,
    }
}

/// Headers and a body that say they are what the route takes.
fn body(rules: &Rules) -> (Vec<(&'static str, &'static str)>, Option<&'static [u8]>) {
    let content_type = ("content-type", rules.body_kind.media_type());
    match rules.body_kind {
        _ if rules.body_bytes_max.is_none() => (vec![], None),
        Kind::Snappy | Kind::Written => (WRITTEN.to_vec(), Some(b"\0")),
        Kind::Json => (vec![content_type], Some(b"[]")),
        Kind::Form | Kind::Otlp => (vec![content_type], Some(b"")),
    }
}

#[test]
fn every_route_opens_to_its_roles_and_to_no_others() {
    let hub = Hub::start();
    for role in Role::ALL {
        let wire = hub.operator(role.as_str());
        for route in router::table() {
            let path = route.path.replace(['{', '}'], "");
            let (headers, body) = body(&route.rules);
            let opens = asked(route.rules.auth).is_none_or(|asked| role.allows(asked));
            if opens && route.rules.offers.contains(&Representation::EventStream) {
                continue; // It would not end.
            }
            let answer = wire.send(route.method.as_str(), &path, &headers, body);
            let wanted = match route.rules.auth {
                Auth::Agent(_) => answer.status == 401,
                _ => (answer.status == 403) != opens && answer.status != 401,
            };
            assert!(wanted, "{} {path} as {}: {answer:?}", route.method, role.as_str());
        }
    }
}

#[test]
fn who_writes_reads_nothing_and_who_looks_writes_nothing() {
    let hub = Hub::start();
    let opened = |role: Role| {
        let rows = router::table().into_iter();
        rows.filter(|row| asked(row.rules.auth).is_some_and(|asked| role.allows(asked)))
            .map(|row| row.path)
            .collect::<Vec<_>>()
    };
    assert_eq!(opened(Role::Writer), [WRITE, OTLP]);
    assert!(!opened(Role::Viewer).contains(&WRITE) && !opened(Role::Scrape).contains(&OTLP));
    let basic = format!("Basic {}", STANDARD.encode(format!("prometheus:{}", hub.token("writer"))));
    let headers = [&WRITTEN[..], &[("authorization", &basic)]].concat();
    assert_eq!(hub.wire.send("POST", WRITE, &headers, Some(b"\0")).status, 204, "a token is a password");
    assert_eq!(hub.wire.send("GET", "/metrics", &headers[3..], None).status, 401, "only there");
}
