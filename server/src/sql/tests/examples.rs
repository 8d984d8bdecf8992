//! The examples of `docs/sql.md` over a day of a fleet that measures every 15 seconds, within the memory that an engine
//! has: what is shown to people must not fail for those who have some machines.

use super::*;
use crate::sql::{AgentNow, CommandNow};
use std::path::Path;

/// How many agents there are.
const AGENTS: usize = 240;
/// Of how many of them there is one that falls silent now and then.
const SILENT_EACH: usize = 3;
/// How often it does in a day.
const SILENCES: usize = 6;
/// How many commands there are.
const COMMANDS: i64 = 2_000;

fn id(agent: usize) -> String {
    format!("agent-{agent:04}")
}

fn fleet() -> Vec<AgentNow> {
    let agent = |number: usize| AgentNow {
        agent_id: id(number),
        status: "online",
        created_at: NOW,
        labels: vec![("site".to_owned(), format!("site-{}", number % 9))],
        ..AgentNow::default()
    };
    (0..AGENTS).map(agent).collect()
}

fn neighbours() -> Neighbours {
    Neighbours {
        agents: Arc::new(|_| Ok(fleet())),
        commands: |_, _, take| {
            let command = |number: i64| CommandNow {
                command_id: format!("CMD-2027-{number:06}"),
                agent_id: id(usize::try_from(number).unwrap() % AGENTS),
                seq: number,
                action: "ping".to_owned(),
                status: "succeeded",
                created_at: NOW.plus_seconds(-40 * number),
                expires_at: NOW,
                delivered_at: Some(NOW.plus_seconds(1 - 40 * number)),
                started_at: Some(NOW.plus_seconds(2 - 40 * number)),
                finished_at: Some(NOW.plus_seconds(5 - 40 * number)),
                ..CommandNow::default()
            };
            let _taken = (1..=COMMANDS).all(|number| take(command(number)));
            Ok(())
        },
    }
}

/// Files as the history has them, in this folder.
fn day(folder: &Path) -> Given {
    let (metrics, discovery) = (folder.join("samples.parquet"), folder.join("scans.parquet"));
    let now = format!("make_timestamp({}::BIGINT)", NOW.as_micros());
    // A thousand samples from one silence to the next, each of 31.
    let silent = format!("agent % {SILENT_EACH} = 0 AND n % 1000 BETWEEN 500 AND 530");
    let samples = format!(
        "SELECT format('agent-{{:04d}}', agent) AS agent_id, {now} - INTERVAL 1 DAY + to_seconds(15 * n + 1) AS timestamp,
                (n * 7919 + agent * 31) % 401 / 4.0 AS cpu, (n * 37 + agent) % 1000 / 10.0 AS ram, 70 + n / 5760.0 AS disk,
                (n * 13 + agent) % 97 / 7.0 AS latency, 'online' AS status, 1::BIGINT AS boot, n AS seq,
                MAP {{'load1': n % 40 / 10.0, 'load5': 1.0, 'swap': n % 5, 'processes': 100.0 + n % 7,
                     'uptime_seconds': n * 15.0, 'temperature': 40.0 + agent % 9}}::MAP(VARCHAR, DOUBLE) AS further
         FROM range({AGENTS}) a(agent), range(5759) s(n) WHERE NOT ({silent}) ORDER BY agent, n"
    );
    let scans = format!(
        "SELECT format('agent-{{:04d}}', agent) AS agent_id, {now} - to_minutes(60 * n + 30) AS timestamp, 1500.0 AS duration,
                1::BIGINT AS boot, n AS seq, 20::BIGINT AS host_count,
                to_json([{{ip: format('10.0.{{}}.{{}}', agent % 50, h), latency: 1.5, ports: [22, 80], hostname: 'host',
                          mac: format('02:00:00:00:{{:02x}}:{{:02x}}', agent % 50, h)}} FOR h IN range(20)])::VARCHAR AS hosts,
                '[\"10.0.0.0/24\"]' AS networks
         FROM range({AGENTS}) a(agent), range(24) s(n) ORDER BY agent, n"
    );
    let writer = duckdb::Connection::open_in_memory().unwrap();
    for (rows, file) in [(samples, &metrics), (scans, &discovery)] {
        writer.execute_batch(&format!("COPY ({rows}) TO '{}' (FORMAT parquet)", file.display())).unwrap();
    }
    let name = |file: &Path| vec![file.to_string_lossy().into_owned()];
    Given { metrics: name(&metrics), discovery: name(&discovery) }
}

#[test]
fn every_example_is_answered_over_a_fleets_day() {
    let bench = Bench::new();
    let files = day(bench.scratch.folder.path());
    let told = include_str!("../../../../docs/sql.md");
    let examples = told.split("```sql\n").skip(1).filter_map(|rest| rest.split("```").next());
    let mut seen = 0;
    for example in examples {
        let names = |view: &View| {
            ["FROM ", "JOIN "].iter().any(|word| example.contains(&format!("{word}{}", view.name())))
        };
        let views: Vec<_> = View::ALL.into_iter().filter(names).collect();
        let ask = Ask { rows_max: 10_000, bytes_max: 8 << 20, ..question(&bench, example, Form::Json) };
        let (word, _) = told_beside(&bench, &ask, &views, neighbours(), &files);
        let Word::Answer { rows, more, .. } = word else { panic!("{example}\n{word:?}") };
        assert!(rows > 0 && !more, "{example}: {rows} rows");
        if example.contains("silent_since") {
            assert_eq!(rows, (AGENTS / SILENT_EACH * SILENCES) as u64, "every silence, and nothing else");
        }
        seen += 1;
    }
    assert_eq!(seen, 10);
}
