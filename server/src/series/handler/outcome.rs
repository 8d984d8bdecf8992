//! What became of a request: what was left out and why, in words that name a series, and whether to come back.

use super::Taken;
use crate::{
    http::{
        problem::Refusal,
        protobuf::Broken,
        unpack::{RoomError, UnpackError},
    },
    series::{Labels, LimitReached, Point, PushError},
};
use pingup_protocol::problem::ProblemType;

/// Reasons that an answer tells; there may be one for each series.
const REASONS_MAX: usize = 3;
/// What of a name from outside an answer tells, characters.
const TOLD_CHARS_MAX: usize = 200;

/// Why a request is refused as a whole.
#[derive(Debug)]
pub(super) enum Unfit {
    /// It will never do.
    Bad(String),
    /// As any route may refuse.
    Refused(Refusal),
}

impl From<Refusal> for Unfit {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Broken> for Unfit {
    fn from(error: Broken) -> Self {
        Self::Bad(error.to_string())
    }
}

impl From<RoomError> for Unfit {
    fn from(error: RoomError) -> Self {
        match error {
            RoomError::Taken | RoomError::TakenBySender => {
                Self::Refused(Refusal::new(ProblemType::Overloaded, error.to_string()))
            }
            RoomError::TooMuch(_) => Self::Bad(error.to_string()),
        }
    }
}

impl From<UnpackError> for Unfit {
    fn from(error: UnpackError) -> Self {
        match error {
            UnpackError::Room(error) => error.into(),
            other => Self::Bad(other.to_string()),
        }
    }
}

/// What of a request was left out: how much, and the first few reasons.
#[derive(Debug, Default)]
pub(super) struct Refused {
    pub(super) count: usize,
    reasons: Vec<String>,
    /// Reasons beyond those.
    more: usize,
}

impl Refused {
    /// Leaves out `count`; none is a remark.
    pub(super) fn add(&mut self, count: usize, why: impl FnOnce() -> String) {
        self.count += count;
        match self.reasons.len() {
            REASONS_MAX.. => self.more += 1,
            _ => self.reasons.push(why()),
        }
    }

    /// With those of another behind its own.
    fn and(mut self, other: Self) -> Self {
        let room = REASONS_MAX.saturating_sub(self.reasons.len());
        self.count += other.count;
        self.more += other.more + other.reasons.len().saturating_sub(room);
        self.reasons.extend(other.reasons.into_iter().take(room));
        self
    }

    /// All reasons in one line; nothing where there are none.
    pub(super) fn why(&self) -> String {
        let mut line = self.reasons.join("; ");
        if self.more > 0 {
            line.push_str(&format!("; and {} more reasons", self.more));
        }
        line
    }
}

/// A text from outside, as far as it is told.
pub(super) fn told(text: &str) -> String {
    match text.char_indices().nth(TOLD_CHARS_MAX) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// The oldest and the newest sample of a request: if any is too old or ahead of time, it is these.
#[derive(Debug, Default)]
pub(super) struct Ends {
    oldest: Option<(i64, String)>,
    newest: Option<(i64, String)>,
}

impl Ends {
    pub(super) fn see(&mut self, labels: &Labels, points: &[Point]) {
        let moments = || points.iter().map(|point| point.at_ms);
        if let Some(at) = moments().min().filter(|at| self.oldest.as_ref().is_none_or(|(ms, _)| at < ms)) {
            self.oldest = Some((at, told(&labels.to_string())));
        }
        if let Some(at) = moments().max().filter(|at| self.newest.as_ref().is_none_or(|(ms, _)| at > ms)) {
            self.newest = Some((at, told(&labels.to_string())));
        }
    }
}

/// What became of a request that could be read.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// What was left out while the request was read.
    pub(super) refused: Refused,
    /// Samples that a limit of series left out.
    beyond: Refused,
    /// The limit, once one was reached.
    reached: Option<LimitReached>,
    /// Samples that are on disk.
    pub(super) stored: usize,
    ends: Ends,
    too_old: usize,
    ahead: usize,
}

impl Outcome {
    /// With what was left out while the request was read, and the ends of what was kept.
    pub(super) fn of(self, refused: Refused, ends: Ends) -> Self {
        Self { refused, ends, ..self }
    }

    /// Counts what became of a push of `samples`.
    pub(super) fn count(&mut self, samples: usize, pushed: Result<Taken, PushError>) -> Result<(), Unfit> {
        let overloaded = |error: PushError| Refusal::new(ProblemType::Overloaded, error.to_string());
        let taken = match pushed {
            Ok(taken) => taken,
            Err(PushError::SeriesLimit { reached, taken }) => {
                let left = samples.saturating_sub(taken.stored + taken.too_old + taken.ahead);
                self.beyond.add(left, || reached.to_string());
                self.reached = Some(reached);
                taken
            }
            Err(error @ PushError::TooLarge { .. }) => return Err(Unfit::Bad(error.to_string())),
            Err(PushError::Storage(error)) => return Err(Unfit::Refused(error.into())),
            Err(error @ (PushError::Busy | PushError::Stopping | PushError::NotCommitted)) => {
                return Err(Unfit::Refused(overloaded(error)));
            }
        };
        self.stored += taken.stored;
        self.too_old += taken.too_old;
        self.ahead += taken.ahead;
        Ok(())
    }

    /// The limit of series that was reached: what is new behind it is left out too.
    pub(super) const fn reached(&self) -> Option<LimitReached> {
        self.reached
    }

    /// What was left out, with what the room left out.
    pub(super) fn refused(self) -> Refused {
        let mut refused = self.refused.and(self.beyond);
        let Ends { oldest, newest } = self.ends;
        for (count, what, end) in [
            (self.too_old, "older than the hub keeps samples", oldest),
            (self.ahead, "more than ten minutes ahead of the hub's clock", newest),
        ] {
            let (at, series) = end.unwrap_or_default();
            if count > 0 {
                refused.add(count, || format!("{count} are {what}, such as {series} at {at} ms"));
            }
        }
        refused
    }
}
