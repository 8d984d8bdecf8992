//! What a query's selections ask for, in the hub's own terms: which agents, which metrics, from when until when.

use crate::prometheus::{
    agents::Person,
    names::{Metric, Metrics},
};
use pingup_promql::{METRIC_NAME, Matcher, Moments, Reading, Selection, Test, Thinned, accepts_all};
use std::ops::Range;

/// The label that tells an agent by itself.
const AGENT_ID: &str = "agent_id";

/// A selection.
#[derive(Debug)]
pub(super) struct Chosen<'a> {
    pub(super) selection: &'a Selection,
    /// What must hold of an agent's labels.
    agents: Vec<Matcher>,
    pub(super) metrics: Vec<Metric>,
}

/// Where the samples of a metric lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    /// Samples.
    Samples,
    /// Scans.
    Scans,
}

/// What of a rollup stands in for the samples that were let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StandIn {
    Min,
    Max,
    Sum,
    /// As many samples as there were, each of them their mean.
    Means,
    Last,
    /// Nothing: the function of this name needs every sample.
    Nothing(&'static str),
}

impl<'a> Chosen<'a> {
    /// `known` are the metrics that lists tell; asked for only where a selection does not name its metric.
    pub(super) fn new<E>(
        selection: &'a Selection,
        known: impl FnOnce() -> Result<Metrics, E>,
    ) -> Result<Self, E> {
        let (named, agents) = split(&selection.matchers);
        Ok(Self { selection, agents, metrics: metrics(&named, known)? })
    }

    /// The one agent that it can mean, if it says so.
    pub(super) fn agent(&self) -> Option<&str> {
        one_agent(&self.agents)
    }

    /// Whether the agent is meant, as far as what it measured goes.
    pub(super) fn means(&self, person: &Person) -> bool {
        accepts_all(&self.agents, &person.labels)
    }

    /// Whether what is known of the agent is meant.
    pub(super) fn means_info(&self, person: &Person) -> bool {
        self.metrics.contains(&Metric::Info)
            && person.info.as_ref().is_some_and(|(labels, ..)| accepts_all(&self.agents, labels))
    }

    /// Its time in microseconds.
    pub(super) fn range(&self) -> Range<i64> {
        let micros = |ms: i64| ms.saturating_mul(1_000);
        micros(self.selection.first_ms)..micros(self.selection.last_ms.saturating_add(1))
    }

    /// The same among buckets of so many microseconds, of each of which one sample is left: the newest before a moment may lie
    /// further back. Samples lie in none, of width 0.
    pub(super) fn range_among(&self, width: i64) -> Range<i64> {
        let Range { start, end } = self.range();
        start.min(self.first_ms_among(width / 1_000).saturating_mul(1_000))..end
    }

    /// The first moment whose samples it can need among buckets of so many milliseconds.
    pub(super) fn first_ms_among(&self, width_ms: i64) -> i64 {
        let Selection { reading, moments, first_ms, .. } = self.selection;
        match reading {
            Reading::Newest { .. } if width_ms > 0 => {
                (*first_ms).min(Thinned::oldest_ms(moments.first_ms, width_ms))
            }
            _ => *first_ms,
        }
    }

    /// Whether it wants anything of a table.
    pub(super) fn wants_any_of(&self, table: Table) -> bool {
        self.metrics.iter().any(|metric| metric.table() == Some(table))
    }

    /// Whether its windows miss most of what is left where there is one moment for each so many milliseconds, about at
    /// their end: windows are shorter than that, and not each of them has such an end.
    pub(super) const fn falls_between(&self, width_ms: i64) -> bool {
        let Reading::Window { range_ms: window_ms, .. } = self.selection.reading else { return false };
        let Moments { first_ms, step_ms, count } = self.selection.moments;
        let lie_alike = count == 1 || step_ms % width_ms == 0;
        window_ms < width_ms && !(lie_alike && first_ms.rem_euclid(width_ms) < window_ms)
    }

