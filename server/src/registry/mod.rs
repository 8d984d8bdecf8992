//! The agents: who there is, how each is doing, and how one comes and goes.
//!
//! # The story
//! An agent comes in one of two ways. An **operator** registers it and carries the credentials to the machine.
//! Or a machine **enrols** itself with a join token: the body is signed with a key made from the token's secret,
//! and so is the answer. Either way it gets its keys and its bearer token once.
//!
//! An enrolment is one write: the token's use is taken, the machine is looked for, the agent is made, and if any
//! of that fails nothing of it happened. So a one-use token makes one agent, however many try at once, and a
//! refused try costs no use. A machine that is enrolled already is told so before the token's uses are counted:
//! whoever lost the answer and asks again learns what happened, and what to do (a token made with `--replace`).
//!
//! Heartbeats keep an agent online; a farewell or missed beats (the sweep) make it offline. Removing one leaves a
//! tombstone: its keys are deleted, what was open for it is cancelled, its id is never given out again, and its
//! history stays.
//!
//! Its keys are rotated in its stride: the next generation is offered with a heartbeat's answer or a question's. Keys that
//! somebody else may have are dropped at once, and the agent gets others by a join token that re-keys it: it stays who it is.
//!
//! # Refuses
//! Join tokens that are unknown, expired or used up; enrolments that are more than
//! [`ENROLMENT_AGE_SECONDS_MAX`] old; ids that were ever used; a second living agent for one machine; more
//! enrolments from one address than [`RateLimit`](crate::brake::RateLimit) allows.

mod error;
pub mod handler;
pub mod store;
#[cfg(test)]
mod tests;
mod view;

pub use crate::standing::AgentStatus;
pub use error::RegistryError;
pub use handler::{Neighbours, Registered, Registry};
pub use view::{AgentRecord, AgentView, ConfigState, KeyState, Newest};

use pingup_protocol::{
    heartbeat::Presence,
    labels::LabelsPatch,
    limits::FUTURE_SECONDS_MAX,
    schema::{Checked, SchemaError},
    time::Timestamp,
};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// How old an enrolment may be when it arrives: a captured one is worthless soon, a slow clock is still let in.
pub const ENROLMENT_AGE_SECONDS_MAX: i64 = 3_600;
/// What operators keep with one agent, in bytes of compact JSON: a list of a thousand must stay readable.
pub const METADATA_BYTES_MAX: usize = 64 * 1024;
/// The letters of ids made here: none that is mistaken for another.
const ID_ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// Letters of an id made here, five bits each: two alike are not to be expected.
pub const MADE_ID_CHARS: usize = 12;

/// `PATCH /api/v1/agents/:id`. What is absent stays; null clears.
#[derive(Clone, Debug, Default, Deserialize, utoipa::ToSchema)]
pub struct PatchBody {
    /// The new name for people.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub name: Option<Option<String>>,
    /// What operators keep with it, whole.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Option<Map<String, Value>>>,
    /// Labels to set, or with null to remove; those that are not named stay.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<LabelsPatch>)]
    pub labels: Option<Option<LabelsPatch>>,
}

impl Checked for PatchBody {
    fn check(&self) -> Result<(), SchemaError> {
        self.labels.iter().flatten().try_for_each(|labels| labels.check("/labels"))
    }
}

/// `POST /api/v1/agents/:id/rotate`.
#[derive(Clone, Copy, Debug, Default, Deserialize, utoipa::ToSchema)]
pub struct RotateBody {
    /// Somebody else may have the agent's keys: they are dropped at once, and no others take their place.
    #[serde(default)]
    pub compromised: bool,
}

impl Checked for RotateBody {}

/// Tells a member that is null from one that is absent.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Metadata as they are stored; none are an empty object.
pub fn metadata_text(metadata: Option<Map<String, Value>>) -> Result<String, SchemaError> {
    let text = Value::Object(metadata.unwrap_or_default()).to_string();
    match text.len() {
        ..=METADATA_BYTES_MAX => Ok(text),
        length => {
            let detail = format!("at most {METADATA_BYTES_MAX} bytes of compact JSON expected, not {length}");
            Err(SchemaError::at("/metadata", detail))
        }
    }
}

/// An id made out of `random` bytes.
pub fn made_id(random: [u8; MADE_ID_CHARS]) -> String {
    let letters = random.map(|byte| char::from(ID_ALPHABET[usize::from(byte) % ID_ALPHABET.len()]));
    format!("agt-{}", String::from_iter(letters))
}

/// Whether a message made at `timestamp` may be taken `now`: not from the future, beyond what clocks differ by.
pub fn check_not_future(timestamp: Timestamp, now: Timestamp) -> Result<(), RegistryError> {
    match timestamp > now.plus_seconds(FUTURE_SECONDS_MAX) {
        true => Err(RegistryError::TimestampInFuture),
        false => Ok(()),
    }
}

/// Whether an enrolment made at `timestamp` may be taken `now`.
pub fn check_enrolment_time(timestamp: Timestamp, now: Timestamp) -> Result<(), RegistryError> {
    check_not_future(timestamp, now)?;
    match timestamp < now.plus_seconds(-ENROLMENT_AGE_SECONDS_MAX) {
        true => Err(RegistryError::EnrolmentTooOld),
        false => Ok(()),
    }
}

