//! Speaking to a service manager: each command has a time limit, and says what it said when it failed.

use super::{
    InstallError,
    init::{Init, Step},
};
use crate::transport::for_log;
use std::{process::Stdio, time::Duration};
use tokio::{process::Command, time::timeout};

/// How long a command may take: stopping a service waits for it.
const STEP_WITHIN: Duration = Duration::from_secs(60);
/// How long an answer to a mere question may take.
const ASK_WITHIN: Duration = Duration::from_secs(5);

/// Runs `step`.
pub(super) async fn run(step: Step) -> Result<(), InstallError> {
    let failed = |what: String| InstallError::Step { command: line(step), what };
    let [program, arguments @ ..] = step.argv else { return Ok(()) };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    match timeout(STEP_WITHIN, command.output()).await {
        _ if step.may_fail => Ok(()),
        Err(_) => Err(failed(format!("did not end within {} s", STEP_WITHIN.as_secs()))),
        Ok(Err(error)) => Err(failed(error.to_string())),
        Ok(Ok(output)) if output.status.success() => Ok(()),
        Ok(Ok(output)) => {
            let said = for_log(String::from_utf8_lossy(&output.stderr).trim());
            Err(failed(format!("ended with {}: {said}", output.status)))
        }
    }
}

/// `step` as it would be typed.
pub(super) fn line(step: Step) -> String {
    match step.argv {
        ["sh", "-c", script] => format!("sh -c '{}'", script.replace('\'', r"'\''")),
        argv => argv.join(" "),
    }
}

/// What `init` says of the service: `active` of systemd, else whether it runs.
pub async fn state(init: Init) -> String {
    let [program, arguments @ ..] = init.ask() else { return "unknown".to_owned() };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    match (timeout(ASK_WITHIN, command.output()).await, init) {
        (Ok(Ok(output)), Init::Systemd) => {
            let word = for_log(String::from_utf8_lossy(&output.stdout).trim());
            if word.is_empty() { "unknown".to_owned() } else { word }
        }
        (Ok(Ok(output)), _) if output.status.success() => "running".to_owned(),
        (Ok(Ok(_)), _) => "not running".to_owned(),
        _ => "unknown".to_owned(),
    }
}
