//! Names last before anything relies on them: the order of the calls that storage makes.

use crate::{
    storage::Faults,
    tsdb::testing::{Bench, NOW},
};
use std::path::PathBuf;

const DAY: i64 = 86_400;

/// Sealed twice, merged, and let go, so that parts are made in each of the ways there are; what was called meanwhile.
fn calls() -> Vec<(&'static str, PathBuf)> {
    let (mut bench, faults) = (Bench::new(), Faults::fail_nth(u64::MAX));
    bench.reopen_with(faults.clone()).unwrap();
    for boot in 1..=2 {
        bench.push("a", boot, 1..=5, NOW.plus_seconds(-2 * DAY));
        bench.seal_all();
    }
    bench.clock.advance(60);
    bench.compact_all();
    bench.clock.advance(40 * DAY);
    bench.retain_all();
    faults.told()
}

#[test]
fn the_catalogue_lists_no_part_whose_name_may_still_go() {
    let (mut renamed, mut commits) = (Vec::new(), 0);
    for (call, path) in calls() {
        match call {
            "part rename" => renamed.push((path, false)),
            "part folder sync" => {
                let in_it = renamed.iter_mut().filter(|(part, _)| part.parent() == Some(&path));
                in_it.for_each(|(_, lasts)| *lasts = true);
            }
            "catalogue commit" => {
                commits += 1;
                assert!(renamed.iter().all(|(_, lasts)| *lasts), "commit {commits} of {renamed:?}");
            }
            _ => {}
        }
    }
    let folders =
        |tier: &str| renamed.iter().filter(|(part, _)| part.parent().unwrap().ends_with(tier)).count();
    assert_eq!([folders("raw"), folders("hour"), folders("minute")], [3, 2, 1], "{renamed:?}");
    assert!(commits >= 4, "sealed twice, merged, and let go");
}

/// A part is synced before it has its name: else the name could last and what is under it not.
#[test]
fn no_part_has_its_name_before_it_is_on_disk() {
    let mut made = None;
    for (call, path) in calls() {
        match call {
            "part write" => made = Some((path, false)),
            "part sync" => made = made.map(|(part, _)| (part.clone(), part == path)),
            "part rename" => assert!(made.take().is_some_and(|(_, synced)| synced), "{}", path.display()),
            _ => {}
        }
    }
}
