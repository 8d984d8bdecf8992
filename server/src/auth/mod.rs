//! The lock: who may come in, and with what.
//!
//! Two kinds of caller. **Operators** bring a token with a role: the hub's own, which has a row in the records
//! ([`operators`], [`role`]), or that of a provider which the hub was told to trust ([`oidc`]).
//! **Agents** bring a JWT that names their key's generation, and sign every body ([`keyring`], [`message`]); a token
//! that verified is remembered ([`passes`]). Generations of keys follow each other ([`rotation`]).
//!
//! The order of the checks is the gate's (`http::gate`), cheapest first; the types here make sure that it
//! cannot be skipped: a handler can only get hold of an [`Operator`], an [`AgentCaller`] or an
//! [`AgentMessage`] that the gate put there, and nothing else can make one.

pub mod digest;
pub mod extract;
pub mod keyring;
pub mod keys;
mod masters;
pub mod message;
pub mod oidc;
pub mod operators;
pub mod passes;
pub mod role;
pub mod rotation;
pub mod token;

pub use keyring::{Fresh, Keyring, Standing};
pub use keys::AgentKeys;
pub use message::{Addressed, AgentCaller, AgentMessage, Caller, OperatorBody, PlainBody, RawBody};
pub use operators::{Operators, Stay};
pub use passes::{Allowances, Pass};
pub use role::{Operator, Role};