/// Whether a heartbeat made at `timestamp` that comes `now` changes anything: only one that is newer than the last
/// does, and a farewell only after one that was there. A last one of a moment that no beat may have now is of before this hub's clock was set back: it says nothing of
/// order any more, or all agents would be silent until that moment has come again.
pub fn is_newer_beat(last: Option<Timestamp>, beat: (Presence, Timestamp), now: Timestamp) -> bool {
    match (beat, last) {
        ((Presence::Offline, timestamp), last) => last.is_some_and(|last| timestamp > last),
        ((Presence::Online, _), None) => true,
        ((Presence::Online, timestamp), Some(last)) => {
            timestamp > last || check_not_future(last, now).is_err()
        }
    }
}

#[cfg(test)]
mod rules {
    use super::*;
    use pingup_protocol::{ids::AgentId, schema};

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    #[test]
    fn null_clears_and_absent_stays() {
        let read = |body: &[u8]| schema::read::<PatchBody>(body).unwrap();
        assert_eq!(read(b"{}").name, None);
        assert_eq!(read(br#"{"name":null}"#).name, Some(None));
        assert_eq!(read(br#"{"name":"x"}"#).name, Some(Some("x".to_owned())));
        assert!(schema::read::<PatchBody>(br#"{"metadata":[]}"#).is_err());
        assert_eq!(read(br#"{"labels":null}"#).labels, Some(None));
        assert!(read(br#"{"labels":{"role":null,"site":"ber"}}"#).labels.flatten().is_some());
        let refused = schema::read::<PatchBody>(br#"{"labels":{"a:b":"x"}}"#).unwrap_err();
        assert_eq!(refused.errors[0].pointer, "/labels/a:b");
    }

    #[test]
    fn metadata_have_their_size() {
        let sized = |bytes: usize| {
            let text = "x".repeat(bytes - r#"{"a":""}"#.len());
            metadata_text(Some(Map::from_iter([("a".to_owned(), Value::from(text))])))
        };
        assert_eq!(sized(METADATA_BYTES_MAX).unwrap().len(), METADATA_BYTES_MAX);
        assert_eq!(sized(METADATA_BYTES_MAX + 1).unwrap_err().errors[0].pointer, "/metadata");
        assert_eq!(metadata_text(None).unwrap(), "{}");
    }

    #[test]
    fn enrolments_are_fresh_and_not_of_the_future() {
        let check = |seconds| check_enrolment_time(NOW.plus_seconds(seconds), NOW);
        for seconds in [0, FUTURE_SECONDS_MAX, -ENROLMENT_AGE_SECONDS_MAX] {
            assert!(check(seconds).is_ok(), "{seconds}");
        }
        assert!(matches!(check(FUTURE_SECONDS_MAX + 1), Err(RegistryError::TimestampInFuture)));
        assert!(matches!(check(-ENROLMENT_AGE_SECONDS_MAX - 1), Err(RegistryError::EnrolmentTooOld)));
    }

    #[test]
    fn only_a_newer_heartbeat_counts() {
        let is_newer =
            |last, seconds| is_newer_beat(last, (Presence::Online, NOW.plus_seconds(seconds)), NOW);
        assert!(is_newer(None, 0) && is_newer(Some(NOW), 1));
        assert!(!is_newer(Some(NOW), 0) && !is_newer(Some(NOW), -1));
        let ahead = NOW.plus_seconds(FUTURE_SECONDS_MAX);
        assert!(!is_newer(Some(ahead), 0), "made by a clock that is a little ahead");
    }

    /// Whoever asks whether it is known does so by a farewell of long ago.
    #[test]
    fn a_farewell_counts_after_one_that_was_there() {
        let is_newer =
            |last, seconds| is_newer_beat(last, (Presence::Offline, NOW.plus_seconds(seconds)), NOW);
        assert!(is_newer(Some(NOW), 1));
        assert!(!is_newer(Some(NOW), 0) && !is_newer(None, 0) && !is_newer(None, -1_000_000));
        let ahead = NOW.plus_seconds(3_600);
        assert!(!is_newer(Some(ahead), 0), "of a clock that was set back since, too");
    }

    #[test]
    fn a_hubs_clock_that_was_set_back_silences_nobody() {
        let last = NOW.plus_seconds(3_600);
        assert!(is_newer_beat(Some(last), (Presence::Online, NOW), NOW));
        assert!(
            !is_newer_beat(Some(NOW), (Presence::Online, NOW.plus_seconds(-1)), NOW),
            "and from then on they have an order again"
        );
    }

    #[test]
    fn ids_made_here_are_ids_and_patterns_are_literal() {
        assert_eq!(made_id([0; MADE_ID_CHARS]), "agt-aaaaaaaaaaaa");
        assert!((0..=u8::MAX).all(|byte| AgentId::parse(&made_id([byte; MADE_ID_CHARS])).is_ok()));
    }
}
