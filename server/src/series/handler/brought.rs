//! What a request brings, gathered while it is read: pushes that each fit the writer's queue, and what was left out.

use super::{
    outcome::{Ends, Refused, Unfit},
    outlet::Outlet,
};
use crate::{
    http::unpack::{Allowance, RoomError},
    series::{
        Described, Incoming, Labels, MetricKind, POINTS_PER_PUSH_MAX, Point, Push, SERIES_PER_PUSH_MAX,
        labels::NAME_BYTES_MAX,
        told::{HELP_BYTES_MAX, UNIT_BYTES_MAX},
    },
};

/// What a push takes in memory, about: far less than the smallest queue, so that it fits once others are gone.
const PUSH_BYTES_MAX: usize = 1024 * 1024;
/// What is kept of a request before it is handed over: a few pushes, and a small part of what it may hold.
const KEPT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// What a label takes beside its text.
const LABEL_BYTES: usize = 2 * size_of::<Box<str>>();

/// What a request brings.
pub(super) struct Brought {
    sender: String,
    pub(super) pushes: Vec<Push>,
    /// Of the last push.
    bytes: usize,
    points: usize,
    pub(super) refused: Refused,
    pub(super) ends: Ends,
    pub(super) allowance: Allowance,
    /// Where it can hand over what it has while it is read; nowhere where that would hold up a thread that serves.
    pub(super) outlet: Option<Outlet>,
    /// What was counted before anything was kept: the request itself.
    itself: usize,
}

impl Brought {
    /// Nothing so far.
    pub(super) fn by(sender: String, allowance: Allowance) -> Self {
        Self {
            sender,
            pushes: Vec::new(),
            bytes: 0,
            points: 0,
            refused: Refused::default(),
            ends: Ends::default(),
            allowance,
            outlet: None,
            itself: 0,
        }
    }

    /// Says that the request is there, of which things are kept from now on.
    pub(super) fn begin(&mut self) {
        self.itself = self.allowance.used();
    }

    /// Hands over what is kept where that is much, and has its memory anew. To be called where all that was counted is
    /// kept or gone. Blocks.
    pub(super) fn make_room(&mut self) -> Result<(), RoomError> {
        let kept = self.allowance.used().saturating_sub(self.itself);
        if let Some(outlet) = self.outlet.as_mut().filter(|_| kept > KEPT_BYTES_MAX) {
            outlet.hand_over(std::mem::take(&mut self.pushes))?;
            (self.bytes, self.points) = (0, 0);
            self.allowance.go_back_to(self.itself);
        }
        Ok(())
    }

    /// Counts a text that is about to be kept.
    pub(super) fn take_text(&mut self, text: &str) -> Result<(), RoomError> {
        self.allowance.take(size_of::<String>() + text.len())
    }

    /// Counts a thing that is about to be kept in a list, which may double.
    pub(super) fn take_one<T>(&mut self) -> Result<(), RoomError> {
        self.allowance.take(2 * size_of::<T>())
    }

    /// Keeps samples of a series. What they take was counted before.
    pub(super) fn keep(&mut self, labels: Labels, mut points: Vec<Point>) -> Result<(), Unfit> {
        self.ends.see(&labels, &points);
        while points.len() > POINTS_PER_PUSH_MAX {
            let rest = points.split_off(POINTS_PER_PUSH_MAX);
            let whole = std::mem::replace(&mut points, rest);
            self.put([Incoming { labels: labels.clone(), points: whole }])?;
        }
        self.put([Incoming { labels, points }])
    }

    /// Keeps the few series of one thing in one push: where none of them is known, a limit of series takes all or none.
    /// What they take was counted before.
    pub(super) fn keep_together(&mut self, series: Vec<Incoming>) -> Result<(), Unfit> {
        series.iter().for_each(|one| self.ends.see(&one.labels, &one.points));
        self.put(series)
    }

    /// Keeps what is told of a metric, as far as the room does.
    pub(super) fn describe(
        &mut self,
        metric: &str,
        kind: MetricKind,
        help: &str,
        unit: &str,
    ) -> Result<(), Unfit> {
        // A name beyond its bound stays too long to be one.
        let metric = cut(metric, 2 * NAME_BYTES_MAX);
        let (help, unit) = (cut(help, HELP_BYTES_MAX), cut(unit, UNIT_BYTES_MAX));
        let text = metric.len() + help.len() + unit.len();
        self.take_one::<Described>()?;
        self.allowance.take(text)?;
        let described = Described { metric: metric.into(), kind, help: help.into(), unit: unit.into() };
        self.room(size_of::<Described>() + text, 0, 0).described.push(described);
        Ok(())
    }

    fn put(&mut self, together: impl AsRef<[Incoming]> + IntoIterator<Item = Incoming>) -> Result<(), Unfit> {
        let (mut bytes, mut points) = (0, 0);
        for Incoming { labels, points: of_one } in together.as_ref() {
            self.take_one::<Incoming>()?;
            let labels: usize =
                labels.iter().map(|(name, value)| LABEL_BYTES + name.len() + value.len()).sum();
            bytes += size_of::<Incoming>() + labels + of_one.len() * size_of::<Point>();
            points += of_one.len();
        }
        let series = together.as_ref().len();
        self.room(bytes, series, points).series.extend(together);
        Ok(())
    }

    /// The push that has room for so much more: the last one, or a new one, also for what is more than that by itself.
    fn room(&mut self, bytes: usize, series: usize, points: usize) -> &mut Push {
        let full = self.pushes.last().is_none_or(|push| {
            push.series.len() + series > SERIES_PER_PUSH_MAX
                || self.points + points > POINTS_PER_PUSH_MAX
                || (self.bytes + bytes > PUSH_BYTES_MAX && self.bytes > 0)
        });
        if full {
            (self.bytes, self.points) = (0, 0);
            self.pushes.push(Push { sender: self.sender.clone(), ..Push::default() });
        }
        self.bytes += bytes;
        self.points += points;
        let last = self.pushes.len() - 1;
        &mut self.pushes[last]
    }
}

fn cut(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::body::Budget;

    fn labels(n: usize) -> Labels {
        Labels::new(vec![("__name__".into(), "up".into()), ("n".into(), n.to_string())]).unwrap()
    }

    fn point(at: usize) -> Point {
        Point { at_ms: at as i64, value: 1.0 }
    }

    #[test]
    fn much_is_cut_into_pushes_that_fit() {
        let mut brought = Brought::by("ada".into(), Allowance::of(&Budget::senders(), usize::MAX));
        let points: Vec<_> = (0..2 * POINTS_PER_PUSH_MAX + 1).map(point).collect();
        brought.keep(labels(0), points.clone()).unwrap();
        for n in 1..30_000 {
            brought.keep(labels(n), vec![point(n)]).unwrap();
        }
        let mut seen = Vec::new();
        for push in &brought.pushes {
            let points: usize = push.series.iter().map(|series| series.points.len()).sum();
            assert!(points <= POINTS_PER_PUSH_MAX && push.series.len() <= SERIES_PER_PUSH_MAX);
            assert_eq!(push.sender, "ada");
            seen.extend(
                push.series.iter().filter(|series| series.labels == labels(0)).flat_map(|s| &s.points),
            );
        }
        assert_eq!(seen.into_iter().copied().collect::<Vec<_>>(), points);
        let series: usize = brought.pushes.iter().map(|push| push.series.len()).sum();
        assert_eq!(series, 3 + 29_999);
        assert!(brought.pushes.len() > 4, "{} pushes", brought.pushes.len());
    }
}
