//! Commands: what an operator may ask of an agent, how it is asked for, and what comes back.

use crate::{
    ids::{AgentId, is_name, is_scannable},
    limits::{OUTPUT_BYTES_MAX, SCAN_HOSTS_MAX},
    schema::{Checked, SchemaError},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The state of a command. pending → delivered → succeeded, failed, rejected or unknown; pending → expired or cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum CommandStatus {
    /// Waits to be pulled.
    Pending,
    /// Was handed to the agent; nothing was heard since.
    Delivered,
    /// Ran, and ended well.
    Succeeded,
    /// Ran, and did not.
    Failed,
    /// The agent would not run it.
    Rejected,
    /// The agent died while it ran; it is never run again.
    Unknown,
    /// Was not pulled in time.
    Expired,
    /// An operator took it back.
    Cancelled,
}

impl CommandStatus {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Pending,
        Self::Delivered,
        Self::Succeeded,
        Self::Failed,
        Self::Rejected,
        Self::Unknown,
        Self::Expired,
        Self::Cancelled,
    ];

    /// The word for it on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Unknown => "unknown",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }

    /// The status of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// Whether nothing can follow.
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Pending | Self::Delivered)
    }
}

/// A command as the hub hands it out; signed under K_down, inside an answer that is signed too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Command {
    /// `CMD-<year>-<number>`.
    pub command_id: String,
    /// Whom it is for.
    pub agent_id: AgentId,
    /// Its place in that agent's order, from 1.
    pub command_seq: u64,
    /// What to do.
    pub action: String,
    /// With what.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub params: Map<String, Value>,
    /// When it was queued.
    pub issued_at: Timestamp,
    /// When it may no longer be run.
    pub expires_at: Timestamp,
}

/// The signed answer to `GET /api/v1/commands/pending/:agentId`, before its signature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PendingAnswer {
    /// Whom it is for.
    pub agent_id: AgentId,
    /// The nonce that was asked with.
    pub nonce: String,
    /// The hub's clock.
    pub server_time: Timestamp,
    /// Commands in order, each with a signature of its own.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Command>))]
    pub commands: Vec<Value>,
    /// The version of the agent's configuration; 0 when there is none.
    pub config_version: u64,
}

/// How a command ended, by the agent's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ResultStatus {
    /// It ended well.
    Succeeded,
    /// It did not.
    Failed,
    /// It was not run; `output` says why.
    Rejected,
    /// The agent died while it ran.
    Unknown,
}

impl From<ResultStatus> for CommandStatus {
    fn from(status: ResultStatus) -> Self {
        match status {
            ResultStatus::Succeeded => Self::Succeeded,
            ResultStatus::Failed => Self::Failed,
            ResultStatus::Rejected => Self::Rejected,
            ResultStatus::Unknown => Self::Unknown,
        }
    }
}

/// `POST /api/v1/commands/:id/result`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ResultBody {
    /// Who ran it.
    pub agent_id: AgentId,
    /// The agent's clock when it signed this.
    pub timestamp: Timestamp,
    /// Which command.
    pub command_id: String,
    /// Its place in the agent's order.
    pub command_seq: u64,
    /// How it ended.
    pub status: ResultStatus,
    /// The exit code of the program it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
    /// What it printed, or why it was not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
}

impl Checked for ResultBody {
    fn check(&self) -> Result<(), SchemaError> {
        match self.output.as_deref() {
            Some(output) if output.len() > OUTPUT_BYTES_MAX => {
                Err(SchemaError::at("/output", format!("at most {OUTPUT_BYTES_MAX} bytes expected")))
            }
            _ => Ok(()),
        }
    }
}

/// What this version's agents can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Answer.
    Ping,
    /// Measure and push now.
    CollectNow,
    /// Scan now.
    RunDiscovery {
        /// The network, e.g. `192.168.1.0/24`; the agent's own subnets when absent.
        cidr: Option<String>,
        /// The ports to try; the agent's list when absent.
        ports: Option<Vec<u16>>,
    },
    /// Restart a service of the machine.
    RestartService {
        /// Its name, as the machine's service manager knows it.
        service: String,
    },
    /// Run a program.
    Exec {
        /// The program and its arguments; never a shell line.
        argv: Vec<String>,
        /// When to end it.
        timeout_seconds: u64,
    },
}

/// How long `exec` may run unless it says otherwise.
pub const EXEC_TIMEOUT_SECONDS: u64 = 60;
/// How long `exec` may run at most.
pub const EXEC_TIMEOUT_SECONDS_MAX: u64 = 24 * 3600;
/// Arguments of one `exec`.
pub const ARGV_MAX: usize = 1_024;
const SERVICE_BYTES_MAX: usize = 256;

#[derive(Deserialize)]
struct RunDiscoveryParams {
    #[serde(default)]
    cidr: Option<String>,
    #[serde(default)]
    ports: Option<Vec<u16>>,
}

