//! What a question about series is asked of: the history at one moment, and who is in it.

use super::{
    agents::{People, Person, millis},
    names::{Metadata, Metric},
};
use crate::{
    storage::Wanted,
    tsdb::{
        Tier, TsdbError, View, pick,
        schema::{OWN_COLUMNS, double_at, integer_at, map_at, text_at, time_at},
    },
};
use pingup_promql::{Error, Intake, Labels, METRIC_NAME, Matcher, Selection, SeriesSource};
use pingup_protocol::{ids::AgentId, time::Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What a question about series is asked of: the history at one moment, and who is in it. Blocking; used inside a
/// question's turn.
#[derive(Debug)]
pub struct Source {
    view: Arc<View>,
    people: Arc<People>,
    wanted: Wanted,
}

/// How much there is, for `status/tsdb`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heads {
    /// Series.
    pub series: usize,
    /// Different pairs of a label and its value.
    pub label_pairs: usize,
    /// Metrics and how many series each has, most first.
    pub metrics: Vec<(String, usize)>,
    /// Labels and how many values each has, most first.
    pub labels: Vec<(String, usize)>,
    /// The first and the last moment of which there are samples in memory, milliseconds.
    pub times: Option<(i64, i64)>,
}

/// Timestamps and values.
type Samples = BTreeMap<i64, f64>;
/// By agent and metric.
type Found = BTreeMap<(AgentId, Metric), Samples>;

impl Source {
    pub(super) fn new(view: Arc<View>, people: Arc<People>, wanted: Wanted) -> Self {
        Self { view, people, wanted }
    }

    /// Names of the labels of series that fulfil any of `selectors` (without one: of all) and have samples between the
    /// two moments, milliseconds, themselves included; sorted. Times are looked at by the hour.
    ///
    /// # Errors
    /// The history could not be read, or nobody waits any more.
    pub fn label_names(
        &self,
        selectors: &[Vec<Matcher>],
        first_ms: i64,
        last_ms: i64,
    ) -> Result<Vec<String>, Error> {
        let series = self.series(selectors, first_ms, last_ms, usize::MAX)?;
        let names: BTreeSet<_> =
            series.iter().flat_map(|labels| labels.iter().map(|(name, _)| name)).collect();
        Ok(names.into_iter().map(str::to_owned).collect())
    }

    /// Values of the label `name` of such series; sorted.
    ///
    /// # Errors
    /// As [`Self::label_names`].
    pub fn label_values(
        &self,
        name: &str,
        selectors: &[Vec<Matcher>],
        first_ms: i64,
        last_ms: i64,
    ) -> Result<Vec<String>, Error> {
        let series = self.series(selectors, first_ms, last_ms, usize::MAX)?;
        let values: BTreeSet<_> = series.iter().map(|labels| labels.get(name)).collect();
        Ok(values.into_iter().filter(|value| !value.is_empty()).map(str::to_owned).collect())
    }

    /// Labels of such series, up to `limit` of them; sorted.
    ///
    /// # Errors
    /// As [`Self::label_names`].
    pub fn series(
        &self,
        selectors: &[Vec<Matcher>],
        first_ms: i64,
        last_ms: i64,
        limit: usize,
    ) -> Result<Vec<Labels>, Error> {
        let found = self.read(first_ms, last_ms)?;
        let labels = found.keys().map(|(agent, metric)| self.labels(agent, metric));
        let fits = |labels: &Labels| {
            selectors.is_empty()
                || selectors.iter().any(|matchers| pingup_promql::accepts_all(matchers, labels))
        };
        let all: BTreeSet<_> = labels.filter(fits).collect();
        Ok(all.into_iter().take(limit).collect())
    }

    /// Every metric there is, by name, with its type, help and unit.
    ///
    /// # Errors
    /// As [`Self::label_names`].
    pub fn metadata(&self) -> Result<Vec<Metadata>, Error> {
        let found = self.read(i64::MIN, i64::MAX)?;
        let metrics: BTreeSet<_> = found.into_keys().map(|(_, metric)| metric).chain(Metric::own()).collect();
        let mut metadata: Vec<_> = metrics.iter().map(Metric::metadata).collect();
        metadata.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(metadata)
    }

    /// How much there is.
    ///
    /// # Errors
    /// As [`Self::label_names`].
    pub fn heads(&self) -> Result<Heads, Error> {
        let all = self.series(&[], i64::MIN, i64::MAX, usize::MAX)?;
        let (mut metrics, mut labels) = (BTreeMap::<_, usize>::new(), BTreeMap::<_, BTreeSet<_>>::new());
        for series in &all {
            *metrics.entry(series.metric_name().to_owned()).or_default() += 1;
            for (name, value) in series.iter() {
                labels.entry(name.to_owned()).or_default().insert(value);
            }
        }
        let mut labels: Vec<_> = labels.into_iter().map(|(name, values)| (name, values.len())).collect();
        let mut metrics: Vec<_> = metrics.into_iter().collect();
        let label_pairs = labels.iter().map(|(_, values)| values).sum();
        labels.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        metrics.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        Ok(Heads { series: all.len(), label_pairs, metrics, labels, times: None })
    }

