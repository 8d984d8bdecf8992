//! One reading of the history for all selections of a query: agent by agent in the order of their ids, files and memory
//! merged, each row once. What is in memory at once is one agent's rows, a few pages of each file, and what the head has
//! of the time that is asked for.

use super::{
    Source,
    chosen::{Chosen, StandIn, Table, hull},
    failed,
    files::{Files, any_stands_in},
    reader::{self, Column},
    rows::Rows,
    settled::Settled,
    standin::{self, Stood},
};
use crate::{prometheus::agents::Person, tsdb::fleet::FLEET};
use pingup_promql::{Error, Intake, METRIC_NAME};
use std::sync::Arc;

/// A reading of one table.
pub(super) struct Scan<'a> {
    source: &'a Source,
    table: Table,
    chosen: &'a [Chosen<'a>],
    columns: Vec<Column>,
    /// Of each selection, which of the columns are its.
    of_chosen: Vec<Vec<usize>>,
}

/// What memory has, by agent.
type InMemory = Vec<(Arc<str>, Rows)>;

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
        let any_stands_in = any_stands_in(&source.view, &hull(chosen));
        let of_chosen: Vec<Vec<usize>> = chosen
            .iter()
            .map(|chosen| {
                // What stands in tells columns apart only where anything does.
                let stand_in = if any_stands_in { chosen.stand_in() } else { StandIn::Last };
                let metrics = chosen.metrics.iter().filter(|metric| metric.table() == Some(table));
                metrics.map(|metric| place((metric.clone(), stand_in))).collect()
            })
            .collect();
        (!columns.is_empty()).then_some(Self { source, table, chosen, columns, of_chosen })
    }

    /// Hands everything over.
    pub(super) fn run(self, intake: &mut dyn Intake) -> Result<(), Error> {
        let one = self.one_agent();
        let in_memory = self.in_memory(one.as_deref());
        self.source.wanted.give_way();
        let files = Files::open(self.source, self.table, self.chosen, &self.columns, one.as_deref());
        let mut files = files.map_err(|error| failed(&error))?;
        // All of it until the last agent: what is let go on the way is little.
        let kept = in_memory.iter().map(|(_, rows)| rows.kept()).sum::<usize>() + files.kept();
        intake.keeps(kept)?;
        let mut agents = match one {
            Some(agent) => vec![Arc::from(agent)],
            None => {
                let in_memory = in_memory.iter().map(|(agent, _)| Arc::clone(agent));
                files.agents(&self.source.wanted, in_memory).map_err(|error| failed(&error))?
            }
        };
        // Rollups have rows of all agents together, which are nobody's.
        agents.retain(|agent| **agent != *FLEET);
        self.hand_over_all(agents, in_memory, &mut files, kept, intake)
    }

    fn hand_over_all(
        &self,
        agents: Vec<Arc<str>>,
        in_memory: InMemory,
        files: &mut Files,
        kept: usize,
        intake: &mut dyn Intake,
    ) -> Result<(), Error> {
        let divisors: Vec<_> = self.columns.iter().map(|(metric, _)| metric.divisor()).collect();
        let (mut rows, mut settled) = (Rows::new(self.columns.len()), Settled::default());
        let mut stood = vec![Stood::default(); self.columns.len()];
        let mut in_memory = in_memory.into_iter().peekable();
        // What is made room for stays, so only more than ever has to be told.
        let mut told = 0;
        let mut keeps = |takes: usize, intake: &mut dyn Intake| {
            if takes > told {
                told = takes;
                intake.keeps(kept + takes)?;
            }
            Ok(())
        };
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
            stood.fill(Stood::default());
            files.read(&agent, &mut rows, &mut stood, &mut |rows| {
                keeps(rows.kept() + settled.kept(), intake)
            })?;
            if !stood.iter().all(Stood::is_nothing) {
                self.source.stood_in.set(true);
            }
            // Also where they all did, and nothing was found.
            self.source.fell_between.set(self.source.fell_between.get() || files.falls_between());
            if let Some(head) = head {
                rows.append(&head)?;
            }
            if !rows.is_empty() {
                self.refuse(&meant, &stood)?;
                keeps(rows.kept() + settled.kept() + rows.sorting_takes(), intake)?;
                rows.settle(&divisors);
                if Settled::copies(&rows, &person.farewells) {
                    keeps(rows.kept() + settled.kept().max(2 * rows.len()), intake)?;
                }
                self.hand_over(&person, &meant, (&rows, &stood), &mut settled, intake)?;
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
    fn in_memory(&self, one: Option<&str>) -> InMemory {
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

    /// Refuses a selection whose function needs every sample, where the agent's samples of its time were let go.
    fn refuse(&self, meant: &[bool], stood: &[Stood]) -> Result<(), Error> {
        for ((chosen, columns), _) in
            self.chosen.iter().zip(&self.of_chosen).zip(meant).filter(|(_, meant)| **meant)
        {
            let StandIn::Nothing(function) = chosen.stand_in() else { continue };
            let range = chosen.range();
            let found = columns.iter().filter_map(|column| stood[*column].last_within(&range));
            if let Some(until) = found.max() {
                return Err(standin::needs_every_sample(function, until));
            }
        }
        Ok(())
    }

    fn hand_over(
        &self,
        person: &Person,
        meant: &[bool],
        (rows, stood): (&Rows, &[Stood]),
        settled: &mut Settled,
        intake: &mut dyn Intake,
    ) -> Result<(), Error> {
        for (place, (metric, _)) in self.columns.iter().enumerate() {
            let mut labels = None;
            let (times, values) = settled.series(rows, place, &person.farewells);
            let thinned = stood[place].thinned();
            for (index, chosen) in self.chosen.iter().enumerate() {
                if !meant[index] || !self.of_chosen[index].contains(&place) {
                    continue;
                }
                let widest = thinned.iter().map(|thinned| thinned.bucket_ms).max().unwrap_or_default();
                let first_ms = chosen.first_ms_among(widest);
                let from = times.partition_point(|at| *at < first_ms);
                let to = times.partition_point(|at| *at <= chosen.selection.last_ms);
                if from < to {
                    let labels =
                        labels.get_or_insert_with(|| person.labels.with(METRIC_NAME, &metric.name()));
                    intake.thinned_series(index, labels, &times[from..to], &values[from..to], &thinned)?;
                }
            }
        }
        Ok(())
    }
}
