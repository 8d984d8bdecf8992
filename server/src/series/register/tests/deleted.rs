//! What an operator deletes, whatever is just being written.

use super::*;
use crate::series::Which;

fn which(selectors: &[&str], sender: Option<&str>) -> Which {
    let selectors = selectors.iter().map(|text| pingup_promql::parse_selector(text).unwrap()).collect();
    Which { selectors, sender: sender.map(str::to_owned) }
}

#[test]
fn what_is_meant_is_what_fulfils_any_selector_and_is_the_senders() {
    let bench = Bench::new();
    let register = open(&bench, WIDE);
    assert_eq!(give(&register, "s", &["a", "b"]), Ok(vec![1, 2]));
    assert_eq!(give(&register, "t", &["c", "b"]), Ok(vec![3, 2]));
    let meant = |selectors: &[&str], sender| {
        let ids = register.meant(&which(selectors, sender));
        ids.into_iter().map(SeriesId::number).collect::<Vec<_>>()
    };
    assert_eq!(meant(&[], None), [1, 2, 3]);
    assert_eq!(meant(&["c", "{__name__=~\"a|c\"}"], None), [1, 3]);
    assert_eq!(meant(&[], Some("s")), [1, 2], "whoever wrote it first");
    assert_eq!(meant(&["b", "c"], Some("t")), [3]);
    assert_eq!((meant(&[], Some("nobody")), meant(&["z"], None)), (vec![], vec![]));
}

#[test]
fn what_is_deleted_is_out_of_memory_and_records_and_leaves_room() {
    let bench = Bench::new();
    let bounds = Bounds { of_sender: 2 * DELETED_MAX + 1, of_all: 5_000, ..WIDE };
    let register = open(&bench, bounds);
    let names: Vec<_> = (0..2 * DELETED_MAX + 1).map(|n| format!("m{n}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    give(&register, "s", &names).unwrap();
    assert_eq!(give(&register, "s", &["new"]), Err(Whose::Sender));
    let runtime = Runtime::new().unwrap();
    let all = register.meant(&which(&["{__name__=~\".+\",__name__!=\"m7\"}"], None));

    let failing = |_: &rusqlite::Connection| Err(rusqlite::Error::InvalidQuery);
    assert!(runtime.block_on(register.begin_to_delete(&all, failing)).is_err());
    assert_eq!(stored(&bench).len(), names.len(), "nothing, where it is not written down");

    let noted = |connection: &rusqlite::Connection| connection.execute_batch("CREATE TABLE noted (n)");
    runtime.block_on(register.begin_to_delete(&all, noted)).unwrap();
    assert_eq!(stored(&bench).len(), DELETED_MAX + 1, "some are gone with what was noted");
    register.take_out(&all);
    assert_eq!(register.size().0, 1);
    runtime.block_on(register.tidy_all()).unwrap();
    let left: Vec<_> = stored(&bench).into_iter().map(|row| row.labels[1].clone()).collect();
    assert_eq!(left, ["m7"]);
    assert!(give(&register, "s", &["new", "m0"]).is_ok());
    assert_eq!(register.counts().senders, [("s".into(), 3)]);
}

/// A push may stand between the number of a series and its row when that series goes.
#[test]
fn what_goes_before_its_row_is_written_never_gets_one() {
    let bench = Bench::new();
    let register = open(&bench, WIDE);
    let runtime = Runtime::new().unwrap();
    let mut on_its_way = register.resolve("s", &series(&["a", "b", "c"]), None);
    let meant = register.meant(&which(&["a"], None));
    runtime.block_on(register.begin_to_delete(&meant, |_| Ok(()))).unwrap();
    register.take_out(&meant);
    runtime.block_on(register.tidy_all()).unwrap();
    runtime.block_on(register.store(&mut on_its_way)).unwrap();
    let names: Vec<_> = stored(&bench).into_iter().map(|row| row.labels[1].clone()).collect();
    assert_eq!(names, ["b", "c"]);

    let mut on_its_way = register.resolve("s", &series(&["d"]), None);
    assert_eq!(register.forget(NOW_MS + 1), 3);
    runtime.block_on(register.tidy_all()).unwrap();
    runtime.block_on(register.store(&mut on_its_way)).unwrap();
    assert_eq!((stored(&bench), open(&bench, WIDE).size().0), (vec![], 0));
}
