//! The rules of commands, pure: where one stands, why it ended, and which of two words about its end counts.

use super::Outcome;
use pingup_protocol::{command::CommandStatus, time::Timestamp};

/// Where a command stands at `now`: a pending one ends with its time, written down or not.
pub fn status_at(stored: CommandStatus, expires_at: Timestamp, now: Timestamp) -> CommandStatus {
    match stored {
        CommandStatus::Pending if expires_at <= now => CommandStatus::Expired,
        other => other,
    }
}

/// Why a command that stands so ended, though its agent reported nothing; `delivered`: it was handed out.
pub const fn reason(status: CommandStatus, delivered: bool) -> Option<&'static str> {
    match (status, delivered) {
        (CommandStatus::Unknown, true) => Some("nothing was heard of it by the time it must have ended"),
        (CommandStatus::Unknown, false) => {
            Some("the agent had it from this hub before the records were restored; it may have run")
        }
        (CommandStatus::Expired, true) => Some("the agent got it, but had not begun it in time"),
        (CommandStatus::Expired, false) => Some("the agent did not fetch it in time"),
        (CommandStatus::Cancelled, true) => Some("the agent got it, but had not begun it, or was removed"),
        (CommandStatus::Cancelled, false) => Some("it was taken back before the agent fetched it"),
        _ => None,
    }
}

/// What to do with a reported result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the first: keep it.
    Keep,
    /// It is the one that was kept.
    Same,
    /// Another was kept, or the command can have none any more.
    Conflict,
    /// The command was never handed out, so nobody can have run it.
    NotIssued,
}

/// Judges a reported result by where its command stands, whether it was ever handed out, and what was `kept` of it. Of
/// one that was, the first result counts, whatever the hub made of its silence.
pub fn judge(status: CommandStatus, delivered: bool, kept: Option<&Outcome>, reported: &Outcome) -> Verdict {
    match kept {
        Some(kept) if kept == reported => Verdict::Same,
        None if delivered || status == CommandStatus::Unknown => Verdict::Keep,
        None if status == CommandStatus::Pending => Verdict::NotIssued,
        _ => Verdict::Conflict,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pingup_protocol::command::ResultStatus;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn outcome(output: &str) -> Outcome {
        let output = Some(output.to_owned());
        Outcome {
            status: ResultStatus::Succeeded,
            exit_code: Some(0),
            output,
            started_at: NOW,
            finished_at: NOW,
        }
    }

    #[test]
    fn time_ends_what_waits_and_nothing_else() {
        let later = NOW.plus_seconds(1);
        assert_eq!(status_at(CommandStatus::Pending, later, NOW), CommandStatus::Pending);
        assert_eq!(status_at(CommandStatus::Pending, NOW, NOW), CommandStatus::Expired);
        for status in CommandStatus::ALL.into_iter().filter(|status| *status != CommandStatus::Pending) {
            assert_eq!(status_at(status, NOW, later), status);
        }
    }

    #[test]
    fn the_first_result_counts_and_the_same_again_is_no_other() {
        use CommandStatus::{Cancelled, Delivered, Expired, Pending, Running, Succeeded, Unknown};
        for status in [Delivered, Running, Unknown, Expired, Cancelled] {
            assert_eq!(judge(status, true, None, &outcome("x")), Verdict::Keep, "{status:?}");
        }
        assert_eq!(judge(Unknown, false, None, &outcome("x")), Verdict::Keep, "had before a restore");
        assert_eq!(judge(Pending, false, None, &outcome("x")), Verdict::NotIssued);
        assert_eq!(judge(Succeeded, true, Some(&outcome("x")), &outcome("x")), Verdict::Same);
        assert_eq!(judge(Succeeded, true, Some(&outcome("x")), &outcome("y")), Verdict::Conflict);
        for status in [Cancelled, Expired] {
            assert_eq!(judge(status, false, None, &outcome("x")), Verdict::Conflict);
        }
    }
}
