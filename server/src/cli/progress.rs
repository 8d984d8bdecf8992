//! How far a long command is, on standard error: a bar when that is a terminal, nothing otherwise.

use indicatif::{ProgressBar, ProgressStyle};

const BYTES: &str = "{msg} [{wide_bar}] {bytes}/{total_bytes} {eta}";
const COUNT: &str = "{msg} [{wide_bar}] {pos}/{len} {eta}";

/// A bar of bytes.
pub(super) fn of_bytes(what: &'static str) -> ProgressBar {
    bar(what, BYTES)
}

/// A bar of days.
pub(super) fn of_days(what: &'static str, days: usize) -> ProgressBar {
    let bar = bar(what, COUNT);
    bar.set_length(days as u64);
    bar
}

/// A bar of rows.
pub(super) fn of_rows(what: &'static str, rows: u64) -> ProgressBar {
    let bar = bar(what, COUNT);
    bar.set_length(rows);
    bar
}

fn bar(what: &'static str, template: &str) -> ProgressBar {
    // Draws on standard error, and only where somebody sees it.
    let bar = ProgressBar::new(0).with_message(what);
    // The templates are constants; should one not be read, the standard bar does.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}
