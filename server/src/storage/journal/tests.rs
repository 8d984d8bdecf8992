//! The journal under torn writes, and readers beside it. Under failing calls: `failing`; under damage: `damage`; the order
//! of its calls: `order`.

mod damage;
mod failing;
mod order;

use super::{
    format::{FRAME_BYTES, HEADER_BYTES},
    *,
};
use tempfile::TempDir;

const RECORDS: [&[u8]; 4] = [b"one", b"two two", b"3", b"the fourth of them"];

fn place() -> (TempDir, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("journal");
    (place, folder)
}

fn open(folder: &Path, faults: Faults) -> Result<Journal, StorageError> {
    Journal::open(folder, DiskSpace::watch(&std::env::temp_dir(), 0)?, faults)
}

fn read(folder: &Path, segment: u64) -> (Vec<Vec<u8>>, ReadEnd) {
    let mut found = Vec::new();
    let end = Journal::read(folder, segment, |record| {
        found.push(record.to_owned());
        Ok(())
    });
    (found, end.unwrap())
}

/// A segment 1 with the four records in it, as bytes.
fn written(folder: &Path) -> Vec<u8> {
    let mut journal = open(folder, Faults::none()).unwrap();
    journal.begin(1).unwrap();
    RECORDS.iter().for_each(|record| journal.append(record).unwrap());
    fs::read(segment_path(folder, 1)).unwrap()
}

/// Where each of the four begins, and where the last ends.
fn bounds() -> Vec<usize> {
    let mut at = HEADER_BYTES;
    let mut bounds = vec![at];
    for record in RECORDS {
        at += FRAME_BYTES + record.len();
        bounds.push(at);
    }
    bounds
}

#[test]
fn what_was_appended_is_read_back_over_segments_and_restarts() {
    let (_place, folder) = place();
    let mut journal = open(&folder, Faults::none()).unwrap();
    assert!(matches!(journal.append(b"x"), Err(StorageError::Closed)), "nothing was begun");
    assert_eq!(
        (Journal::segments(&folder).unwrap(), journal.current(), journal.current_bytes()),
        (vec![], None, 0)
    );
    journal.begin(1).unwrap();
    journal.append(b"one").unwrap();
    journal.begin(3).unwrap();
    journal.append(b"three").unwrap();
    drop(journal);

    let mut journal = open(&folder, Faults::none()).unwrap();
    fs::write(folder.join("notes.txt"), "not the journal's").unwrap();
    assert_eq!(Journal::segments(&folder).unwrap(), [1, 3]);
    let (_, end) = read(&folder, 3);
    journal.resume(3, end.end).unwrap();
    assert_eq!((journal.current(), journal.current_bytes()), (Some(3), end.end));
    journal.append(b"more").unwrap();
    assert_eq!(read(&folder, 1).0, [b"one"]);
    assert_eq!(read(&folder, 3).0, [&b"three"[..], b"more"]);
}

#[test]
fn the_folder_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (_place, folder) = place();
    written(&folder);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(&segment_path(&folder, 1))), (FOLDER_MODE, FILE_MODE));
}

#[test]
fn torn_anywhere_the_whole_records_before_are_there_and_writing_goes_on() {
    let (_place, folder) = place();
    let whole = written(&folder);
    let bounds = bounds();
    assert_eq!(whole.len(), bounds[4]);
    for cut in 0..=whole.len() {
        fs::write(segment_path(&folder, 1), &whole[..cut]).unwrap();
        let (found, end) = read(&folder, 1);
        let count = bounds[1..].iter().filter(|bound| **bound <= cut).count();
        assert_eq!(found, RECORDS[..count], "cut at {cut}");
        let expected = if cut < HEADER_BYTES { 0 } else { bounds[count] };
        assert_eq!((end.end, end.torn_bytes), (expected as u64, (cut - expected) as u64), "cut at {cut}");

        let mut journal = open(&folder, Faults::none()).unwrap();
        journal.resume(1, end.end).unwrap();
        journal.append(b"after").unwrap();
        let (found, end) = read(&folder, 1);
        assert_eq!((&found[..count], end.torn_bytes), (&RECORDS.map(<[u8]>::to_vec)[..count], 0));
        assert_eq!(found[count..], [b"after"]);
    }
}

#[test]
fn a_reader_beside_the_writer_sees_whole_records_only() {
    let (_place, folder) = place();
    let mut journal = open(&folder, Faults::none()).unwrap();
    journal.begin(1).unwrap();
    let (started, wait) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            started.send(()).unwrap();
            let mut seen = 0;
            while seen < 200 {
                let (found, _) = read(&folder, 1);
                assert!(found.len() >= seen, "records do not go away");
                for (number, record) in found.iter().enumerate() {
                    assert_eq!(record, &vec![number as u8; 1 + number * 7]);
                }
                seen = found.len();
            }
        });
        wait.recv().unwrap();
        for number in 0..200 {
            journal.append(&vec![number as u8; 1 + number * 7]).unwrap();
        }
        reader.join().unwrap();
    });
}

#[test]
fn the_bounds_are_kept() {
    let (_place, folder) = place();
    let mut journal = open(&folder, Faults::none()).unwrap();
    journal.begin(1).unwrap();
    let largest = vec![7; RECORD_BYTES_MAX + 1];
    assert!(journal.append(&largest).unwrap_err().to_string().contains("67108864"));
    assert!(journal.append(b"").is_err());
    journal.append(&largest[1..]).unwrap();
    assert!(journal.frame.capacity() <= FRAME_KEPT_BYTES_MAX, "its memory is given back");
    journal.append(b"small").unwrap();
    let (found, end) = read(&folder, 1);
    assert_eq!((found[0].len(), found.len(), end.torn_bytes), (RECORD_BYTES_MAX, 2, 0));
    assert!(journal.begin(1).is_err() && journal.begin(0).is_err(), "numbers rise");
    assert!(journal.resume(1, end.end + 1).is_err(), "an end that is not there");

    let full = DiskSpace::watch(&folder, u64::MAX).unwrap();
    let mut journal = Journal::open(&folder, full, Faults::none()).unwrap();
    journal.resume(1, end.end).unwrap();
    assert!(matches!(journal.append(b"x"), Err(StorageError::Full)));
}

#[test]
fn an_error_of_the_reader_ends_the_reading() {
    let (_place, folder) = place();
    written(&folder);
    let mut seen = 0;
    let stopped = Journal::read(&folder, 1, |_| {
        seen += 1;
        if seen == 2 { Err(StorageError::Busy) } else { Ok(()) }
    });
    assert!(matches!(stopped, Err(StorageError::Busy)));
    assert_eq!(seen, 2);
}
