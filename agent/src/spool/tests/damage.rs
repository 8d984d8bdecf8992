//! Bytes that a bad disk flips, and writes that leave what they must not.

use super::*;

/// Bytes of a record of [`RECORD`] on disk.
const RECORD_BYTES: usize = 100;
const RECORD: &str = "123456789 123456789 123456789 123456789 123456789 123456789 123456789 12345";

/// A flipped bit in whichever byte costs the record that it is in, also in the file that is written to; its number, and
/// those behind it, are not given out again.
#[test]
fn a_flipped_bit_costs_one_record_and_no_number_is_given_out_again() {
    let whole = {
        let home = tempfile::tempdir().unwrap();
        let mut spool = open(&home, AMPLE);
        (0..5).for_each(|_| _ = append(&mut spool, RECORD));
        std::fs::read(&segment_files(&home)[0]).unwrap()
    };
    assert_eq!(whole.len(), 5 * RECORD_BYTES);
    // The very last record is not told from one that was being written.
    for at in 0..4 * RECORD_BYTES {
        let home = tempfile::tempdir().unwrap();
        drop(open(&home, AMPLE));
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        std::fs::write(home.path().join(format!("{:020}.records", 0)), bytes).unwrap();
        let damaged = (at / RECORD_BYTES) as u64 + 1;
        for _ in 0..2 {
            let spool = open(&home, AMPLE);
            let seqs: Vec<u64> = waiting(&spool).into_iter().map(|(seq, _)| seq).collect();
            let left: Vec<u64> = (1..=5).filter(|&seq| seq != damaged).collect();
            assert_eq!((seqs, spool.dropped()), (left, 1), "byte {at}");
        }
        assert_eq!(append(&mut open(&home, AMPLE), "new"), 6, "byte {at}");
    }
}

#[test]
fn damage_in_many_places_costs_what_is_damaged() {
    let home = tempfile::tempdir().unwrap();
    let mut spool = open(&home, AMPLE);
    (0..60).for_each(|_| _ = append(&mut spool, RECORD));
    drop(spool);
    let path = &segment_files(&home)[0];
    let mut bytes = std::fs::read(path).unwrap();
    let damaged = [1, 2, 17, 40, 59];
    damaged.iter().for_each(|number| bytes[(number - 1) * RECORD_BYTES + 30] ^= 4);
    std::fs::write(path, bytes).unwrap();
    let mut spool = open(&home, AMPLE);
    let seqs: Vec<u64> = waiting(&spool).into_iter().map(|(seq, _)| seq).collect();
    let left: Vec<u64> = (1..=60).filter(|seq| !damaged.contains(&(*seq as usize))).collect();
    assert_eq!((seqs, spool.dropped()), (left, damaged.len() as u64));
    spool.acknowledge(spool.boot(Lane::Live), 60).unwrap();
    assert_eq!((spool.waiting(), segment_files(&home).len()), (0, 1), "its parts go like any segment");
}

/// What was sent already is not counted as lost, wherever the damage is.
#[test]
fn damage_to_what_the_hub_has_costs_nothing() {
    let home = tempfile::tempdir().unwrap();
    let mut spool = open(&home, AMPLE);
    (0..5).for_each(|_| _ = append(&mut spool, RECORD));
    spool.acknowledge(spool.boot(Lane::Live), 3).unwrap();
    drop(spool);
    let path = &segment_files(&home)[0];
    let mut bytes = std::fs::read(path).unwrap();
    bytes[RECORD_BYTES + 30] ^= 1;
    std::fs::write(path, bytes).unwrap();
    let spool = open(&home, AMPLE);
    assert_eq!((waiting(&spool).len(), spool.dropped()), (2, 0));
}

/// Should the rest have been written and the damage not been cut off, the same is done again.
#[test]
fn a_crash_while_damage_is_mended_changes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let mut spool = open(&home, AMPLE);
    (0..5).for_each(|_| _ = append(&mut spool, RECORD));
    drop(spool);
    let path = segment_files(&home).remove(0);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[2 * RECORD_BYTES + 30] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    drop(open(&home, AMPLE));
    std::fs::write(&path, &bytes).unwrap();
    let spool = open(&home, AMPLE);
    let seqs: Vec<u64> = waiting(&spool).into_iter().map(|(seq, _)| seq).collect();
    assert_eq!((seqs, spool.segments.len()), (vec![1, 2, 4, 5], 2));
}

/// A file that can be neither written to nor cut stands for a disk that fails in the middle of a write.
#[test]
fn nothing_is_appended_behind_what_a_failed_write_left() {
    let home = tempfile::tempdir().unwrap();
    let mut spool = open(&home, AMPLE);
    append(&mut spool, "a");
    spool.active = Some(File::open(&segment_files(&home)[0]).unwrap());
    assert!(matches!(spool.append(Kind::Sample, NOON, b"lost".to_vec()), Err(SpoolError::Io { .. })));
    assert_eq!((append(&mut spool, "b"), segment_files(&home).len()), (2, 2), "in a file of its own");
    assert_eq!(waiting(&spool), [(1, "a".into()), (2, "b".into())]);
    drop(spool);
    assert_eq!(waiting(&open(&home, AMPLE)), [(1, "a".into()), (2, "b".into())]);
}
