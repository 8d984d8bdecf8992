//! Actions: what this version's agents can do, and what each needs to be told.

use crate::{
    ids::{is_name, is_scannable},
    limits::{COMMAND_TIMEOUT_SECONDS_MAX, SCAN_HOSTS_MAX},
    schema::SchemaError,
};
use serde::Deserialize;
use serde_json::{Map, Value};

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
        /// Whether a network as wide as a /16 is meant.
        force: bool,
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
        /// When to end it, if the action itself says so.
        timeout_seconds: Option<u64>,
    },
}

/// How long `exec` may run unless it or its command says otherwise.
pub const EXEC_TIMEOUT_SECONDS: u64 = 60;
/// Arguments of one `exec`.
pub const ARGV_MAX: usize = 1_024;
const SERVICE_BYTES_MAX: usize = 256;

#[derive(Deserialize)]
struct RunDiscoveryParams {
    #[serde(default)]
    cidr: Option<String>,
    #[serde(default)]
    ports: Option<Vec<u16>>,
    #[serde(default)]
    force: bool,
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
                let RunDiscoveryParams { cidr, ports, force } = typed(params)?;
                check_ports(ports.as_deref())?;
                if cidr.as_deref().is_some_and(|cidr| !is_scannable(cidr, force)) {
                    let detail = "an IPv4 network narrower than a /16 expected; a /16 with \"force\": true";
                    return Err(SchemaError::at("/params/cidr", detail));
                }
                Ok(Some(Self::RunDiscovery { cidr, ports, force }))
            }
            "restart_service" => {
                let RestartServiceParams { service } = typed(params)?;
                check_service(&service)?;
                Ok(Some(Self::RestartService { service }))
            }
            "exec" => {
                let ExecParams { argv, timeout_seconds } = typed(params)?;
                check_argv(&argv)?;
                check_timeout("/params/timeoutSeconds", timeout_seconds)?;
                Ok(Some(Self::Exec { argv, timeout_seconds }))
            }
            other if is_name(other) => Ok(None),
            _ => Err(SchemaError::at("/action", "an action's name is [a-z][a-z0-9_]{0,63}")),
        }
    }
}

/// Whether a timeout, if there is one at `pointer`, is one that a command can have.
pub fn check_timeout(pointer: &str, timeout_seconds: Option<u64>) -> Result<(), SchemaError> {
    match timeout_seconds {
        Some(seconds) if !(1..=COMMAND_TIMEOUT_SECONDS_MAX).contains(&seconds) => {
            let detail = format!("1 to {COMMAND_TIMEOUT_SECONDS_MAX} seconds expected");
            Err(SchemaError::at(pointer, detail))
        }
        _ => Ok(()),
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
            Ok(Some(Action::Exec { argv: vec!["true".into()], timeout_seconds: None }))
        );
        assert_eq!(
            read("run_discovery", json!({"ports": [22]})),
            Ok(Some(Action::RunDiscovery { cidr: None, ports: Some(vec![22]), force: false }))
        );
        let wide = "10.0.0.0/16".to_owned();
        assert_eq!(
            read("run_discovery", json!({"cidr": wide, "force": true})),
            Ok(Some(Action::RunDiscovery { cidr: Some(wide), ports: None, force: true }))
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
            ("run_discovery", json!({"cidr": "10.0.0.0/16"})),
            ("run_discovery", json!({"cidr": "10.0.0.0/15", "force": true})),
            ("run_discovery", json!({"cidr": "10.0.0.0/24", "force": "yes"})),
            ("run_discovery", json!({"ports": [70000]})),
            ("Ping", json!({})),
        ] {
            assert!(read(action, params.clone()).is_err(), "{action} {params}");
        }
    }
}