    /// What to tell with a query's answer, for people: where samples were let go and rollups stood in for them.
    pub fn infos(&self) -> Vec<String> {
        Vec::new()
    }

    fn labels(&self, agent: &AgentId, metric: &Metric) -> Labels {
        let person: Arc<Person> = self.people.get(agent);
        let labels = match (&person.info, metric) {
            (Some((labels, ..)), Metric::Info) => labels,
            _ => &person.labels,
        };
        labels.with(METRIC_NAME, &metric.name())
    }

    fn read(&self, first_ms: i64, last_ms: i64) -> Result<Found, Error> {
        let mut found = Found::new();
        let moment = |ms: i64| Timestamp::from_micros(ms.saturating_mul(1_000));
        let range = moment(first_ms)..moment(last_ms.saturating_add(1));
        let mut put = |agent: &AgentId, metric: Metric, at: i64, value: f64| {
            let value = value / metric.divisor();
            found.entry((agent.clone(), metric)).or_default().insert(millis(at), value);
        };
        for segment in &self.view.segments {
            segment.each_sample(None, &range, |sample| {
                let at = sample.timestamp().as_micros();
                let mut put = |metric, value| put(sample.agent_id(), metric, at, value);
                (0..4).for_each(|place: u8| {
                    sample.own(place.into()).into_iter().for_each(|value| put(Metric::Own(place), value));
                });
                sample.further().for_each(|(name, value)| put(Metric::Further(name.into()), value));
                put(Metric::Up, f64::from(u8::from(sample.status() != "error")));
            });
        }
        let micros = range.start.as_micros()..range.end.as_micros();
        let columns = ["agent_id", "timestamp", "cpu", "ram", "disk", "latency", "status", "further"];
        for part in self.view.parts_for(Tier::Raw, None, &range) {
            for batch in pick::rows_of_all(&part, &micros, &columns).map_err(|error| failed(&error))? {
                self.wanted.check().map_err(|error| failed(&error.into()))?;
                let batch = batch.map_err(|error| failed(&error.into()))?;
                for row in 0..batch.num_rows() {
                    let Ok(agent) = AgentId::parse(text_at(&batch, 0, row)) else { continue };
                    let at = time_at(&batch, 1, row);
                    for (place, column) in (0..OWN_COLUMNS.len() as u8).zip(2..) {
                        if let Some(value) = double_at(&batch, column, row) {
                            put(&agent, Metric::Own(place), at, value);
                        }
                    }
                    put(&agent, Metric::Up, at, f64::from(u8::from(text_at(&batch, 6, row) != "error")));
                    for (name, value) in map_at(&batch, 7, row) {
                        put(&agent, Metric::Further(name.into()), at, value);
                    }
                }
            }
        }
        for part in self.view.parts_for(Tier::Scans, None, &range) {
            let columns = ["agent_id", "timestamp", "duration", "host_count"];
            for batch in pick::rows_of_all(&part, &micros, &columns).map_err(|error| failed(&error))? {
                let batch = batch.map_err(|error| failed(&error.into()))?;
                for row in 0..batch.num_rows() {
                    let Ok(agent) = AgentId::parse(text_at(&batch, 0, row)) else { continue };
                    let at = time_at(&batch, 1, row);
                    double_at(&batch, 2, row)
                        .into_iter()
                        .for_each(|v| put(&agent, Metric::ScanSeconds, at, v));
                    let hosts = integer_at(&batch, 3, row).into_iter();
                    hosts.for_each(|hosts| put(&agent, Metric::ScanHosts, at, hosts as f64));
                }
            }
        }
        for person in self.people.iter() {
            let Some((_, from, until)) = &person.info else { continue };
            let (first, last) = (first_ms.max(*from), last_ms.min(*until));
            // Once a minute; a stretch that nobody bounded is not walked through.
            for minute in
                first.div_euclid(60_000)..=last.div_euclid(60_000).min(first.div_euclid(60_000) + 50_000)
            {
                put(&person.id, Metric::Info, minute.saturating_mul(60_000_000), 1.0);
            }
        }
        Ok(found)
    }
}

impl SeriesSource for Source {
    fn select(&self, selections: &[Selection], intake: &mut dyn Intake) -> Result<(), Error> {
        for (index, selection) in selections.iter().enumerate() {
            for ((agent, metric), samples) in self.read(selection.first_ms, selection.last_ms)? {
                let labels = self.labels(&agent, &metric);
                if pingup_promql::accepts_all(&selection.matchers, &labels) {
                    let (timestamps, values): (Vec<_>, Vec<_>) = samples.into_iter().unzip();
                    intake.series(index, &labels, &timestamps, &values)?;
                }
            }
        }
        Ok(())
    }
}

/// What whoever asked hears of it; the whole of it is for the log.
fn failed(error: &TsdbError) -> Error {
    match error {
        TsdbError::Storage(error) => Error::source(error.outward()),
        error => {
            tracing::error!(%error, "a file of the history could not be read");
            Error::source("the history cannot be read now")
        }
    }
}
