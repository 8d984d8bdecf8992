//! What an operator of the demo asks for: commands that end well, that fail, that are rejected, and one that waits for
//! a machine that is silent.

use super::{cast::Part, player::Player};
use crate::{api::Api, error::LoadError};
use serde_json::{Value, json};

/// Orders to the machines that play a part, and one to all with a label.
const ORDERS: [(Part, &str, &str); 6] = [
    (Part::Busy, "exec", r#"{"argv":["uptime"]}"#),
    (Part::Well, "collect_now", "{}"),
    (Part::Failing, "restart_service", r#"{"service":"api"}"#),
    (Part::Late, "run_discovery", "{}"),
    (Part::Filling, "exec", r#"{"argv":["uptime"]}"#),
    (Part::Silent, "ping", "{}"),
];

/// Queues them all; how many orders there were.
pub(super) async fn queue(api: &mut Api, players: &[Player]) -> Result<usize, LoadError> {
    let all = json!({"selector": {"labels": {"role": "web"}}, "action": "ping", "params": {}});
    api.post::<Value>("a command to many", "/api/v1/commands", &all).await?;
    for (part, action, params) in ORDERS {
        let Some(player) = players.iter().find(|player| player.machine.part == part) else { continue };
        let params: Value = serde_json::from_str(params).unwrap_or_default();
        let order = json!({"agentId": player.agent_id(), "action": action, "params": params});
        api.post::<Value>("a command", "/api/v1/commands", &order).await?;
    }
    Ok(1 + ORDERS.len())
}
