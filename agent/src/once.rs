//! What is done once and printed: a sample, a scan.

use crate::{
    collect::{Collector, PRIMING},
    exit::Exit,
    scan::{self, Made, News, NothingSent, Plan},
};
use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};
use pingup_protocol::{discovery::Host, plain};
use serde::Serialize;
use std::io::{self, Write};

/// Why nothing was printed.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to stdout: {0}")]
pub struct PrintError(#[from] io::Error);

impl From<&PrintError> for Exit {
    fn from(_: &PrintError) -> Self {
        Self::Io
    }
}

/// Why there is no scan.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// It could not be printed.
    #[error(transparent)]
    Print(#[from] PrintError),
    /// None was made.
    #[error(transparent)]
    NothingSent(#[from] NothingSent),
}

impl From<&ScanError> for Exit {
    fn from(error: &ScanError) -> Self {
        match error {
            ScanError::Print(error) => error.into(),
            ScanError::NothingSent(_) => Self::Trouble,
        }
    }
}

/// Prints one sample of this machine.
pub async fn sample() -> Result<(), PrintError> {
    let mut collector = Collector::primed().await;
    tokio::time::sleep(PRIMING).await;
    print(&collector.measure().await)
}

/// Carries out `plan` and prints the hosts, as they are found or all at once as JSON. How far it has come is said on
/// stderr, where somebody looks.
pub async fn scan(plan: Plan, json: bool) -> Result<(), ScanError> {
    let bar = ProgressBar::with_draw_target(Some(plan.addresses()), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos} of {len} addresses, {eta} left") {
        bar.set_style(style);
    }
    let mut told = if json { Ok(()) } else { bar.suspend(|| tell(HEADING)) };
    let tell_news = |news: News<'_>| match news {
        News::Progress(progress) => bar.set_position(progress.done),
        News::Found(host) if !json && told.is_ok() => told = bar.suspend(|| tell(&line(host))),
        News::Found(_) => {}
    };
    let made = Box::pin(scan::run(&plan, tell_news)).await;
    bar.finish_and_clear();
    told.map_err(PrintError)?;
    let made = made?;
    if json {
        print(&made.scan)?;
    }
    for remark in remarks(&plan, &made, json) {
        // Whoever closed stderr does not want to know.
        let _ = writeln!(io::stderr(), "{}", plain::line(&remark));
    }
    Ok(())
}

/// What is to be said in the end. Programs hear of trouble only.
fn remarks(plan: &Plan, made: &Made, json: bool) -> Vec<String> {
    let mut remarks: Vec<String> =
        made.remark().map(|what| format!("pingup-agent: {what}")).into_iter().collect();
    if !json {
        let (hosts, seconds) = (made.scan.hosts.len(), made.scan.duration / 1_000.0);
        let addresses = HumanCount(made.addresses);
        remarks.push(format!("{hosts} hosts at {addresses} addresses, in {seconds:.1} s"));
        if !plan.left_out().is_empty() {
            remarks.push(format!("left out, name them to scan them: {}", plan.left_out()));
        }
    }
    remarks
}

const HEADING: &str = "ADDRESS           ANSWERED  HARDWARE           NAME                      PORTS";

fn line(host: &Host) -> String {
    let or_none = |text: Option<&str>| text.unwrap_or("-").to_owned();
    let answered = host.latency.map_or_else(|| "by ARP".to_owned(), |latency| format!("{latency:.2} ms"));
    let ports: Vec<String> = host.ports.iter().map(u16::to_string).collect();
    let ports = if ports.is_empty() { "-".to_owned() } else { ports.join(" ") };
    let (mac, name) = (or_none(host.mac.as_deref()), or_none(host.hostname.as_deref()));
    format!("{:<16} {answered:>9}  {mac:<17}  {name:<24}  {ports}", host.ip.to_string())
}

fn tell(line: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{}", plain::line(line))?;
    stdout.flush()
}

fn print(value: &impl Serialize) -> Result<(), PrintError> {
    let mut stdout = io::stdout().lock();
    let text = serde_json::to_vec_pretty(value).map_err(io::Error::from)?;
    stdout.write_all(&plain::json(text))?;
    stdout.write_all(b"\n")?;
    Ok(stdout.flush()?)
}
