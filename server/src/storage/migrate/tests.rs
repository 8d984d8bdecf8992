//! Migrations from nothing, from before and from later; each applied once.

use super::*;

const STEPS: &[Migration] = &[
    Migration { version: 1, name: "one", sql: "CREATE TABLE one (a INTEGER);" },
    Migration { version: 2, name: "two", sql: "CREATE TABLE two (a INTEGER);" },
];
const BROKEN: &[Migration] = &[
    STEPS[0],
    STEPS[1],
    Migration { version: 3, name: "three", sql: "CREATE TABLE three (a INTEGER); NONSENSE" },
];

fn check(
    check: impl Fn(&dyn Fn(&[Migration]) -> Result<Vec<&'static str>, MigrationError>, &dyn Fn(&str) -> bool),
) {
    let sqlite = rusqlite::Connection::open_in_memory().unwrap();
    check(&|steps| apply(&sqlite, steps, 7), &|sql| sqlite.execute_batch(sql).is_ok());
}

#[test]
fn each_step_is_applied_once_and_in_order() {
    check(|migrate, run| {
        assert_eq!(migrate(&STEPS[..1]).unwrap(), ["one"]);
        assert_eq!(migrate(STEPS).unwrap(), ["two"]);
        assert!(migrate(STEPS).unwrap().is_empty());
        assert!(run("INSERT INTO two VALUES (1)"));
    });
}

#[test]
fn a_step_that_fails_leaves_nothing() {
    check(|migrate, run| {
        migrate(&STEPS[..1]).unwrap();
        assert!(matches!(migrate(BROKEN), Err(MigrationError::Failed { .. })));
        assert!(!run("INSERT INTO two VALUES (1)") && !run("INSERT INTO three VALUES (1)"));
        assert_eq!(migrate(STEPS).unwrap(), ["two"]);
    });
}

#[test]
fn a_newer_database_and_an_edited_step_are_refused() {
    check(|migrate, _| {
        migrate(STEPS).unwrap();
        assert!(matches!(migrate(&STEPS[..1]), Err(MigrationError::Newer { found: 2, known: 1, .. })));
        let edited = [Migration { sql: "CREATE TABLE one (b INTEGER);", ..STEPS[0] }, STEPS[1]];
        assert!(matches!(migrate(&edited), Err(MigrationError::Changed { version: 1, .. })));
    });
}

#[test]
fn the_steps_that_ship_are_numbered_in_order_and_run() {
    assert!((1..).zip(SQLITE).all(|(number, step)| step.version == number), "without gaps, from one on");
    apply(&rusqlite::Connection::open_in_memory().unwrap(), SQLITE, 0).unwrap();
}
