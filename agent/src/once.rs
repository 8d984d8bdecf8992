//! What is done once and printed: a sample, a scan.

use crate::{
    collect::{Collector, PRIMING},
    exit::Exit,
    scan::{self, Plan},
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use std::io::Write;

/// Why nothing was printed.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to stdout: {0}")]
pub struct PrintError(#[from] std::io::Error);

impl From<&PrintError> for Exit {
    fn from(_: &PrintError) -> Self {
        Self::Io
    }
}

/// Prints one sample of this machine.
pub async fn sample() -> Result<(), PrintError> {
    let mut collector = Collector::primed().await;
    tokio::time::sleep(PRIMING).await;
    print(&collector.measure().await)
}

/// Carries out `plan` and prints what it found; says on stderr how far it has come, where somebody looks.
pub async fn scan(plan: Plan) -> Result<(), PrintError> {
    let bar = ProgressBar::with_draw_target(Some(plan.connections()), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {percent}% of {len} connections, {eta} left") {
        bar.set_style(style);
    }
    let found = Box::pin(scan::run(&plan, |progress| bar.set_position(progress.done))).await;
    bar.finish_and_clear();
    print(&found)
}

fn print(value: &impl Serialize) -> Result<(), PrintError> {
    let mut stdout = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut stdout, value).map_err(std::io::Error::from)?;
    stdout.write_all(b"\n")?;
    Ok(stdout.flush()?)
}
