//! A column that files from before do not have: they are read, and merged with those that have it.

use crate::tsdb::{
    Tier, TsdbError,
    catalogue::Change,
    compact::LEVEL_FINISHED,
    head::{Segment, Sorted},
    parts::PartRow,
    record::{OwnedRows, OwnedScan},
    schema::{SCANS, text_at},
    testing::{Bench, Dice, NOW, agent_id},
    write::Draft,
};
use arrow::{array::Array, datatypes::SchemaRef};
use pingup_protocol::network::Network;
use std::sync::Arc;

/// Columns of scans before they said where they looked.
const FORMER_COLUMNS: usize = 7;

/// Scans of one day, that say where they looked only if `knowing`.
fn scans(seqs: std::ops::RangeInclusive<u64>, knowing: bool) -> Vec<OwnedScan> {
    let mut dice = Dice::seeded(17);
    let scan = |seq: u64| {
        let mut row = dice.scan("a", Some((1, seq)), NOW.plus_seconds(seq.cast_signed() - 90_000));
        row.scan.networks = if knowing { vec![Network::parse("10.0.0.0/24").unwrap()] } else { Vec::new() };
        row
    };
    seqs.map(scan).collect()
}

/// Adds `scans` as a file without the newest column.
fn add_former(bench: &Bench, scans: &[OwnedScan]) {
    let segment = Segment::new(0);
    segment.push(&OwnedRows { scans: scans.to_vec(), ..OwnedRows::default() }.borrow());
    let sorted = Arc::new(Sorted::new(Arc::new(segment)));
    let [day] = &sorted.scan_days()[..] else { panic!("one day") };
    let columns: Vec<_> = (0..FORMER_COLUMNS).collect();
    let former = SchemaRef::new(SCANS.project(&columns).unwrap());
    let batches = sorted.scan_batches(day.rows.clone());
    let batches = batches.map(|batch| Ok::<_, TsdbError>(batch?.project(&columns)?));
    let draft = Draft { tier: Tier::Scans, period: day.day, level: LEVEL_FINISHED };
    let part: PartRow = bench.tsdb.write_part(draft, &former, batches).unwrap().unwrap();
    bench.tsdb.change(Change { add: vec![part], ..Change::default() }).unwrap();
}

#[test]
fn files_of_scans_from_before_networks_are_merged_with_those_after() {
    let mut bench = Bench::new();
    let (former, newer) = (scans(1..=5, false), scans(6..=12, true));
    add_former(&bench, &former);
    bench.append(&OwnedRows { scans: newer.clone(), ..OwnedRows::default() }).unwrap();
    bench.seal_all();
    bench.clock.advance(7_200);
    bench.compact_all();
    let parts = bench.tsdb.view().parts_for(Tier::Scans, Some("a"), &crate::tsdb::testing::EVER);
    assert_eq!(parts.len(), 1, "merged");
    assert_eq!(bench.scans(&["a"]), [former, newer].concat());
    let batch = crate::tsdb::pick::rows_of(&parts[0], agent_id("a").as_str(), &["networks"]).unwrap();
    let batches: Vec<_> = batch.map(Result::unwrap).collect();
    let told = batches.iter().flat_map(|batch| {
        (0..batch.num_rows()).map(|row| (batch.column(0).is_null(row), text_at(batch, 0, row)))
    });
    let silent = (true, "");
    assert!(told.eq([silent; 5].into_iter().chain([(false, r#"["10.0.0.0/24"]"#); 7])));
}
