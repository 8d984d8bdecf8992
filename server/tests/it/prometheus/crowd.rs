//! Everybody looks at once: ten dashboards' worth of questions beside the ingest. Each has its right answer or a clean refusal,
//! agents hear nothing of it, and afterwards all is as before.

use super::{Scene, encode, failed};
use crate::{
    grafana::{
        dashboards::{all, expressions, list, text, variables},
        macros::filled,
    },
    harness::{
        agent::now,
        wire::{Answer, Wire},
    },
};
use serde_json::{Value, json};
use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

/// People before their screens.
const DASHBOARDS: usize = 10;
/// What a browser asks at once.
const AT_ONCE: usize = 4;

/// What all dashboards ask, over these ten minutes: paths behind the prefix.
fn questions(begin: i64) -> Vec<String> {
    let end = begin + 600;
    let mut asked = Vec::new();
    for board in all() {
        for (expression, is_instant) in expressions(&board) {
            let query = encode(&filled(expression));
            asked.push(match is_instant {
                true => format!("query?query={query}&time={end}"),
                false => format!("query_range?query={query}&start={begin}&end={end}&step=15"),
            });
        }
        for variable in variables(&board).iter().filter(|variable| variable["type"] == "query") {
            let definition = text(&variable["definition"]).trim_start_matches("label_values(");
            let (selector, label) = definition.rsplit_once(", ").unwrap();
            let (selector, label) = (encode(&filled(selector)), label.trim_end_matches(')'));
            asked.push(format!("label/{label}/values?match[]={selector}&start={begin}&end={end}"));
        }
    }
    asked
}

/// What is answered, without what is told beside it.
fn answered(answer: &Answer) -> Value {
    let body = answer.expect(200);
    assert_eq!(body["status"], "success");
    body["data"].clone()
}

/// Whether a question had its answer; if not, it was refused as it should be.
fn is_answered(answer: &Answer, expected: &Value, path: &str) -> bool {
    match answer.status {
        200 => {
            assert_eq!(&answered(answer), expected, "{path}");
            return true;
        }
        503 => {
            let kind = text(&answer.json()["errorType"]).to_owned();
            assert!(["unavailable", "timeout"].contains(&&*kind), "{path}: {kind}");
            failed(answer, 503, &kind);
            if kind == "unavailable" {
                assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
            }
        }
        _ => drop(failed(answer, 422, "execution")),
    }
    false
}

/// Asks every so many of the questions, beginning with one.
fn look(viewer: &Wire, questions: &[(String, Value)], first: usize) -> usize {
    let ask = |(path, expected): &(String, Value)| {
        is_answered(&viewer.get(&format!("/prometheus/api/v1/{path}")), expected, path)
    };
    questions.iter().skip(first).step_by(AT_ONCE).filter(|question| ask(question)).count()
}

#[test]
fn ten_dashboards_at_once_are_answered_or_told_to_come_back_beside_the_ingest() {
    let scene = Scene::set();
    let agent = scene.hub.register("C");
    let push = || {
        let body = json!({"agentId": "C", "timestamp": now(), "status": "online", "metrics": {"cpu": 1.0}});
        agent.post("/api/v1/metrics", &body).expect(200);
    };
    // Lists go by whole hours: who comes later in this one would be new in them.
    push();
    let ask = |path: String| {
        let expected = answered(&scene.get(&path));
        (path, expected)
    };
    let questions: Vec<_> = questions(scene.begin).into_iter().map(ask).collect();
    let found = questions.iter().filter(|(_, data)| !list(&data["result"]).is_empty()).count();
    assert!(questions.len() > 30 && found > 5, "{found} of {}", questions.len());

    let (looking, pushed, right) = (AtomicBool::new(true), AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        let pushing = scope.spawn(|| {
            while looking.load(Ordering::SeqCst) || pushed.load(Ordering::SeqCst) == 0 {
                push();
                pushed.fetch_add(1, Ordering::SeqCst);
            }
        });
        let people: Vec<_> = (0..DASHBOARDS * AT_ONCE)
            .map(|at| {
                let (viewer, questions, right) = (&scene.viewer, &questions, &right);
                scope.spawn(move || right.fetch_add(look(viewer, questions, at % AT_ONCE), Ordering::SeqCst))
            })
            .collect();
        let ends: Vec<_> = people.into_iter().map(thread::ScopedJoinHandle::join).collect();
        looking.store(false, Ordering::SeqCst);
        pushing.join().unwrap();
        assert!(ends.iter().all(Result::is_ok), "somebody was told something else");
    });
    assert!(right.load(Ordering::SeqCst) > 0 && pushed.load(Ordering::SeqCst) > 0);
    // Nobody asks any more: everything is answered, one by one, and what was pushed meanwhile is there.
    for (path, expected) in &questions {
        assert_eq!(&answered(&scene.get(path)), expected, "{path}");
    }
    let counted = encode("count_over_time(pingup_cpu_percent{agent_id=\"C\"}[1h])");
    let at = now().as_micros() / 1_000_000 + 1;
    let data = answered(&scene.get(&format!("query?query={counted}&time={at}")));
    let counted: usize = text(&data["result"][0]["value"][1]).parse().unwrap();
    assert!((2..=pushed.into_inner() + 1).contains(&counted), "{counted}: one for each millisecond at most");
}
