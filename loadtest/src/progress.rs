//! Progress bars on standard error, for who waits at a terminal; anywhere else nothing is drawn.

use crate::{board::Board, lanes::Until};
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use std::{
    borrow::Cow,
    time::{Duration, Instant},
};

/// How often the live rate is looked at: often enough to see a stall, rare enough to read.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// A bar over `all` of something.
pub(crate) fn bar(doing: &str, all: u64, unit: &str) -> ProgressBar {
    ProgressBar::new(all).with_style(style(&format!("{doing} {{wide_bar}} {{pos}}/{{len}} {unit} {{msg}}")))
}

/// A sign of life where nobody knows how long it takes.
pub(crate) fn spinner(doing: impl Into<Cow<'static, str>>) -> ProgressBar {
    let spinner = ProgressBar::new_spinner().with_message(doing);
    spinner.enable_steady_tick(LOOK_EVERY);
    spinner
}

/// A bar over a load: its time, or its rows with the time that is left.
pub(crate) struct Progress {
    bar: ProgressBar,
    by_rows: bool,
}

impl Progress {
    /// A bar for a load that ends `until` then; `rows` are all that it will push, where that is known.
    pub(crate) fn new(doing: &str, until: Until, rows: u64) -> Self {
        match until {
            Until::Elapsed(duration) => Self { bar: bar(doing, duration.as_secs(), "s"), by_rows: false },
            Until::Seq(_) => {
                let template = format!("{doing} {{wide_bar}} {{percent}} % {{msg}}, {{eta}} left");
                Self { bar: ProgressBar::new(rows).with_style(style(&template)), by_rows: true }
            }
        }
    }

    /// Draws how far it is and the rate of the moment, until it is dropped.
    pub(crate) async fn follow(&self, board: &Board) {
        let started = Instant::now();
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        let (mut seen_at, mut seen_rows) = (started, board.stored_rows());
        loop {
            ticks.tick().await;
            let (now, rows) = (Instant::now(), board.stored_rows());
            let rate = (rows - seen_rows) as f64 / (now - seen_at).as_secs_f64().max(f64::EPSILON);
            (seen_at, seen_rows) = (now, rows);
            self.bar.set_position(if self.by_rows { rows } else { (now - started).as_secs() });
            self.bar.set_message(format!("{} rows/s", HumanCount(rate as u64)));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    // A template that cannot be read would still leave a bar to look at.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
