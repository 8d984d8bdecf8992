//! `pingup-agent doctor`: what an agent needs, examined one thing after the other; what is wrong is said with its
//! remedy. It changes nothing here, needs no hub that runs, waits for nothing without end, and prints no secret.

mod copy;
mod hub;
mod identity;
mod kept;
mod orders;
mod spool;
mod state;
mod tls;

use crate::{exit::Exit, once::PrintError, settings::Draft};
use pingup_protocol::plain;
use serde::Serialize;
use std::{
    fmt::Write as _,
    io::{self, Write},
};

/// How an examination ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    /// As it should be.
    Ok,
    /// The agent works; someone should know.
    Warn,
    /// The agent does not work so.
    Fail,
}

/// One thing that was examined.
#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    outcome: Outcome,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

impl Check {
    fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, outcome: Outcome::Ok, detail: detail.into(), remedy: None }
    }

    fn warn(name: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name, outcome: Outcome::Warn, detail: detail.into(), remedy: Some(remedy.into()) }
    }

    fn fail(name: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name, outcome: Outcome::Fail, detail: detail.into(), remedy: Some(remedy.into()) }
    }
}

#[derive(Serialize)]
struct Report {
    ok: bool,
    checks: Vec<Check>,
}

/// Examines everything that `draft` speaks of, and prints what was found.
pub async fn examine(draft: &Draft, json: bool) -> Result<Exit, PrintError> {
    let checks = checks(draft).await;
    let report = Report { ok: checks.iter().all(|check| check.outcome != Outcome::Fail), checks };
    let text = match json {
        true => {
            plain::json_text(&serde_json::to_string_pretty(&report).map_err(io::Error::from)?).into_owned()
                + "\n"
        }
        false => text(&report.checks),
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(if report.ok { Exit::Done } else { Exit::Trouble })
}

async fn checks(draft: &Draft) -> Vec<Check> {
    let mut checks = vec![settings(draft)];
    checks.extend(draft.settings.as_ref().ok().map(orders::check));
    let mut identity = None;
    match &draft.state_dir {
        Ok(path) => {
            checks.push(state::check(path, draft.file.as_deref()));
            let token = draft.settings.as_ref().is_ok_and(|settings| settings.join_token.is_some());
            let (check, found) = identity::check(path, token);
            checks.push(check);
            identity = found;
            checks.extend(copy::check(path));
            checks.push(kept::check(path));
            let bounds = draft.settings.as_ref().ok().map(|settings| settings.spool);
            checks.push(spool::check(&path.join("spool"), bounds));
        }
        Err(error) => checks.push(Check::fail("state", error.to_string(), "name one: --state-dir DIR")),
    }
    checks.extend(hub::checks(draft, identity).await);
    checks
}

fn settings(draft: &Draft) -> Check {
    let from =
        draft.file.as_ref().map_or("flags and environment alone".into(), |path| path.display().to_string());
    match &draft.settings {
        Ok(settings) => Check::ok("settings", format!("{from}; actions that may run: {}", settings.allow)),
        Err(error) => Check::fail(
            "settings",
            error.to_string(),
            "correct it there; `pingup-agent run --help` names all settings",
        ),
    }
}

/// A line each, and what to do beneath.
fn text(checks: &[Check]) -> String {
    let mut text = String::new();
    for Check { name, outcome, detail, remedy } in checks {
        let word = match outcome {
            Outcome::Ok => "ok",
            Outcome::Warn => "warn",
            Outcome::Fail => "FAIL",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{word:<5} {name:<12} {}", plain::line(detail));
        if let Some(remedy) = remedy {
            let _ = writeln!(text, "{:<18} -> {}", "", plain::line(remedy));
        }
    }
    text
}
