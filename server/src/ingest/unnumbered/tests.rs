//! Random groups against a plain set, whatever is remembered; and how often the store is asked.

use super::*;
use crate::ingest::testing::Dice;
use std::collections::BTreeSet;

/// A store that counts how often it is asked.
#[derive(Default)]
struct Rows {
    committed: BTreeSet<(u8, String, Timestamp)>,
    looks: usize,
    in_files: bool,
}

impl Lookup for Rows {
    fn newest_unnumbered(&mut self, sought: Sought<'_>, in_files: bool) -> Result<Option<Look>, TsdbError> {
        let Sought { kind, agent_id, from, to } = sought;
        if self.in_files && !in_files {
            return Ok(None);
        }
        self.looks += 1;
        let fits = |row: &&(u8, String, Timestamp)| {
            row.0 == kind as u8 && row.1 == agent_id.as_str() && row.2 >= from && row.2 <= to
        };
        let newest = self.committed.iter().filter(fits).map(|row| row.2).max();
        Ok(Some(Look { newest, reads_files: self.in_files }))
    }
}

fn agent(number: u64) -> AgentId {
    AgentId::parse(&format!("agent-{number}")).unwrap()
}

/// Plays random groups against the plain set of what is committed.
fn play(seed: u64, held_max: usize) {
    let mut dice = Dice::seeded(seed);
    let (mut newest, mut rows) = (Newest { held_max, ..Newest::default() }, Rows::default());
    for _ in 0..60 {
        let mut drafted = rows.committed.clone();
        let mut draft = newest.draft();
        for _ in 0..dice.below(8) {
            let (who, micros) = (dice.below(4), dice.below(25));
            let kind = if dice.below(2) == 0 { Kind::Metrics } else { Kind::Discovery };
            let at = Timestamp::from_micros(i64::try_from(micros).unwrap());
            let expected = drafted.insert((kind as u8, agent(who).as_str().to_owned(), at));
            let new = draft.is_new(&mut rows, &agent(who), kind, at).unwrap();
            assert_eq!(new, expected, "seed {seed}: {kind:?} of agent {who} at {micros}");
        }
        let changes = draft.finish();
        if dice.below(3) > 0 {
            rows.committed = drafted;
            newest.adopt(changes);
        }
        assert!(newest.held.len() <= held_max);
    }
}

#[test]
fn agrees_with_a_plain_set_whatever_is_remembered() {
    for seed in 1..=200 {
        play(seed, NEWEST_MAX);
        play(seed, 2);
    }
}

#[test]
fn what_comes_in_order_costs_one_look() {
    let (mut newest, mut rows) = (Newest::default(), Rows::default());
    for micros in 0..10 {
        let at = Timestamp::from_micros(micros);
        let mut draft = newest.draft();
        assert!(draft.is_new(&mut rows, &agent(1), Kind::Metrics, at).unwrap());
        assert!(!draft.is_new(&mut rows, &agent(1), Kind::Metrics, at).unwrap(), "twice in a group");
        let changes = draft.finish();
        rows.committed.insert((Kind::Metrics as u8, "agent-1".to_owned(), at));
        newest.adopt(changes);
    }
    assert!(rows.looks <= 2, "{} looks", rows.looks);
}

#[test]
fn a_group_looks_into_files_a_few_times_and_no_more() {
    let (newest, mut rows) = (Newest::default(), Rows { in_files: true, ..Rows::default() });
    let mut draft = newest.draft();
    let at = Timestamp::from_micros(1);
    for number in 0..FILE_LOOKS_MAX as u64 {
        assert!(draft.is_new(&mut rows, &agent(number), Kind::Metrics, at).unwrap());
    }
    let refused = draft.is_new(&mut rows, &agent(99), Kind::Metrics, at);
    assert!(matches!(refused, Err(LookError::TooMany)), "{refused:?}");
    // What the group brought itself is known without a look, as is what memory tells; the next group begins anew.
    assert!(!draft.is_new(&mut rows, &agent(0), Kind::Metrics, at).unwrap());
    assert_eq!(rows.looks, FILE_LOOKS_MAX);
    rows.in_files = false;
    assert!(draft.is_new(&mut rows, &agent(98), Kind::Metrics, at).unwrap());
    rows.in_files = true;
    assert!(newest.draft().is_new(&mut rows, &agent(99), Kind::Metrics, at).unwrap());
}