    /// What stands in for its samples.
    pub(super) fn stand_in(&self) -> StandIn {
        let Reading::Window { function, .. } = self.selection.reading else { return StandIn::Last };
        match function {
            "min_over_time" => StandIn::Min,
            "max_over_time" => StandIn::Max,
            "sum_over_time" => StandIn::Sum,
            "avg_over_time" | "count_over_time" => StandIn::Means,
            "last_over_time" | "present_over_time" | "absent_over_time" => StandIn::Last,
            function => StandIn::Nothing(function),
        }
    }
}

impl Metric {
    /// Where its samples lie; those of [`Metric::Info`] lie nowhere.
    pub(super) const fn table(&self) -> Option<Table> {
        match self {
            Self::Own(_) | Self::Up | Self::Further(_) => Some(Table::Samples),
            Self::ScanHosts | Self::ScanSeconds => Some(Table::Scans),
            Self::Info => None,
        }
    }
}

/// Whether a selection means one metric of agents by its name: those are read agent by agent, in the order of their ids,
/// which is that of their labels. What others write comes in another order, and never under such a name.
pub(super) fn is_one_metric(selection: &Selection) -> bool {
    selection.matchers.iter().any(|matcher| match &matcher.test {
        Test::Equal(name) if matcher.name == METRIC_NAME => {
            Metric::named(name).is_some_and(|metric| metric.table().is_some())
        }
        _ => false,
    })
}

/// From the first moment that any selection asks for to the last, microseconds.
pub(super) fn hull(chosen: &[Chosen<'_>]) -> Range<i64> {
    let ranges = || chosen.iter().map(Chosen::range);
    let start = ranges().map(|range| range.start).min().unwrap_or_default();
    start..ranges().map(|range| range.end).max().unwrap_or_default()
}

/// Matchers of the metric's name, and all others.
pub(super) fn split(matchers: &[Matcher]) -> (Vec<Matcher>, Vec<Matcher>) {
    matchers.iter().cloned().partition(|matcher| matcher.name == METRIC_NAME)
}

/// The one agent that matchers leave.
pub(super) fn one_agent(matchers: &[Matcher]) -> Option<&str> {
    matchers.iter().find_map(|matcher| match &matcher.test {
        Test::Equal(id) if matcher.name == AGENT_ID && !id.is_empty() => Some(id.as_str()),
        _ => None,
    })
}

/// The metrics whose names fulfil all matchers.
fn metrics<E>(named: &[Matcher], known: impl FnOnce() -> Result<Metrics, E>) -> Result<Vec<Metric>, E> {
    let fits = |metric: &Metric| {
        let name = metric.name();
        named.iter().all(|matcher| matcher.accepts(&name))
    };
    let one = named.iter().find_map(|matcher| match &matcher.test {
        Test::Equal(name) => Some(name),
        _ => None,
    });
    Ok(match one {
        Some(name) => Metric::named(name).into_iter().filter(fits).collect(),
        None => known()?.iter().filter(fits).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use pingup_promql::parse_selector;

    fn chosen(selector: &str, metrics: &Metrics) -> (Vec<String>, Option<String>) {
        let (named, agents) = split(&parse_selector(selector).unwrap());
        let found = super::metrics(&named, || Ok::<_, ()>(metrics.clone())).unwrap();
        (found.iter().map(Metric::name).collect(), one_agent(&agents).map(str::to_owned))
    }

    #[test]
    fn a_selector_means_metrics_by_their_names_also_without_naming_one() {
        let mut metrics = Metrics::default();
        metrics.of_measurement("load1");
        let none: (Vec<String>, _) = (Vec::new(), None);
        assert_eq!(chosen("up", &metrics), none);
        assert_eq!(chosen("pingup_nosuch", &metrics).0, ["pingup_nosuch"], "a name is taken at its word");
        assert_eq!(
            chosen(r#"{__name__=~"pingup_(load1|cpu).*"}"#, &metrics).0,
            ["pingup_cpu_percent", "pingup_load1"]
        );
        assert_eq!(chosen(r#"{__name__="pingup_load1",__name__!~".*1"}"#, &metrics), none);
        let all = chosen(r#"{agent_id="a"}"#, &metrics);
        assert_eq!((all.0.len(), all.1.as_deref()), (9, Some("a")));
        assert_eq!(chosen(r#"{agent_id=~"a|b",job!=""}"#, &metrics).1, None);
    }
}
