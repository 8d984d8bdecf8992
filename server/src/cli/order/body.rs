//! The body of `POST /api/v1/commands` with an order in it, from what was said on the command line.

use crate::{
    auth::operators::random_id,
    cli::{CliError, no_random_bytes},
    settings::Span,
};
use pingup_protocol::{
    command::{Action, check_timeout},
    ids::AgentId,
    limits::{COMMAND_TTL_SECONDS_MAX, ORDER_AGENTS_MAX},
    order::{Asked, Order, PrivateKey, Signature},
    time::Timestamp,
};
use serde_json::{Map, Value, json};
use std::{collections::BTreeSet, path::Path};

const MICROS_PER_SECOND: i64 = 1_000_000;

/// What is to be done.
#[derive(Debug)]
pub(super) struct Task {
    action: String,
    params: Map<String, Value>,
    timeout_seconds: Option<u64>,
}

impl Task {
    /// Reads it; an action that is known gets parameters that fit it.
    pub(super) fn read(
        action: String,
        words: Vec<String>,
        params: Option<&str>,
        timeout: Option<Span>,
    ) -> Result<Self, CliError> {
        let usage = |what: String| CliError::Usage(what);
        let params = match (params, action.as_str(), words.as_slice()) {
            (Some(text), ..) => match serde_json::from_str(text) {
                Ok(Value::Object(params)) => params,
                _ => {
                    return Err(usage(
                        "--params: a JSON object expected, such as '{\"argv\": [\"uptime\"]}'".to_owned(),
                    ));
                }
            },
            (None, _, []) => Map::new(),
            (None, "exec", _) => Map::from_iter([("argv".to_owned(), json!(words))]),
            (None, "restart_service", [service]) => Map::from_iter([("service".to_owned(), json!(service))]),
            (None, other, _) => {
                return Err(usage(format!("{other} takes no such words behind --; say --params JSON")));
            }
        };
        Action::read(&action, &params).map_err(|error| usage(error.to_string()))?;
        let timeout_seconds = timeout.map(|span| span.get().as_secs());
        check_timeout("--timeout", timeout_seconds).map_err(|error| usage(error.to_string()))?;
        Ok(Self { action, params, timeout_seconds })
    }
}

/// The agents that were named, each once, with those of a file that has one a line; what stands behind a # is for people.
pub(super) fn agents(named: Vec<AgentId>, file: Option<&Path>) -> Result<Vec<AgentId>, CliError> {
    let mut agents: BTreeSet<AgentId> = named.into_iter().collect();
    if let Some(file) = file {
        let shown = file.display();
        let text =
            std::fs::read_to_string(file).map_err(|error| CliError::Failed(format!("{shown}: {error}")))?;
        let ids = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
        for (id, line) in ids.zip(1..).filter(|(id, _)| !id.is_empty()) {
            let agent = AgentId::parse(id)
                .map_err(|error| CliError::Failed(format!("{shown}, line {line}: {error}")))?;
            agents.insert(agent);
        }
    }
    match agents.len() {
        0 => Err(CliError::Usage("no agent is named".to_owned())),
        1..=ORDER_AGENTS_MAX => Ok(agents.into_iter().collect()),
        many => {
            Err(CliError::Usage(format!("{many} agents are named; at most {ORDER_AGENTS_MAX} in one order")))
        }
    }
}

