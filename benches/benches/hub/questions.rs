//! Questions to a filled history, as the rooms answer them: planned, read from files and memory, and not yet
//! written as JSON. The files are in the system's cache. One agent is asked about over and over.

use criterion::{BatchSize, Criterion};
use pingup_benches::{
    fleet::Fleet,
    history::{NOW, OpenHistory, retention},
    sizes::Sizes,
};
use pingup_protocol::ids::AgentId;
use pingup_server::{
    discovery::{self, Discovery},
    history::{
        History, HistoryError, Listing,
        plan::{BucketsPlan, Plan, Question, RowsPlan, TopPlan, TopQuestion},
    },
    standing::Standing,
};
use std::{cell::LazyCell, time::Duration};
use tokio::runtime::Runtime;

const HOUR: Duration = Duration::from_secs(3_600);
const MINUTE: Duration = Duration::from_secs(60);
const DAY_SECONDS: i64 = 86_400;
/// Items on a page: the most that one may have.
const PAGE: u64 = 10_000;

/// The rooms over a filled history, and whom to ask about.
struct Asked {
    history: OpenHistory,
    /// Its agent scans too.
    agent: AgentId,
    runtime: Runtime,
    room: History,
    discovery: Discovery,
}

impl Asked {
    fn new(sizes: &Sizes) -> Self {
        let mut fleet = Fleet::new(sizes.agents, sizes.seed).unwrap_or_else(|error| panic!("{error}"));
        let history = OpenHistory::filled(sizes, &mut fleet).unwrap_or_else(|error| panic!("{error:?}"));
        let (tsdb, sqlite) = (history.tsdb.clone(), history.sqlite.clone());
        let readers = history.engine.readers().clone();
        // Every tenth agent scans; one in the middle stands neither first nor last in a file.
        let agent = fleet.agents()[sizes.agents / 20 * 10].clone();
        Self {
            agent,
            runtime: Runtime::new().unwrap_or_else(|error| panic!("{error}")),
            room: room(&history),
            discovery: Discovery::new(tsdb, readers, sqlite, |_, _| Ok(Standing::Living)),
            history,
        }
    }

    fn rows(&self, plan: RowsPlan) -> usize {
        let tell = |page: Listing<_>, _: &_| Ok::<_, HistoryError>(page.items.len());
        let told = self.runtime.block_on(self.room.rows(self.agent.clone(), plan, tell));
        told.unwrap_or_else(|error| panic!("{error}"))
    }

    fn buckets(&self, room: &History, agent: Option<&AgentId>, plan: BucketsPlan) -> usize {
        let tell = |page: Listing<_>, _: &_| Ok::<_, HistoryError>(page.items.len());
        let told = self.runtime.block_on(room.buckets(agent.cloned(), plan, tell));
        told.unwrap_or_else(|error| panic!("{error}"))
    }

    fn top(&self, plan: TopPlan) -> usize {
        let page = self.runtime.block_on(self.room.top(plan));
        page.unwrap_or_else(|error| panic!("{error}")).0.len()
    }

    fn scans(&self, range: discovery::Range) -> usize {
        let page = self.runtime.block_on(self.discovery.page(self.agent.clone(), range));
        page.unwrap_or_else(|error| panic!("{error}")).items.len()
    }
}

/// A room that was not asked anything yet.
fn room(history: &OpenHistory) -> History {
    let OpenHistory { clock, sqlite, engine, tsdb, .. } = history;
    let standing = |_: &_, _: &str| Ok(Standing::Living);
    let (tsdb, readers, sqlite) = (tsdb.clone(), engine.readers().clone(), sqlite.clone());
    History::new(tsdb, readers, sqlite, clock.clone(), Default::default(), standing)
}

fn question(days: i64, step: Option<Duration>) -> Question<'static> {
    let from = NOW.plus_seconds(-days * DAY_SECONDS);
    Question { from: Some(from), to: Some(NOW), step, limit: PAGE, ..Question::default() }
}

fn buckets(days: i64, step: Duration, fields: Option<&str>) -> BucketsPlan {
    match Plan::new(Question { fields, ..question(days, Some(step)) }, NOW, &retention()) {
        Ok(Plan::Buckets(plan)) => plan,
        other => panic!("buckets were asked for: {other:?}"),
    }
}

fn rows(days: i64) -> RowsPlan {
    match Plan::new(question(days, None), NOW, &retention()) {
        Ok(Plan::Rows(plan)) => plan,
        other => panic!("rows were asked for: {other:?}"),
    }
}

pub(crate) fn history(criterion: &mut Criterion, sizes: &Sizes) {
    let asked = LazyCell::new(|| Asked::new(sizes));
    let mut group = criterion.benchmark_group("history");
    group.warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    let mut ask = |name: &str, ask: &dyn Fn(&Asked) -> usize| {
        group.bench_function(name, |bench| {
            let asked = &*asked;
            assert!(ask(asked) > 0, "{name}: an empty answer costs nothing");
            bench.iter(|| ask(asked));
        });
    };
    let month = buckets(sizes.days, HOUR, None);
    let month_of_cpu = buckets(sizes.days, HOUR, Some("cpu"));
    let by_minute = buckets(1, MINUTE, None);
    ask("an agent, all days by the hour", &|asked| {
        asked.buckets(&asked.room, Some(&asked.agent), month.clone())
    });
    ask("an agent, all days by the hour, cpu", &|asked| {
        asked.buckets(&asked.room, Some(&asked.agent), month_of_cpu.clone())
    });
    let day = rows(1);
    ask("an agent, a day of samples", &|asked| asked.rows(day.clone()));
    ask("an agent, a day by the minute", &|asked| {
        asked.buckets(&asked.room, Some(&asked.agent), by_minute.clone())
    });
    let fleet = Plan::fleet(question(sizes.days, Some(HOUR)), NOW, &retention())
        .unwrap_or_else(|error| panic!("{error}"));
    ask("the fleet, all days by the hour, asked before", &|asked| {
        asked.buckets(&asked.room, None, fleet.clone())
    });
    let ten = TopQuestion { field: "cpu", limit: 10, ..TopQuestion::default() };
    let ten = TopPlan::new(ten, NOW).unwrap_or_else(|error| panic!("{error}"));
    ask("top ten of the last hour", &|asked| asked.top(ten.clone()));
    let page = discovery::Range { limit: 10, ..discovery::Range::ALL };
    ask("scans, the first page", &|asked| asked.scans(page));
    group.bench_function("the fleet, all days by the hour, asked for the first time", |bench| {
        let new_room = || room(&asked.history);
        bench.iter_batched(
            new_room,
            |room| asked.buckets(&room, None, fleet.clone()),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}
