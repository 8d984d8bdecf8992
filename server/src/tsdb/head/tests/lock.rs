//! Who reads holds the lock for a few rows, not for an answer.

use crate::tsdb::{
    head::{SEGMENT_ROWS_MAX, Segment},
    record::OwnedRows,
    testing::{EVER, NOW, sample},
};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

/// What is looked at while a group has to wait, as it is promised.
const ROWS_AT_ONCE: usize = 256;

fn rows(from: u64, count: u64) -> OwnedRows {
    let samples = (from..from + count).map(|seq| sample("a", (1, seq), NOW));
    OwnedRows { samples: samples.collect(), ..OwnedRows::default() }
}

/// Each lot of rows but the first gives a group that waits the chance to come in, some hundred of them; under a lock
/// that is held for the whole answer it comes in behind all of them.
#[test]
fn a_group_comes_in_while_an_answer_is_read() {
    let segment = Segment::new(1);
    let all = SEGMENT_ROWS_MAX as u64;
    segment.push(&rows(1, all).borrow());
    let late = rows(all + 1, 1);
    let (waits, is_in) = (AtomicBool::new(false), AtomicBool::new(false));
    for agent in [None, Some("a")] {
        waits.store(false, Ordering::SeqCst);
        is_in.store(false, Ordering::SeqCst);
        let before = segment.samples();
        let (mut seen, mut seen_before) = (0, None);
        thread::scope(|scope| {
            segment.each_sample(agent, &EVER, |_| {
                if seen == 0 {
                    scope.spawn(|| {
                        waits.store(true, Ordering::SeqCst);
                        segment.push(&late.borrow());
                        is_in.store(true, Ordering::SeqCst);
                    });
                }
                while seen % ROWS_AT_ONCE == 0 && !waits.load(Ordering::SeqCst) {
                    thread::yield_now();
                }
                // Between its word and the lock it may lose the processor, and nothing tells when it has it again: on a
                // machine with much else to do not for a while. There are hundreds of these, and mostly one is enough.
                if seen % ROWS_AT_ONCE == 0 && !is_in.load(Ordering::SeqCst) {
                    thread::sleep(Duration::from_millis(20));
                }
                if is_in.load(Ordering::SeqCst) {
                    seen_before.get_or_insert(seen);
                }
                seen += 1;
            });
        });
        assert_eq!(seen, before, "what comes meanwhile is left out");
        assert!(seen_before.is_some(), "the group came in behind the whole answer");
    }
}
