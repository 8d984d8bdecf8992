//! The spool against a naive model of itself.

use super::*;
use proptest::prelude::*;
use std::collections::VecDeque;

#[derive(Clone, Debug)]
enum Step {
    Append(usize),
    Acknowledge(Lane, u64),
    Discard(Lane),
    Reopen,
    Crash(Vec<u8>),
    NewBoot(Lane),
    SetAside,
}

fn lane() -> impl Strategy<Value = Lane> {
    prop_oneof![Just(Lane::Live), Just(Lane::Backlog)]
}

/// What waits in a lane, under its numbers, and the last number that was given out there.
#[derive(Clone, Debug, Default)]
struct Model {
    waiting: VecDeque<(u64, String)>,
    last_seq: u64,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_usize..400).prop_map(Step::Append),
        2 => (lane(), 0_u64..8).prop_map(|(lane, count)| Step::Acknowledge(lane, count)),
        1 => lane().prop_map(Step::Discard),
        1 => Just(Step::Reopen),
        1 => prop::collection::vec(any::<u8>(), 1..40).prop_map(Step::Crash),
        1 => lane().prop_map(Step::NewBoot),
        1 => Just(Step::SetAside),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever happens, in whatever order, the spool holds what a plain list would.
    #[test]
    fn the_spool_is_a_list_that_survives(steps in prop::collection::vec(step(), 1..60)) {
        let home = tempfile::tempdir().unwrap();
        // Small segments, and room for everything: what is dropped for room has a test of its own.
        let bounds = Bounds { bytes_max: 24 * 1024, ..AMPLE };
        let mut spool = open(&home, bounds);
        let (mut live, mut backlog) = (Model::default(), Model::default());
        let mut dropped = 0;
        for (at, step) in steps.into_iter().enumerate() {
            match step {
                Step::Append(length) => {
                    let json = format!("{at:03}{}", "x".repeat(length));
                    live.last_seq += 1;
                    prop_assert_eq!(append(&mut spool, &json), live.last_seq);
                    live.waiting.push_back((live.last_seq, json));
                }
                Step::Acknowledge(lane, count) => {
                    let model = if lane == Lane::Live { &mut live } else { &mut backlog };
                    if let Some((first, _)) = model.waiting.front() {
                        let seq = first - 1 + count;
                        spool.acknowledge(spool.boot(lane), seq).unwrap();
                        model.waiting.retain(|(waiting, _)| *waiting > seq);
                    }
                }
                Step::Discard(lane) => {
                    let model = if lane == Lane::Live { &mut live } else { &mut backlog };
                    let oldest = spool.oldest(lane, 1, usize::MAX).unwrap().first().map(|record| record.number);
                    if let Some(number) = oldest {
                        spool.discard_through(number).unwrap();
                        model.waiting.pop_front();
                        dropped += 1;
                    }
                }
                Step::Reopen => {
                    drop(spool);
                    spool = open(&home, bounds);
                }
                Step::Crash(rubbish) => {
                    drop(spool);
                    if let Some(path) = segment_files(&home).last() {
                        let mut bytes = std::fs::read(path).unwrap();
                        bytes.extend_from_slice(&rubbish);
                        std::fs::write(path, bytes).unwrap();
                    }
                    spool = open(&home, bounds);
                }
                Step::NewBoot(lane) => {
                    let model = if lane == Lane::Live { &mut live } else { &mut backlog };
                    if lane == Lane::Live || !model.waiting.is_empty() {
                        spool.begin_boot(lane, 0, NOON).unwrap();
                        model.waiting.iter_mut().zip(1..).for_each(|(waiting, seq)| waiting.0 = seq);
                        model.last_seq = model.waiting.len() as u64;
                    }
                }
                Step::SetAside => {
                    let is_due = backlog.waiting.is_empty() && !live.waiting.is_empty();
                    prop_assert_eq!(spool.set_aside(0, NOON).unwrap(), is_due);
                    if is_due {
                        backlog = std::mem::take(&mut live);
                    }
                }
            }
            for (lane, model) in [(Lane::Live, &live), (Lane::Backlog, &backlog)] {
                prop_assert_eq!(waiting_in(&spool, lane), model.waiting.iter().cloned().collect::<Vec<_>>());
                prop_assert_eq!(spool.waits_in(lane), !model.waiting.is_empty());
                if lane == Lane::Live || spool.waits_in(lane) {
                    prop_assert_eq!(spool.last_seq(lane), model.last_seq);
                }
            }
            prop_assert!(!spool.waits_in(Lane::Backlog) || spool.boot(Lane::Live) != spool.boot(Lane::Backlog));
            prop_assert_eq!(spool.dropped(), dropped);
            prop_assert_eq!(spool.waiting(), (live.waiting.len() + backlog.waiting.len()) as u64);
        }
    }
}
