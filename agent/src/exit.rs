//! Exit codes, after `sysexits.h`: what a service manager can tell apart, and need not start again. Those of questions
//! (`status`, `doctor`) are small numbers, as init scripts have them.

use std::process::ExitCode;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It did what it was asked to, or was told to stop.
    Done,
    /// It did, and what it found is not well.
    Trouble,
    /// It did, and no agent is at work.
    NotRunning,
    /// It was asked how the agent does, and cannot know.
    Unknown,
    /// A setting is missing or wrong; nothing was opened.
    Usage,
    /// The disk or the machine would not do what it must.
    Io,
    /// The hub revoked this agent.
    Revoked,
    /// The hub would not enrol this machine, and will not without someone's help.
    NotEnrolled,
}

impl Exit {
    /// The code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Trouble => 1,
            Self::NotRunning => 3,
            Self::Unknown => 4,
            Self::Usage => 64,
            Self::Io => 74,
            Self::Revoked => 77,
            Self::NotEnrolled => 78,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}
