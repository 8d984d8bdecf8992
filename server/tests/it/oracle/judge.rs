//! Both are asked, and what they say is held against each other.

use super::{
    answer::{Answer, Points, all_same, in_order, same},
    case::Asked,
    model::Model,
    scene::Scene,
    witness::Witness,
};
use crate::{
    harness::{
        eventually,
        wire::{self, Wire},
    },
    prometheus::encode,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
};

/// What came of a question.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The same answer, with something in it.
    Same,
    /// The same answer: nothing.
    Nothing,
    /// Neither answers.
    Refused,
    /// Another answer, for a reason that has a name.
    Excused(Excuse, String),
    /// Another answer: how they differ.
    Different(String),
}

/// Why answers may differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Excuse {
    /// `topk` and `bottomk`: others of those that are equal stay.
    Ties,
    /// Versions 2 and 3 differ, as the library's switch has it.
    Editions,
    /// The values are as unsure as they differ.
    Rounding,
}

/// The hub, the Prometheus that reads it, and the same series in memory.
pub struct Judge {
    /// The hub's fleet, and when its hour begins.
    pub scene: Scene,
    viewer: Wire,
    witness: Witness,
    model: Model,
}

impl Judge {
    /// Starts both.
    pub fn called() -> Self {
        let scene = Scene::set();
        let viewer = scene.hub.operator("viewer");
        let (witness, model) = (Witness::of(&scene.hub), Model::of(&scene, &viewer));
        Self { scene, viewer, witness, model }
    }

    /// Asks both.
    pub fn judge(&self, query: &str, asked: Asked) -> Verdict {
        let path = asked.path(&encode(query));
        let (our_wire, their_wire) = thread::scope(|scope| {
            let ours = scope.spawn(|| answered(&self.viewer, &format!("/prometheus/api/v1/{path}")));
            let theirs = answered(&self.witness.wire, &format!("/api/v1/{path}"));
            (ours.join().unwrap(), theirs)
        });
        let (ours, theirs) = (Answer::of_wire(&our_wire), Answer::of_wire(&their_wire));
        if !ours.is(&theirs) {
            return self.excuse(query, asked, &ours, &theirs).map_or_else(
                || different(query, asked, &ours.told_beside(&theirs), &theirs.told_beside(&ours)),
                |excuse| Verdict::Excused(excuse, format!("{query} {asked}")),
            );
        }
        let (first, second) = (in_order(&our_wire), in_order(&their_wire));
        match &ours {
            Answer::Refused(_) => Verdict::Refused,
            Answer::Points(points) if points.is_empty() => Verdict::Nothing,
            _ if query.starts_with("sort") && !all_same(&first, &second) => {
                different(query, asked, &format!("in order {first:?}"), &format!("in order {second:?}"))
            }
            _ => Verdict::Same,
        }
    }

    /// Why the two answers may differ, if they may.
    fn excuse(&self, query: &str, asked: Asked, ours: &Answer, theirs: &Answer) -> Option<Excuse> {
        if is_of_ties(query, ours, theirs) {
            Some(Excuse::Ties)
        } else if self.model.is_of_editions(query, asked, ours, theirs) {
            Some(Excuse::Editions)
        } else {
            self.model.is_of_rounding(query, asked, ours, theirs).then_some(Excuse::Rounding)
        }
    }
}

fn different(query: &str, asked: Asked, ours: &str, theirs: &str) -> Verdict {
    Verdict::Different(format!("{query}\n  {asked}\n  ours:   {ours}\n  theirs: {theirs}"))
}

/// Asks until there was a turn for it. Of a Prometheus that did not get its turn at the hub's series a warning tells; its
/// version has no others.
fn answered(wire: &Wire, path: &str) -> wire::Answer {
    eventually("there is a turn for a question", || {
        let answer = wire.get(path);
        let is_theirs = !path.starts_with("/prometheus");
        let has_turn = answer.status != 503 && !(is_theirs && answer.json().get("warnings").is_some());
        has_turn.then_some(answer)
    })
}

/// Whether the values that only one of the two has are, at each moment, values that the other has of other series.
fn is_of_ties(query: &str, ours: &Answer, theirs: &Answer) -> bool {
    let (Answer::Points(ours), Answer::Points(theirs)) = (ours, theirs) else { return false };
    if !query.starts_with("topk") && !query.starts_with("bottomk") {
        return false;
    }
    let alone = |these: &Points, those: &Points| {
        let mut alone: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
        for (key, value) in these.iter().filter(|(key, _)| !those.contains_key(*key)) {
            alone.entry(key.1).or_default().push(*value);
        }
        alone.values_mut().for_each(|values| values.sort_by(f64::total_cmp));
        alone
    };
    let both: BTreeSet<_> = ours.keys().filter(|key| theirs.contains_key(*key)).collect();
    let (ours_alone, theirs_alone) = (alone(ours, theirs), alone(theirs, ours));
    both.into_iter().all(|key| same(ours[key], theirs[key]))
        && ours_alone.keys().eq(theirs_alone.keys())
        && ours_alone.iter().all(|(at, values)| all_same(values, &theirs_alone[at]))
}

#[test]
fn ties_are_of_equal_values_and_of_the_largest_only() {
    use pingup_promql::Labels;
    let answer = |all: &[(&str, f64)]| {
        Answer::Points(
            all.iter().map(|(host, value)| ((Labels::new([("host", *host)]), 0), *value)).collect(),
        )
    };
    let ours = answer(&[("a", 3.0), ("b", 2.0)]);
    assert!(is_of_ties("topk(2, x)", &ours, &answer(&[("a", 3.0), ("c", 2.0)])));
    for (query, theirs) in [
        ("sum(topk(2, x))", answer(&[("a", 3.0), ("c", 2.0)])),
        ("topk(2, x)", answer(&[("a", 3.0), ("c", 2.5)])),
        ("topk(2, x)", answer(&[("a", 4.0), ("c", 2.0)])),
        ("topk(2, x)", answer(&[("a", 3.0)])),
        ("topk(2, x)", answer(&[("a", 3.0), ("c", 2.0), ("d", 1.0)])),
    ] {
        assert!(!is_of_ties(query, &ours, &theirs), "{query} {theirs:?}");
    }
}
