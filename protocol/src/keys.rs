//! Keys: where they come from, and how they are kept from being printed.
//!
//! ```text
//! master   32 random bytes                       salt   16 random bytes per (agent, generation)
//! K_up     = HKDF-SHA256(master, salt, "pingup/1" 00 "up"   00 agentId 00 u32be(generation))
//! K_down   = HKDF-SHA256(master, salt, "pingup/1" 00 "down" 00 agentId 00 u32be(generation))
//! K_tok    = HKDF-SHA256(secret of a join token, no salt, "pingup-enrol/1")
//! ```
//!
//! Two directions, two keys: a message can be neither reflected nor used as another agent's.

use base64::{Engine, engine::general_purpose::STANDARD};
use hkdf::Hkdf;
use sha2::Sha256;
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Bytes of every key and secret.
pub const KEY_BYTES: usize = 32;
/// Bytes of a salt.
pub const SALT_BYTES: usize = 16;

/// Thirty-two secret bytes: wiped when dropped, never printed.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Secret([u8; KEY_BYTES]);

impl Secret {
    /// Takes the bytes as a secret.
    pub const fn new(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// Takes exactly 32 bytes; `None` for any other length.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Reads what [`Secret::to_base64`] wrote.
    pub fn from_base64(text: &str) -> Option<Self> {
        let mut bytes = STANDARD.decode(text).ok()?;
        let secret = Self::from_slice(&bytes);
        bytes.zeroize();
        secret
    }

    /// The bytes themselves, for deriving and for the one answer that hands keys over.
    pub const fn expose(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// base64 with padding, for credentials.
    pub fn to_base64(&self) -> String {
        STANDARD.encode(self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Agent to hub.
    Up,
    /// Hub to agent.
    Down,
}

/// The key of one agent, generation and direction.
pub fn derive(
    master: &Secret,
    salt: &[u8; SALT_BYTES],
    direction: Direction,
    agent_id: &str,
    generation: u32,
) -> Secret {
    let way: &[u8] = match direction {
        Direction::Up => b"up",
        Direction::Down => b"down",
    };
    let info: [&[u8]; 7] =
        [b"pingup/1\0", way, b"\0", agent_id.as_bytes(), b"\0", &generation.to_be_bytes(), b""];
    expand(master.expose(), Some(salt), &info)
}

/// The key that a join token's secret signs an enrolment with, in both directions.
pub fn derive_enrolment(secret: &Secret) -> Secret {
    expand(secret.expose(), None, &[b"pingup-enrol/1"])
}

/// A key for a purpose of the hub's own (signing its bearer tokens), set apart from every agent's by `label`.
pub fn derive_hub(master: &Secret, label: &str) -> Secret {
    expand(master.expose(), None, &[b"pingup/1\0hub\0", label.as_bytes()])
}

fn expand(material: &[u8], salt: Option<&[u8]>, info: &[&[u8]]) -> Secret {
    let mut okm = [0; KEY_BYTES];
    match Hkdf::<Sha256>::new(salt, material).expand_multi_info(info, &mut okm) {
        Ok(()) => Secret::new(okm),
        Err(_) => unreachable!("32 bytes are within HKDF-SHA256's 8 160"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print_itself() {
        let secret = Secret::new([7; KEY_BYTES]);
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        assert_eq!(Secret::from_base64(&secret.to_base64()), Some(secret));
        assert_eq!(Secret::from_slice(&[0; 31]), None);
    }

    #[test]
    fn directions_agents_and_generations_have_keys_of_their_own() {
        let master = Secret::new([1; KEY_BYTES]);
        let salt = [2; SALT_BYTES];
        let key = |direction, agent, generation| derive(&master, &salt, direction, agent, generation);
        let first = key(Direction::Up, "a", 1);
        for other in [key(Direction::Down, "a", 1), key(Direction::Up, "b", 1), key(Direction::Up, "a", 2)] {
            assert_ne!(first, other);
        }
    }
}
