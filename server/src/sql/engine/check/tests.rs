//! What passes, what is refused, and in which words.

use super::*;
use crate::sql::engine::words;

fn look(query: &str) -> Result<BTreeSet<View>, String> {
    let connection = Connection::open_in_memory().unwrap();
    check(&connection, query).map_err(|error| match error {
        EngineError::Storage(error) => format!("{:?}", words::of(&error, "")),
        other => other.to_string(),
    })
}

fn views(query: &str) -> Vec<View> {
    look(query).unwrap_or_else(|why| panic!("{query}: {why}")).into_iter().collect()
}

#[test]
fn questions_about_the_views_pass_and_say_which() {
    use View::{AgentsCurrent, Commands, Discovery, Metrics};
    for (query, named) in [
        ("SELECT 1", &[][..]),
        ("select * from metrics;", &[Metrics]),
        ("FROM METRICS SELECT count(*)", &[Metrics]),
        ("TABLE commands -- and that is all", &[Commands]),
        ("VALUES (1), (2)", &[]),
        ("SELECT * FROM main.agents_current a JOIN metrics m USING (agent_id)", &[Metrics, AgentsCurrent]),
        ("SELECT (SELECT max(cpu) FROM metrics), (SELECT count(*) FROM commands)", &[Metrics, Commands]),
        ("SELECT * FROM discovery, LATERAL (SELECT unnest(hosts, recursive := true))", &[Discovery]),
        ("WITH m AS (SELECT * FROM metrics), n AS (FROM m) FROM n, m", &[Metrics]),
        ("WITH metrics AS (SELECT 1) FROM metrics", &[]),
        ("WITH RECURSIVE t AS (SELECT 1 n UNION ALL SELECT n + 1 FROM t WHERE n < 3) FROM t", &[]),
        ("WITH RECURSIVE T(n) USING KEY (n) AS (SELECT 1 UNION SELECT n + 1 FROM t WHERE n < 3) FROM t", &[]),
        (
            "WITH t AS (FROM metrics) FROM (WITH RECURSIVE t AS (FROM t UNION ALL FROM t WHERE false) FROM t)",
            &[Metrics],
        ),
        ("PIVOT metrics ON status IN ('online', 'error') USING count(*)", &[Metrics]),
        ("UNPIVOT metrics ON cpu, ram", &[Metrics]),
        ("FROM metrics ASOF JOIN commands ON metrics.timestamp >= commands.created_at", &[Metrics, Commands]),
        (
            "SELECT cpu, lag(cpu) OVER w FROM metrics WINDOW w AS (PARTITION BY agent_id ORDER BY timestamp)",
            &[Metrics],
        ),
        (
            "SELECT further['load1'], list_filter([1], lambda x: x > 0), [x for x in [1]], {'a': 1}.a FROM metrics",
            &[Metrics],
        ),
        ("SELECT 1::DECIMAL(9, 2), [1]::INTEGER[], CAST({'a': 1} AS STRUCT(a INTEGER)), MAP {'a': 1}", &[]),
        ("SELECT * FROM range(3), generate_series(1, 2), unnest([1])", &[]),
        (
            "SELECT DISTINCT ON (agent_id) * FROM metrics ORDER BY agent_id, timestamp DESC LIMIT 10",
            &[Metrics],
        ),
        (
            "SELECT a FROM commands t(a) GROUP BY GROUPING SETS ((a), ()) HAVING count(*) > 1 QUALIFY true",
            &[Commands],
        ),
        ("(SELECT 1) UNION ALL (SELECT 2) EXCEPT SELECT 3 ORDER BY 1 LIMIT 5 OFFSET 1", &[]),
        ("SELECT COLUMNS('c.*') FROM metrics USING SAMPLE 10%", &[Metrics]),
        ("SELECT * EXCLUDE (further) REPLACE (round(cpu) AS cpu) FROM metrics", &[Metrics]),
        ("SELECT time_bucket(INTERVAL 5 MINUTE, timestamp), now(), current_date FROM metrics", &[Metrics]),
        ("SELECT EXTRACT(hour FROM timestamp), timestamp AT TIME ZONE 'UTC' FROM metrics", &[Metrics]),
        (
            "SELECT status LIKE 'on%', status ~ 'on', status IN ('a'), status COLLATE nocase FROM metrics",
            &[Metrics],
        ),
    ] {
        assert_eq!(views(query), named, "{query}");
    }
}

