//! Pages of random scans, in memory and in files of many days, beside all of them in order.

use super::*;
use crate::tsdb::testing::Dice;

const DAY: u64 = 86_400;

/// Scans as they are told: when, and the hosts.
type Told = Vec<(i64, String)>;

/// Scans of six days, some of one moment, sealed and merged now and then; and all of them, the newest first.
fn random(dice: &mut Dice) -> (Bench, Told) {
    let (mut bench, mut all) = (Bench::new(), Vec::new());
    for seq in 1..=50 {
        let at = (dice.below(6) * DAY + dice.below(20)).cast_signed() * 1_000_000;
        let hosts: Vec<_> = (0..dice.below(4)).map(|host| format!("10.0.{seq}.{host}")).collect();
        let texts: Vec<_> = hosts.iter().map(String::as_str).collect();
        let scans = vec![scan(at, Some((5, seq)), &texts)];
        bench.append(&OwnedRows { scans, ..OwnedRows::default() }).unwrap();
        all.push(((at, seq), hosts.join(" ")));
        match dice.below(12) {
            0 => bench.seal_all(),
            1 => bench.compact_all(),
            _ => {}
        }
    }
    all.sort_by(|(one, _), (other, _)| other.cmp(one));
    (bench, all.into_iter().map(|((at, _), hosts)| (at, hosts)).collect())
}

/// All pages, one behind the other.
fn walked(bench: &Bench, limit: usize, page_bytes_max: usize) -> Told {
    let (mut pages, mut range) = (Vec::new(), Range { limit, ..Range::ALL });
    loop {
        let page = page(bench, "a", range, page_bytes_max);
        assert!((1..=limit).contains(&page.items.len()), "{} of {limit}", page.items.len());
        pages.extend(told(&page));
        match page.next {
            Some(next) => range.before = next,
            None => return pages,
        }
    }
}

#[test]
fn every_scan_is_told_once_and_in_its_order() {
    for seed in 1..=8 {
        let mut dice = Dice::seeded(seed);
        let (bench, all) = random(&mut dice);
        for _ in 0..6 {
            let limit = usize::try_from(1 + dice.below(60)).unwrap();
            let page_bytes_max = usize::try_from(1 + dice.below(4_000)).unwrap();
            let walked = walked(&bench, limit, page_bytes_max);
            assert_eq!(walked, all, "seed {seed}, pages of {limit} and {page_bytes_max} bytes");
        }
    }
}
