//! The agent program against a hub of the tests' own: stories over the wire.
//!
//! The hub here speaks the protocol with the same crate, signs and verifies, keeps what it was sent, and does
//! what a story tells it to: refuse, hold, hand out commands, go away. Each story starts the real program.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test that cannot go on should end"
)]

mod bare;
mod clocks;
mod commands;
mod config;
mod copied;
mod damaged;
mod deploy;
mod doctor;
mod enrolment;
mod harness;
mod hostile;
mod install;
mod killed;
mod life;
mod once;
mod orders;
mod pushing;
mod running;
mod scan;
mod settings;
mod shutdown;
mod status;
mod trust;
mod uninstall;
