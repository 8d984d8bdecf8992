//! What an agent reads from its hub: nothing of it counts before its MAC, and of what the hub signed nothing runs that an
//! operator's key did not order, where one is wanted.

use crate::orders;
use pingup_agent::{
    execute::AllowList,
    identity::Identity,
    orders::{Signers, Spent, Times},
    pull::admit::{Admission, Gate},
    transport::{Refusal, verified},
};
use pingup_protocol::{
    command::{Command, PendingAnswer},
    config::{AgentConfig, ConfigAnswer},
    enrol::{Credentials, EnrolAnswer},
    heartbeat::HeartbeatAnswer,
    ids::AgentId,
    keys::{KEY_BYTES, Secret},
    metrics::PushAnswer,
    order::{Asked, Order},
    signing::{self, Key},
    time::Timestamp,
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::LazyLock;

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
/// What the machine allows, beside what is harmless.
const ALLOWED: [&str; 3] = ["ping", "exec", "restart_service"];

/// What the hub signs with, and what another does.
static KEYS: LazyLock<[Key; 2]> =
    LazyLock::new(|| [21, 22].map(|seed| Key::new(&Secret::new([seed; KEY_BYTES]))));
static SIGNERS: LazyLock<Signers> =
    LazyLock::new(|| Signers::parse(&[orders::KEY.id().to_string()], &[]).expect("a key"));
static ALLOW: LazyLock<AllowList> =
    LazyLock::new(|| AllowList::parse(&ALLOWED.map(str::to_owned)).expect("they are known"));

/// A byte that chooses the answer, then its body before it is signed.
pub fn run(bytes: &[u8]) {
    let Some((choice, body)) = bytes.split_first() else { return };
    match choice % 8 {
        0 => drop(answer::<PushAnswer>(body)),
        1 => {
            if let Some(answer) = answer::<HeartbeatAnswer>(body) {
                answer.credentials.as_ref().into_iter().for_each(keys);
            }
        }
        2 => {
            if let Some(answer) = answer::<EnrolAnswer>(body) {
                keys(&answer.credentials);
            }
        }
        3 => {
            if let Some(answer) = answer::<ConfigAnswer>(body) {
                let _ = AgentConfig::read(&answer.config);
            }
        }
        4 => {
            if let Some(answer) = answer::<PendingAnswer>(body) {
                answer.commands.iter().for_each(as_it_came);
            }
        }
        5 => command(body, Ok),
        6 => command(body, ordered),
        _ => refusal(body),
    }
}

/// What the hub signed is read, by its key alone.
fn answer<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    let [down, other] = &*KEYS;
    let signed = signing::sign_json(down, body).ok()?;
    assert!(verified::<T>(other, &signed).is_err(), "another key's");
    assert!(verified::<T>(down, body).is_err() || body == signed, "nobody signed it");
    verified::<T>(down, &signed).ok()
}

/// Keys that were handed over are keys, or are not taken.
fn keys(credentials: &Credentials) {
    if let Some(identity) = Identity::new(credentials) {
        assert_eq!(identity.agent_id, credentials.agent_id);
    }
}

fn gate<T>(judge: impl FnOnce(&Gate<'_>) -> T) -> T {
    let agent_id = AgentId::parse("AGENT-001").expect("an id");
    let times = Times { hub: NOW, machine: NOW, sure: NOW };
    let (key, spent) = (&KEYS[0], &Spent::default());
    let (agent_id, allow, signers) = (&agent_id, &ALLOW, &SIGNERS);
    judge(&Gate { agent_id, key, last_seq: 3, handed_out: NOW, allow, signers, spent, times })
}

/// A command that stands in an answer without a signature of its own is nobody's.
fn as_it_came(offered: &Value) {
    let admission = gate(|gate| gate.admit(offered));
    assert!(matches!(admission, Admission::Ignore(_)), "{admission:?}");
}

/// The command by the word of an operator, if it is one that can be signed.
fn ordered(body: Vec<u8>) -> Result<Vec<u8>, serde_json::Error> {
    let mut command: Command = serde_json::from_slice(&body)?;
    let asked = Asked {
        agent_id: &command.agent_id,
        action: &command.action,
        params: &command.params,
        timeout_seconds: command.timeout_seconds,
    };
    let order = Order::sign(&orders::KEY, &asked, "n", NOW.plus_seconds(60)).ok();
    command.order = order.map(serde_json::to_value).transpose()?;
    serde_json::to_vec(&command)
}

/// Two bytes that choose a bit, then a command that the hub signs, as `made` of it.
fn command(bytes: &[u8], made: fn(Vec<u8>) -> Result<Vec<u8>, serde_json::Error>) {
    let Some((&[high, low], body)) = bytes.split_first_chunk::<2>() else { return };
    let Ok(body) = made(body.to_vec()) else { return };
    let Ok(signed) = signing::sign_json(&KEYS[0], &body) else { return };
    let offered: Value = serde_json::from_slice(&signed).expect("what was signed is JSON");
    let admission = gate(|gate| gate.admit(&offered));
    if let Admission::Run(admitted, action) = &admission {
        let command = &admitted.command;
        assert!(ALLOW.permits(&command.action), "{action:?}");
        assert!(command.command_id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
        assert_eq!(SIGNERS.demand(&command.action), admitted.mark.is_some());
        if admitted.mark.is_some() {
            let order = Order::read(command.order.as_ref().expect("it has one")).expect("which is one");
            assert_eq!(order.key_id, orders::KEY.id());
            let asked = Asked {
                agent_id: &command.agent_id,
                action: &command.action,
                params: &command.params,
                timeout_seconds: command.timeout_seconds,
            };
            order.verify(&asked).expect("an operator signed it");
        }
    }
    let bit = usize::from(u16::from_be_bytes([high, low])) % (signed.len() * 8);
    let mut broken = signed;
    broken[bit / 8] ^= 1 << (bit % 8);
    let Ok(broken) = serde_json::from_slice::<Value>(&broken) else { return };
    if broken != offered {
        let changed = gate(|gate| gate.admit(&broken));
        assert!(matches!(changed, Admission::Ignore(_)) || changed == admission, "bit {bit}: {changed:?}");
    }
}

/// A byte for the status, then what stands in a refusal: it is shown, and acts nowhere.
fn refusal(bytes: &[u8]) {
    let Some((status, body)) = bytes.split_first() else { return };
    let told = Refusal::read(400 + u16::from(*status), None, body).to_string();
    assert!(!told.chars().any(char::is_control), "{told:?}");
}
