//! Whether the state was found to be a copy of another machine's. Only that is said: of a state that was not, nobody
//! can tell from here.

use super::Check;
use crate::copied;
use std::path::Path;

const REMEDY: &str = "stop the agent, call `pingup-agent reset`, and start it with a new join token, made without \
                      --replace: that would remove the original";

/// Examines the state in `folder`. What cannot be looked into is for other checks to say.
pub(super) fn check(folder: &Path) -> Option<Check> {
    let why = copied::found(folder).ok().flatten()?;
    Some(Check::fail("copy", format!("this state is a copy, or was rolled back: {why}"), REMEDY))
}
