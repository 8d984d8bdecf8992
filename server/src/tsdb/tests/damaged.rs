//! Damaged parts are taken out, wherever that is cut off; the rest is there and goes on.

use crate::{
    storage::{Faults, StorageError},
    tsdb::{
        Places, Tier,
        catalogue::{self, Catalogue},
        damaged::{ASIDE, Clearance, Damaged},
        testing::{Bench, NOW, double, on_disk},
    },
};
use std::{
    fs,
    path::{Path, PathBuf},
};

const DAY: i64 = 86_400;
/// More calls than taking out makes.
const CALLS_MAX: u64 = 40;

/// Samples of two days, five each, in parts; and three in memory.
fn used() -> Bench {
    let mut bench = Bench::new();
    for day in [5_i64, 3] {
        bench.push("a", day.unsigned_abs(), 1..=5, NOW.plus_seconds(-day * DAY));
        bench.seal_all();
    }
    bench.collect_garbage();
    bench.push("a", 9, 1..=3, NOW);
    bench
}

fn places(bench: &Bench) -> Places {
    Places::below(bench.scratch.folder.path())
}

fn known(bench: &Bench) -> Catalogue {
    catalogue::load(&rusqlite::Connection::open(bench.scratch.folder.sqlite_path()).unwrap()).unwrap()
}

/// The oldest part with samples, of which the disk changed a byte.
fn damage(bench: &Bench) -> PathBuf {
    let part =
        bench.tsdb.view().parts.iter().find(|part| part.row().tier == Tier::Raw).unwrap().path().to_owned();
    let mut bytes = fs::read(&part).unwrap();
    bytes[9] ^= 1;
    fs::write(&part, bytes).unwrap();
    part
}

/// What it would come to for the part in this file.
fn plan(bench: &Bench, file: &Path) -> Result<Clearance, StorageError> {
    let (places, known) = (places(bench), known(bench));
    let is_it = |part: &&crate::tsdb::PartRow| places.parts.join(part.file()) == file;
    let damaged = known.parts.iter().filter(is_it).cloned();
    let damaged = damaged.map(|part| Damaged { part, why: "changed".to_owned() }).collect();
    Clearance::plan(&places, &known, damaged)
}

/// What is in the folder for what was taken out, as folder and name.
fn aside(bench: &Bench) -> Vec<PathBuf> {
    let folder = places(bench).parts.join(ASIDE);
    let below = |folder: &Path| -> Vec<PathBuf> {
        fs::read_dir(folder).map_or(Vec::new(), |all| all.map(|entry| entry.unwrap().path()).collect())
    };
    let mut files: Vec<_> = below(&folder).iter().flat_map(|tier| below(tier)).collect();
    files.sort();
    files.iter().map(|file| file.strip_prefix(&folder).unwrap().to_owned()).collect()
}

/// How many rollups by the hour there are.
fn hours(bench: &Bench) -> usize {
    on_disk(&bench.engine, &bench.tsdb.view(), Tier::Hour, |row| double(&row[7])).len()
}

#[test]
fn a_damaged_part_is_taken_out_and_all_else_goes_on() {
    let mut bench = used();
    let (part, before) = (damage(&bench), hours(&bench));
    let bytes = fs::read(&part).unwrap();
    let clearance = plan(&bench, &part).unwrap();
    assert_eq!((clearance.rows(), clearance.unlisted.len()), (5, 0));
    clearance.carry_out(&bench.sqlite, &Faults::none(), |_| Ok(())).unwrap();
    bench.reopen();
    assert_eq!(bench.rows().len(), 8, "five of the other day, and three in memory");
    assert_eq!(hours(&bench), before, "rollups of that day stay");
    let moved = Path::new("raw").join(part.file_name().unwrap());
    assert_eq!(aside(&bench), std::slice::from_ref(&moved));
    assert_eq!(fs::read(places(&bench).parts.join(ASIDE).join(moved)).unwrap(), bytes, "as it was");
    // Again there is nothing to do; and everything else is done as ever.
    plan(&bench, &part).unwrap().carry_out(&bench.sqlite, &Faults::none(), |_| Ok(())).unwrap();
    bench.clock.advance(DAY);
    bench.compact_all();
    bench.push("a", 9, 4..=5, NOW);
    assert_eq!(bench.rows().len(), 10);
}

