//! The log: one line an event on stderr, no colours, silent while all is well.

use tracing::level_filters::LevelFilter;

/// Sends what is at least as grave as `level` to stderr.
pub fn start(level: LevelFilter) {
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .log_internal_errors(false);
    // Somebody who embeds the agent may have set a log of their own; then theirs it is.
    let _ = subscriber.with_target(false).try_init();
}
