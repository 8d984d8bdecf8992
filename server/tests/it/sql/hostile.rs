//! Questions that reach for more than they may have: refused, one by one, by a hub that goes on.

use super::Scene;
use crate::harness::refused;
use std::{fs, path::Path};

/// Everything below a folder.
fn names(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(names(&path));
        }
        found.push(path.display().to_string());
    }
    found.sort();
    found
}

#[test]
fn none_of_them_is_answered_and_nothing_is_left_behind() {
    let scene = Scene::set();
    let before = names(&scene.hub.folder());
    let place = scene.hub.folder().display().to_string();
    for query in include_str!("hostile.txt").lines() {
        let answer = scene.ask(query);
        let problem = refused(&answer, 422, "schema-invalid");
        assert_eq!(problem["errors"][0]["pointer"], "/query", "{query}");
        assert!(!answer.text().contains(&place), "{query}: {problem}");
    }
    assert_eq!(names(&scene.hub.folder()), before);
    assert!(!Path::new("/tmp/stolen.csv").exists());
    scene.ask("SELECT 1").expect(200);
}

/// Those that no list can tell from good ones: each takes what it wants until it is stopped.
#[test]
fn what_takes_too_much_ends_alone() {
    let scene = Scene::set();
    let deep =
        |open: &str, close: &str, times| format!("SELECT {}1{}", open.repeat(times), close.repeat(times));
    for query in [
        "SELECT length(repeat('x', 3_000_000_000))".to_owned(),
        "SELECT repeat('x', 100_000_000)".to_owned(),
        "SELECT len(list(i)) FROM range(1_000_000_000) t(i)".to_owned(),
        "SELECT string_agg(repeat('x', 10_000)) FROM range(1_000_000)".to_owned(),
        "WITH RECURSIVE t AS (SELECT 'aaaa' s UNION ALL SELECT s || s FROM t) SELECT max(length(s)) FROM t"
            .to_owned(),
        "SELECT printf('%999999999d', 1)".to_owned(),
        "SELECT list_resize([1], 2_000_000_000)".to_owned(),
        "SELECT generate_series(1, 1_000_000_000)".to_owned(),
        "SELECT * FROM range(3_000_000) a ORDER BY random()::VARCHAR || repeat('x', 100)".to_owned(),
        deep("(", ")", 10_000),
        deep("-", "", 10_000),
        deep("NOT ", "", 5_000),
        deep("[", "]", 5_000),
        deep("(SELECT ", ")", 2_000),
        deep("CASE WHEN true THEN ", " END", 900),
    ] {
        let head: String = query.chars().take(60).collect();
        let answer = scene.ask(&query);
        let problem = answer.json();
        assert_eq!(answer.status, 422, "{head}: {problem}");
        scene.ask("SELECT 1").expect(200);
    }
}
