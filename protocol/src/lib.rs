//! The pingup protocol, version 1: what an agent and the hub say to each other.
//!
//! This crate is the contract in code. It is pure: no I/O, no clock, no async, no database; the same
//! bytes in give the same answer out. The hub, the agent and the load generator all speak through it,
//! and `docs/protocol.md` says in prose what it holds in types.
//!
//! The road of a message: bytes → [`canonical`] (strict I-JSON, RFC 8785) → [`signing`] (HMAC-SHA256
//! under a key from [`keys`]) → one of the typed bodies ([`metrics`], [`discovery`], [`heartbeat`],
//! [`command`], [`config`], [`enrol`]). What cannot be accepted is a [`problem::Problem`]. How agents come back to a hub
//! that was away, so that they do not take it down again, is [`backoff`]; how they know it over TLS is a [`pin`]; what an operator
//! signed, so that no hub can make it up, is an [`order`]. What others said is shown by way of [`plain`].

pub mod backoff;
pub mod canonical;
pub mod command;
pub mod config;
pub mod discovery;
pub mod enrol;
pub mod heartbeat;
pub mod ids;
pub mod keys;
pub mod labels;
pub mod limits;
pub mod measurements;
pub mod metrics;
pub mod network;
pub mod order;
pub mod pin;
pub mod plain;
pub mod problem;
pub mod schema;
pub mod signing;
pub mod time;