/// Each reaches for what it must not have, or is no question at all.
const HOSTILE: &str = include_str!("../../../../tests/it/sql/hostile.txt");

#[test]
fn what_reaches_for_more_is_refused() {
    for query in HOSTILE.lines().chain(["", ";", " ", "-- nothing", "/* nothing */"]) {
        let found = look(query);
        assert!(found.is_err(), "{query}: {found:?}");
    }
}

#[test]
fn refusals_say_what_and_where() {
    for (query, said) in [
        ("SELECT 1; SELECT 2", "one SELECT expected, found 2 statements"),
        (" ", "one SELECT expected, found 0 statements"),
        ("DELETE FROM metrics", "one SELECT expected; other statements are not run here"),
        ("SELECT 'ä' FORM x y", "syntax error at or near \"x\" (character 17 of the query)"),
        ("SELECT ?", "the query has a parameter"),
        (
            "FROM metric",
            "there is no table \"metric\" (character 6 of the query); there are metrics, discovery",
        ),
        ("SELECT getenv('x')", "the function \"getenv\" is not allowed here (character 8 of the query)"),
        ("SELECT 'ä', getenv('x')", "is not allowed here (character 13 of the query)"),
        ("SELECT x.f(1)", "the function \"f\" is not allowed here"),
        ("FROM glob('*')", "the table function \"glob\" is not allowed here (character 6 of the query)"),
        (
            "WITH RECURSIVE t AS (SELECT 1 FROM t UNION ALL SELECT 1 FROM t) FROM t",
            "there is no table \"t\" (character 36 of the query)",
        ),
        ("WITH pg_settings AS (SELECT 1) SELECT 1", "WITH cannot name a table \"pg_settings\""),
        ("DESCRIBE metrics", "DESCRIBE, SHOW and SUMMARIZE are not answered here"),
    ] {
        let told = look(query).unwrap_err();
        assert!(told.contains(said), "{query}: {told}");
    }
}

#[test]
fn deep_nesting_is_refused_and_breadth_is_not() {
    let deep = format!("SELECT {}1{}", "(1 + ".repeat(200), ")".repeat(200));
    assert!(look(&deep).unwrap_err().contains("nested too deep"));
    let wide = format!("SELECT {} true", "cpu > 1 AND ".repeat(500));
    assert!(look(&wide).is_ok());
    // DuckDB's own count ends this one; it offers a setting that nobody can set here.
    let deeper = look(&format!("SELECT {}true", "NOT ".repeat(1_500))).unwrap_err();
    assert!(deeper.contains("nested too deep") && !deeper.contains("SET "), "{deeper}");
    let subqueries = format!("{}1{}", "SELECT (".repeat(8), ")".repeat(8));
    assert!(look(&subqueries).is_ok());
}

#[test]
fn with_names_no_table_that_the_engine_has() {
    let connection = Connection::open_in_memory().unwrap();
    let mut own = connection
        .prepare("SELECT view_name FROM duckdb_views() WHERE schema_name <> 'information_schema'")
        .unwrap();
    let own: Vec<String> = own.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert!(own.iter().any(|name| name == "pg_settings"), "{own:?}");
    for name in own {
        let told = look(&format!("WITH \"{name}\" AS (SELECT 1) SELECT 1"));
        assert!(told.is_err(), "{name}: {told:?}");
    }
}

#[test]
fn every_function_that_is_allowed_is_there() {
    let connection = Connection::open_in_memory().unwrap();
    let mut known = connection
        .prepare(
            "SELECT DISTINCT function_name FROM duckdb_functions()
             WHERE function_type IN ('scalar', 'aggregate', 'macro')",
        )
        .unwrap();
    let known: BTreeSet<String> =
        known.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let listed: Vec<_> = include_str!("../functions.txt").split_whitespace().collect();
    let strangers: Vec<_> = listed.iter().filter(|name| !known.contains(**name)).collect();
    assert!(strangers.is_empty(), "{strangers:?}");
    assert_eq!(listed.len(), listed.iter().collect::<BTreeSet<_>>().len(), "each once");
}
