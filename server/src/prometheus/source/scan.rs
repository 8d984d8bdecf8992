//! One reading of the history for all selections of a query: agent by agent in the order of their ids, files and memory
//! merged, each row once. What is in memory at once is one agent's rows, a few pages of each file, and what the head has
//! of the time that is asked for.

use super::{
    Source,
    chosen::{Chosen, StandIn, Table},
    failed,
    reader::{self, Column, ReadError, Reader},
    rows::{Rows, Settled},
    standin::{self, StandIns, Stood},
};
use crate::{
    prometheus::agents::Person,
    tsdb::{Part, Tier, TsdbError, View, fleet::FLEET, lanes::Strip, rollup},
};
use pingup_promql::{Error, Intake, METRIC_NAME};
use pingup_protocol::time::Timestamp;
use std::{collections::BTreeSet, ops::Range, sync::Arc};

/// Files that are read side by side for all agents; if there are more, each is begun anew for every agent, which is slow
/// and takes no memory.
const SIDE_BY_SIDE_MAX: usize = 128;

/// A reading of one table.
pub(super) struct Scan<'a> {
    source: &'a Source,
    table: Table,
    chosen: &'a [Chosen<'a>],
    columns: Vec<Column>,
    /// Of each selection, which of the columns are its.
    of_chosen: Vec<Vec<usize>>,
    readers: Vec<Reader>,
    stand_ins: Vec<StandIns>,
    /// Whether windows that are asked for fall between stand-ins.
    falls_between: bool,
}

