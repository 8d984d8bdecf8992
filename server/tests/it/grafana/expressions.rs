//! Every expression names only what there is, and has data where a fleet runs.

use super::{
    dashboards::{all, expressions, list, text, variables},
    fleet::{self, AGENTS, SCANS, Sample},
    macros::filled,
    names::is_known,
    rules, scraped,
};
use crate::harness::{Hub, agent::now, wire::Wire};
use pingup_promql::{Matcher, MemorySource, Options, Query, Steps, Test, Value as Answered, parse_selector};
use serde_json::{Value, json};

/// A moment for series in memory, milliseconds.
const NOW_MS: i64 = 1_800_000_000_000;
/// From one point of a graph to the next, seconds.
const STEP_SECONDS: i64 = 60;
/// How much a graph shows here, seconds.
const SHOWN_SECONDS: i64 = 3_600;

/// The metric that a selector names; `None` where it takes any.
fn metric(matchers: &[Matcher]) -> Option<&str> {
    let name = matchers.iter().find(|matcher| matcher.name == "__name__");
    name.and_then(|matcher| match &matcher.test {
        Test::Equal(name) => Some(name.as_str()),
        _ => None,
    })
}

#[test]
fn expressions_and_variables_name_only_series_that_there_are() {
    for board in all() {
        let asked = expressions(&board).into_iter().map(|(expression, _)| expression);
        for expression in asked.chain(rules::expressions().iter().map(String::as_str)) {
            let query =
                Query::parse(&filled(expression)).unwrap_or_else(|error| panic!("{expression}: {error}"));
            let names: Vec<_> = query.selectors().filter_map(metric).collect();
            assert!(names.iter().all(|name| is_known(name)), "{expression} names {names:?}");
        }
        for variable in variables(&board).iter().filter(|variable| variable["type"] == "query") {
            let query = text(&variable["definition"]);
            let selector = query.trim_start_matches("label_values(").rsplit_once(", ").unwrap().0;
            let matchers = parse_selector(&filled(selector)).unwrap();
            assert!(metric(&matchers).is_none_or(is_known), "{query}");
        }
    }
}

/// What an expression asks of series: what stands in where there are none would be an answer of nothing.
fn asked(expression: &str) -> String {
    let filled = filled(expression);
    let asked = filled.strip_suffix(" or vector(0)").unwrap_or(&filled);
    assert!(!asked.contains("vector("), "{expression} has an answer without any series");
    asked.to_owned()
}

/// Whether a query has an answer of a source at a moment, or over the hour before it.
pub fn has_data(source: &MemorySource, now_ms: i64, expression: &str, is_instant: bool) -> bool {
    let query = Query::parse(&asked(expression)).unwrap();
    let options = Options::default();
    let answer = if is_instant {
        query.instant(source, now_ms, &options)
    } else {
        let (step_ms, shown_ms) = (STEP_SECONDS * 1_000, SHOWN_SECONDS * 1_000);
        query.range(source, Steps { start_ms: now_ms - shown_ms, end_ms: now_ms, step_ms }, &options)
    };
    match answer.unwrap_or_else(|error| panic!("{expression}: {error}")).value {
        Answered::Vector(samples) => !samples.is_empty(),
        Answered::Matrix(series) => !series.is_empty(),
        _ => false,
    }
}

#[test]
fn every_expression_has_data_in_a_fleet() {
    let fleet = fleet::in_memory(NOW_MS);
    let hub = scraped::hub_at_work(NOW_MS);
    for board in all() {
        let source = if board["uid"] == "pingup-hub" { &hub } else { &fleet };
        for (expression, is_instant) in expressions(&board) {
            assert!(has_data(source, NOW_MS, expression, is_instant), "{}: {expression}", board["uid"]);
        }
    }
}

