//! The description of the API says what the API does.

mod examples;

use crate::harness::Hub;
use pingup_server::deed::Act;
use serde_json::{Value, json};

#[test]
fn every_route_is_described_with_its_refusals() {
    let hub = Hub::start();
    let document = hub.wire.get("/api/v1/openapi.json").expect(200);
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    for route in pingup_server::http::router::table() {
        let method = route.method.as_str().to_ascii_lowercase();
        let operation = &document["paths"][route.path][&method];
        assert!(operation["summary"].is_string(), "{method} {} is described", route.path);
        let answers = operation["responses"].as_object().unwrap();
        assert!(answers.keys().any(|status| status.starts_with('2')), "{method} {}", route.path);
        if route.rules.auth != pingup_server::http::rules::Auth::Open {
            assert!(
                answers.contains_key("401") && answers.contains_key("403"),
                "{method} {}: {answers:?}",
                route.path
            );
        }
        assert_eq!(
            operation["requestBody"].is_object(),
            route.rules.body_bytes_max.is_some(),
            "{method} {}",
            route.path
        );
    }
    let described: usize =
        document["paths"].as_object().unwrap().values().map(|path| path.as_object().unwrap().len()).sum();
    assert_eq!(described, pingup_server::http::router::table().len(), "and nothing else is");
}

#[test]
fn every_act_of_the_audit_is_named_and_explained() {
    let hub = Hub::start();
    let document = hub.wire.get("/api/v1/openapi.json").expect(200);
    let told = &document["components"]["schemas"]["Entry"]["properties"]["act"];
    let words: Vec<_> = Act::ALL.iter().map(|act| act.as_str()).collect();
    assert_eq!(told["enum"], json!(words), "{told}");
    for act in Act::ALL {
        let line = format!("- `{}`: {}", act.as_str(), act.what());
        assert!(told["description"].as_str().unwrap().lines().any(|told| told == line), "{line}");
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let hub = Hub::start();
    let document = hub.wire.get("/api/v1/openapi.json").expect(200);
    let mut references = Vec::new();
    collect(&document, &mut references);
    assert!(references.len() > 20);
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            references.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|member| collect(member, references));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
        _ => {}
    }
}
