//! Progress bars on standard error, for who waits at a terminal; anywhere else nothing is drawn.

use crate::tally::Board;
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use std::time::{Duration, Instant};

/// How often the live rate is looked at: often enough to see a stall, rare enough to read.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// A bar over the agents to register.
pub(crate) fn registering(agents: usize) -> ProgressBar {
    ProgressBar::new(agents as u64).with_style(style("registering {wide_bar} {pos}/{len} agents"))
}

/// Draws the time gone by and the rate of the moment until it is dropped.
pub(crate) async fn pushing(board: &Board, duration: Duration) {
    let bar =
        ProgressBar::new(duration.as_secs()).with_style(style("pushing {wide_bar} {pos}/{len} s {msg}"));
    let started = Instant::now();
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    let (mut seen_at, mut seen_rows) = (started, board.stored_rows());
    loop {
        ticks.tick().await;
        let (now, rows) = (Instant::now(), board.stored_rows());
        let rate = (rows - seen_rows) as f64 / (now - seen_at).as_secs_f64().max(f64::EPSILON);
        (seen_at, seen_rows) = (now, rows);
        bar.set_position((now - started).as_secs());
        bar.set_message(format!("{} rows/s", HumanCount(rate as u64)));
    }
}

fn style(template: &str) -> ProgressStyle {
    // A template that cannot be read would still leave a bar to look at.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
