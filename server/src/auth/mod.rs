//! The lock: who may come in, and with what.
//!
//! Two kinds of caller. **Operators** bring a JWT with a role ([`token`], [`role`]). **Agents** bring a JWT
//! that names their key's generation, and sign every body ([`keyring`], [`message`]); a token that verified is
//! remembered ([`passes`]).
//!
//! The order of the checks is the gate's (`http::gate`), cheapest first; the types here make sure that it
//! cannot be skipped: a handler can only get hold of an [`Operator`], an [`AgentCaller`] or an
//! [`AgentMessage`] that the gate put there, and nothing else can make one.

pub mod extract;
pub mod keyring;
pub mod message;
pub mod passes;
pub mod role;
pub mod token;

pub use keyring::{AgentKeys, Fresh, Keyring, Standing};
pub use message::{Addressed, AgentCaller, AgentMessage, Caller, OperatorBody, PlainBody, RawBody};
pub use passes::{Allowances, Pass};
pub use role::{Operator, Role};
