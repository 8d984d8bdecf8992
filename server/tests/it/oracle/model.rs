//! The same series in memory: what tells whether a difference is one of versions, or of the last digits.

use super::{
    answer::{Answer, Points, same},
    case::Asked,
    scene::{SPAN, Scene},
};
use crate::{harness::wire::Wire, prometheus::encode};
use pingup_promql::{Edition, METRIC_NAME, MemorySource, Options, Query, STALE, testing::Random};

/// By which part of it a sample is moved: it differs in the thirteenth digit then.
const MOVED_BY: f64 = 1e-13;
/// How often all samples are moved, each time each of them up or down by chance.
const TIMES_MOVED: u64 = 4;

/// The series of a scene.
pub struct Model {
    series: MemorySource,
    moved: Vec<MemorySource>,
}

impl Model {
    /// Reads every agent's series from the hub; where agents sign off they end, as the hub's do. What others wrote is
    /// known.
    pub fn of(scene: &Scene, viewer: &Wire) -> Self {
        let all = Asked::At(scene.at(SPAN)).path(&encode("{job=\"pingup\"}[3h]"));
        let told = Answer::of_wire(&viewer.get(&format!("/prometheus/api/v1/{all}"))).points();
        let mut series = MemorySource::default();
        for ((labels, at), value) in &told {
            series.put(labels, *at, *value);
            let measured = labels.get(METRIC_NAME) != "pingup_agent_info";
            for (_, end) in scene.farewells().filter(|(id, _)| measured && *id == labels.get("agent_id")) {
                series.put(labels, end, STALE);
            }
        }
        for (labels, timestamps, values) in scene.written.iter() {
            timestamps.iter().zip(values).for_each(|(at, value)| series.put(labels, *at, *value));
        }
        Self::over(series)
    }

    fn over(series: MemorySource) -> Self {
        let moved = (0..TIMES_MOVED).map(|seed| moved(&series, &mut Random::new(seed))).collect();
        Self { series, moved }
    }

    fn answer(source: &MemorySource, query: &str, asked: Asked, edition: Edition) -> Answer {
        let options = Options { edition, ..Options::default() };
        Answer::of_library(Query::parse(query).and_then(|query| match asked {
            Asked::At(moment) => query.instant(source, moment, &options),
            Asked::Over(steps) => query.range(source, steps, &options),
        }))
    }

    /// Whether the one answer is that of Prometheus 3 and the other that of Prometheus 2, by the library's switch.
    pub fn is_of_editions(&self, query: &str, asked: Asked, third: &Answer, second: &Answer) -> bool {
        let is = |answer: &Answer, edition| Self::answer(&self.series, query, asked, edition).is(answer);
        is(third, Edition::Prometheus3) && is(second, Edition::Prometheus2)
    }

    /// Whether values that differ are moved as far as they differ when the samples are moved: then no evaluator that rounds
    /// can know them better. Whether there is a value must not differ.
    pub fn is_of_rounding(&self, query: &str, asked: Asked, ours: &Answer, theirs: &Answer) -> bool {
        let (Answer::Points(ours), Answer::Points(theirs)) = (ours, theirs) else { return false };
        if !ours.keys().eq(theirs.keys()) {
            return false;
        }
        let points = |source| Self::answer(source, query, asked, Edition::Prometheus3).points();
        let still = points(&self.series);
        let moved: Vec<Points> = self.moved.iter().map(points).collect();
        ours.iter().zip(theirs.values()).all(|((key, a), b)| {
            let reached = |moved: &Points| distance(still.get(key), moved.get(key));
            let reached = moved.iter().map(reached).fold(0.0, f64::max);
            // Divided by what may as well be zero, all is lost.
            let all_is_lost = still.get(key).is_some_and(|still| reached >= still.abs() / 2.0);
            let apart = distance(Some(a), Some(b));
            same(*a, *b) || apart <= reached || (apart.is_infinite() && all_is_lost)
        })
    }
}

fn moved(series: &MemorySource, random: &mut Random) -> MemorySource {
    let mut moved = MemorySource::default();
    for (labels, timestamps, values) in series.iter() {
        for (at, value) in timestamps.iter().zip(values) {
            let by = if random.percent(50) { MOVED_BY } else { -MOVED_BY };
            // A marker is not computed with.
            let is_number = !value.is_nan();
            moved.put(labels, *at, if is_number { value * (1.0 + by) } else { *value });
        }
    }
    moved
}

/// How far two values lie apart; infinitely if one is not there, or is no number where the other is.
fn distance(a: Option<&f64>, b: Option<&f64>) -> f64 {
    match (a, b) {
        (None, None) => 0.0,
        (Some(a), Some(b)) if a == b || (a.is_nan() && b.is_nan()) => 0.0,
        (Some(a), Some(b)) if a.is_finite() && b.is_finite() => (a - b).abs(),
        _ => f64::INFINITY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pingup_promql::Labels;

    fn model() -> Model {
        let mut series = MemorySource::default();
        for (name, value) in [("x", 0.3), ("y", 0.1 + 0.2)] {
            for minute in 0..5 {
                series.put(&Labels::new([(METRIC_NAME, name)]), minute * 60_000, value);
            }
        }
        Model::over(series)
    }

    fn answer(value: f64) -> Answer {
        Answer::Points(Points::from([((Labels::default(), 240_000), value)]))
    }

    const NOW: Asked = Asked::At(240_000);

    #[test]
    fn only_what_rounding_reaches_is_of_rounding() {
        let model = model();
        let is_excused = |query: &str, ours: &Answer, theirs| model.is_of_rounding(query, NOW, ours, &theirs);
        assert!(is_excused("x - ignoring(nosuch) y", &answer(-5e-17), answer(0.0)));
        assert!(is_excused("1 / (x - ignoring(nosuch) y)", &answer(-2e16), answer(f64::INFINITY)));
        assert!(!is_excused("x - ignoring(nosuch) y", &answer(-5e-17), answer(1e-9)));
        assert!(!is_excused("x * 2", &answer(0.6), answer(0.6 + 1e-11)));
        assert!(!is_excused("1 / x", &answer(1.0 / 0.3), answer(f64::INFINITY)));
        assert!(
            !is_excused("x > y", &answer(0.3), Answer::Points(Points::new())),
            "whether there is a value"
        );
        assert!(!is_excused("x * 2", &answer(0.6), Answer::Refused(String::new())));
    }

    #[test]
    fn only_what_the_switch_has_is_of_editions() {
        let model = model();
        let is_excused = |ours, theirs| {
            model.is_of_editions("count_over_time(x[2m])", NOW, &answer(ours), &answer(theirs))
        };
        assert!(is_excused(2.0, 3.0));
        assert!(!is_excused(3.0, 2.0) && !is_excused(2.0, 4.0) && !is_excused(1.0, 3.0));
    }
}
