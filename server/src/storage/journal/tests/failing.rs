//! Whichever call fails, what was confirmed is there once, and what was refused is not.

use super::*;
use crate::storage::full_disk;
use std::time::Duration;

/// A writer's day: segments begun, records appended, each again until it is confirmed; a failed call is tried
/// again. What was confirmed, in order.
fn day(folder: &Path, faults: &Faults) -> Vec<Vec<u8>> {
    // A failure that lasts is met twice, then it passes.
    let again = |work: &mut dyn FnMut() -> Result<(), StorageError>| {
        let mut failures = 0;
        while let Err(error) = work() {
            assert!(matches!(error, StorageError::Injected(_)), "{error}");
            failures += 1;
            if failures == 2 {
                faults.heal();
            }
        }
    };
    let mut journal = None;
    again(&mut || {
        journal = Some(open(folder, faults.clone())?);
        Ok(())
    });
    let mut journal = journal.unwrap();
    let mut confirmed = Vec::new();
    for segment in 1..4_u64 {
        again(&mut || journal.begin(segment));
        for number in 0..3 {
            let record = format!("record {number} of {segment}").into_bytes();
            again(&mut || journal.append(&record));
            confirmed.push(record);
        }
        drop(journal);
        let mut opened = None;
        again(&mut || {
            let mut journal = open(folder, faults.clone())?;
            let (_, end) = read(folder, segment);
            assert_eq!(end.torn_bytes, 0, "a failure was cut off at once or with the next append");
            journal.resume(segment, end.end)?;
            opened = Some(journal);
            Ok(())
        });
        journal = opened.unwrap();
    }
    confirmed
}

fn all(folder: &Path) -> Vec<Vec<u8>> {
    Journal::segments(folder).unwrap().into_iter().flat_map(|segment| read(folder, segment).0).collect()
}

#[test]
fn whichever_call_fails_what_was_confirmed_is_there_once() {
    for n in 1.. {
        for faults in [Faults::fail_nth(n), Faults::fail_from(n)] {
            let (_place, folder) = place();
            let confirmed = day(&folder, &faults);
            assert_eq!(all(&folder), confirmed, "call {n} failed");
            if !faults.has_fired() {
                assert!(n > 40, "the day has more calls than {n}");
                return;
            }
        }
    }
}

#[test]
fn while_it_cannot_be_mended_nothing_is_appended_or_begun() {
    // The calls: folder, its sync; create, header written and synced, folder synced; then a record.
    for n in 7..=8 {
        let (_place, folder) = place();
        let faults = Faults::fail_from(n);
        let mut journal = open(&folder, faults.clone()).unwrap();
        journal.begin(1).unwrap();
        for _ in 0..3 {
            assert!(matches!(journal.append(b"refused"), Err(StorageError::Injected(_))));
            assert!(matches!(journal.begin(2), Err(StorageError::Injected(_))));
        }
        assert_eq!((journal.current(), journal.current_bytes()), (Some(1), HEADER_BYTES as u64));
        faults.heal();
        journal.append(b"taken").unwrap();
        journal.begin(2).unwrap();
        assert_eq!(all(&folder), [b"taken"]);
    }
}

#[test]
fn a_segment_that_could_not_be_begun_is_gone_before_the_old_one_is_written_on() {
    // The calls: folder, its sync; created, header written and synced, folder synced; then of the second
    // segment the same four.
    for n in 7..=10 {
        let (_place, folder) = place();
        let faults = Faults::fail_nth(n);
        let mut journal = open(&folder, faults.clone()).unwrap();
        journal.begin(1).unwrap();
        assert!(matches!(journal.begin(2), Err(StorageError::Injected(_))), "call {n}");
        journal.append(b"written on").unwrap();
        assert_eq!(Journal::segments(&folder).unwrap(), [1], "call {n}");
        journal.begin(2).unwrap();
        journal.append(b"begun").unwrap();
        assert_eq!(all(&folder), [&b"written on"[..], b"begun"], "call {n}");
    }
    // It cannot be taken away either: nothing is appended before it is.
    let (_place, folder) = place();
    let faults = Faults::fail_from(8);
    let mut journal = open(&folder, faults.clone()).unwrap();
    journal.begin(1).unwrap();
    for _ in 0..2 {
        assert!(journal.begin(2).is_err() && journal.append(b"refused").is_err());
    }
    faults.heal();
    journal.append(b"taken").unwrap();
    assert_eq!((Journal::segments(&folder).unwrap(), all(&folder)), (vec![1], vec![b"taken".to_vec()]));
}

#[test]
fn the_writer_stands_still_at_a_record_and_nowhere_else() {
    let (_place, folder) = place();
    let faults = Faults::stall(Duration::ZERO, Duration::ZERO);
    let mut journal = open(&folder, faults.clone()).unwrap();
    journal.begin(1).unwrap();
    assert!(!faults.has_fired());
    journal.append(b"late").unwrap();
    assert!(faults.has_fired());
    assert_eq!(all(&folder), [b"late"]);
}

#[test]
#[ignore = "run by a_disk_that_is_full_in_the_middle_of_a_record in a process of its own"]
fn full_disk_story() {
    let (_place, folder) = place();
    let mut journal = open(&folder, Faults::none()).unwrap();
    journal.begin(1).unwrap();
    journal.append(&[1; 3000]).unwrap();
    full_disk::limit_file_size(Some(4096));
    for _ in 0..3 {
        // Half of it is written before the limit is met.
        assert!(matches!(journal.append(&[2; 3000]), Err(StorageError::Full)));
        assert_eq!(read(&folder, 1).1, ReadEnd { end: journal.current_bytes(), torn_bytes: 0 });
    }
    full_disk::limit_file_size(None);
    journal.append(&[3; 3000]).unwrap();
    assert_eq!(read(&folder, 1).0, [[1; 3000], [3; 3000]]);
}

#[test]
fn a_disk_that_is_full_in_the_middle_of_a_record() {
    full_disk::tell("storage::journal::tests::failing::full_disk_story");
}
