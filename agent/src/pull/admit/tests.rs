//! Every condition under which a command may run.

use super::*;
use pingup_protocol::keys::{KEY_BYTES, Secret};
use serde_json::json;

const NOON: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

fn key() -> Key {
    Key::new(&Secret::new([7; KEY_BYTES]))
}

fn command() -> Value {
    json!({
        "commandId": "CMD-2027-001", "agentId": "a", "commandSeq": 4, "action": "ping", "params": {},
        "issuedAt": NOON.plus_seconds(-10), "expiresAt": NOON.plus_seconds(10),
    })
}

fn signed(key: &Key, command: &Value) -> Value {
    serde_json::from_slice(&signing::sign(key, command).unwrap()).unwrap()
}

fn judge(offered: &Value) -> Admission {
    judge_at(offered, NOON)
}

/// Judges it at noon, handed out when it was `handed_out`.
fn judge_at(offered: &Value, handed_out: Timestamp) -> Admission {
    let agent_id = AgentId::parse("a").unwrap();
    let allow = AllowList::parse(&["ping".into(), "exec".into()]).unwrap();
    let (signers, spent) = (&Signers::default(), &Spent::default());
    let times = Times { hub: NOON, machine: NOON, sure: NOON };
    Gate { agent_id: &agent_id, key: &key(), last_seq: 3, handed_out, allow: &allow, signers, spent, times }
        .admit(offered)
}

/// The good command with `member` set to `value`, signed again.
fn with(member: &str, value: Value) -> Admission {
    let mut command = command();
    command[member] = value;
    judge(&signed(&key(), &command))
}

fn is_ignored(admission: &Admission) -> bool {
    matches!(admission, Admission::Ignore(_))
}

fn is_rejected(admission: &Admission, because: &str) -> bool {
    matches!(admission, Admission::Reject(_, reason) if reason.contains(because))
}

#[test]
fn a_good_command_runs() {
    assert!(matches!(judge(&signed(&key(), &command())), Admission::Run(_, Action::Ping)));
}

#[test]
fn a_command_that_was_tampered_with_is_not_even_answered() {
    let mut tampered = signed(&key(), &command());
    tampered["action"] = json!("exec");
    tampered["params"] = json!({"argv": ["true"]});
    assert!(is_ignored(&judge(&tampered)));
    assert!(is_ignored(&judge(&command())), "no signature at all");
    let other = Key::new(&Secret::new([8; KEY_BYTES]));
    assert!(is_ignored(&judge(&signed(&other, &command()))));
    assert!(is_ignored(&judge(&json!("ping"))) && is_ignored(&judge(&signed(&key(), &json!({})))));
}

#[test]
fn a_command_for_another_agent_is_not_ours_to_answer() {
    assert!(is_ignored(&with("agentId", json!("b"))));
    assert!(is_ignored(&with("commandId", json!("CMD-1/../../agents"))));
}

#[test]
fn a_command_that_was_taken_down_before_does_not_run_again() {
    assert!(is_ignored(&with("commandSeq", json!(3))) && is_ignored(&with("commandSeq", json!(0))));
    assert!(matches!(with("commandSeq", json!(9)), Admission::Run(..)), "gaps are the hub's affair");
}

#[test]
fn a_command_whose_time_was_over_when_it_was_handed_out_is_rejected() {
    assert!(is_rejected(&with("expiresAt", json!(NOON)), "expired"));
    assert!(matches!(with("expiresAt", json!(NOON.plus_seconds(1))), Admission::Run(..)));
}

#[test]
fn a_command_whose_time_went_by_here_is_left_to_the_hub() {
    let mut command = command();
    command["expiresAt"] = json!(NOON);
    let left = |command: &Value| judge_at(&signed(&key(), command), NOON.plus_seconds(-1));
    assert!(matches!(left(&command), Admission::Leave(left) if left.command_seq == 4));
    command["action"] = json!("format_disk");
    assert!(matches!(left(&command), Admission::Leave(_)), "whatever it is");
    command["commandSeq"] = json!(3);
    assert!(is_ignored(&left(&command)));
}

#[test]
fn only_what_is_on_the_allow_list_runs() {
    assert!(is_rejected(&with("action", json!("restart_service")), "allow-list (exec, ping)"));
    assert!(is_rejected(&with("action", json!("format_disk")), "allow-list"));
}

#[test]
fn parameters_must_fit_the_action() {
    let mut command = command();
    command["action"] = json!("exec");
    command["params"] = json!({"argv": "rm -rf /"});
    assert!(is_rejected(&judge(&signed(&key(), &command)), "/params"));
    command["params"] = json!({"argv": ["true"]});
    assert!(matches!(judge(&signed(&key(), &command)), Admission::Run(_, Action::Exec { .. })));
}
