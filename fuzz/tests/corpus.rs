//! Every target over its corpus: each input as it is, and changed in a few places, with a seed that is printed.
//! Finds what was found before, and now and then something new; the search proper is `make fuzz`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails may panic")]

use fastrand::Rng;
use pingup_fuzz::{
    TARGETS, door,
    sql::{self, Fate},
};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

/// Changed inputs for each that stands in the corpus.
const CHANGED_EACH: usize = 8;
/// Places that are changed in one at most.
const CHANGES_MAX: usize = 4;

fn corpus(target: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Bits turned, bytes put in and taken out, a piece said twice.
fn change(input: &mut Vec<u8>, random: &mut Rng) {
    for _ in 0..random.usize(1..=CHANGES_MAX) {
        let at = random.usize(..=input.len());
        match random.u8(..4) {
            0 if at < input.len() => input[at] ^= 1 << random.u8(..8),
            1 => input.insert(at, random.u8(..)),
            2 if at < input.len() => drop(input.remove(at)),
            _ => {
                let end = random.usize(at..=input.len());
                let piece = input[at..end].to_vec();
                input.extend_from_slice(&piece);
            }
        }
    }
}

#[test]
fn every_target_holds_over_its_corpus_and_near_it() {
    let seed = std::env::var("PINGUP_FUZZ_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs());
    println!("PINGUP_FUZZ_SEED={seed} repeats this");
    let mut random = Rng::with_seed(seed);
    for target in TARGETS {
        let files = corpus(target.name);
        assert!(!files.is_empty(), "{} has no corpus", target.name);
        for file in files {
            println!("{}", file.display());
            let input = fs::read(&file).unwrap();
            (target.run)(&input);
            for _ in 0..CHANGED_EACH {
                let mut changed = input.clone();
                change(&mut changed, &mut random);
                (target.run)(&changed);
            }
        }
    }
}

/// A refusal for what stands before the body says nothing of what reads it.
#[test]
fn the_corpus_reaches_the_reader_of_every_body() {
    let mut reached = BTreeSet::new();
    for file in corpus("api") {
        let (row, answer) = door::asked(&fs::read(&file).unwrap()).unwrap();
        let text = String::from_utf8_lossy(&answer.body);
        if ![401, 403, 404, 415].contains(&answer.status) && !text.contains("query parameter") {
            reached.insert(row);
        }
    }
    let missed: Vec<_> = door::readers().into_iter().filter(|row| !reached.contains(row)).collect();
    assert!(missed.is_empty(), "{missed:?}");
}

/// What the wall refuses of SQL, by its words.
const REFUSED: [&str; 10] = [
    "DESCRIBE, SHOW and SUMMARIZE",
    "WITH cannot name",
    "nested too deep",
    "one SELECT expected, found 2",
    "other statements are not run",
    "syntax error",
    "the function",
    "the query has a parameter",
    "the table function",
    "there is no table",
];

/// A question that stops before the wall says nothing of it, and one that is let through and means nothing says little.
#[test]
fn the_corpus_of_sql_comes_to_the_wall_in_every_way_and_past_it_to_every_view() {
    let (mut planned, mut refused, mut read) = (BTreeSet::new(), Vec::new(), 0);
    for file in corpus("sql") {
        let input = fs::read(&file).unwrap();
        let query = match input.split_first().unwrap() {
            (b'0', query) => String::from_utf8_lossy(query).into_owned(),
            (b'1', body) => match sql::body(body) {
                Some(query) => query,
                None => continue,
            },
            _ => continue,
        };
        read += usize::from(input[0] == b'1');
        match sql::asked(&query) {
            Fate::Passed(views, true) => planned.extend(views),
            Fate::Refused(why) => refused.push(why),
            Fate::Passed(_, false) | Fate::NotAsked => {}
        }
    }
    assert_eq!(
        planned.into_iter().collect::<Vec<_>>(),
        ["agents_current", "commands", "discovery", "metrics"]
    );
    assert!(read > 3, "{read} bodies are read");
    let missed: Vec<_> =
        REFUSED.iter().filter(|word| !refused.iter().any(|why| why.contains(**word))).collect();
    assert!(missed.is_empty(), "{missed:?}");
}

/// The wall is tried by what it does not do, too: what it would have to see is seen.
#[test]
fn the_binder_tells_on_what_the_wall_would_let_through() {
    for (query, views) in [
        ("SELECT * FROM nobody", &["metrics"][..]),
        ("SELECT * FROM hidden.metrics", &["metrics"]),
        ("SELECT * FROM metrics", &["commands"]),
        ("SELECT (SELECT count(*) FROM benk)", &[]),
        ("SELECT leak()", &[]),
        ("SELECT version()", &[]),
        ("SELECT nextval('s')", &[]),
        ("FROM leaks()", &[]),
        ("FROM duckdb_settings()", &[]),
        ("FROM '/etc/passwd.csv'", &[]),
        ("FROM a_table_that_is_not_there", &[]),
    ] {
        let said = sql::bound(query, views);
        assert!(said.is_err(), "{query}: {said:?}");
    }
}