/// The body that asks `agents` for `task`, signed with `key`.
pub(super) fn signed(
    task: &Task,
    agents: &[AgentId],
    key: &PrivateKey,
    expires_in: Span,
    now: Timestamp,
) -> Result<Value, CliError> {
    let seconds = expires_in.get().as_secs();
    if !(1..=COMMAND_TTL_SECONDS_MAX).contains(&seconds) {
        let days = COMMAND_TTL_SECONDS_MAX / 86_400;
        return Err(CliError::Usage(format!("--expires-in: 1s to {days}d expected")));
    }
    let whole = now.as_micros().div_euclid(MICROS_PER_SECOND) * MICROS_PER_SECOND;
    let expires_at = Timestamp::from_micros(whole).plus_seconds(i64::try_from(seconds).unwrap_or(i64::MAX));
    let nonce = random_id().map_err(no_random_bytes)?;
    let Task { action, params, timeout_seconds } = task;
    let sign = |agent_id: &AgentId| -> Result<Signature, CliError> {
        let asked = Asked { agent_id, action, params, timeout_seconds: *timeout_seconds };
        let order = Order::sign(key, &asked, &nonce, expires_at);
        order.map(|order| order.signature).map_err(|error| CliError::Usage(error.to_string()))
    };
    let signatures = agents.iter().map(sign).collect::<Result<Vec<_>, _>>()?;
    let mut order = json!({"keyId": key.id(), "nonce": nonce, "expiresAt": expires_at});
    // The same body posted twice is one command.
    let mut body = json!({"action": action, "params": params, "idempotencyKey": nonce});
    match (agents, signatures.as_slice()) {
        ([agent], [signature]) => {
            body["agentId"] = json!(agent);
            order["signature"] = json!(signature);
        }
        _ => {
            body["agentIds"] = json!(agents);
            order["signatures"] = json!(signatures);
        }
    }
    if let Some(seconds) = timeout_seconds {
        body["timeoutSeconds"] = json!(seconds);
    }
    body["order"] = order;
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::{CommandBody, verify_order};
    use pingup_protocol::{
        keys::{KEY_BYTES, Secret},
        schema,
    };

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_999_999);

    fn read(action: &str, words: &[&str], params: Option<&str>) -> Result<Task, CliError> {
        let words = words.iter().map(|&word| word.to_owned()).collect();
        Task::read(action.to_owned(), words, params, "1m".parse().ok())
    }

    fn ids(count: usize) -> Vec<AgentId> {
        (0..count).map(|n| AgentId::parse(&format!("a{n:05}")).unwrap()).collect()
    }

    #[test]
    fn what_is_printed_the_hub_takes() {
        let key = PrivateKey::new(&Secret::new([1; KEY_BYTES]));
        let task = read("exec", &["sh", "-c", "true"], None).unwrap();
        for agents in [ids(1), ids(3)] {
            let body = signed(&task, &agents, &key, "1h".parse().unwrap(), NOW).unwrap();
            assert_eq!(body["order"]["expiresAt"], "2027-01-15T09:00:00Z");
            let body = schema::read::<CommandBody>(body.to_string().as_bytes()).unwrap();
            verify_order(&body, NOW).unwrap();
        }
        let too_long = signed(&task, &ids(1), &key, "31d".parse().unwrap(), NOW);
        assert!(too_long.unwrap_err().to_string().contains("30d"));
    }

    #[test]
    fn words_become_parameters_or_are_refused() {
        assert_eq!(read("exec", &["a", "b"], None).unwrap().params["argv"], json!(["a", "b"]));
        assert_eq!(read("restart_service", &["nginx"], None).unwrap().params["service"], "nginx");
        let given = read("run_discovery", &[], Some(r#"{"cidr": "10.0.0.0/24"}"#)).unwrap();
        assert_eq!(given.params["cidr"], "10.0.0.0/24");
        for (action, words, params) in [
            ("exec", &[][..], None),
            ("restart_service", &["a", "b"], None),
            ("ping", &["x"], None),
            ("exec", &[], Some("[]")),
            ("Exec", &["true"], None),
        ] {
            assert!(matches!(read(action, words, params), Err(CliError::Usage(_))), "{action} {words:?}");
        }
    }

    #[test]
    fn agents_are_named_once_and_bounded() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("agents");
        std::fs::write(&file, "# the web\n\n b \na # also\na\n").unwrap();
        let named = agents(vec![AgentId::parse("c").unwrap()], Some(&file)).unwrap();
        assert_eq!(named.iter().map(AgentId::as_str).collect::<Vec<_>>(), ["a", "b", "c"]);
        std::fs::write(&file, "a\nb c\n").unwrap();
        assert!(agents(Vec::new(), Some(&file)).unwrap_err().to_string().contains("line 2"));
        assert!(agents(ids(ORDER_AGENTS_MAX), None).is_ok());
        assert!(agents(ids(ORDER_AGENTS_MAX + 1), None).is_err() && agents(Vec::new(), None).is_err());
    }
}
