//! Whether a command may run. Pure: every condition of the protocol, in one place, each tested.
//!
//! What cannot be told to come from the hub, for us, and for the first time is thrown away without a word to
//! anyone. What can, but may not run, is rejected, and the hub is told why. What was in time when it was handed out, and is
//! not any more, is left: the hub, which hears that it was not begun, ends it as expired.

use crate::{
    execute::AllowList,
    orders::{Mark, Signers, Spent, Times},
    transport::for_log,
};
use pingup_protocol::{
    command::{Action, Command},
    ids::AgentId,
    signing::{self, Key},
    time::Timestamp,
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
    /// When the hub handed it out, by its own clock.
    pub handed_out: Timestamp,
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
    /// Do not, and say nothing: its time went by here. The hub ends it.
    Leave(Command),
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
        if self.handed_out < command.expires_at && command.expires_at <= self.times.hub {
            return Admission::Leave(command);
        }
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
        if command.expires_at <= self.handed_out {
            let (end, out) = (command.expires_at, self.handed_out);
            return Err(format!("it had expired at {end} when the hub handed it out, which was at {out}"));
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
mod tests;
