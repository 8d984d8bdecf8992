//! The log: one line an event on stderr, no colours, silent while all is well.

use pingup_protocol::plain;
use std::io::{self, Write};
use tracing::level_filters::LevelFilter;

/// Sends what is at least as grave as `level` to stderr.
pub fn start(level: LevelFilter) {
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(|| OneLine)
        .with_ansi(false)
        .log_internal_errors(false);
    // Somebody who embeds the agent may have set a log of their own; then theirs it is.
    let _ = subscriber.with_target(false).try_init();
}

/// Writes each event on a line of its own, whatever stands in it: some of it is the hub's words, or the network's.
struct OneLine;

impl Write for OneLine {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        io::stderr().write_all(plain::event(event).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
