//! Scans in files, a day at a time: of each file first which scans it has, then the hosts of those on the page.

use super::{
    DiscoveryError, Place, Range,
    hosts::{Found, Hosts},
    keys::{self, HostsAt, Key},
};
use crate::{
    storage::Wanted,
    tsdb::{
        Part, TsdbError, View,
        lanes::{Leaf, Strip},
    },
};
use pingup_protocol::ids::AgentId;
use std::{ops, sync::Arc};

/// Scans that are held before any is let go, some 60 bytes each.
const HELD_MIN: usize = 8_192;

/// The files of one day. However many there are, one is open at a time.
pub(super) struct Day<'a> {
    /// How many files newer days have: they are counted from the newest day on.
    first: usize,
    files: &'a [Arc<Part>],
    view: &'a View,
}

/// What is read of a scan beside its hosts.
struct Columns {
    time: Leaf,
    duration: Leaf,
    boot: Leaf,
    seq: Leaf,
    host_count: Leaf,
}

/// The same of some rows.
#[derive(Default)]
struct Cells {
    times: Vec<i64>,
    durations: Vec<f64>,
    boots: Vec<i64>,
    seqs: Vec<i64>,
    host_counts: Vec<i64>,
}

impl<'a> Day<'a> {
    /// A day of `view`; `first` is the number of its first file.
    pub(super) const fn new(first: usize, files: &'a [Arc<Part>], view: &'a View) -> Self {
        Self { first, files, view }
    }

    /// The files, with their numbers.
    fn numbered(&self) -> impl Iterator<Item = (usize, &Arc<Part>)> {
        (self.first..).zip(self.files)
    }

    /// Adds those scans of the agent that are asked for.
    pub(super) fn add_keys(
        &self,
        agent: &AgentId,
        range: &Range,
        found: &mut Vec<Key>,
        wanted: &Wanted,
    ) -> Result<(), DiscoveryError> {
        for (number, file) in self.numbered() {
            add_keys(&mut self.view.strip(file)?, number, agent, range, found, wanted)?;
        }
        Ok(())
    }

    /// Adds the hosts of those of `chosen`, which come the newest first, that lie in this day's files.
    pub(super) fn add_hosts(
        &self,
        chosen: &[Key],
        hosts: &mut Hosts,
        wanted: &Wanted,
    ) -> Result<(), DiscoveryError> {
        let files = self.first..self.first + self.files.len();
        let of_day = |key: &&Key| matches!(key.hosts, HostsAt::File { file, .. } if files.contains(&file));
        let of_day: Vec<Key> = chosen.iter().filter(of_day).copied().collect();
        let mut rest = &of_day[..];
        while rest.first().is_some_and(|key| hosts.has_room_at(key.place)) {
            wanted.check()?;
            let (few, older) = rest.split_at(hosts.few(rest));
            for (number, file) in self.numbered() {
                let rows = rows_in(number, few);
                if !rows.is_empty() {
                    add_hosts(&mut self.view.strip(file)?, &rows, hosts)?;
                }
            }
            rest = older;
        }
        Ok(())
    }
}

fn add_keys(
    strip: &mut Strip,
    file: usize,
    agent: &AgentId,
    range: &Range,
    found: &mut Vec<Key>,
    wanted: &Wanted,
) -> Result<(), DiscoveryError> {
    let columns = Columns::of(strip)?;
    let mut group = 0;
    while let Some(rows) = strip.seek(agent.as_str(), group)? {
        wanted.check()?;
        let at = strip.group();
        group = at + 1;
        let (first, cells) = columns.read(strip, rows, range)?;
        let lies = |place| HostsAt::File { file, group: at, row: first + place };
        let keys = (0..cells.times.len()).map(|place| cells.key(place, lies(place)));
        found.extend(keys.filter(|key| key.place < range.before));
        // However many there are in a day, few more than a page are held.
        if found.len() > 2 * range.limit + HELD_MIN {
            keys::keep_page(found, range.limit);
        }
    }
    Ok(())
}

