//! What holds, once, and what does not; with clocks that lie, and a memory that is full.

use super::*;
use pingup_protocol::{
    ids::AgentId,
    keys::{KEY_BYTES, Secret},
    order::PrivateKey,
};
use serde_json::{Value, json};

const NOON: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
const NOW: Times = Times { hub: NOON, machine: NOON, sure: NOON };

fn key(seed: u8) -> PrivateKey {
    PrivateKey::new(&Secret::new([seed; KEY_BYTES]))
}

fn signers() -> Signers {
    Signers::parse(&[key(1).id().to_string(), format!("{} bob", key(2).id())], &[]).unwrap()
}

fn order_by(seed: u8, command: &Command, nonce: &str, expires_at: Timestamp) -> Value {
    let Command { agent_id, action, params, timeout_seconds, .. } = command;
    let asked = Asked { agent_id, action, params, timeout_seconds: *timeout_seconds };
    serde_json::to_value(Order::sign(&key(seed), &asked, nonce, expires_at).unwrap()).unwrap()
}

/// A command with an order of key 1, for a minute.
fn ordered(nonce: &str) -> Command {
    let mut command = Command {
        command_id: "CMD-2027-001".into(),
        agent_id: AgentId::parse("a").unwrap(),
        command_seq: 1,
        action: "exec".into(),
        params: json!({"argv": ["true"]}).as_object().unwrap().clone(),
        issued_at: NOON,
        expires_at: NOON.plus_seconds(9_999),
        timeout_seconds: Some(5),
        order: None,
    };
    command.order = Some(order_by(1, &command, nonce, NOON.plus_seconds(60)));
    command
}

fn judged(command: &Command, times: Times) -> Result<Mark, NotOrdered> {
    signers().judge(command, times, &Spent::default())
}

#[test]
fn an_order_of_either_key_holds_until_it_expires() {
    judged(&ordered("n"), NOW).unwrap();
    let mut by_bob = ordered("n");
    by_bob.order = Some(order_by(2, &by_bob, "n", NOON.plus_seconds(60)));
    judged(&by_bob, NOW).unwrap();
}

#[test]
fn the_latest_of_all_clocks_says_that_it_expired() {
    let later = NOON.plus_seconds(60);
    for late in [Times { hub: later, ..NOW }, Times { machine: later, ..NOW }, Times { sure: later, ..NOW }] {
        let refusal = judged(&ordered("n"), late).unwrap_err();
        assert!(matches!(refusal, NotOrdered::Expired { .. }), "{refusal}");
        let mark = judged(&ordered("n"), NOW).unwrap();
        assert_eq!(refusal.into_mark(), Some(mark), "used all the same: that clock may have been wrong");
    }
    let early = NOON.plus_seconds(-9_999_999);
    let set_back = Times { hub: early, machine: early, sure: NOON.plus_seconds(61) };
    assert!(judged(&ordered("n"), set_back).is_err(), "both set back, once it was known better");
}

#[test]
fn whatever_is_changed_is_refused_by_its_reason() {
    let refused = |change: &dyn Fn(&mut Command)| {
        let mut command = ordered("n");
        change(&mut command);
        judged(&command, NOW).unwrap_err().to_string()
    };
    assert!(refused(&|command| command.order = None).contains("has none"));
    assert!(refused(&|command| command.order = Some(Value::Null)).contains("has none"));
    assert!(refused(&|command| command.order = Some(json!({}))).contains("cannot be read"));
    assert!(refused(&|command| command.order = Some(json!([1]))).contains("cannot be read"));
    let stranger =
        |command: &mut Command| command.order = Some(order_by(3, command, "n", NOON.plus_seconds(60)));
    assert!(refused(&stranger).contains("none of this agent's operator keys"));
    let changes: [&dyn Fn(&mut Command); 8] = [
        &|command| command.agent_id = AgentId::parse("b").unwrap(),
        &|command| command.action = "restart_service".into(),
        &|command| command.params["argv"] = json!(["false"]),
        &|command| command.timeout_seconds = None,
        &|command| command.timeout_seconds = Some(86_400),
        &|command| command.order.as_mut().unwrap()["expiresAt"] = json!(NOON.plus_seconds(61)),
        &|command| command.order.as_mut().unwrap()["nonce"] = json!("m"),
        &|command| command.order.as_mut().unwrap()["keyId"] = json!(key(2).id()),
    ];
    for change in changes {
        assert!(refused(change).contains("are not what was signed"));
    }
}

