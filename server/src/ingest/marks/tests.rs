//! The marks' rules by example, and against a naive model over random groups.

use super::*;
use crate::ingest::testing::Dice;
use std::collections::BTreeSet;

fn agent(number: u64) -> AgentId {
    AgentId::parse(&format!("agent-{number}")).unwrap()
}

fn at(seq: u64) -> (u64, Option<Timestamp>) {
    (seq, Some(Timestamp::from_micros(i64::try_from(seq).unwrap())))
}

/// Decides and commits at once.
fn push(marks: &mut Marks, boot: u64, entries: &[(u64, Option<Timestamp>)]) -> Result<Decision, IngestError> {
    let mut draft = marks.draft();
    let decision = draft.decide(&agent(1), boot, entries.iter().copied());
    let changes = draft.finish();
    marks.adopt(changes);
    decision
}

/// The marks as the history gives them back.
fn rows(marks: &Marks) -> Vec<MarkRow> {
    let of_agent = |(agent_id, boots): (&AgentId, &Boots)| {
        let row = |&(boot, mark): &(u64, Mark)| MarkRow { agent_id: agent_id.clone(), boot, mark };
        boots.0.iter().map(row).collect::<Vec<_>>()
    };
    marks.agents.iter().flat_map(of_agent).collect()
}

#[test]
fn a_number_is_new_once() {
    let mut marks = Marks::default();
    let new = |duplicates, gaps, high_water| Ok(Decision { duplicates, gaps, high_water });
    assert_eq!(push(&mut marks, 1, &[at(1), at(2)]), new(0, 0, 2));
    assert_eq!(push(&mut marks, 1, &[at(1), at(2), at(3)]), new(2, 0, 3));
    assert_eq!(push(&mut marks, 1, &[at(2)]), new(1, 0, 3));
    assert_eq!(push(&mut marks, 1, &[at(7), at(8), at(10)]), new(0, 2, 10));
    assert_eq!(push(&mut marks, 1, &[at(5)]), new(1, 0, 10), "a hole is not filled later");
}

#[test]
fn another_timestamp_at_the_mark_is_a_conflict_and_changes_nothing() {
    let mut marks = Marks::default();
    push(&mut marks, 1, &[at(1)]).unwrap();
    let other = (1, Some(Timestamp::from_micros(99)));
    assert_eq!(push(&mut marks, 1, &[other, at(2)]), Err(IngestError::SequenceConflict { boot: 1, seq: 1 }));
    assert_eq!(push(&mut marks, 1, &[at(1)]).unwrap().high_water, 1);
    // A rejected sample has no timestamp to compare, neither at the mark nor when it comes again.
    assert_eq!(push(&mut marks, 1, &[(1, None), (2, None)]).unwrap().high_water, 2);
    assert_eq!(push(&mut marks, 1, &[(2, Some(Timestamp::from_micros(7)))]).unwrap().duplicates, 1);
}

#[test]
fn a_new_boot_is_greater_than_all_and_an_old_one_may_go_on() {
    let mut marks = Marks::default();
    push(&mut marks, 5, &[at(1)]).unwrap();
    push(&mut marks, 9, &[at(1)]).unwrap();
    assert_eq!(push(&mut marks, 7, &[at(1)]), Err(IngestError::BootRetired { boot: 7, min_boot: 10 }));
    assert_eq!(push(&mut marks, 5, &[at(2)]).unwrap().high_water, 2);
    assert_eq!(push(&mut marks, 10, &[at(3)]).unwrap().gaps, 1);
}

#[test]
fn of_each_agent_only_the_greatest_boots_are_known() {
    let mut marks = Marks::default();
    let last = BOOTS_PER_AGENT_MAX as u64 + 1;
    (1..=last).for_each(|boot| assert!(push(&mut marks, boot, &[at(1)]).is_ok()));
    assert_eq!(rows(&marks).len(), BOOTS_PER_AGENT_MAX);
    assert_eq!(push(&mut marks, 1, &[at(1)]), Err(IngestError::BootRetired { boot: 1, min_boot: last + 1 }));
    assert_eq!(push(&mut marks, 2, &[at(1)]).unwrap().duplicates, 1);
    assert_eq!(Marks::from_rows(rows(&marks)).agents, marks.agents);
}

