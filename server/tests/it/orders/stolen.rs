//! A thief's hands in the hub's records, by which nothing runs that no operator ordered.

use super::{Laptop, assert_rejected, lines, online, queued, reported, script, start};
use crate::harness::{Hub, PATIENCE, wire::Wire};
use pingup_protocol::{
    ids::AgentId,
    keys::{KEY_BYTES, Secret},
    order::{Asked, Order, PrivateKey},
    time::Timestamp,
};
use rusqlite::Connection;
use serde_json::json;

/// Somebody stole the hub: its records and its keys. What they write there is signed by the hub and handed out by it.
pub(super) struct Thief(Connection);

impl Thief {
    pub(super) fn at(hub: &Hub) -> Self {
        let records = Connection::open(hub.folder().join("pingup.db")).unwrap();
        records.busy_timeout(PATIENCE).unwrap();
        Self(records)
    }

    pub(super) fn changes(&self, command_id: &str, what: &str) {
        let sql = format!("UPDATE commands SET {what} WHERE id = '{command_id}'");
        assert_eq!(self.0.execute(&sql, []).unwrap(), 1, "{sql}");
    }

    /// Gives the command a place that its agent has not taken down yet, as if it had never been handed out.
    fn hands_out_again(&self, command_id: &str, seq: u64) {
        let fresh = "status = 'pending', result = NULL, delivered_at = NULL, signature = NULL, started_at = NULL, \
                     finished_at = NULL, running_at = NULL";
        self.changes(command_id, &format!("{fresh}, seq = {seq}"));
    }
}

/// Takes the hub as it lies and changes it; then it runs again, where it was.
pub(super) fn while_stolen(hub: &mut Hub, change: impl FnOnce(&Thief)) -> Wire {
    hub.stop();
    change(&Thief::at(hub));
    hub.restart_in_place();
    hub.operator("operator")
}

#[test]
fn a_thief_with_the_hubs_records_and_keys_has_nothing_run() {
    let mut hub = Hub::start();
    let (operator, laptop) = (hub.operator("operator"), Laptop::new(&hub));
    let agent = start(&hub, &laptop, true);
    let ids = [online(&operator), "B".to_owned()];
    hub.register("B");
    agent.terminate();
    let home = hub.beside().to_owned();
    let file = |name: &str| home.join(name);
    let order = |agent: &str, name: &str| {
        let script = script(&file(name));
        let words: Vec<&str> = script.iter().map(String::as_str).collect();
        queued(&operator, &laptop.body(agent, &words))
    };
    // All for the first agent, but for one.
    let names = ["honest", "params", "longer", "expiry", "stripped", "replay", "forged", "action"];
    let made = names.map(|name| order(&ids[0], name));
    let [honest, params, longer, expiry, stripped, replay, forged, action] = &made;
    let elsewhere = order(&ids[1], "elsewhere");
    let evil = json!({"argv": script(&file("evil"))});
    let of_thief = {
        let (key, agent_id) =
            (PrivateKey::new(&Secret::new([9; KEY_BYTES])), AgentId::parse(&ids[0]).unwrap());
        let params = evil.as_object().unwrap();
        let asked = Asked { agent_id: &agent_id, action: "exec", params, timeout_seconds: None };
        let until = Timestamp::parse("2099-01-01T00:00:00Z").unwrap();
        serde_json::to_string(&Order::sign(&key, &asked, "n", until).unwrap()).unwrap()
    };
    let operator = while_stolen(&mut hub, |thief| {
        thief.changes(params, &format!("params = '{}'", evil.to_string().replace('\'', "''")));
        thief.changes(longer, "timeout_seconds = 86400");
        thief.changes(
        expiry,
        "expires_at = expires_at + 3600000000, signed_order = json_set(signed_order, '$.expiresAt', '2099-01-01T00:00:00Z')",
    );
        thief.changes(stripped, "signed_order = NULL");
        thief.changes(
            forged,
            &format!("params = '{}', signed_order = '{of_thief}'", evil.to_string().replace('\'', "''")),
        );
        thief.changes(action, "action = 'restart_service', params = '{\"service\": \"nginx\"}'");
        let of_honest = format!("(SELECT signed_order FROM commands WHERE id = '{honest}')");
        let params_of_honest = format!("(SELECT params FROM commands WHERE id = '{honest}')");
        thief.changes(replay, &format!("signed_order = {of_honest}, params = {params_of_honest}"));
        thief.changes(&elsewhere, &format!("agent_id = '{}', seq = 50", ids[0]));
    });
    let agent = start(&hub, &laptop, false);
    assert_eq!(reported(&operator, honest)["status"], "succeeded");
    for changed in [params, longer, expiry, action, &elsewhere] {
        assert_rejected(&reported(&operator, changed), "are not what was signed");
    }
    assert_rejected(&reported(&operator, stripped), "has none");
    assert_rejected(&reported(&operator, replay), "used before");
    assert_rejected(&reported(&operator, forged), "none of this agent's operator keys");

    // Once more after a kill, and with a configuration that would have it otherwise.
    drop(agent);
    let config = json!({"config": {"allow": ["ping", "exec"], "operatorKeys": [], "signedActions": []}});
    operator.post(&format!("/api/v1/config/{}", ids[0]), &config).expect(200);
    let operator = while_stolen(&mut hub, |thief| {
        thief.hands_out_again(honest, 60);
        thief.hands_out_again(stripped, 61);
    });
    let agent = start(&hub, &laptop, false);
    assert_rejected(&reported(&operator, honest), "used before");
    assert_rejected(&reported(&operator, stripped), "has none");

    let log = agent.terminate();
    assert_eq!(log.matches("since nobody ordered it").count(), 2, "once a command: {log}");
    assert_eq!(lines(&file("honest")), 1);
    for name in names.iter().skip(1).chain(&["elsewhere", "evil"]) {
        assert_eq!(lines(&file(name)), 0, "{name}");
    }
}
