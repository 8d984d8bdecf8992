//! Lines that are read, and lines that are refused in one plain line.

use super::*;
use clap::CommandFactory;

fn given(flags: &str) -> Result<Run, SettingsError> {
    let line = format!("pingup-loadtest {flags}");
    match parse(line.split(' ').map(OsString::from))? {
        Parsed::Run(run) => Ok(*run),
        Parsed::Shown(text) => panic!("only shown: {text}"),
    }
}

fn refused(flags: &str) -> String {
    given(flags).err().unwrap_or_else(|| panic!("{flags} was taken")).to_string()
}

const COUNTS: &str = "--agents 10 --connections 2 --seconds 3";

#[test]
fn the_command_line_is_sound() {
    Arguments::command().debug_assert();
}

#[test]
fn a_whole_line_is_read() {
    let run = given(&format!("ingest --hub http://[::1]:9 --token t {COUNTS} --batch 50 --rate 7")).unwrap();
    let Command::Ingest(ingest) = run.scenario else { panic!("another scenario") };
    assert_eq!((ingest.agents, ingest.connections, ingest.batch), (10, 2, 50));
    assert_eq!((ingest.rate, ingest.seconds), (Some(7), 3));
    let Target::Running { hub, bearer } = run.target else { panic!("a hub of our own") };
    assert_eq!((hub.port, bearer.expose()), (9, "t"));
    assert!(!format!("{bearer:?}").contains('t'));
}

#[test]
fn without_a_hub_one_is_started() {
    let run = given(&format!("ingest {COUNTS} --data-dir here")).unwrap();
    assert_eq!(run.target, Target::Own(OwnHub { server: None, data_dir: Some("here".into()) }));
}

#[test]
fn every_scenario_has_a_default_for_everything() {
    for name in [
        "ingest-single",
        "ingest-batch",
        "steady",
        "stall",
        "crash",
        "query-mix",
        "ceiling",
        "fill",
        "command-latency",
        "command-fanout",
        "fleet",
        "herd",
        "labels",
        "demo",
    ] {
        assert!(given(name).is_ok(), "{name}");
    }
    assert!(given("all --short").is_ok() && given("start --data-dir here").is_ok());
}

#[test]
fn refusals_are_one_line_and_keep_the_token_to_themselves() {
    for flags in [
        "ingest".to_owned(),
        format!("ingest --hub http://localhost {COUNTS}"),
        "ingest --hub http://localhost --token t --agents x --connections 1 --seconds 1".to_owned(),
        "ingest --hub http://localhost --token t --agents 1 --connections 2 --seconds 1".to_owned(),
        "ingest --hub http://localhost --token t --agents 1 --connections 1 --seconds 0".to_owned(),
        format!("ingest --hub http://localhost --token t {COUNTS} --batch 10001"),
        format!("ingest --hub http://localhost --token t\u{7f}secret {COUNTS}"),
        format!("ingest --hub http://192.0.2.7 --token secret {COUNTS}"),
        "crash --hub http://localhost --token secret".to_owned(),
        "stall --hub http://localhost --token secret".to_owned(),
        "herd --hub http://localhost --token secret".to_owned(),
        "demo --hub http://localhost --token secret".to_owned(),
        "demo --agents 7".to_owned(),
        "demo --days 1".to_owned(),
        "demo --interval 300".to_owned(),
        "fleet --lines 3".to_owned(),
        "command-latency --agents 1,0".to_owned(),
        "command-fanout --by name".to_owned(),
        "start".to_owned(),
        "ingest-single --agents 100 --connections 64,256".to_owned(),
        "ingest-single --connections 64,x".to_owned(),
        "all --nonsense".to_owned(),
        "--nonsense".to_owned(),
    ] {
        let line = refused(&flags);
        assert!(!line.contains('\n') && !line.contains("secret") && !line.is_empty(), "{line:?}");
    }
}
