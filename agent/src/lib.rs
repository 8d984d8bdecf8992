//! The pingup agent: it measures its machine, spools, signs and pushes; it holds a request open, pulls
//! signed commands and runs those that it is allowed to; it scans its network and pushes what it found.
//!
//! It promises that a sample which was taken is either committed by the hub, or still in the spool, or
//! counted as dropped; that a command runs at most once; and that nothing runs which its own allow-list
//! does not name, whatever the hub says. It keeps everything it must not forget in one directory.
//!
//! | room | what it does |
//! |---|---|
//! | [`settings`] | flags, environment, file → one checked [`settings::Settings`] |
//! | [`state`], [`free`] | the directory, its lock, writing a file so that it survives a crash; whether there is room |
//! | [`identity`], [`enrol`], [`join_token`], [`host`], [`introduction`] | who this is; how it became so; what it says of itself, and when |
//! | [`collect`] | one file a source, one sample out |
//! | [`spool`] | samples and scans on disk until the hub has committed them |
//! | [`transport`] | two connections, one signed request; whether the hub is there, and is the hub |
//! | [`push`], [`heartbeat`], [`pull`], [`report`], [`config`] | the five things said to the hub |
//! | [`keys`] | those at hand, and how new ones take their place |
//! | [`memory`] | what a scan or a long delivery took, given back |
//! | [`execute`], [`journal`] | doing what was asked, at most once |
//! | [`orders`] | what is done only if an operator signed it |
//! | [`scan`], [`discover`] | the network around; looked at on schedule |
//! | [`copied`], [`reset`] | a state that is a copy of another machine's: remembered, and made a fresh one |
//! | [`status`] | how the agent does, written down for whoever asks on this machine |
//! | [`doctor`] | what an agent needs, examined, with what to do about it |
//! | [`install`] | becoming a service of the machine, and ceasing to be one |
//! | [`run`], [`once`] | composition: the agent at work, and the calls that do one thing |
//!
//! Everything runs on one thread, but what may block: measuring, and looking names up. A room is given what it
//! needs by [`run`], the one file that knows all.

pub mod backoff;
pub mod clock;
pub mod collect;
pub mod config;
pub mod copied;
pub mod discover;
pub mod doctor;
pub mod enrol;
pub mod execute;
pub mod exit;
pub mod free;
pub mod heartbeat;
pub mod host;
pub mod identity;
pub mod install;
pub mod interfaces;
pub mod introduction;
pub mod join_token;
pub mod journal;
pub mod keys;
pub mod logging;
pub mod memory;
pub mod once;
pub mod orders;
pub mod pull;
pub mod push;
pub mod record;
pub mod report;
pub mod reset;
pub mod run;
pub mod scan;
pub mod settings;
pub mod spool;
pub mod state;
pub mod status;
pub mod stop;
pub mod transport;