/// Sends the fleet to a hub, as its agents would have.
fn send(hub: &Hub) {
    let (operator, now) = (hub.operator("operator"), now());
    for (id, name) in AGENTS {
        let agent = hub.register(id);
        operator.patch(&format!("/api/v1/agents/{id}"), &json!({ "name": name })).expect(200);
        let info = json!({"hostname": name, "os": "Debian", "arch": "x86_64", "agentVersion": "0.1.0", "ipAddress": "10.0.0.1"});
        let beat = json!({"agentId": id, "timestamp": now, "status": "online", "info": info});
        agent.post(&format!("/api/v1/agents/{id}/heartbeat"), &beat).expect(200);
        let samples: Vec<_> = (1..)
            .zip(fleet::samples(name))
            .map(|(seq, Sample { ago, metrics })| {
                let (at, status) = (now.plus_seconds(-ago), fleet::status(name));
                json!({"seq": seq, "timestamp": at, "status": status, "metrics": metrics})
            })
            .collect();
        agent.post("/api/v1/metrics", &json!({"agentId": id, "boot": 1, "samples": samples})).expect(200);
        for (ago, hosts) in SCANS.iter().filter(|_| id == "A-1") {
            let hosts: Vec<_> =
                (1..=*hosts).map(|n| json!({"ip": format!("10.0.0.{n}"), "ports": []})).collect();
            let discovery = json!({"hosts": hosts, "duration": 3_500});
            let scan = json!({"agentId": id, "timestamp": now.plus_seconds(-ago), "discovery": discovery});
            agent.post("/api/v1/discovery", &scan).expect(200);
        }
    }
}

/// Has the agents been registered as long as they have sent samples: what is known of them is a series since then.
fn be_old(hub: &mut Hub) {
    hub.stop();
    let records = rusqlite::Connection::open(hub.folder().join("pingup.db")).unwrap();
    let since = now().plus_seconds(-fleet::SINCE_SECONDS).as_micros();
    assert_eq!(records.execute("UPDATE agents SET created_at = ?", [since]).unwrap(), AGENTS.len());
    drop(records);
    hub.restart();
}

/// Asks the hub as Grafana does.
fn ask(viewer: &Wire, path: &str, parameters: &[(&str, &str)]) -> Value {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    let answer = viewer.get(&format!("/prometheus/api/v1/{path}?{query}")).expect(200);
    assert_eq!(answer["status"], "success", "{query}: {answer}");
    answer["data"].clone()
}

/// Every expression and every variable of the dashboards that ask the hub has data there.
pub fn all_have_data(viewer: &Wire) {
    // The next whole second: whoever was registered a moment ago is not there yet at the last one.
    let seconds = now().as_micros() / 1_000_000 + 1;
    let (start, end) = ((seconds - SHOWN_SECONDS).to_string(), seconds.to_string());
    for board in all().iter().filter(|board| board["uid"] != "pingup-hub") {
        for (expression, is_instant) in expressions(board) {
            let query = asked(expression);
            let data = match is_instant {
                true => ask(viewer, "query", &[("query", &query), ("time", &end)]),
                false => {
                    let range = [("query", &*query), ("start", &start), ("end", &end), ("step", "60")];
                    ask(viewer, "query_range", &range)
                }
            };
            assert!(!list(&data["result"]).is_empty(), "{}: {query}: {data}", board["uid"]);
        }
        for variable in variables(board).iter().filter(|variable| variable["type"] == "query") {
            let (selector, label) =
                text(&variable["definition"]).trim_start_matches("label_values(").rsplit_once(", ").unwrap();
            let path = format!("label/{}/values", label.trim_end_matches(')'));
            let data =
                ask(viewer, &path, &[("match[]", &filled(selector)), ("start", &start), ("end", &end)]);
            assert!(!list(&data).is_empty(), "{}: {}", board["uid"], variable["definition"]);
        }
    }
}

/// Whom a rule fires for at this moment.
pub fn fired(viewer: &Wire, expr: &str) -> Vec<String> {
    let data = ask(viewer, "query", &[("query", expr)]);
    list(&data["result"]).iter().map(|series| text(&series["metric"]["instance"]).to_owned()).collect()
}

#[test]
fn every_expression_has_data_from_a_hub_with_agents() {
    let mut hub = Hub::start();
    send(&hub);
    be_old(&mut hub);
    let viewer = hub.operator("viewer");
    all_have_data(&viewer);
    for (rule, expected) in rules::meant_for() {
        assert_eq!(fired(&viewer, &rule.expr), [expected], "{}", rule.expr);
    }
}