#[test]
fn marks_come_in_any_order_several_times_and_the_greatest_counts() {
    let row = |boot, seq| {
        let mark = Mark { seq, timestamp: Some(Timestamp::from_micros(seq.cast_signed())) };
        MarkRow { agent_id: agent(1), boot, mark }
    };
    // As when a segment is sealed between two looks: in the catalogue and in memory; an older one first.
    let told = [row(1, 7), row(2, 3), row(1, 9), row(2, 3), row(1, 8)];
    for turn in 0..told.len() {
        let mut turned = told.clone();
        turned.rotate_left(turn);
        let mut marks = Marks::from_rows(turned);
        assert_eq!(push(&mut marks, 1, &[at(9), at(10)]).unwrap().duplicates, 1);
        assert_eq!(push(&mut marks, 2, &[at(3), at(4)]).unwrap().duplicates, 1);
    }
    let many = (1..=2 * BOOTS_PER_AGENT_MAX as u64).rev().map(|boot| row(boot, 1));
    let marks = Marks::from_rows(many);
    assert_eq!(rows(&marks).len(), BOOTS_PER_AGENT_MAX, "only the greatest boots are known");
    assert!(rows(&marks).iter().all(|row| row.boot > BOOTS_PER_AGENT_MAX as u64));
}

#[test]
fn a_draft_sees_itself_and_leaves_no_trace_unless_adopted() {
    let mut marks = Marks::default();
    let mut draft = marks.draft();
    assert_eq!(draft.decide(&agent(1), 1, [at(1)].into_iter()).unwrap().duplicates, 0);
    assert_eq!(draft.decide(&agent(1), 1, [at(1), at(2)].into_iter()).unwrap().duplicates, 1);
    drop(draft);
    assert_eq!(rows(&marks), []);
    assert_eq!(push(&mut marks, 1, &[at(1)]).unwrap().duplicates, 0);
}

/// The naive model: remembers every committed number, and knows an agent's boots by looking through them.
#[derive(Clone, Default)]
struct Model(Vec<(u64, u64, u64, Option<Timestamp>)>);

impl Model {
    fn decide(
        &mut self,
        agent: u64,
        boot: u64,
        entries: &[(u64, Option<Timestamp>)],
    ) -> Result<Decision, IngestError> {
        let of_agent = || self.0.iter().filter(|row| row.0 == agent);
        let boots: BTreeSet<u64> = of_agent().map(|row| row.1).collect();
        let known: Vec<u64> = boots.into_iter().rev().take(BOOTS_PER_AGENT_MAX).collect();
        if let Some(&newest) = known.first()
            && !known.contains(&boot)
            && boot < newest
        {
            return Err(IngestError::BootRetired { boot, min_boot: newest + 1 });
        }
        let mark = of_agent().filter(|row| row.1 == boot).map(|row| (row.2, row.3)).max_by_key(|row| row.0);
        let committed = mark.map_or(0, |mark| mark.0);
        let clash = |&(seq, timestamp): &(u64, Option<Timestamp>)| {
            mark.is_some_and(|mark| {
                mark.0 == seq && mark.1.is_some() && timestamp.is_some() && mark.1 != timestamp
            })
        };
        if entries.iter().any(clash) {
            return Err(IngestError::SequenceConflict { boot, seq: committed });
        }
        let new: Vec<_> = entries.iter().filter(|entry| entry.0 > committed).collect();
        let before = std::iter::once(committed).chain(new.iter().map(|entry| entry.0));
        let gaps = before.zip(&new).filter(|(before, entry)| entry.0 != before + 1).count() as u64;
        let high_water = new.last().map_or(committed, |entry| entry.0);
        let decision = Decision { duplicates: entries.len() - new.len(), gaps, high_water };
        self.0.extend(new.into_iter().map(|&(seq, timestamp)| (agent, boot, seq, timestamp)));
        Ok(decision)
    }
}

#[test]
fn agrees_with_a_naive_model_over_random_groups_commits_and_failures() {
    for seed in 1..=300 {
        let mut dice = Dice::seeded(seed);
        let (mut marks, mut model) = (Marks::default(), Model::default());
        for _ in 0..40 {
            let mut drafted = model.clone();
            let mut draft = marks.draft();
            for _ in 0..dice.below(6) {
                let (who, boot) = (dice.below(3), dice.below(3 + seed % 40));
                let mut seq = dice.below(12);
                let entries: Vec<_> = (0..=dice.below(4))
                    .map(|_| {
                        seq += 1 + dice.below(8) / 7;
                        let micros = i64::try_from(seq + dice.below(30) / 29).unwrap();
                        (seq, (dice.below(10) > 0).then_some(Timestamp::from_micros(micros)))
                    })
                    .collect();
                let decided = draft.decide(&agent(who), boot, entries.iter().copied());
                assert_eq!(
                    decided,
                    drafted.decide(who, boot, &entries),
                    "seed {seed}, boot {boot}, {entries:?}"
                );
            }
            let changes = draft.finish();
            if dice.below(3) > 0 {
                marks.adopt(changes);
                model = drafted;
            }
            if dice.below(10) == 0 {
                marks = Marks::from_rows(rows(&marks));
            }
        }
    }
}
