//! Whether a command may run. Pure: every condition of the protocol, in one place, each tested.
//!
//! What cannot be told to come from the hub, for us, and for the first time is thrown away without a word to
//! anyone. What can, but may not run, is rejected, and the hub is told why.

use crate::{
    execute::AllowList,
    orders::{Mark, Signers, Spent, Times},
    transport::for_log,
};
use pingup_protocol::{
    command::{Action, Command},
    ids::AgentId,
    signing::{self, Key},
};
use serde_json::Value;

/// Characters of a command's id: `CMD-<year>-<number>` is much shorter.
const COMMAND_ID_CHARS_MAX: usize = 64;

/// What a command is judged by.
pub struct Gate<'a> {
    /// Who we are.
    pub agent_id: &'a AgentId,
    /// The key that the hub signs with.
    pub key: &'a Key,
    /// The last command that was taken down.
    pub last_seq: u64,
    /// The actions that may run.
    pub allow: &'a AllowList,
    /// Whose orders count, and for what.
    pub signers: &'a Signers,
    /// Those that were used.
    pub spent: &'a Spent,
    /// The time, by the hub's clock and by others.
    pub times: Times,
}

/// What to do with a command.
#[derive(Debug, PartialEq)]
pub enum Admission {
    /// Run it, once.
    Run(Admitted, Action),
    /// Do not, and say why.
    Reject(Admitted, String),
    /// Do not, and say why: no operator ordered it, though that is what this machine wants.
    NotOrdered(Admitted, String),
    /// Do not, and say nothing: nobody asked us.
    Ignore(String),
}

/// A command that is the hub's, for us, and new.
#[derive(Debug, PartialEq)]
pub struct Admitted {
    /// The command.
    pub command: Command,
    /// The order that it came by, where it needed one: used from now on, run or rejected.
    pub mark: Option<Mark>,
}

impl Gate<'_> {
    /// Judges `offered`, a command as it stood in the hub's answer.
    pub fn admit(&self, offered: &Value) -> Admission {
        let command = match self.authentic(offered) {
            Ok(command) => command,
            Err(reason) => return Admission::Ignore(reason),
        };
        let mark = match self.signers.demand(&command.action) {
            false => None,
            true => match self.signers.judge(&command, self.times, self.spent) {
                Ok(mark) => Some(mark),
                Err(error) => {
                    let reason = for_log(&error.to_string());
                    return Admission::NotOrdered(Admitted { command, mark: error.into_mark() }, reason);
                }
            },
        };
        match self.fitting(&command) {
            Ok(action) => Admission::Run(Admitted { command, mark }, action),
            Err(reason) => Admission::Reject(Admitted { command, mark }, reason),
        }
    }

    /// What is to be done, if that may be done here and now.
    fn fitting(&self, command: &Command) -> Result<Action, String> {
        if command.expires_at <= self.times.hub {
            return Err(format!("it expired at {}, before it got here", command.expires_at));
        }
        if !self.allow.permits(&command.action) {
            let action = for_log(&command.action);
            return Err(format!("{action} is not on this agent's allow-list ({})", self.allow));
        }
        match Action::read(&command.action, &command.params) {
            Ok(Some(action)) => Ok(action),
            Ok(None) => Err("this version of the agent does not know the action".to_owned()),
            Err(error) => Err(for_log(&error.to_string())),
        }
    }

    /// The command, if the hub signed it, for us, and it was not taken down before.
    fn authentic(&self, offered: &Value) -> Result<Command, String> {
        let bytes = serde_json::to_vec(offered).map_err(|error| error.to_string())?;
        let scanned = signing::scan(&bytes).map_err(|error| error.to_string())?;
        if !scanned.verify(self.key) {
            return Err("its signature is not the hub's".to_owned());
        }
        let command: Command = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
        if command.agent_id != *self.agent_id {
            return Err(format!("it is for {}", command.agent_id));
        }
        if !is_command_id(&command.command_id) {
            return Err("its id is no command's".to_owned());
        }
        if command.command_seq <= self.last_seq {
            return Err(format!("number {} was taken down before", command.command_seq));
        }
        Ok(command)
    }
}

