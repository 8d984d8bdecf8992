//! The head from the readers' side: rows are looked at in place, and only what is wanted is copied.

use super::{
    Segment,
    columns::{Columns, HeadScan, bytes_of},
};
use crate::tsdb::schema::OWN_COLUMNS;
use pingup_protocol::{
    discovery::Host, ids::AgentId, metrics::Measurements, network::Network, time::Timestamp,
};
use std::ops::Range;

/// Rows that are looked at while a group has to wait.
const ROWS_AT_ONCE: usize = 256;

/// A sample in the head.
#[derive(Clone, Copy)]
pub struct HeadSample<'a> {
    columns: &'a Columns,
    row: u32,
}

/// A scan in the head.
#[derive(Clone, Copy)]
pub struct HeadScanRow<'a> {
    columns: &'a Columns,
    scan: &'a HeadScan,
}

impl Segment {
    /// Shows every sample within `range`, an agent's or everyone's, in the order they came; those that come
    /// meanwhile are left out. Groups wait while a few are looked at, not for all of them.
    pub fn each_sample(
        &self,
        agent_id: Option<&str>,
        range: &Range<Timestamp>,
        mut show: impl FnMut(HeadSample<'_>),
    ) {
        let range = range.start.as_micros()..range.end.as_micros();
        let count = |columns: &Columns| match agent_id {
            Some(agent_id) => columns.agent(agent_id).map_or(0, |agent| agent.samples.len()),
            None => columns.at.len(),
        };
        self.few_by_few(count, |columns, places| {
            let mut look = |row: u32| {
                if range.contains(&columns.at[row as usize]) {
                    show(HeadSample { columns, row });
                }
            };
            match agent_id {
                Some(agent_id) => {
                    let rows = columns.agent(agent_id).and_then(|agent| agent.samples.get(places));
                    rows.into_iter().flatten().copied().for_each(look);
                }
                None => places.map(super::place).for_each(&mut look),
            }
        });
    }

    /// Shows every scan of an agent within `range`, in the order they came; as [`Segment::each_sample`] does.
    pub fn each_scan(&self, agent_id: &str, range: &Range<Timestamp>, mut show: impl FnMut(HeadScanRow<'_>)) {
        let range = range.start.as_micros()..range.end.as_micros();
        let count = |columns: &Columns| columns.agent(agent_id).map_or(0, |agent| agent.scans.len());
        self.few_by_few(count, |columns, places| {
            let rows = columns.agent(agent_id).and_then(|agent| agent.scans.get(places));
            let scans = rows.into_iter().flatten().map(|&row| &columns.scans[row as usize]);
            scans
                .filter(|scan| range.contains(&scan.at))
                .for_each(|scan| show(HeadScanRow { columns, scan }));
        });
    }

    /// Shows the places of as many rows as there are now, a few each time the lock is held: rows only ever come
    /// behind those that are there.
    fn few_by_few(
        &self,
        count: impl FnOnce(&Columns) -> usize,
        mut show: impl FnMut(&Columns, Range<usize>),
    ) {
        let all = count(&self.read());
        for first in (0..all).step_by(ROWS_AT_ONCE) {
            show(&self.read(), first..all.min(first + ROWS_AT_ONCE));
        }
    }
}

impl<'a> HeadSample<'a> {
    pub(super) const fn new(columns: &'a Columns, row: u32) -> Self {
        Self { columns, row }
    }

    /// Whose it is.
    pub fn agent_id(&self) -> &'a AgentId {
        self.columns.whose(self.columns.stream[self.row as usize]).0
    }

    /// Boot and seq, if it has them.
    pub fn stream(&self) -> Option<(u64, u64)> {
        let row = self.row as usize;
        self.columns.whose(self.columns.stream[row]).1.map(|boot| (boot, self.columns.seq[row]))
    }

    /// When it was measured.
    pub fn timestamp(&self) -> Timestamp {
        Timestamp::from_micros(self.columns.at[self.row as usize])
    }

    /// The agent's word for how its machine does.
    pub fn status(&self) -> &'a str {
        self.columns.statuses.text(self.columns.status[self.row as usize])
    }

    /// A measurement with a column of its own, by its place in [`OWN_COLUMNS`].
    pub fn own(&self, place: usize) -> Option<f64> {
        let value = self.columns.own.get(place)?.get(self.row as usize).copied()?;
        (!value.is_nan()).then_some(value)
    }

    /// The other measurements, by name.
    pub fn further(&self) -> impl Iterator<Item = (&'a str, f64)> + use<'a> {
        let columns = self.columns;
        columns.further(self.row).iter().map(move |(name, value)| (columns.names.text(*name), *value))
    }

    /// Every measurement, by name.
    pub fn measurements(&self) -> impl Iterator<Item = (&'a str, f64)> + use<'a> {
        let sample = *self;
        let own = OWN_COLUMNS.into_iter().enumerate();
        own.filter_map(move |(place, name)| Some((name, sample.own(place)?))).chain(self.further())
    }

    /// One measurement.
    pub fn get(&self, name: &str) -> Option<f64> {
        match OWN_COLUMNS.iter().position(|own| *own == name) {
            Some(place) => self.own(place),
            None => self.further().find(|(further, _)| *further == name).map(|(_, value)| value),
        }
    }

    /// What was measured, of that what `wanted` names.
    pub fn to_measurements(&self, wanted: impl Fn(&str) -> bool) -> Measurements {
        let own = |place: usize| self.own(place).filter(|_| wanted(OWN_COLUMNS[place]));
        Measurements {
            cpu: own(0),
            ram: own(1),
            disk: own(2),
            latency: own(3),
            further: self
                .further()
                .filter(|(name, _)| wanted(name))
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        }
    }
}

impl<'a> HeadScanRow<'a> {
    pub(super) const fn new(columns: &'a Columns, scan: &'a HeadScan) -> Self {
        Self { columns, scan }
    }

    /// Whose it is.
    pub fn agent_id(&self) -> &'a AgentId {
        self.columns.whose(self.scan.stream).0
    }

    /// Boot and seq, if it has them.
    pub fn stream(&self) -> Option<(u64, u64)> {
        self.columns.whose(self.scan.stream).1.map(|boot| (boot, self.scan.seq))
    }

    /// When it began.
    pub const fn timestamp(&self) -> Timestamp {
        Timestamp::from_micros(self.scan.at)
    }

    /// How long it took, milliseconds.
    pub const fn duration(&self) -> f64 {
        self.scan.duration
    }

    /// The networks that it looked at; empty where it does not say.
    pub fn networks(&self) -> &'a [Network] {
        &self.scan.networks
    }

    /// The hosts that answered.
    pub fn hosts(&self) -> &'a [Host] {
        &self.scan.hosts
    }

    /// What they take in memory, bytes.
    pub fn hosts_bytes(&self) -> usize {
        bytes_of(&self.scan.hosts)
    }
}
