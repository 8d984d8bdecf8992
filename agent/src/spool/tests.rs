//! The spool against crashes, its bounds, and a naive model of itself.

mod damage;
mod lanes;
mod model;

use super::{
    room::{AGE_PARTS, SEGMENTS_LEAST},
    *,
};

const NOON: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
const AMPLE: Bounds = Bounds { bytes_max: 1 << 30, age_max: Duration::from_secs(3600) };

fn open(home: &tempfile::TempDir, bounds: Bounds) -> Spool {
    Spool::open(home.path(), bounds, NOON).unwrap()
}

fn append(spool: &mut Spool, json: &str) -> u64 {
    spool.append(Kind::Sample, NOON, json.into()).unwrap()
}

fn waiting(spool: &Spool) -> Vec<(u64, String)> {
    waiting_in(spool, Lane::Live)
}

fn waiting_in(spool: &Spool, lane: Lane) -> Vec<(u64, String)> {
    let records = spool.oldest(lane, usize::MAX, usize::MAX).unwrap();
    records.iter().map(|r| (spool.seq_of(r), String::from_utf8(r.json.clone()).unwrap())).collect()
}

fn segment_files(home: &tempfile::TempDir) -> Vec<PathBuf> {
    Segment::list(home.path()).unwrap().into_iter().map(|(_, path)| path).collect()
}

#[test]
fn what_waits_survives_and_what_is_acknowledged_does_not_come_back() {
    let home = tempfile::tempdir().unwrap();
    let boot = {
        let mut spool = open(&home, AMPLE);
        assert_eq!((append(&mut spool, "a"), append(&mut spool, "b"), append(&mut spool, "c")), (1, 2, 3));
        spool.acknowledge(spool.boot(Lane::Live), 1).unwrap();
        spool.acknowledge(spool.boot(Lane::Live) - 1, 3).unwrap();
        spool.boot(Lane::Live)
    };
    let spool = open(&home, AMPLE);
    assert_eq!((spool.boot(Lane::Live), spool.last_seq(Lane::Live)), (boot, 3));
    assert_eq!(waiting(&spool), [(2, "b".into()), (3, "c".into())]);
}

#[test]
fn a_number_is_never_given_out_twice() {
    let home = tempfile::tempdir().unwrap();
    for round in 1..=3 {
        let mut spool = open(&home, AMPLE);
        assert_eq!(append(&mut spool, "x"), round);
        spool.acknowledge(spool.boot(Lane::Live), round).unwrap();
        assert!(spool.is_empty());
    }
}

#[test]
fn a_torn_tail_is_cut_off_wherever_it_was_torn() {
    let whole = {
        let home = tempfile::tempdir().unwrap();
        let mut spool = open(&home, AMPLE);
        append(&mut spool, "first");
        append(&mut spool, "second");
        std::fs::read(&segment_files(&home)[0]).unwrap()
    };
    let first_ends = whole.len() - (25 + "second".len());
    for cut in first_ends..whole.len() {
        let home = tempfile::tempdir().unwrap();
        drop(open(&home, AMPLE));
        std::fs::write(home.path().join(format!("{:020}.records", 0)), &whole[..cut]).unwrap();
        let mut spool = open(&home, AMPLE);
        assert_eq!(waiting(&spool), [(1, "first".into())], "torn at {cut}");
        assert_eq!((append(&mut spool, "again"), spool.dropped()), (2, 0), "it was never given out");
        assert_eq!(waiting(&spool).len(), 2);
    }
}

#[test]
fn the_oldest_goes_first_when_there_is_no_room_and_is_counted() {
    let home = tempfile::tempdir().unwrap();
    let bounds = Bounds { bytes_max: 16 * 1024, ..AMPLE };
    let mut spool = open(&home, bounds);
    for number in 1..=1_000 {
        append(&mut spool, &format!("{number:075}"));
        let on_disk: u64 = segment_files(&home).iter().map(|path| path.metadata().unwrap().len()).sum();
        assert!(on_disk <= bounds.bytes_max, "{on_disk} bytes after {number}");
    }
    let left = waiting(&spool);
    assert_eq!(left.last().unwrap().0, 1_000);
    assert_eq!(left.first().unwrap().0, spool.dropped() + 1, "each is either there or counted");
    assert!(left.len() > 140, "only as much goes as must: {} are left of 163 that fit", left.len());
    assert!(spool.segments.len() <= SEGMENTS_LEAST as usize + 1);
    let dropped = spool.dropped();
    drop(spool);
    assert_eq!(open(&home, bounds).dropped(), dropped);
}

