//! The order of the calls: names last before anything relies on them.

use super::*;

/// What was called so far and was about what, in short.
fn told(faults: &Faults) -> Vec<(&'static str, String)> {
    let name = |path: PathBuf| path.file_name().unwrap().to_string_lossy().trim_start_matches('0').to_owned();
    faults.told().into_iter().map(|(call, path)| (call, name(path))).collect()
}

fn as_told(calls: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    calls.iter().map(|(call, name)| (*call, (*name).to_owned())).collect()
}

/// The folder that the journal's lies in, as [`told`] names it.
fn above(place: &TempDir) -> String {
    place.path().file_name().unwrap().to_string_lossy().trim_start_matches('0').to_owned()
}

#[test]
fn a_segment_is_written_on_once_its_name_lasts() {
    let (place, folder) = place();
    let faults = Faults::fail_nth(u64::MAX);
    let mut journal = open(&folder, faults.clone()).unwrap();
    journal.begin(1).unwrap();
    journal.append(b"one").unwrap();
    journal.begin(2).unwrap();
    drop(journal);
    let mut expected = as_told(&[("journal folder", "journal")]);
    expected.push(("journal folder sync", above(&place)));
    expected.extend(as_told(&[
        ("journal create", "1.log"),
        ("journal write", "1.log"),
        ("journal sync", "1.log"),
        ("journal folder sync", "journal"),
        ("journal write", "1.log"),
        ("journal sync", "1.log"),
        ("journal create", "2.log"),
        ("journal write", "2.log"),
        ("journal sync", "2.log"),
        ("journal folder sync", "journal"),
    ]));
    assert_eq!(told(&faults), expected);

    // A folder that was there, and a name in it, may be of a hub that ended before it had synced them.
    let faults = Faults::fail_nth(u64::MAX);
    let mut journal = open(&folder, faults.clone()).unwrap();
    journal.resume(2, HEADER_BYTES as u64).unwrap();
    journal.append(b"two").unwrap();
    let mut expected = vec![("journal folder sync", above(&place))];
    expected.extend(as_told(&[
        ("journal cut", "2.log"),
        ("journal sync", "2.log"),
        ("journal folder sync", "journal"),
        ("journal write", "2.log"),
        ("journal sync", "2.log"),
    ]));
    assert_eq!(told(&faults), expected);
}

/// Only the newest segment may be torn: one that could not be begun is gone for good before the one before it is
/// written on.
#[test]
fn an_unbegun_segment_is_gone_for_good_before_anything_is_appended() {
    let (_place, folder) = place();
    // Opening syncs; a segment takes create, write, sync, and the folder's sync: the second one's header fails.
    let faults = Faults::fail_nth(2 + 4 + 2);
    let mut journal = open(&folder, faults.clone()).unwrap();
    journal.begin(1).unwrap();
    journal.begin(2).unwrap_err();
    let before = faults.told().len();
    journal.append(b"one").unwrap();
    let expected = as_told(&[
        ("journal remove", "2.log"),
        ("journal folder sync", "journal"),
        ("journal write", "1.log"),
        ("journal sync", "1.log"),
    ]);
    assert_eq!(told(&faults)[before..], expected);
}
