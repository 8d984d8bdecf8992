//! The command line by itself: what is refused before anything is opened.

use super::*;

fn usage(arguments: &[&str]) -> String {
    let words = ["pingup-server"].iter().chain(arguments).map(OsString::from);
    match parse(words) {
        Err(CliError::Usage(line)) => line,
        _ => panic!("{arguments:?} should have been refused"),
    }
}

#[test]
fn the_command_line_is_sound() {
    Arguments::command().debug_assert();
}

#[test]
fn wrong_usage_is_one_line_that_names_it() {
    for (arguments, named) in [
        (&[][..], "subcommand"),
        (&["token"], "subcommand"),
        (&["serf"], "serf"),
        (&["serve", "--prot"], "--prot"),
        (&["serve", "--listen", "here"], "here"),
        (&["serve", "--retention-raw", "long"], "a time such as"),
        (&["token", "create", "--role", "god"], "god"),
        (&["token", "revoke"], "ID"),
        (&["token", "revoke", "t", "--name", "n"], "--name"),
        (&["join-token", "create", "--uses", "0"], "--uses"),
        (&["join-token", "create", "--agent-id", "a/b"], "a/b"),
        (&["join-token", "create", "--rekey", "a/b"], "a/b"),
        (&["master-key"], "subcommand"),
        (&["serve", "--key-rotation", "often"], "or off"),
        (&["operator-key", "create", "--name", "two words"], "name"),
        (&["operator-key", "create", "--no-passphrase", "--passphrase-file", "-"], "--no-passphrase"),
        (&["order", "ping"], "--key"),
        (&["order", "ping", "--key", "k"], "--agent"),
        (&["order", "ping", "--key", "k", "--agent", "a/b"], "a/b"),
        (&["order", "exec", "--key", "k", "--agent", "a", "--params", "{}", "--", "true"], "--params"),
        (&["check", "--yes"], "--drop-damaged"),
        (&["backup"], "DIR"),
        (&["restore"], "DIR"),
        (&["export", "--format", "csv"], "--agent"),
        (&["export", "--agent", "A", "--format", "xls"], "xls"),
        (&["export", "--agent", "A", "--format", "csv", "--from", "then"], "then"),
        (&["audit"], "subcommand"),
        (&["audit", "verify", "--expect", "7"], "COUNT:HASH"),
        (&["audit", "export", "--format", "xls"], "xls"),
        (&["grafana"], "subcommand"),
        (&["grafana", "export", "D"], "--url"),
        (&["grafana", "export", "--url", "http://hub"], "DIR"),
        (&["grafana", "export", "D", "--url", "http://hub", "--interval", "0s"], "whole seconds"),
    ] {
        let line = usage(arguments);
        assert!(
            line.contains(named) && !line.contains('\n') && !line.starts_with("error"),
            "{arguments:?}: {line}"
        );
    }
}

#[test]
fn insecure_http_is_a_flag_that_may_also_be_denied() {
    for (arguments, said) in [
        (&["serve"][..], None),
        (&["serve", "--insecure-http"], Some(true)),
        (&["serve", "--insecure-http=no"], Some(false)),
    ] {
        let words = ["pingup-server"].iter().chain(arguments).map(OsString::from);
        let Ok(Some(Arguments { command: Command::Serve(parsed) })) = parse(words) else {
            panic!("{arguments:?}")
        };
        assert_eq!(parsed.layer.insecure_http, said);
    }
}