impl Columns {
    fn of(strip: &Strip) -> Result<Self, TsdbError> {
        let leaf = |name| strip.required(name);
        Ok(Self {
            time: leaf("timestamp")?,
            duration: leaf("duration")?,
            boot: leaf("boot")?,
            seq: leaf("seq")?,
            host_count: leaf("host_count")?,
        })
    }

    /// Reads those of `rows`, which come in the order of time, that are asked for, and where they begin.
    fn read(
        &self,
        strip: &mut Strip,
        rows: ops::Range<usize>,
        range: &Range,
    ) -> Result<(usize, Cells), TsdbError> {
        let mut cells = Cells::default();
        strip.integers(self.time, rows.clone(), &mut cells.times)?;
        let within = keys::within(range);
        let before = |micros: i64| cells.times.partition_point(|time| *time < micros);
        let (first, end) = (before(within.start), before(within.end));
        cells.times.truncate(end);
        cells.times.drain(..first.min(end));
        let rows = rows.start + first.min(end)..rows.start + end;
        if !rows.is_empty() {
            strip.doubles(self.duration, rows.clone(), &mut cells.durations)?;
            strip.numbers(self.boot, rows.clone(), -1, &mut cells.boots)?;
            strip.numbers(self.seq, rows.clone(), -1, &mut cells.seqs)?;
            strip.numbers(self.host_count, rows.clone(), 0, &mut cells.host_counts)?;
        }
        Ok((rows.start, cells))
    }
}

impl Cells {
    fn key(&self, place: usize, hosts: HostsAt) -> Key {
        let duration = self.durations[place];
        Key {
            place: Place(self.times[place], self.boots[place], self.seqs[place]),
            duration: if duration.is_nan() { 0.0 } else { duration },
            host_count: self.host_counts[place].unsigned_abs(),
            hosts,
        }
    }
}

/// A scan in a file: the row group, the row there, its place and how many hosts it found.
type Row = (usize, usize, Place, u64);

/// Those of `keys` that lie in the file of this number, in its order.
fn rows_in(number: usize, keys: &[Key]) -> Vec<Row> {
    let row = |key: &Key| match key.hosts {
        HostsAt::File { file, group, row } if file == number => Some((group, row, key.place, key.host_count)),
        _ => None,
    };
    let mut rows: Vec<_> = keys.iter().filter_map(row).collect();
    rows.sort_unstable();
    rows
}

/// Adds the hosts of `rows`, which come in the order of the file.
fn add_hosts(strip: &mut Strip, rows: &[Row], hosts: &mut Hosts) -> Result<(), DiscoveryError> {
    // An old file lacks networks.
    let (texts, networks) = (strip.required("hosts")?, strip.leaf("networks"));
    let mut is_sound = true;
    for run in rows.chunk_by(|one, next| (one.0, one.1 + 1) == (next.0, next.1)) {
        let (group, first, ..) = run[0];
        let rows = first..first + run.len();
        strip.enter(group);
        let mut looked_at = Vec::with_capacity(run.len());
        if let Some(networks) = networks {
            strip.texts_or_none(networks, rows.clone(), |text| {
                is_sound &= text.is_none_or(is_list);
                looked_at.push(text.map(Box::<str>::from));
            })?;
        }
        let (mut scans, mut looked_at) = (run.iter(), looked_at.into_iter());
        strip.texts(texts, rows, |text| {
            is_sound &= is_list(text);
            if let Some((.., place, count)) = scans.next() {
                let networks = looked_at.next().flatten();
                hosts.add(*place, *count, Found { hosts: text.into(), networks });
            }
        })?;
    }
    if is_sound { Ok(()) } else { Err(DiscoveryError::Unlike) }
}

/// Whether a text can be what was written, as far as its ends tell.
fn is_list(text: &str) -> bool {
    text.starts_with('[') && text.ends_with(']')
}
