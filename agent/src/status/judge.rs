//! What the file means: how the agent does, in a word. Pure, but for looking whether a process is there.

use super::{Heard, Push, Snapshot, keeper::EVERY_MOST};
use crate::exit::Exit;
use pingup_protocol::{limits::HEARTBEAT_SECONDS, time::Timestamp};
use rustix::process::{Pid, test_kill_process};
use serde::Serialize;
use std::time::Duration;

/// An agent whose file is older than this does not come to write it: twice as long as it ever waits, and some.
const STALE_AFTER: Duration = Duration::from_secs(EVERY_MOST.as_secs() * 2 + 30);
/// How long an agent may be without an answer after its start before that is trouble.
const FIRST_ANSWER_WITHIN: Duration = Duration::from_secs(120);
/// How long the last answer to a heartbeat may be ago: then three are missing, and the hub calls the agent offline too.
const ANSWER_WITHIN: Duration = Duration::from_secs(3 * HEARTBEAT_SECONDS);

/// How the agent does, in a word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "condition", content = "why")]
pub(super) enum Condition {
    /// It works, and the hub takes what it has.
    Well,
    /// It works, and something is wrong.
    Trouble(String),
    /// It does not work.
    NotRunning(String),
    /// That cannot be seen from here.
    Unknown(String),
}

impl Condition {
    /// The exit code that says so.
    pub(super) const fn exit(&self) -> Exit {
        match self {
            Self::Well => Exit::Done,
            Self::Trouble(_) => Exit::Trouble,
            Self::NotRunning(_) => Exit::NotRunning,
            Self::Unknown(_) => Exit::Unknown,
        }
    }
}

/// Whether there is such a process; one of another user counts.
pub(super) fn is_alive(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| !matches!(test_kill_process(pid), Err(rustix::io::Errno::SRCH)))
}

/// What the file means `now`, given whether its process is there, and why nothing can be written, if so.
pub(super) fn judge(agent: &Snapshot, now: Timestamp, alive: bool, no_room: Option<&str>) -> Condition {
    let heard = &agent.heard;
    if let Some(why) = &heard.ended {
        return Condition::NotRunning(format!("it ended: {why}"));
    }
    if !alive {
        return Condition::NotRunning("it died without a word".to_owned());
    }
    let trouble = Condition::Trouble;
    // Before all others: whatever the file says, it may be the last that could be written.
    if let Some(why) = no_room {
        return trouble(format!("it cannot write: {why}"));
    }
    if seconds(agent.written_at, now) > STALE_AFTER.as_secs() {
        return trouble(format!("it was last heard of {} s ago", seconds(agent.written_at, now)));
    }
    if let Some(why) = &heard.copied {
        return trouble(format!("it neither pushes nor pulls: {why}"));
    }
    if let Some(why) = &agent.distrust {
        return trouble(why.clone());
    }
    if agent.result_unkept {
        return trouble("it cannot keep the result of a command; until it can, no other is run".to_owned());
    }
    match (&heard.last_push, silence(heard, now)) {
        (Some(push), _) if !push.committed => trouble(push.answer.clone()),
        (Some(Push { unstored: Some(why), .. }), _) => trouble(why.clone()),
        // However rarely it pushes.
        (_, Some(why)) => trouble(why),
        _ if agent.config_version.is_none() => {
            trouble("the configuration that was kept cannot be read; only ping may run".to_owned())
        }
        _ => Condition::Well,
    }
}

/// That the hub does not answer heartbeats, once that lasts too long.
fn silence(heard: &Heard, now: Timestamp) -> Option<String> {
    match heard.heartbeat_at {
        Some(at) => {
            let ago = seconds(at, now);
            (ago > ANSWER_WITHIN.as_secs()).then(|| format!("the hub last answered a heartbeat {ago} s ago"))
        }
        None => {
            let is_long = seconds(heard.started_at, now) > FIRST_ANSWER_WITHIN.as_secs();
            is_long.then(|| "the hub has not answered a heartbeat yet".to_owned())
        }
    }
}

/// Seconds from one moment to another; 0 when that lies before.
pub(super) fn seconds(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.as_micros().saturating_sub(from.as_micros()) / 1_000_000).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{OrdersState, SpoolState};

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn well() -> Snapshot {
        let push = Push { at: NOW, committed: true, answer: "committed".into(), unstored: None };
        Snapshot {
            written_at: NOW,
            heard: Heard {
                version: "0".into(),
                pid: 1,
                agent_id: "a".into(),
                hub: "http://localhost".into(),
                hub_known_by: None,
                started_at: NOW.plus_seconds(-3_600),
                ended: None,
                last_push: Some(push),
                committed_at: Some(NOW),
                heartbeat_at: Some(NOW),
                pending_commands: Some(0),
                copied: None,
            },
            distrust: None,
            spool: SpoolState { records: 0, bytes: 0, bytes_max: 1, dropped: 0 },
            results_waiting: 0,
            result_unkept: false,
            config_version: Some(0),
            orders: OrdersState::default(),
        }
    }

    #[test]
    fn the_file_survives_the_disk() {
        let bytes = serde_json::to_vec(&well()).unwrap();
        assert_eq!(serde_json::from_slice::<Snapshot>(&bytes).unwrap(), well());
    }

    #[test]
    fn each_condition_has_its_exit_code() {
        let code = |change: fn(&mut Snapshot), alive| {
            let mut agent = well();
            change(&mut agent);
            judge(&agent, NOW, alive, None).exit().code()
        };
        assert_eq!(code(|_| (), true), 0);
        assert_eq!(code(|_| (), false), 3, "its process is gone");
        assert_eq!(
            code(|agent| agent.heard.ended = Some("x".into()), true),
            3,
            "its number is another's now"
        );
        assert_eq!(code(|agent| agent.heard.copied = Some("x".into()), true), 1);
        assert_eq!(code(|agent| agent.distrust = Some("x".into()), true), 1, "the last push was well");
        assert_eq!(code(|agent| agent.written_at = NOW.plus_seconds(-151), true), 1);
        assert_eq!(code(|agent| agent.written_at = NOW.plus_seconds(-150), true), 0);
        assert_eq!(code(|agent| agent.config_version = None, true), 1);
        assert_eq!(code(|agent| agent.result_unkept = true, true), 1, "it runs no command");
        let refused = |agent: &mut Snapshot| agent.heard.last_push.as_mut().unwrap().committed = false;
        assert_eq!(code(refused, true), 1);
        let let_go =
            |agent: &mut Snapshot| agent.heard.last_push.as_mut().unwrap().unstored = Some("x".into());
        assert_eq!(code(let_go, true), 1, "the hub answers well, and stores nothing");
        let silent = |agent: &mut Snapshot| (agent.heard.last_push, agent.heard.heartbeat_at) = (None, None);
        assert_eq!(code(silent, true), 1);
        let beaten = |ago: i64| {
            let mut agent = well();
            agent.heard.heartbeat_at = Some(NOW.plus_seconds(-ago));
            judge(&agent, NOW, true, None).exit().code()
        };
        assert_eq!((beaten(90), beaten(91)), (0, 1), "the push was well, and may be an hour ago");
        let full = |alive| judge(&well(), NOW, alive, Some("the disk is full"));
        assert_eq!(full(true), Condition::Trouble("it cannot write: the disk is full".into()));
        assert_eq!(full(false).exit().code(), 3);
        assert_eq!(Condition::Unknown(String::new()).exit().code(), 4);
    }

    #[test]
    fn what_is_there_is_told_from_what_is_not() {
        assert!(is_alive(std::process::id()) && !is_alive(0) && !is_alive(u32::MAX));
    }
}
