//! Who comes in, and how: tokens as passwords, forms, gzip, and refusals that Prometheus's clients can read.

use super::{FORM, Scene, data, encode, failed, plain};
use crate::harness::{Hub, refused, wire::Wire};
use base64::{Engine, engine::general_purpose::STANDARD};
use pingup_server::{
    auth::Role,
    http::{
        body::Kind,
        router,
        rules::{Auth, Dialect},
    },
};
use serde_json::{Value, json};

/// A GET that asks nothing of the history.
const BUILD: &str = "/prometheus/api/v1/status/buildinfo";

fn with(hub: &Hub, authorization: &str) -> crate::harness::wire::Answer {
    hub.wire.send("GET", BUILD, &[("authorization", authorization)], None)
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

#[test]
fn every_route_is_for_viewers_but_what_deletes_and_says_so_in_both_schemes() {
    let hub = Hub::start();
    let agent = hub.register("A");
    let scraper = hub.operator("scrape");
    let rows = router::table().into_iter().filter(|route| route.rules.dialect == Dialect::Prometheus);
    let mut count = 0;
    for route in rows {
        let role = if route.path.contains("/admin/") { Role::Admin } else { Role::Viewer };
        assert_eq!(route.rules.auth, Auth::Dashboard(role), "{}", route.path);
        let path = route.path.replace("{name}", "job");
        let ask = |wire: &Wire| match route.method.as_str() {
            "POST" if route.rules.body_kind == Kind::Snappy => {
                wire.send("POST", &path, &super::read::SNAPPY, Some(b""))
            }
            "POST" => wire.send("POST", &path, &[FORM], Some(b"query=1")),
            _ => wire.get(&path),
        };
        let stranger = ask(&hub.wire);
        failed(&stranger, 401, "bad_data");
        let schemes = stranger.all("www-authenticate");
        assert!(schemes.iter().any(|scheme| scheme.starts_with("Bearer ")), "{schemes:?}");
        assert!(schemes.iter().any(|scheme| scheme.starts_with("Basic ")), "{schemes:?}");
        assert!(
            failed(&ask(&scraper), 403, "bad_data").contains(&format!("needs the role {}", role.as_str()))
        );
        failed(&ask(&agent.wire), 401, "bad_data");
        count += 1;
    }
    assert_eq!(count, 21);
}

#[test]
fn a_token_is_a_password_too() {
    let hub = Hub::start();
    let token = hub.token("viewer");
    for authorization in [
        format!("Bearer {token}"),
        basic("grafana", &token),
        basic("", &token),
        format!("basic  {} ", STANDARD.encode(format!("any:{token}"))),
    ] {
        assert_eq!(with(&hub, &authorization).status, 200, "{authorization}");
    }
    let elsewhere = Hub::start().token("viewer");
    for authorization in [
        basic("grafana", &elsewhere),
        basic("grafana", &format!("{token}:")),
        basic(&token, ""),
        format!("Basic {}", STANDARD.encode(&token)),
        "Basic %%%".to_owned(),
        format!("Basic {}", STANDARD.encode(b"a:\xff")),
        "Basic".to_owned(),
    ] {
        failed(&with(&hub, &authorization), 401, "bad_data");
    }
    // Only there: elsewhere a password opens nothing.
    let password = basic("grafana", &token);
    refused(
        &hub.wire.send("GET", "/api/v1/agents", &[("authorization", &password)], None),
        401,
        "token-missing",
    );
}

#[test]
fn a_form_and_the_url_are_one_and_the_form_comes_first() {
    let scene = Scene::set();
    let ask = |url: &str, form: &str| data(&scene.post(&format!("query{url}"), form))["result"].clone();
    assert_eq!(ask("?query=2", "time=4"), json!([4, "2"]));
    assert_eq!(ask("?query=2&time=5", "query=3&time=4"), json!([4, "3"]));
    let one =
        |id: &str| format!("match%5B%5D={}", encode(&format!("pingup_cpu_percent{{agent_id=\"{id}\"}}")));
    let values = scene.post(&format!("series?{}", one("A")), &one("B"));
    assert_eq!(data(&values).as_array().unwrap().len(), 2);

    // A body that is none needs no type.
    let wire = &scene.viewer;
    let post = |path: &str, headers: &[(&str, &str)], body: Option<&[u8]>| {
        wire.send("POST", &format!("/prometheus/api/v1/{path}"), headers, body)
    };
    assert_eq!(data(&post("query?query=2&time=4", &[], Some(b"")))["result"], json!([4, "2"]));
    let charset = [("content-type", "application/x-www-form-urlencoded; charset=UTF-8")];
    assert_eq!(data(&post("query", &charset, Some(b"query=2&time=4")))["result"], json!([4, "2"]));
    for media_type in ["application/json", "multipart/form-data; boundary=x", ""] {
        let answer = post("query", &[("content-type", media_type)], Some(b"query=2"));
        assert!(failed(&answer, 415, "bad_data").contains("x-www-form-urlencoded"));
    }
    let packed = [FORM, ("content-encoding", "gzip")];
    failed(&post("query", &packed, Some(b"query=2")), 415, "bad_data");
    for mangled in ["query=%", "query=%zz", "query=%ff"] {
        let said = failed(&scene.post("query", mangled), 400, "bad_data");
        assert!(said.starts_with("error parsing form values: "), "{said}");
    }
}

#[test]
fn long_answers_are_packed_for_those_who_take_it() {
    let scene = Scene::set();
    let path = format!(
        "/prometheus/api/v1/query_range?query=pingup_cpu_percent&start={}&end={}&step=1",
        scene.begin,
        scene.begin + 600
    );
    let ask = |accept: &str| scene.viewer.send("GET", &path, &[("accept-encoding", accept)], None);
    let (packed, whole) = (ask("deflate, gzip;q=0.5"), ask("identity"));
    assert_eq!((packed.header("content-encoding"), whole.header("content-encoding")), (Some("gzip"), None));
    assert_eq!(plain(&packed), whole.body);
    assert!(packed.body.len() * 4 < whole.body.len(), "{} of {}", packed.body.len(), whole.body.len());
    for answer in [&packed, &whole] {
        assert_eq!(answer.header("vary"), Some("accept-encoding"));
        assert_eq!(answer.header("content-length"), Some(&*answer.body.len().to_string()));
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
    let text = String::from_utf8(whole.body).unwrap();
    assert!(text.starts_with(r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"#));

    let short =
        scene.viewer.send("GET", "/prometheus/api/v1/query?query=1", &[("accept-encoding", "gzip")], None);
    assert_eq!(short.header("content-encoding"), None);
}

#[test]
fn whatever_is_refused_under_the_prefix_is_in_the_envelope() {
    let hub = Hub::start();
    let viewer = hub.operator("viewer");
    failed(&viewer.get("/prometheus/api/v1/targets"), 404, "not_found");
    failed(&viewer.get("/prometheus/"), 404, "not_found");
    refused(&viewer.get("/prometheusx"), 404, "not-found");
    let wrong_method = viewer.send("DELETE", "/prometheus/api/v1/series", &[], None);
    failed(&wrong_method, 405, "bad_data");
    assert!(wrong_method.header("allow").unwrap().contains("POST"));
    failed(&viewer.send("GET", BUILD, &[("accept", "text/html")], None), 406, "not_acceptable");
    let head = format!("GET {BUILD} HTTP/1.1\r\nhost: hub\r\nx: {}\r\n\r\n", "x".repeat(20_000));
    failed(&hub.wire.raw(head.as_bytes()), 431, "bad_data");

    // Parameters that nobody knows are left alone.
    let answer = viewer.get(&format!("{BUILD}?_=123&dedup=true&dedup=true"));
    let build = answer.expect(200);
    let version = build["data"]["version"].as_str().unwrap();
    assert!(version.split('.').count() == 3 && version.starts_with("3."), "{version}");
    assert_eq!(build["data"].get("features"), None::<&Value>);
}
