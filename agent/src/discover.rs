//! Scans on schedule: as often as the hub's configuration says, if this machine's allow-list has `run_discovery`.
//!
//! The schedule is a [`Rhythm`], kept in the state folder. It is written before a scan begins: a machine that a scan
//! brings down is not scanned from again as soon as it is up.

use crate::{
    backoff::random,
    clock::machine_time,
    config::{ConfigKeeper, Effective},
    record::Recorder,
    scan::{self, Plan, Rhythm, Wish},
    state::{read_json, write_json},
    stop::Stop,
};
use pingup_protocol::time::Timestamp;
use std::{path::PathBuf, rc::Rc, time::Duration};

/// The file in the state folder.
pub const FILE: &str = "scan.json";
/// The action that stands for scans on the allow-list.
const ACTION: &str = "run_discovery";
/// How long is waited at most before the machine's clock is asked again, which may have been set, or gone on asleep.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Scans on schedule.
pub struct Discoverer {
    path: PathBuf,
    config: Rc<ConfigKeeper>,
    recorder: Rc<Recorder>,
}

impl Discoverer {
    /// Begins with the rhythm that is kept at `path`, under `config`.
    pub const fn new(path: PathBuf, config: Rc<ConfigKeeper>, recorder: Rc<Recorder>) -> Self {
        Self { path, config, recorder }
    }

    /// Scans until told to stop.
    pub async fn run(&self, stop: &Stop) {
        let mut changes = self.config.changes();
        let mut rhythm = self.kept();
        while !stop.is_set() {
            let config = Rc::clone(&changes.borrow_and_update());
            let now = machine_time();
            rhythm = scheduled(&config).map(|every| self.adopt(rhythm, every, now)).or(rhythm);
            let due = async {
                match (scheduled(&config), rhythm) {
                    (Some(_), Some(rhythm)) => tokio::time::sleep(rhythm.wait(now).min(LOOK_AGAIN)).await,
                    _ => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = stop.wait() => {}
                // Another schedule is adopted above; anything else leaves this one as it is.
                _ = changes.changed() => {}
                () = due => {
                    let now = machine_time();
                    if let Some(due) = rhythm.filter(|rhythm| rhythm.wait(now).is_zero()) {
                        rhythm = Some(due.struck(now));
                        self.keep(due.struck(now));
                        self.scan(&config, stop).await;
                    }
                }
            }
        }
    }

    /// `rhythm`, where it is of this interval; else a new one.
    fn adopt(&self, rhythm: Option<Rhythm>, every: Duration, now: Timestamp) -> Rhythm {
        let known = rhythm.filter(|rhythm| rhythm.is_every(every));
        let adopted = known.map_or_else(|| Rhythm::begun(every, now, random()), |known| known.by(now));
        if rhythm != Some(adopted) {
            self.keep(adopted);
        }
        adopted
    }

    /// What was kept. One that cannot be read begins anew, as a rhythm does that was never there.
    fn kept(&self) -> Option<Rhythm> {
        read_json(&self.path).unwrap_or_else(|error| {
            tracing::warn!("the schedule of scans begins anew: {error}");
            None
        })
    }

    fn keep(&self, rhythm: Rhythm) {
        if let Err(error) = write_json(&self.path, &rhythm) {
            tracing::error!("the next start will not know of this scan: {error}");
        }
    }

    async fn scan(&self, config: &Effective, stop: &Stop) {
        let plan = match Plan::choose(Wish::default(), config) {
            Ok(plan) => plan,
            Err(error) => return tracing::warn!("no scan is made: {error}"),
        };
        let began = self.recorder.now();
        if let Some(found) = stop.or(Box::pin(scan::run(&plan, |_| {}))).await
            && let Err(error) = self.recorder.take_scan(began, found)
        {
            tracing::error!("a scan is lost: {error}");
        }
    }
}

/// How often `config` has scans made; never where they are not allowed.
fn scheduled(config: &Effective) -> Option<Duration> {
    config.scan_every.filter(|_| config.allow.permits(ACTION))
}
