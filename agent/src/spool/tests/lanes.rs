//! What is set aside, and what is new beside it.

use super::*;

#[test]
fn what_is_set_aside_keeps_its_boot_and_its_numbers_and_what_is_new_begins_another() {
    let home = tempfile::tempdir().unwrap();
    let mut spool = open(&home, AMPLE);
    ["a", "b", "c"].iter().for_each(|json| _ = append(&mut spool, json));
    spool.acknowledge(spool.boot(Lane::Live), 1).unwrap();
    let old = spool.boot(Lane::Live);
    assert!(!spool.set_aside(2, NOON).unwrap(), "no more than may wait");
    assert!(spool.set_aside(1, NOON).unwrap() && !spool.set_aside(0, NOON).unwrap(), "once");
    assert_eq!(append(&mut spool, "d"), 1);
    for _ in 0..2 {
        assert_eq!(spool.boot(Lane::Backlog), old);
        assert!(spool.boot(Lane::Live) > old);
        assert_eq!(waiting_in(&spool, Lane::Backlog), [(2, "b".into()), (3, "c".into())]);
        assert_eq!(waiting(&spool), [(1, "d".into())]);
        assert_eq!((spool.last_seq(Lane::Backlog), spool.last_seq(Lane::Live), spool.waiting()), (3, 1, 3));
        drop(spool);
        spool = open(&home, AMPLE);
    }
    spool.acknowledge(spool.boot(Lane::Live), 1).unwrap();
    assert!(!spool.waits_in(Lane::Live) && spool.waits_in(Lane::Backlog));
    spool.acknowledge(old, 3).unwrap();
    assert!(spool.is_empty() && !spool.waits_in(Lane::Backlog));
    assert_eq!(append(&mut spool, "e"), 2, "the new boot goes on");
}

#[test]
fn what_is_set_aside_goes_first_when_there_is_no_room_and_is_counted() {
    let home = tempfile::tempdir().unwrap();
    let bounds = Bounds { bytes_max: 16 * 1024, ..AMPLE };
    let mut spool = open(&home, bounds);
    let record = "x".repeat(75);
    (0..160).for_each(|_| _ = append(&mut spool, &record));
    assert!(spool.set_aside(0, NOON).unwrap());
    for new in 1..=400 {
        append(&mut spool, &record);
        let on_disk: u64 = segment_files(&home).iter().map(|path| path.metadata().unwrap().len()).sum();
        assert!(on_disk <= bounds.bytes_max, "{on_disk} bytes after {new}");
        assert_eq!(spool.waiting() + spool.dropped(), 160 + new, "each is either there or counted");
        assert_eq!(spool.waits_in(Lane::Backlog), spool.dropped() < 160);
    }
    let seqs: Vec<u64> = waiting(&spool).into_iter().map(|(seq, _)| seq).collect();
    assert_eq!((seqs.first(), seqs.last()), (Some(&(spool.dropped() - 160 + 1)), Some(&400)));
}

#[test]
fn new_ones_that_the_hub_has_take_no_room_from_what_is_set_aside() {
    let home = tempfile::tempdir().unwrap();
    let mut spool = open(&home, Bounds { bytes_max: 16 * 1024, ..AMPLE });
    let record = "x".repeat(75);
    (0..80).for_each(|_| _ = append(&mut spool, &record));
    assert!(spool.set_aside(0, NOON).unwrap());
    for seq in 1..=1_000 {
        append(&mut spool, &record);
        spool.acknowledge(spool.boot(Lane::Live), seq).unwrap();
    }
    assert_eq!((waiting_in(&spool, Lane::Backlog).len(), spool.dropped()), (80, 0));
}
