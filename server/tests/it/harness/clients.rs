//! Other people's programs that some tests need. A machine may lack them: such a test is then left out, and says so.
//!
//! What is left out unseen proves nothing, so whoever fetched them for the tests, as CI does, names them in
//! `PINGUP_TEST_CLIENTS`: of these, one that does not answer is a failure.

use std::process::Command;

/// What names the programs that must be there, in words.
const DEMANDED: &str = "PINGUP_TEST_CLIENTS";

/// Whether a program or package of this name is there: whether the call ends well.
pub fn is_there(name: &str, call: &mut Command) -> bool {
    let found = call.output().is_ok_and(|output| output.status.success());
    let demanded = std::env::var(DEMANDED).unwrap_or_default();
    assert!(
        may_be_left_out(name, &demanded) || found,
        "{DEMANDED} has {name}, which does not answer {call:?}"
    );
    if !found {
        eprintln!("{name} is not installed: not asked");
    }
    found
}

fn may_be_left_out(name: &str, demanded: &str) -> bool {
    demanded.split_whitespace().all(|word| word != name)
}

#[test]
fn only_what_is_named_is_demanded() {
    for (name, demanded, may) in [
        ("vmagent", "", true),
        ("vmagent", "prometheus vmagent", false),
        ("vmagent", "prometheus\n vmagent-2 ", true),
        ("@prometheus-io/codemirror-promql", " @prometheus-io/codemirror-promql", false),
    ] {
        assert_eq!(may_be_left_out(name, demanded), may, "{name} in {demanded:?}");
    }
}
