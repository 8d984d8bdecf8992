//! `pingup-agent status`: what the file says, judged, beside the service manager's word; as text or JSON.

use super::{
    FILE, Snapshot,
    judge::{Condition, is_alive, judge, seconds},
};
use crate::{
    clock::machine_time,
    exit::Exit,
    free::Room,
    install::{Init, Root, installed_init, service_state},
    once::PrintError,
    state::is_held,
};
use pingup_protocol::{plain, time::Timestamp};
use serde::Serialize;
use std::{
    fmt::Write as _,
    io::{self, Write},
    path::Path,
    time::Duration,
};

/// The service manager's word.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Service {
    manager: &'static str,
    state: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    #[serde(flatten)]
    condition: Condition,
    service: Option<Service>,
    agent: Option<Snapshot>,
}

/// Prints how the agent does whose state is in `state_dir`.
pub async fn report(state_dir: &Path, json: bool) -> Result<Exit, PrintError> {
    let now = machine_time();
    let (condition, agent) = match read(&state_dir.join(FILE)) {
        Ok(Some(agent)) => {
            let no_room = Room::of(state_dir).ok().and_then(|room| room.fault);
            (judge(&agent, now, is_alive(agent.heard.pid), no_room), Some(agent))
        }
        Ok(None) => (absent(state_dir), None),
        Err(error) => {
            let why = format!("{}: {error}; call it as root, or as the agent's user", state_dir.display());
            (Condition::Unknown(why), None)
        }
    };
    let service = match installed_init(&Root::machine()) {
        Some(init) => Some(service(init).await),
        None => None,
    };
    let report = Report { condition, service, agent };
    let text = match json {
        true => {
            plain::json_text(&serde_json::to_string_pretty(&report).map_err(io::Error::from)?).into_owned()
                + "\n"
        }
        false => text(&report, now),
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(report.condition.exit())
}

async fn service(init: Init) -> Service {
    Service { manager: init.name(), state: service_state(init).await }
}

/// The file; nothing where there is none that can be made sense of: it is written anew soon.
fn read(path: &Path) -> io::Result<Option<Snapshot>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// What it means that nothing was written. Only then is the lock looked at: an agent that starts at that very moment
/// may find it held.
fn absent(state_dir: &Path) -> Condition {
    let path = state_dir.display();
    match (state_dir.join("identity.json").exists(), is_held(state_dir)) {
        (false, Ok(true)) => Condition::Trouble(format!("the agent at work in {path} is not enrolled yet")),
        (false, _) => Condition::NotRunning(format!("no agent is enrolled in {path}")),
        (true, _) => Condition::NotRunning(format!("no agent has said how it does in {path}")),
    }
}

fn ago(then: Timestamp, now: Timestamp) -> String {
    format!("{} ago", humantime::format_duration(Duration::from_secs(seconds(then, now))))
}

fn text(report: &Report, now: Timestamp) -> String {
    let mut lines = String::new();
    let text = &mut lines;
    line(
        text,
        "condition",
        match &report.condition {
            Condition::Well => "well".to_owned(),
            Condition::Trouble(why) => format!("trouble: {why}"),
            Condition::NotRunning(why) => format!("not running: {why}"),
            Condition::Unknown(why) => format!("not known: {why}"),
        },
    );
    match &report.service {
        Some(Service { manager, state }) => line(text, "service", format!("{manager} says: {state}")),
        None => line(text, "service", "not installed as one".to_owned()),
    }
    let Some(Snapshot { written_at, heard, spool, results_waiting, config_version, orders, .. }) =
        &report.agent
    else {
        return lines;
    };
    line(text, "agent", format!("{} of {}", heard.agent_id, heard.hub));
    line(text, "known by", heard.hub_known_by.clone().unwrap_or_else(|| "not told".to_owned()));
    line(text, "program", format!("pingup-agent {}, process {}", heard.version, heard.pid));
    line(text, "started", format!("{}; this is from {}", ago(heard.started_at, now), ago(*written_at, now)));
    let push = heard.last_push.as_ref();
    line(
        text,
        "push",
        push.map_or("none yet".to_owned(), |push| format!("{}; {}", ago(push.at, now), push.answer)),
    );
    line(text, "committed", heard.committed_at.map_or("nothing yet".to_owned(), |at| ago(at, now)));
    line(text, "heartbeat", heard.heartbeat_at.map_or("none answered yet".to_owned(), |at| ago(at, now)));
    let records = format!("{} records wait; {} of {} bytes", spool.records, spool.bytes, spool.bytes_max);
    line(text, "spool", format!("{records}; {} dropped ever", spool.dropped));
    let pending = heard.pending_commands.map_or("?".to_owned(), |count| count.to_string());
    line(text, "commands", format!("{pending} wait at the hub; {results_waiting} results wait for it"));
    let version = config_version.map_or("unreadable".to_owned(), |version| format!("version {version}"));
    line(text, "config", version);
    let needed = format!("{} need one signed by {}", orders.actions.join(", "), orders.keys.join(" or "));
    line(
        text,
        "orders",
        if orders.keys.is_empty() { "nothing needs a signed one".to_owned() } else { needed },
    );
    lines
}

fn line(text: &mut String, name: &str, what: String) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{name:<10}{}", plain::line(&what));
}