#[test]
fn an_order_counts_once_whatever_command_brings_it() {
    let (signers, mut spent) = (signers(), Spent::default());
    let first = ordered("n");
    spent.add(signers.judge(&first, NOW, &spent).unwrap());
    let again = Command { command_id: "CMD-2027-002".into(), command_seq: 2, ..first.clone() };
    assert!(matches!(signers.judge(&again, NOW, &spent), Err(NotOrdered::Used)));
    let mut longer = first;
    longer.order = Some(order_by(1, &longer, "n", NOON.plus_seconds(600)));
    assert!(matches!(signers.judge(&longer, NOW, &spent), Err(NotOrdered::Used)), "a nonce is taken once");
    signers.judge(&ordered("m"), NOW, &spent).unwrap();
    let mut by_bob = ordered("n");
    by_bob.order = Some(order_by(2, &by_bob, "n", NOON.plus_seconds(60)));
    signers.judge(&by_bob, NOW, &spent).unwrap();
}

#[test]
fn the_memory_is_bounded_and_what_it_forgets_does_not_come_back() {
    let (signers, mut spent) = (signers(), Spent::default());
    let at = |place: usize| {
        let mut command = ordered("n");
        let expires_at = NOON.plus_seconds(60 + i64::try_from(place).unwrap());
        command.order = Some(order_by(1, &command, &format!("n{place}"), expires_at));
        command
    };
    for place in 0..=SPENT_MAX {
        spent.add(signers.judge(&at(place), NOW, &spent).unwrap());
    }
    let kept: Spent = serde_json::from_slice(&serde_json::to_vec(&spent).unwrap()).unwrap();
    assert_eq!(kept, spent, "over a restart");
    assert!(serde_json::to_vec(&spent).unwrap().len() < 80 * SPENT_MAX);
    assert!(matches!(signers.judge(&at(0), NOW, &spent), Err(NotOrdered::Forgotten)));
    for place in [1, SPENT_MAX] {
        assert!(matches!(signers.judge(&at(place), NOW, &spent), Err(NotOrdered::Used)), "{place}");
    }
    signers.judge(&at(SPENT_MAX + 1), NOW, &spent).unwrap();
}

#[test]
fn settings_that_nobody_could_keep_to_are_refused() {
    let parse = |keys: &[String], actions: &[&str]| {
        let actions: Vec<String> = actions.iter().map(|&action| action.to_owned()).collect();
        Signers::parse(keys, &actions).map_err(|error| error.to_string())
    };
    let one = key(1).id().to_string();
    assert!(!parse(&[], &[]).unwrap().demand("exec"), "off unless there is a key");
    let with_one = parse(std::slice::from_ref(&one), &["run_discovery"]).unwrap();
    assert_eq!(with_one.actions(), ["exec", "restart_service", "run_discovery"]);
    assert!(!with_one.demand("ping"));
    assert!(parse(&[], &["exec"]).unwrap_err().starts_with("signed-actions: "));
    assert!(parse(std::slice::from_ref(&one), &["rm"]).unwrap_err().contains("\"rm\""));
    assert!(parse(&["pok_x".into()], &[]).unwrap_err().starts_with("operator-key: "));
    assert!(parse(&[one.clone(), format!("{one} twice")], &[]).unwrap_err().contains("twice"));
    let many: Vec<String> = (0..=KEYS_MAX).map(|seed| key(seed as u8).id().to_string()).collect();
    assert!(parse(&many[..KEYS_MAX], &[]).is_ok());
    assert!(parse(&many, &[]).unwrap_err().contains("at most 32"));
}