#[test]
fn what_is_too_old_goes_and_numbers_go_on() {
    let home = tempfile::tempdir().unwrap();
    let mut spool = open(&home, AMPLE);
    append(&mut spool, "old");
    let later = NOON.plus_seconds(3601);
    spool.drop_expired(NOON.plus_seconds(3600)).unwrap();
    assert_eq!((waiting(&spool).len(), spool.dropped()), (1, 0));
    spool.drop_expired(later).unwrap();
    assert_eq!(spool.append(Kind::Sample, later, b"new".to_vec()).unwrap(), 2);
    assert_eq!((waiting(&spool), spool.dropped()), (vec![(2, "new".into())], 1));
    let mut spool = Spool::open(home.path(), AMPLE, later.plus_seconds(3601)).unwrap();
    assert_eq!(waiting(&spool).len(), 1, "at the start it is not known what time it is");
    spool.drop_expired(later.plus_seconds(3601)).unwrap();
    assert!(spool.is_empty() && spool.dropped() == 2 && spool.last_seq(Lane::Live) == 2);
}

#[test]
fn a_spool_that_never_fills_a_segment_still_forgets_what_is_too_old() {
    let home = tempfile::tempdir().unwrap();
    let bounds = Bounds { age_max: Duration::from_secs(160), ..AMPLE };
    let mut spool = open(&home, bounds);
    for second in 0..1_000 {
        let now = NOON.plus_seconds(second);
        spool.drop_expired(now).unwrap();
        spool.append(Kind::Sample, now, b"x".to_vec()).unwrap();
        let oldest = spool.oldest(Lane::Live, 1, usize::MAX).unwrap()[0].timestamp;
        assert!(now <= oldest.plus_seconds(160 + 12), "{oldest} still waits at {now}");
        assert!(spool.segments.len() <= AGE_PARTS as usize + 2);
    }
    assert_eq!(waiting(&spool).len() as u64 + spool.dropped(), 1_000, "each is either there or counted");
    assert!(waiting(&spool).len() >= 160, "only what is too old goes");
    drop(spool);
    let mut spool = Spool::open(home.path(), bounds, NOON.plus_seconds(999)).unwrap();
    spool.drop_expired(NOON.plus_seconds(999)).unwrap();
    assert!(waiting(&spool).len() >= 160, "the same after a restart");
}

#[test]
fn damage_in_the_middle_costs_what_is_damaged_and_is_counted_once() {
    let home = tempfile::tempdir().unwrap();
    let bounds = Bounds { bytes_max: 16 * 1024, ..AMPLE };
    let mut spool = open(&home, bounds);
    (0..40).for_each(|_| _ = append(&mut spool, &"x".repeat(75)));
    drop(spool);
    let first = &segment_files(&home)[0];
    let mut bytes = std::fs::read(first).unwrap();
    bytes[100 + 30] ^= 1;
    std::fs::write(first, bytes).unwrap();
    for _ in 0..2 {
        let spool = open(&home, bounds);
        assert_eq!(spool.dropped(), 1);
        let seqs: Vec<u64> = waiting(&spool).into_iter().map(|(seq, _)| seq).collect();
        assert_eq!((seqs[0], seqs[1], seqs.last()), (1, 3, Some(&40)));
    }
}

#[test]
fn a_new_boot_numbers_what_waits_anew() {
    let home = tempfile::tempdir().unwrap();
    let mut spool = open(&home, AMPLE);
    ["a", "b", "c"].iter().for_each(|json| _ = append(&mut spool, json));
    spool.acknowledge(spool.boot(Lane::Live), 1).unwrap();
    let (old, min) = (spool.boot(Lane::Live), spool.boot(Lane::Live) + 500);
    spool.begin_boot(Lane::Live, min, NOON).unwrap();
    assert_eq!((spool.boot(Lane::Live), waiting(&spool)), (min, vec![(1, "b".into()), (2, "c".into())]));
    spool.acknowledge(old, 3).unwrap();
    assert_eq!(waiting(&spool).len(), 2, "an answer to the old boot says nothing of the new one");
    let mut spool = open(&home, AMPLE);
    assert_eq!((spool.boot(Lane::Live), append(&mut spool, "d")), (min, 3));
    spool.begin_boot(Lane::Live, 0, NOON).unwrap();
    assert!(spool.boot(Lane::Live) > min);
}

#[test]
fn scans_go_alone_and_batches_have_bounds() {
    let home = tempfile::tempdir().unwrap();
    let mut spool = open(&home, AMPLE);
    for kind in [Kind::Sample, Kind::Sample, Kind::Scan, Kind::Sample, Kind::Sample, Kind::Sample] {
        spool.append(kind, NOON, b"0123456789".to_vec()).unwrap();
    }
    let sizes =
        |spool: &Spool| spool.oldest(Lane::Live, 2, 25).unwrap().iter().map(|r| r.number).collect::<Vec<_>>();
    for expected in [vec![1, 2], vec![3], vec![4, 5], vec![6], vec![]] {
        assert_eq!(sizes(&spool), expected);
        spool.acknowledge_number(expected.last().copied().unwrap_or_default()).unwrap();
    }
    append(&mut spool, "longer than the bound on bytes, and yet it goes");
    assert_eq!(spool.oldest(Lane::Live, 2, 5).unwrap().len(), 1);
}