impl<'a> Scan<'a> {
    /// Of what `chosen` want of a table; `None` if that is nothing.
    pub(super) fn new(source: &'a Source, table: Table, chosen: &'a [Chosen<'a>]) -> Option<Self> {
        let mut columns: Vec<Column> = Vec::new();
        let mut place = |column: Column| match columns.iter().position(|known| *known == column) {
            Some(place) => place,
            None => {
                columns.push(column);
                columns.len() - 1
            }
        };
        let any_stands_in = any_stands_in(&source.view, chosen);
        let of_chosen: Vec<Vec<usize>> = chosen
            .iter()
            .map(|chosen| {
                // What stands in tells columns apart only where anything does.
                let stand_in = if any_stands_in { chosen.stand_in() } else { StandIn::Last };
                let metrics = chosen.metrics.iter().filter(|metric| metric.table() == Some(table));
                metrics.map(|metric| place((metric.clone(), stand_in))).collect()
            })
            .collect();
        (!columns.is_empty()).then_some(Self {
            source,
            table,
            chosen,
            columns,
            of_chosen,
            readers: Vec::new(),
            stand_ins: Vec::new(),
            falls_between: false,
        })
    }

    /// Hands everything over.
    pub(super) fn run(mut self, intake: &mut dyn Intake) -> Result<(), Error> {
        let one = self.one_agent();
        let in_memory = self.in_memory(one.as_deref());
        self.source.wanted.give_way();
        self.open(one.as_deref()).map_err(|error| failed(&error))?;
        let mut agents = match one {
            Some(agent) => vec![Arc::from(agent)],
            None => self.agents(&in_memory).map_err(|error| failed(&error))?,
        };
        // Rollups have rows of all agents together, which are nobody's.
        agents.retain(|agent| **agent != *FLEET);
        let divisors: Vec<_> = self.columns.iter().map(|(metric, _)| metric.divisor()).collect();
        let (mut rows, mut settled) = (Rows::new(self.columns.len()), Settled::default());
        let mut stood: Vec<Stood> = vec![None; self.columns.len()];
        let mut in_memory = in_memory.into_iter().peekable();
        for agent in agents {
            self.source.wanted.check().map_err(|error| failed(&error.into()))?;
            let head = loop {
                match in_memory.next_if(|(other, _)| *other <= agent) {
                    Some((other, rows)) if other == agent => break Some(rows),
                    Some(_) => {}
                    None => break None,
                }
            };
            let person = self.source.people.get(&agent);
            let meant: Vec<_> = self.chosen.iter().map(|chosen| chosen.means(&person)).collect();
            if !meant.contains(&true) {
                continue;
            }
            rows.clear();
            stood.fill(None);
            self.gather(&agent, &mut rows, &mut stood)?;
            if let Some(head) = head {
                rows.append(&head);
            }
            if !rows.is_empty() {
                self.refuse(&meant, &stood)?;
                rows.settle(&divisors, &mut settled);
                self.hand_over(&person, &meant, &rows, &mut settled, intake)?;
            }
        }
        Ok(())
    }

    /// The one agent that all selections mean.
    fn one_agent(&self) -> Option<String> {
        let asking = self.chosen.iter().zip(&self.of_chosen).filter(|(_, columns)| !columns.is_empty());
        let mut agents = asking.map(|(chosen, _)| chosen.agent());
        let first = agents.next()??;
        agents.all(|agent| agent == Some(first)).then(|| first.to_owned())
    }

    /// Rows in memory, by agent.
    fn in_memory(&self, one: Option<&str>) -> Vec<(Arc<str>, Rows)> {
        let agents = match one {
            Some(agent) => vec![agent.into()],
            None => self.source.index.agents_in_memory(&self.source.view),
        };
        let range = hull(self.chosen);
        let mut found = Vec::new();
        for agent in agents {
            let person = self.source.people.get(&agent);
            if self.chosen.iter().any(|chosen| chosen.means(&person)) {
                let mut rows = Rows::new(self.columns.len());
                reader::in_memory(&self.source.view, self.table, &agent, &range, &self.columns, &mut rows);
                found.extend((!rows.is_empty()).then_some((agent, rows)));
            }
        }
        found
    }

    /// What of a part any selection asks for, microseconds.
    fn wanted_of(&self, part: &Part) -> Option<Range<i64>> {
        let (first, last) = part.row().times;
        // Of rollups the times are those of buckets, whose last samples lie behind.
        let last = match part.row().tier {
            Tier::Raw | Tier::Scans | Tier::Points => last,
            Tier::Minute => last.saturating_add(rollup::MINUTE),
            Tier::Hour => last.saturating_add(rollup::HOUR),
        };
        let ranges = self.chosen.iter().map(Chosen::range);
        let cut = ranges.map(|range| range.start.max(first)..range.end.min(last.saturating_add(1)));
        cut.filter(|range| range.start < range.end).reduce(|a, b| a.start.min(b.start)..a.end.max(b.end))
    }

    /// Opens the files that are asked for, in order of time.
    fn open(&mut self, one: Option<&str>) -> Result<(), TsdbError> {
        let view = &self.source.view;
        let ever = Timestamp::from_micros(i64::MIN)..Timestamp::from_micros(i64::MAX);
        let before_fine = before_fine(view);
        let mut parts: Vec<&Arc<Part>> = view.parts.iter().filter(|part| part.may_hold(one, &ever)).collect();
        parts.sort_by_key(|part| (part.row().times.0, part.row().id));
        for part in parts {
            let Some(mut range) = self.wanted_of(part) else { continue };
            match (self.table, part.row().tier) {
                (Table::Samples, Tier::Raw) | (Table::Scans, Tier::Scans) => {
                    let strip = view.strip(part)?;
                    self.readers.extend(Reader::new(strip, range, &self.columns));
                }
                (Table::Samples, tier @ (Tier::Minute | Tier::Hour)) => {
                    let width = if tier == Tier::Hour { rollup::HOUR } else { rollup::MINUTE };
                    if tier == Tier::Hour {
                        // Hours hold what finer rows hold too.
                        range.end = range.end.min(before_fine);
                    }
                    if range.start < range.end {
                        let strip = view.strip(part)?;
                        self.stand_ins.extend(StandIns::new(strip, range, width, &self.columns));
                        let asked = self.chosen.iter().zip(&self.of_chosen);
                        let mut asked = asked.filter(|(_, columns)| !columns.is_empty());
                        self.falls_between |= asked.any(|(chosen, _)| chosen.falls_between(width / 1_000));
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Everybody who has rows, by id.
    fn agents(&mut self, in_memory: &[(Arc<str>, Rows)]) -> Result<Vec<Arc<str>>, TsdbError> {
        let wanted = self.source.wanted.clone();
        let mut agents: BTreeSet<Arc<str>> = in_memory.iter().map(|(agent, _)| Arc::clone(agent)).collect();
        let mut met = foldhash::HashSet::default();
        let strips = self.readers.iter_mut().map(Reader::strip);
        for strip in strips.chain(self.stand_ins.iter_mut().map(StandIns::strip)) {
            wanted.check()?;
            // Each id is kept once, so most are told by where it is kept.
            agents.extend(strip.agents()?.into_iter().filter(|agent| met.insert(Arc::as_ptr(agent))));
        }
        Ok(agents.into_iter().collect())
    }

    /// Puts what files have of an agent behind `rows`.
    fn gather(&mut self, agent: &str, rows: &mut Rows, stood: &mut [Stood]) -> Result<(), Error> {
        let too_many = self.readers.len() + self.stand_ins.len() > SIDE_BY_SIDE_MAX;
        for stand_ins in &mut self.stand_ins {
            stand_ins.read(agent, rows, stood).map_err(read_failed)?;
            rest(too_many, stand_ins.strip());
        }
        for reader in &mut self.readers {
            reader.read(agent, rows).map_err(read_failed)?;
            rest(too_many, reader.strip());
        }
        if stood.iter().any(Option::is_some) {
            self.source.stood_in.set(true);
            self.source.fell_between.set(self.falls_between || self.source.fell_between.get());
        }
        Ok(())
    }

    /// Refuses a selection whose function needs every sample, where the agent's samples of its time were let go.
    fn refuse(&self, meant: &[bool], stood: &[Stood]) -> Result<(), Error> {
        for ((chosen, columns), _) in
            self.chosen.iter().zip(&self.of_chosen).zip(meant).filter(|(_, meant)| **meant)
        {
            let StandIn::Nothing(function) = chosen.stand_in() else { continue };
            let range = chosen.range();
            let of_columns = columns.iter().filter_map(|column| stood[*column].as_ref());
            let found = of_columns.filter(|stood| *stood.start() < range.end && *stood.end() >= range.start);
            if let Some(until) = found.map(|stood| *stood.end()).max() {
                return Err(standin::needs_every_sample(function, until));
            }
        }
        Ok(())
    }

    fn hand_over(
        &self,
        person: &Person,
        meant: &[bool],
        rows: &Rows,
        settled: &mut Settled,
        intake: &mut dyn Intake,
    ) -> Result<(), Error> {
        for (place, (metric, _)) in self.columns.iter().enumerate() {
            let mut labels = None;
            let (times, values) = settled.series(rows, place, &person.farewells);
            for (index, chosen) in self.chosen.iter().enumerate() {
                if !meant[index] || !self.of_chosen[index].contains(&place) {
                    continue;
                }
                let from = times.partition_point(|at| *at < chosen.selection.first_ms);
                let to = times.partition_point(|at| *at <= chosen.selection.last_ms);
                if from < to {
                    let labels =
                        labels.get_or_insert_with(|| person.labels.with(METRIC_NAME, &metric.name()));
                    intake.series(index, labels, &times[from..to], &values[from..to])?;
                }
            }
        }
        Ok(())
    }
}

/// From the first moment that any selection asks for to the last, microseconds.
fn hull(chosen: &[Chosen<'_>]) -> Range<i64> {
    let ranges = || chosen.iter().map(Chosen::range);
    let start = ranges().map(|range| range.start).min().unwrap_or_default();
    start..ranges().map(|range| range.end).max().unwrap_or_default()
}

/// The moment, in microseconds, before which there are neither samples nor minutes on disk: of what was before it, only
/// hours are left.
fn before_fine(view: &View) -> i64 {
    let fine = |part: &&Arc<Part>| matches!(part.row().tier, Tier::Raw | Tier::Minute);
    let first = view.parts.iter().filter(fine).map(|part| part.row().period).min();
    first.unwrap_or(i64::MAX).saturating_mul(rollup::DAY)
}

/// Whether rollups may stand in for samples that are asked for.
fn any_stands_in(view: &View, chosen: &[Chosen<'_>]) -> bool {
    let range = hull(chosen);
    let moments = Timestamp::from_micros(range.start)..Timestamp::from_micros(range.end);
    range.start < before_fine(view) || !view.parts_for(Tier::Minute, None, &moments).is_empty()
}

/// Lets go of what a file has in memory.
fn rest(too_many: bool, strip: &mut Strip) {
    if too_many {
        strip.rest();
    }
}

fn read_failed(error: ReadError) -> Error {
    match error {
        ReadError::History(error) => failed(&error),
        ReadError::Query(error) => error,
    }
}
