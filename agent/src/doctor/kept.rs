//! What is kept beside the key: the hub's configuration, the journal of commands, and results that wait. None of them is
//! worth an identity: each can be given up alone.

use super::Check;
use crate::{config, journal, state::StateError};
use std::path::Path;

const NAME: &str = "kept";

/// Examines the files in the folder `state`.
pub(super) fn check(state: &Path) -> Check {
    match find(state) {
        Ok(check) => check,
        Err(error) => {
            Check::fail(NAME, error.to_string(), "call this as root, or as the user that the agent runs as")
        }
    }
}

fn find(state: &Path) -> Result<Check, StateError> {
    let journal = match journal::examine(state) {
        Err(StateError::Damaged { path, reason }) => {
            let shown = path.display();
            let remedy = format!(
                "restore it; or stop the agent, cancel at the hub what is not over of this agent's commands, and remove \
                 {shown}: the agent stays who it is. Lost is which commands were begun: one that the hub has no result \
                 of would run again, which cancelling prevents; and which signed orders were used: wait until those of late have \
                 expired"
            );
            return Ok(Check::fail(NAME, format!("{shown} is damaged: {reason}"), remedy));
        }
        journal => journal?,
    };
    if let Some(why) = config::fault(&state.join("config.json"))? {
        return Ok(Check::warn(
            NAME,
            format!("the configuration that was kept cannot be used: {why}"),
            "start the agent: it fetches another from the hub, and until then runs nothing but ping",
        ));
    }
    let journal::Summary { waiting, damaged } = journal;
    if damaged > 0 {
        return Ok(Check::warn(
            NAME,
            format!("{damaged} of {waiting} results that wait cannot be read"),
            "the agent passes them over: look on this machine what became of commands that the hub has no result of",
        ));
    }
    Ok(Check::ok(NAME, format!("configuration and journal are whole, {waiting} results wait")))
}
