//! Which call fails, when the writer stands still, and what the environment may ask for.

use super::{
    words::{ABORT_VARIABLE, FAIL_VARIABLE, STALL_MAX, STALL_VARIABLE},
    *,
};
use std::ffi::OsString;

fn told(faults: &Faults, calls: usize) -> Vec<bool> {
    (0..calls).map(|_| faults.at("test").is_ok()).collect()
}

#[test]
fn the_call_that_is_named_fails() {
    assert_eq!(told(&Faults::none(), 3), [true, true, true]);
    let once = Faults::fail_nth(2);
    assert_eq!(told(&once, 1), [true]);
    assert!(!once.has_fired());
    assert!(matches!(once.at("journal sync"), Err(StorageError::Injected("journal sync"))));
    assert!(once.has_fired() && once.at("test").is_ok() && once.calls() == 3);
    let from = Faults::fail_from(2);
    assert_eq!(told(&from, 3), [true, false, false]);
    from.heal();
    assert_eq!(told(&from, 2), [true, true]);
}

#[test]
fn the_writer_stands_still_once_its_time_has_come_and_fails_no_call() {
    let [after, lasting] = [3, 30].map(Duration::from_secs);
    let faults = Faults::stall(after, lasting);
    let plan = faults.0.as_ref().unwrap();
    assert_eq!(plan.stall_at(after - Duration::from_nanos(1)), None);
    assert!(!faults.has_fired());
    assert_eq!(plan.stall_at(after), Some(lasting));
    assert!(faults.has_fired());
    assert_eq!(plan.stall_at(after + lasting), None, "once");
    assert_eq!(told(&faults, 2), [true, true]);
    assert_eq!(Faults::fail_nth(1).0.unwrap().stall_at(Duration::MAX), None);
}

fn read(set: &[(&str, &str)]) -> Result<Option<Fault>, FaultsError> {
    words::read(|name| set.iter().find(|(set, _)| *set == name).map(|(_, text)| OsString::from(text)))
}

#[test]
fn the_environment_is_read_or_refused_by_name() {
    assert!(matches!(read(&[]), Ok(None)));
    assert!(matches!(read(&[(FAIL_VARIABLE, "3")]), Ok(Some(Fault::FailNth(3)))));
    assert!(matches!(read(&[(ABORT_VARIABLE, "1")]), Ok(Some(Fault::AbortNth(1)))));
    for bad in ["", "0", "-1", "x"] {
        let refusal = read(&[(ABORT_VARIABLE, bad)]).unwrap_err().to_string();
        assert!(refusal.contains(ABORT_VARIABLE), "{refusal}");
    }
    let set = [(FAIL_VARIABLE, "1"), (ABORT_VARIABLE, "1"), (STALL_VARIABLE, "after=1s,for=1s")];
    for two in [[set[0], set[1]], [set[0], set[2]], [set[1], set[2]]] {
        assert!(matches!(read(&two), Err(FaultsError::Several)));
    }
}

#[test]
fn a_stall_says_when_and_how_long_or_is_refused_with_an_example() {
    let stalls = |text: &str| read(&[(STALL_VARIABLE, text)]);
    for (text, after, lasting) in [
        ("after=3s,for=30s", 3_000, 30_000),
        ("after=0s,for=250ms", 0, 250),
        ("after=1h,for=1h", 3_600_000, 3_600_000),
    ] {
        let [after, lasting] = [after, lasting].map(Duration::from_millis);
        assert_eq!(stalls(text).unwrap(), Some(Fault::Stall { after, lasting }), "{text}");
    }
    assert_eq!(STALL_MAX, Duration::from_secs(3_600));
    for bad in
        ["", "3s", "after=3s", "for=30s,after=3s", "after=3,for=30", "after=-1s,for=1s", "after=1s,for=3601s"]
    {
        let refusal = stalls(bad).unwrap_err().to_string();
        assert!(refusal.contains(STALL_VARIABLE) && refusal.contains("after=3s,for=30s"), "{bad}: {refusal}");
    }
}
