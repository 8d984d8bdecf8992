//! The pingup hub: it verifies everything, commits it to disk, and only then answers.
//!
//! # The story
//! A request comes in at the porch ([`http`]): the route table names who may come and what it takes, the
//! gate checks that, cheapest first, with the lock's help ([`auth`]). What passes is a verified message in
//! the hands of one room's handler.
//!
//! The main road carries measurements: [`ingest`] turns a verified body into rows, queues them, and one
//! writer thread commits whole groups to the journal of the history ([`tsdb`]); the queue is the one place where
//! the thread changes. An answer of 200 is given after that commit. What is in the journal is in memory too, and
//! is sealed into Parquet files; [`history`] and [`discovery`] read both as one, and [`prometheus`] as series.
//!
//! Records live in SQLite: [`registry`] knows the agents, [`commands`] what they are to do, [`config`] how.
//! [`sweep`] does in the background what time alone brings about. [`figures`] and [`health`] say how the hub
//! itself does. [`storage`] is the cellar: databases and files, and no word of any domain.
//!
//! What neither the API nor PromQL can say is asked in [`sql`], of an engine in a process of its own.
//!
//! Whoever comes over TLS is shown the certificate that [`tls`] keeps; [`reach`] is what agents are told to find the hub by.
//!
//! What they commit, they tell: [`events`] are a stream for whoever watches. What somebody did ([`deed`]) stays in the
//! [`audit`].
//!
//! Rooms never know each other: [`app`] builds them and hands each what it needs of another.

pub mod address;
pub mod app;
pub mod audit;
pub mod auth;
pub mod brake;
pub mod bucket;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
pub mod csv;
pub mod deed;
pub mod discovery;
pub mod events;
pub mod figures;
pub mod generations;
pub mod health;
pub mod history;
pub mod http;
pub mod ingest;
pub mod joining;
pub mod latest;
pub mod prometheus;
pub mod reach;
pub mod registry;
pub mod selector;
pub mod series;
pub mod settings;
pub mod sql;
pub mod standing;
pub mod storage;
pub mod sweep;
pub mod tls;
pub mod tokens;
pub mod tsdb;