#[test]
fn cut_off_anywhere_it_is_finished_by_doing_it_again() {
    let calls = (1..CALLS_MAX).take_while(|&call| {
        let mut bench = used();
        let (part, faults) = (damage(&bench), Faults::fail_nth(call));
        let first = plan(&bench, &part).unwrap().carry_out(&bench.sqlite, &faults, |_| Ok(()));
        assert_eq!(first.is_err(), faults.has_fired(), "call {call}");
        assert!(part.exists() || !aside(&bench).is_empty(), "call {call}: nothing is lost");
        plan(&bench, &part).unwrap().carry_out(&bench.sqlite, &Faults::none(), |_| Ok(())).unwrap();
        bench.reopen();
        assert_eq!((bench.rows().len(), aside(&bench).len()), (8, 1), "call {call}");
        faults.has_fired()
    });
    let calls = calls.count() as u64;
    assert!((5..CALLS_MAX - 1).contains(&calls), "{calls} calls");
}

#[test]
fn the_commit_comes_after_both_names_last() {
    let bench = used();
    let (part, faults) = (damage(&bench), Faults::fail_nth(u64::MAX));
    plan(&bench, &part).unwrap().carry_out(&bench.sqlite, &faults, |_| Ok(())).unwrap();
    let told = faults.told();
    let renamed = told.iter().position(|(call, _)| *call == "aside rename").unwrap();
    let synced: Vec<_> =
        told[renamed + 1..told.len() - 1].iter().map(|(_, folder)| folder.as_path()).collect();
    assert_eq!(synced, [told[renamed].1.parent().unwrap(), part.parent().unwrap()]);
    assert_eq!(told.last().unwrap().0, "catalogue commit");
}

/// What the part was made of is in the journal still: a hub that was killed left it, and the next start would delete it.
#[test]
fn what_may_have_the_rows_of_a_part_is_moved_with_it() {
    let mut bench = Bench::new();
    bench.push("a", 1, 1..=5, NOW.plus_seconds(-DAY));
    bench.seal_all();
    let part = damage(&bench);
    // Moved away by hand, as one would.
    fs::rename(&part, bench.scratch.folder.path().join("by-hand")).unwrap();
    let said = bench.reopen_with(Faults::none()).unwrap_err().to_string();
    assert!(said.contains(part.to_str().unwrap()) && said.contains("check --drop-damaged"), "{said}");
    let clearance = plan(&bench, &part).unwrap();
    assert_eq!(clearance.unlisted.len(), 1);
    clearance.carry_out(&bench.sqlite, &Faults::none(), |_| Ok(())).unwrap();
    assert_eq!(aside(&bench), [Path::new("journal/00000000000000000001.log")]);
    bench.reopen();
    assert!(bench.rows().is_empty() && hours(&bench) > 0);
}

#[test]
fn under_another_pingup_db_nothing_is_taken_out() {
    let bench = used();
    let part = damage(&bench);
    let records = rusqlite::Connection::open(bench.scratch.folder.sqlite_path()).unwrap();
    records.execute("UPDATE sealed SET segment = 1", []).unwrap();
    records.execute("DELETE FROM parts WHERE id > 2", []).unwrap();
    let refused = plan(&bench, &part).unwrap_err().to_string();
    assert!(refused.contains("goes on at segment 3, not 2") && part.exists(), "{refused}");
}

#[test]
fn what_was_taken_out_before_is_not_overwritten() {
    let bench = used();
    let part = damage(&bench);
    let taken = places(&bench).parts.join(ASIDE).join("raw").join(part.file_name().unwrap());
    fs::create_dir_all(taken.parent().unwrap()).unwrap();
    fs::write(&taken, "of another time").unwrap();
    let refused = plan(&bench, &part).unwrap_err().to_string();
    assert!(refused.contains("which exists; move that away"), "{refused}");
}
