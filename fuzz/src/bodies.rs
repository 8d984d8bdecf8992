//! The typed bodies behind the signature: whatever is read can be written, and reads as the same again.

use pingup_protocol::{
    command::{Action, Command, PendingAnswer, ProgressBody, ResultBody},
    config::{AgentConfig, ConfigAnswer, ConfigBody},
    discovery::DiscoveryBody,
    enrol::{EnrolAnswer, EnrolBody, JoinToken, RegisterBody},
    heartbeat::{HeartbeatAnswer, HeartbeatBody},
    ids::AgentId,
    metrics::{MetricsBody, PushAnswer, SingleBody},
    pin::Pin,
    schema::{self, Checked},
    time::Timestamp,
};
use serde::{Serialize, de::DeserializeOwned};
use std::fmt::Debug;

/// A byte that chooses a body, then any bytes as it.
pub fn run(bytes: &[u8]) {
    let Some((choice, body)) = bytes.split_first() else { return };
    match choice % 16 {
        0 => metrics(body),
        1 => checked::<SingleBody>(body),
        2 => checked::<DiscoveryBody>(body),
        3 => checked::<HeartbeatBody>(body),
        4 => checked::<EnrolBody>(body),
        5 => checked::<RegisterBody>(body),
        6 => checked::<ResultBody>(body),
        7 => checked::<ProgressBody>(body),
        8 => checked::<ConfigBody>(body),
        9 => plain::<PendingAnswer>(body),
        10 => plain::<HeartbeatAnswer>(body),
        11 => plain::<ConfigAnswer>(body),
        12 => plain::<EnrolAnswer>(body),
        13 => plain::<PushAnswer>(body),
        14 => command(body),
        _ => words(body),
    }
}

fn checked<T: Checked + Serialize + PartialEq + Debug>(body: &[u8]) {
    let Ok(read) = schema::read::<T>(body) else { return };
    let written = serde_json::to_vec(&read).expect("what was read can be written");
    assert_eq!(schema::read::<T>(&written).as_ref(), Ok(&read));
}

fn plain<T: DeserializeOwned + Serialize + PartialEq + Debug>(body: &[u8]) {
    let Ok(read) = serde_json::from_slice::<T>(body) else { return };
    let written = serde_json::to_vec(&read).expect("what was read can be written");
    assert_eq!(serde_json::from_slice::<T>(&written).ok().as_ref(), Some(&read));
}

/// A batch has no form to be written in, but its numbers rise, whatever it is.
fn metrics(body: &[u8]) {
    if let Ok(MetricsBody::Batch(batch)) = MetricsBody::read(body) {
        assert!(batch.entries.is_sorted_by(|one, next| one.seq() < next.seq()), "{:?}", batch.boot);
    }
}

fn command(body: &[u8]) {
    plain::<Command>(body);
    if let Ok(command) = serde_json::from_slice::<Command>(body) {
        let _ = Action::read(&command.action, &command.params);
        let _ = AgentConfig::read(&command.params);
    }
}

/// Short texts of the wire.
fn words(body: &[u8]) {
    let Ok(text) = std::str::from_utf8(body) else { return };
    if let Ok(token) = JoinToken::parse(text) {
        assert_eq!(token.to_text(), text);
    }
    if let Ok(id) = AgentId::parse(text) {
        assert_eq!(id.as_str(), text);
    }
    if let Ok(pin) = text.parse::<Pin>() {
        assert_eq!(pin.to_string().parse(), Ok(pin));
    }
    if let Ok(time) = Timestamp::parse(text) {
        assert_eq!(Timestamp::parse(&time.to_string()), Ok(time));
    }
}