/// Whether `id` can stand in a path: the result is sent to one that is made of it.
fn is_command_id(id: &str) -> bool {
    id.starts_with("CMD-")
        && id.len() <= COMMAND_ID_CHARS_MAX
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use pingup_protocol::{
        keys::{KEY_BYTES, Secret},
        time::Timestamp,
    };
    use serde_json::json;

    const NOON: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn key() -> Key {
        Key::new(&Secret::new([7; KEY_BYTES]))
    }

    fn command() -> Value {
        json!({
            "commandId": "CMD-2027-001", "agentId": "a", "commandSeq": 4, "action": "ping", "params": {},
            "issuedAt": NOON.plus_seconds(-10), "expiresAt": NOON.plus_seconds(10),
        })
    }

    fn signed(key: &Key, command: &Value) -> Value {
        serde_json::from_slice(&signing::sign(key, command).unwrap()).unwrap()
    }

    fn judge(offered: &Value) -> Admission {
        let agent_id = AgentId::parse("a").unwrap();
        let allow = AllowList::parse(&["ping".into(), "exec".into()]).unwrap();
        let (signers, spent) = (&Signers::default(), &Spent::default());
        let times = Times { hub: NOON, machine: NOON, sure: NOON };
        Gate { agent_id: &agent_id, key: &key(), last_seq: 3, allow: &allow, signers, spent, times }
            .admit(offered)
    }

    /// The good command with `member` set to `value`, signed again.
    fn with(member: &str, value: Value) -> Admission {
        let mut command = command();
        command[member] = value;
        judge(&signed(&key(), &command))
    }

    fn is_ignored(admission: &Admission) -> bool {
        matches!(admission, Admission::Ignore(_))
    }

    fn is_rejected(admission: &Admission, because: &str) -> bool {
        matches!(admission, Admission::Reject(_, reason) if reason.contains(because))
    }

    #[test]
    fn a_good_command_runs() {
        assert!(matches!(judge(&signed(&key(), &command())), Admission::Run(_, Action::Ping)));
    }

    #[test]
    fn a_command_that_was_tampered_with_is_not_even_answered() {
        let mut tampered = signed(&key(), &command());
        tampered["action"] = json!("exec");
        tampered["params"] = json!({"argv": ["true"]});
        assert!(is_ignored(&judge(&tampered)));
        assert!(is_ignored(&judge(&command())), "no signature at all");
        let other = Key::new(&Secret::new([8; KEY_BYTES]));
        assert!(is_ignored(&judge(&signed(&other, &command()))));
        assert!(is_ignored(&judge(&json!("ping"))) && is_ignored(&judge(&signed(&key(), &json!({})))));
    }

    #[test]
    fn a_command_for_another_agent_is_not_ours_to_answer() {
        assert!(is_ignored(&with("agentId", json!("b"))));
        assert!(is_ignored(&with("commandId", json!("CMD-1/../../agents"))));
    }

    #[test]
    fn a_command_that_was_taken_down_before_does_not_run_again() {
        assert!(is_ignored(&with("commandSeq", json!(3))) && is_ignored(&with("commandSeq", json!(0))));
        assert!(matches!(with("commandSeq", json!(9)), Admission::Run(..)), "gaps are the hub's affair");
    }

    #[test]
    fn a_command_whose_time_is_over_is_rejected() {
        assert!(is_rejected(&with("expiresAt", json!(NOON)), "expired"));
        assert!(matches!(with("expiresAt", json!(NOON.plus_seconds(1))), Admission::Run(..)));
    }

    #[test]
    fn only_what_is_on_the_allow_list_runs() {
        assert!(is_rejected(&with("action", json!("restart_service")), "allow-list (exec, ping)"));
        assert!(is_rejected(&with("action", json!("format_disk")), "allow-list"));
    }

    #[test]
    fn parameters_must_fit_the_action() {
        let mut command = command();
        command["action"] = json!("exec");
        command["params"] = json!({"argv": "rm -rf /"});
        assert!(is_rejected(&judge(&signed(&key(), &command)), "/params"));
        command["params"] = json!({"argv": ["true"]});
        assert!(matches!(judge(&signed(&key(), &command)), Admission::Run(_, Action::Exec { .. })));
    }
}