#[derive(Deserialize)]
struct RestartServiceParams {
    service: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExecParams {
    argv: Vec<String>,
    #[serde(default)]
    timeout_seconds: Option<u64>,
}

impl Action {
    /// Reads an action and its parameters. `Ok(None)`: a well-formed name that this version does not know.
    pub fn read(action: &str, params: &Map<String, Value>) -> Result<Option<Self>, SchemaError> {
        match action {
            "ping" => Ok(Some(Self::Ping)),
            "collect_now" => Ok(Some(Self::CollectNow)),
            "run_discovery" => {
                let RunDiscoveryParams { cidr, ports } = typed(params)?;
                check_ports(ports.as_deref())?;
                if cidr.as_deref().is_some_and(|cidr| !is_scannable(cidr)) {
                    return Err(SchemaError::at("/params/cidr", "an IPv4 network of a /16 at most expected"));
                }
                Ok(Some(Self::RunDiscovery { cidr, ports }))
            }
            "restart_service" => {
                let RestartServiceParams { service } = typed(params)?;
                check_service(&service)?;
                Ok(Some(Self::RestartService { service }))
            }
            "exec" => {
                let ExecParams { argv, timeout_seconds } = typed(params)?;
                check_argv(&argv)?;
                let timeout_seconds = timeout_seconds.unwrap_or(EXEC_TIMEOUT_SECONDS);
                if !(1..=EXEC_TIMEOUT_SECONDS_MAX).contains(&timeout_seconds) {
                    let detail = format!("1 to {EXEC_TIMEOUT_SECONDS_MAX} seconds expected");
                    return Err(SchemaError::at("/params/timeoutSeconds", detail));
                }
                Ok(Some(Self::Exec { argv, timeout_seconds }))
            }
            other if is_name(other) => Ok(None),
            _ => Err(SchemaError::at("/action", "an action's name is [a-z][a-z0-9_]{0,63}")),
        }
    }
}

fn typed<T: serde::de::DeserializeOwned>(params: &Map<String, Value>) -> Result<T, SchemaError> {
    T::deserialize(serde::de::value::MapDeserializer::new(params.clone().into_iter()))
        .map_err(|error: serde_json::Error| SchemaError::at("/params", error.to_string()))
}

fn check_ports(ports: Option<&[u16]>) -> Result<(), SchemaError> {
    match ports {
        Some([]) => Err(SchemaError::at("/params/ports", "at least one port expected")),
        Some(ports) if ports.contains(&0) || ports.len() > SCAN_HOSTS_MAX => {
            Err(SchemaError::at("/params/ports", "ports from 1 to 65535 expected"))
        }
        _ => Ok(()),
    }
}

fn check_service(service: &str) -> Result<(), SchemaError> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._@:+-".contains(&b);
    if service.is_empty()
        || service.len() > SERVICE_BYTES_MAX
        || service.starts_with('-')
        || !service.bytes().all(allowed)
    {
        return Err(SchemaError::at(
            "/params/service",
            "a service's name of A–Z a–z 0–9 . _ @ : + -, not starting with -, expected",
        ));
    }
    Ok(())
}

fn check_argv(argv: &[String]) -> Result<(), SchemaError> {
    let first = argv.first().ok_or_else(|| SchemaError::at("/params/argv", "a program expected"))?;
    if first.is_empty() || argv.len() > ARGV_MAX || argv.iter().any(|argument| argument.contains('\0')) {
        let detail = format!("a program and at most {ARGV_MAX} words without NUL expected");
        return Err(SchemaError::at("/params/argv", detail));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(action: &str, params: Value) -> Result<Option<Action>, SchemaError> {
        Action::read(action, params.as_object().unwrap())
    }

    #[test]
    fn actions_are_read_with_their_parameters() {
        assert_eq!(read("ping", json!({})), Ok(Some(Action::Ping)));
        assert_eq!(read("reticulate", json!({})), Ok(None));
        assert_eq!(
            read("exec", json!({"argv": ["true"]})),
            Ok(Some(Action::Exec { argv: vec!["true".into()], timeout_seconds: EXEC_TIMEOUT_SECONDS }))
        );
        assert_eq!(
            read("run_discovery", json!({"ports": [22]})),
            Ok(Some(Action::RunDiscovery { cidr: None, ports: Some(vec![22]) }))
        );
    }

    #[test]
    fn parameters_that_do_not_fit_are_pointed_at() {
        for (action, params) in [
            ("exec", json!({"argv": "rm -rf /"})),
            ("exec", json!({"argv": []})),
            ("exec", json!({"argv": ["a\0b"]})),
            ("exec", json!({"argv": ["a"], "timeoutSeconds": 0})),
            ("restart_service", json!({})),
            ("restart_service", json!({"service": "--now x"})),
            ("run_discovery", json!({"ports": [0]})),
            ("run_discovery", json!({"cidr": "0.0.0.0/0"})),
            ("run_discovery", json!({"ports": [70000]})),
            ("Ping", json!({})),
        ] {
            assert!(read(action, params.clone()).is_err(), "{action} {params}");
        }
    }

    #[test]
    fn every_status_has_its_word() {
        for status in CommandStatus::ALL {
            assert_eq!(CommandStatus::from_word(status.as_str()), Some(status));
        }
    }
}
