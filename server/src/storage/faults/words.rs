//! The environment's words for faults. Refuses what is not understood, and more than one at a time: a test
//! that runs without the fault it asked for would prove nothing.

use super::Fault;
use std::{ffi::OsString, time::Duration};

/// The environment's word for [`super::Faults::fail_nth`].
pub(super) const FAIL_VARIABLE: &str = "PINGUP_INJECT_FAIL_NTH";
/// The environment's word for [`super::Faults::abort_nth`].
pub(super) const ABORT_VARIABLE: &str = "PINGUP_INJECT_ABORT_NTH";
/// The environment's word for [`super::Faults::stall`].
pub(super) const STALL_VARIABLE: &str = "PINGUP_INJECT_WRITER_STALL";
/// A stall may begin so late, and last so long: a hub that stops waits for its end.
pub(super) const STALL_MAX: Duration = Duration::from_secs(3_600);

/// A variable of the environment that says nothing a fault could be made of.
#[derive(Debug, thiserror::Error)]
pub enum FaultsError {
    /// Not a number.
    #[error("{variable} must be a whole number from 1, the call that is to fail; unset it for none")]
    Number {
        /// Its name.
        variable: &'static str,
    },
    /// Not when and how long.
    #[error(
        "{STALL_VARIABLE} must say when the writer stands still and for how long, each up to an hour, such as \
         after=3s,for=30s; unset it for none"
    )]
    Stall,
    /// More than one is set.
    #[error(
        "only one of {FAIL_VARIABLE}, {ABORT_VARIABLE} and {STALL_VARIABLE} can be set; unset the others"
    )]
    Several,
}

/// The fault that is asked for, if any; `word` gives a variable's text.
pub(super) fn read(word: impl Fn(&'static str) -> Option<OsString>) -> Result<Option<Fault>, FaultsError> {
    let number = |variable: &'static str| {
        let Some(text) = word(variable) else { return Ok(None) };
        let number = text.to_str().and_then(|text| text.parse().ok()).filter(|n| *n > 0);
        number.map(Some).ok_or(FaultsError::Number { variable })
    };
    let stall = match word(STALL_VARIABLE) {
        Some(text) => Some(text.to_str().and_then(stall).ok_or(FaultsError::Stall)?),
        None => None,
    };
    let asked =
        [number(FAIL_VARIABLE)?.map(Fault::FailNth), number(ABORT_VARIABLE)?.map(Fault::AbortNth), stall];
    let mut asked = asked.into_iter().flatten();
    let first = asked.next();
    if asked.next().is_some() { Err(FaultsError::Several) } else { Ok(first) }
}

/// `after=3s,for=30s`.
fn stall(text: &str) -> Option<Fault> {
    let (after, lasting) = text.strip_prefix("after=")?.split_once(",for=")?;
    let span = |text| humantime::parse_duration(text).ok().filter(|span| *span <= STALL_MAX);
    Some(Fault::Stall { after: span(after)?, lasting: span(lasting)? })
}
