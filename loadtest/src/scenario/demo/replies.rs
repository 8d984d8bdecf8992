//! What the demo's agents do with commands: what they would print, and how it would have ended. Nothing is run.

use super::life::Life;
use pingup_protocol::{
    command::{Command, ResultBody, ResultStatus},
    time::Timestamp,
};

/// How `command` ended at this machine.
pub(super) fn reply(command: Command, life: Life<'_>, at: Timestamp) -> ResultBody {
    let (status, exit_code, output) = ended(&command, life, at);
    ResultBody {
        agent_id: command.agent_id,
        timestamp: at,
        command_id: command.command_id,
        command_seq: command.command_seq,
        status,
        exit_code,
        output,
        started_at: at,
        finished_at: at,
    }
}

fn ended(command: &Command, life: Life<'_>, at: Timestamp) -> (ResultStatus, Option<i64>, Option<String>) {
    match command.action.as_str() {
        "ping" | "collect_now" => (ResultStatus::Succeeded, None, None),
        "exec" => {
            let figures = life.figures(at.as_micros().div_euclid(1_000_000));
            let days = (figures.uptime_seconds / 86_400.0).floor();
            let (one, five, fifteen) = (figures.load1, figures.load5, figures.load15);
            let said = format!("up {days} days, load average: {one:.2}, {five:.2}, {fifteen:.2}\n");
            (ResultStatus::Succeeded, Some(0), Some(said))
        }
        "restart_service" => {
            let said = "the service did not come up again: its port is taken\n".to_owned();
            (ResultStatus::Failed, Some(1), Some(said))
        }
        other => {
            let said = format!(
                "{other} is not on this agent's allow-list (ping, collect_now, exec, restart_service)"
            );
            (ResultStatus::Rejected, None, Some(said))
        }
    }
}
