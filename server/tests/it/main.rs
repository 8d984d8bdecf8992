//! Stories about the real hub program, told over the wire; the files mirror the paths of the API, then come
//! the stories of what goes wrong. One binary, so that it links once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    unreachable_pub,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a test that fails may panic"
)]

mod harness;

mod agents;
mod arrows;
mod audit;
mod backup;
mod batches;
mod commands;
mod config;
mod crash;
mod discovery;
mod end_to_end;
mod events;
mod grafana;
mod hostile;
mod keys;
mod killed;
mod metrics;
mod oidc;
mod openapi;
mod operators;
mod oracle;
mod orders;
mod program;
mod prometheus;
mod python;
mod refuse;
mod series;
mod sql;
mod stall;
mod supply;
mod threat_model;
mod tls;
