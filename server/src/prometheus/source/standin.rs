//! Where samples were let go, rollups stand in for them: of each minute or hour one sample, at the moment of its last, which a
//! selector without a window finds until the next one ends.
//!
//! For a function that asks for an extreme or a sum it is that of the minute or hour. For an average or a count there are
//! as many as there were samples, each of them their mean: an hour weighs what its samples weighed, beside minutes and
//! samples. Who asks for samples themselves gets the last, which is one as it was measured; a function that cannot be
//! known from any of these is refused. What stands in is told.

use super::{
    chosen::StandIn,
    reader::{Column, ReadError},
    rows::Rows,
};
use crate::{
    prometheus::{agents::millis, names::Metric},
    tsdb::{
        lanes::{Leaf, Strip},
        rollup::{self, bucket},
        schema::OWN_COLUMNS,
        total::Total,
    },
};
use pingup_promql::{Error, Thinned};
use pingup_protocol::time::Timestamp;
use std::ops::{Range, RangeInclusive};

/// What is told with an answer that has any of them.
pub(super) const TOLD: &str = "pingup info: some samples of this time were let go; their minutes or hours stand in for them \
                               (each as its extreme or sum for a function of that name, as its mean once for each sample \
                               in averages and counts, else as its last sample, which is the newest until the next minute or hour ends)";

/// What is told where windows lie closer than stand-ins, and are shorter.
pub(super) const TOO_SHORT: &str = "pingup info: of each minute or hour that stands in there is one moment, which shorter windows miss \
                                    at most of their steps; ask of whole hours there, such as \
                                    max_over_time(avg_over_time(...[1h])[60d:1h])";

/// From the first stand-in of a column to the last, microseconds: of those of minutes, and of those of hours.
#[derive(Clone, Debug, Default)]
pub(super) struct Stood {
    minutes: Option<RangeInclusive<i64>>,
    hours: Option<RangeInclusive<i64>>,
}

impl Stood {
    /// Each of the two that there is, and how long what stands in there is, microseconds.
    fn each(&self) -> impl Iterator<Item = (&RangeInclusive<i64>, i64)> {
        let both = [(&self.hours, rollup::HOUR), (&self.minutes, rollup::MINUTE)];
        both.into_iter().filter_map(|(range, width)| Some((range.as_ref()?, width)))
    }

    /// Whether nothing stood in.
    pub(super) const fn is_nothing(&self) -> bool {
        self.minutes.is_none() && self.hours.is_none()
    }

    /// The last moment at which anything did, of those within a range.
    pub(super) fn last_within(&self, range: &Range<i64>) -> Option<i64> {
        let met = self.each().filter(|(stood, _)| *stood.start() < range.end && *stood.end() >= range.start);
        met.map(|(stood, _)| *stood.end()).max()
    }

    /// The same for the query.
    pub(super) fn thinned(&self) -> Vec<Thinned> {
        let thinned = |(stood, width): (&RangeInclusive<i64>, i64)| Thinned {
            first_ms: millis(*stood.start()),
            last_ms: millis(*stood.end()),
            bucket_ms: width / 1_000,
        };
        self.each().map(thinned).collect()
    }

    fn note(&mut self, at: i64, width: i64) {
        let stood = if width == rollup::HOUR { &mut self.hours } else { &mut self.minutes };
        *stood = Some(match stood {
            Some(known) => at.min(*known.start())..=at.max(*known.end()),
            None => at..=at,
        });
    }
}

/// A part of rollups, and what is asked of it.
#[derive(Debug)]
pub(super) struct StandIns {
    strip: Strip,
    range: Range<i64>,
    /// How long a minute or hour is, microseconds.
    width: i64,
    name: Leaf,
    last_at: Leaf,
    count: Leaf,
    wanted: Vec<Wanted>,
    /// Whether windows that are asked for may fall between its moments.
    falls_between: bool,
    /// Whether any of its minutes or hours are of the time that is asked for.
    is_met: bool,
}

/// What becomes a column.
#[derive(Debug)]
struct Wanted {
    /// The measurement.
    name: Box<str>,
    stand_in: StandIn,
    leaf: Leaf,
    column: usize,
}

