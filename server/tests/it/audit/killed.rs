//! Killed at any moment, there is no deed without its row, and no row without its deed.

use super::paged;
use crate::harness::{Hub, agent::now, wire::Wire};
use serde_json::{Value, json};
use std::{collections::BTreeSet, thread, time::Duration};

const ROUNDS: u64 = 6;
const OPERATORS: usize = 3;

/// Queues commands until the hub is gone; those that were answered.
fn order_until_gone(operator: &Wire) -> Vec<String> {
    let body = serde_json::to_vec(&json!({"agentId": "a", "action": "ping", "ttlSeconds": 86_400})).unwrap();
    let headers = [("content-type", "application/json")];
    let mut answered = Vec::new();
    while let Ok(answer) = operator.try_send("POST", "/api/v1/commands", &headers, Some(&body)) {
        if answer.status != 201 {
            assert_eq!(answer.status, 503, "{answer:?}");
            break;
        }
        answered.push(answer.json()["commandId"].as_str().unwrap().to_owned());
    }
    answered
}

fn ids(items: &[Value], member: &str) -> BTreeSet<String> {
    items.iter().map(|item| item[member].as_str().unwrap().to_owned()).collect()
}

#[test]
fn killed_under_load_deeds_and_rows_are_the_same() {
    let mut hub = Hub::start();
    hub.register("a");
    let (token, admin) = (hub.token("operator"), hub.token("admin"));
    let seed = now().as_micros().unsigned_abs();
    println!("seed {seed}");
    let mut answered = BTreeSet::new();
    for round in 1..=ROUNDS {
        // The moment of death is the point here: anywhere from the first request on.
        let after = Duration::from_micros(seed.wrapping_mul(round) % 120_000);
        let operator = hub.wire.with_token(&token);
        thread::scope(|scope| {
            let operators: Vec<_> =
                (0..OPERATORS).map(|_| scope.spawn(|| order_until_gone(&operator))).collect();
            thread::park_timeout(after);
            hub.kill();
            answered.extend(operators.into_iter().flat_map(|operator| operator.join().unwrap()));
        });
        hub.restart();
        hub.line(&["audit", "verify"]);
    }
    let admin = hub.wire.with_token(&admin);
    let queued = ids(&paged(&admin, "&act=command.queued", 1_000), "on");
    let (mut commands, mut cursor) = (BTreeSet::new(), String::new());
    loop {
        let page = admin.get(&format!("/api/v1/commands?limit=1000{cursor}")).expect(200);
        commands.extend(ids(page["items"].as_array().unwrap(), "commandId"));
        let Some(next) = page["nextCursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(commands, queued);
    assert!(answered.is_subset(&commands), "and what was answered is there");
    println!("{} commands, {} of them answered", commands.len(), answered.len());
}
