//! What lies behind a full page is not read.

use super::*;
use crate::tsdb::testing::RETENTION;
use std::fs;

const DAY_SECONDS: i64 = 86_400;

#[test]
fn a_full_page_needs_no_later_days_file() {
    let mut bench = Bench::new();
    // Five minutes of each day; the later day's file is the older one.
    for day in [1, 0] {
        append(&mut bench, samples(day * DAY_SECONDS, 300));
        bench.seal_all();
    }
    let room = room(&bench, at(2 * DAY_SECONDS));
    let page = |limit| {
        let step = Some(Duration::from_secs(60));
        let question = Question { step, limit, ..range(0, 2 * DAY_SECONDS) };
        let Ok(Plan::Buckets(plan)) = Plan::new(question, at(2 * DAY_SECONDS), &RETENTION) else {
            panic!("buckets were asked for")
        };
        let tell = |page: Listing<Bucket>, _: &_| Ok::<_, HistoryError>(page);
        wait(room.buckets(Some(agent_id("a")), plan, tell))
    };
    let (whole, some) = (page(1_000).unwrap(), page(3).unwrap());
    assert_eq!((whole.items.len(), whole.next), (10, None));
    assert_eq!((&some.items[..], some.next.is_some()), (&whole.items[..3], true));
    let view = bench.tsdb.view();
    let later = |part: &&Arc<crate::tsdb::Part>| part.row().tier == Tier::Raw && part.row().period == 1;
    let [part] = &view.parts.iter().filter(later).collect::<Vec<_>>()[..] else { panic!("one file a day") };
    fs::remove_file(part.path()).unwrap();
    assert_eq!(page(3).unwrap(), some);
    assert!(page(1_000).is_err(), "what is on the page has to be read");
}