impl StandIns {
    /// What of `columns` the part has within `range`, microseconds, in buckets of so many; `None` if it is nothing.
    pub(super) fn new(
        strip: Strip,
        range: Range<i64>,
        width: i64,
        falls_between: bool,
        columns: &[Column],
    ) -> Option<Self> {
        let wanted = columns.iter().enumerate().filter_map(|(column, (metric, stand_in))| {
            let name = match metric {
                Metric::Own(place) => OWN_COLUMNS[usize::from(*place)].into(),
                Metric::Further(name) => name.clone(),
                // Words are not rolled up, and scans go with the samples.
                Metric::Up | Metric::Info | Metric::ScanHosts | Metric::ScanSeconds => return None,
            };
            let leaf = match stand_in {
                StandIn::Min => "min",
                StandIn::Max => "max",
                StandIn::Sum | StandIn::Means => "sum",
                StandIn::Last | StandIn::Nothing(_) => "last",
            };
            Some(Wanted { name, stand_in: *stand_in, leaf: strip.leaf(leaf)?, column })
        });
        let wanted: Vec<_> = wanted.collect();
        let (name, last_at, count) = (strip.leaf("name")?, strip.leaf("last_at")?, strip.leaf("count")?);
        let is_met = false;
        (!wanted.is_empty()).then_some(Self {
            strip,
            range,
            width,
            name,
            last_at,
            count,
            wanted,
            falls_between,
            is_met,
        })
    }

    /// Whether windows that are asked for fall between what was read so far.
    pub(super) const fn falls_between(&self) -> bool {
        self.falls_between && self.is_met
    }

    /// The part that is read.
    pub(super) fn strip(&mut self) -> &mut Strip {
        &mut self.strip
    }

    /// Puts the agent's stand-ins behind `rows`; of each column it is kept in `stood` from when until when there are any.
    pub(super) fn read(
        &mut self,
        agent_id: &str,
        rows: &mut Rows,
        stood: &mut [Stood],
    ) -> Result<(), ReadError> {
        let mut group = 0;
        while let Some(of_agent) = self.strip.seek(agent_id, group)? {
            group = self.strip.group() + 1;
            let (wanted, mut first) = (&self.wanted, of_agent.start);
            let mut found: Vec<(usize, Range<usize>)> = Vec::new();
            self.strip.words(self.name, of_agent, |name, count| {
                let places = (0..wanted.len()).filter(|place| *wanted[*place].name == *name);
                found.extend(places.map(|place| (place, first..first + count)));
                first += count;
            })?;
            for (place, of_name) in found {
                rows.check_room(of_name.len())?;
                self.put(place, of_name, rows, stood)?;
            }
        }
        Ok(())
    }

    fn put(
        &mut self,
        place: usize,
        of_name: Range<usize>,
        rows: &mut Rows,
        stood: &mut [Stood],
    ) -> Result<(), ReadError> {
        let Wanted { stand_in, leaf, column, .. } = self.wanted[place];
        let (mut times, mut values, mut counts) = (Vec::new(), Vec::new(), Vec::new());
        self.strip.integers(self.last_at, of_name.clone(), &mut times)?;
        self.strip.doubles(leaf, of_name.clone(), &mut values)?;
        self.strip.integers(self.count, of_name, &mut counts)?;
        for ((at, value), count) in times.into_iter().zip(values).zip(counts) {
            let begun = bucket(at, self.width);
            self.is_met |= begun < self.range.end && begun + self.width > self.range.start;
            if !self.range.contains(&at) {
                continue;
            }
            stood[column].note(at, self.width);
            let (count, sum) = Total::from_cells(count, value);
            match (stand_in, sum) {
                (StandIn::Means, _) => {
                    let times = each_of(count, at, self.width);
                    rows.check_room(times.len())?;
                    let mean = sum.mean(count);
                    times.for_each(|at| rows.put(at, column, mean));
                }
                (StandIn::Sum, Total::Units(_)) => rows.put(at, column, sum.mean(count) * count as f64),
                _ => rows.put(at, column, value),
            }
        }
        Ok(())
    }
}

/// Moments for so many samples of a bucket, the last of which was at `last_at`: a millisecond apart, since no series has two
/// within one. So all that counted have room in the bucket.
fn each_of(count: u64, last_at: i64, width: i64) -> impl ExactSizeIterator<Item = i64> {
    let last_ms = last_at.div_euclid(1_000);
    let room = last_ms - bucket(last_at, width).div_euclid(1_000) + 1;
    let count = u32::try_from(count.min(room.unsigned_abs())).unwrap_or(u32::MAX);
    (0..count).rev().map(move |back| if back == 0 { last_at } else { (last_ms - i64::from(back)) * 1_000 })
}

/// That a function needs every sample, and samples until a moment, microseconds, were let go.
pub(super) fn needs_every_sample(function: &str, until: i64) -> Error {
    let until = Timestamp::from_micros(until);
    Error::limit(format!(
        "{function} needs every sample, and those until {until} are past their retention: ask for later ones, or for hours: \
         avg_over_time(...[1h])[8d:1h] in place of ...[8d]; min, max, sum, avg, count and last_over_time are known of all times"
    ))
}
