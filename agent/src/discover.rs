//! Scans on schedule: as often as the hub's configuration says, if this machine's allow-list has `run_discovery`, and no scan
//! needs an operator's signature here: a schedule is the hub's word alone.
//!
//! The schedule is a [`Rhythm`], kept in the state folder. It is written before a scan begins: a machine that a scan
//! brings down is not scanned from again as soon as it is up.

use crate::{
    backoff::random,
    clock::machine_time,
    config::{ConfigKeeper, Effective},
    memory::GivenBack,
    orders::Signers,
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
    /// Whether the hub's word is enough for a scan.
    is_free: bool,
}

impl Discoverer {
    /// Begins with the rhythm that is kept at `path`, under `config`; makes no scan where `signers` want each ordered.
    pub fn new(path: PathBuf, config: Rc<ConfigKeeper>, recorder: Rc<Recorder>, signers: &Signers) -> Self {
        Self { path, config, recorder, is_free: !signers.demand(ACTION) }
    }

    /// Scans until told to stop.
    pub async fn run(&self, stop: &Stop) {
        let mut changes = self.config.changes();
        let mut rhythm = self.kept();
        while !stop.is_set() {
            let config = Rc::clone(&changes.borrow_and_update());
            let now = machine_time();
            rhythm = self.scheduled(&config).map(|every| self.adopt(rhythm, every, now)).or(rhythm);
            let due = async {
                match (self.scheduled(&config), rhythm) {
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

    fn scheduled(&self, config: &Effective) -> Option<Duration> {
        scheduled(config, self.is_free)
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
        let (_given_back, began) = (GivenBack::default(), self.recorder.now());
        // One that failed has said so, and is not taken down: it would tell the hub that nobody is there.
        if let Some(Ok(made)) = stop.or(Box::pin(scan::run(&plan, |_| {}))).await
            && let Err(error) = self.recorder.take_scan(began, made.scan)
        {
            tracing::error!("a scan is lost: {error}");
        }
    }
}

/// How often `config` has scans made; never where they are not allowed, or where the hub's word is not enough for one.
fn scheduled(config: &Effective, is_free: bool) -> Option<Duration> {
    config.scan_every.filter(|_| is_free && config.allow.permits(ACTION))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::tests::own, execute::AllowList};

    #[test]
    fn a_schedule_makes_no_scan_that_is_not_allowed_or_wants_an_order() {
        let hourly = Effective { scan_every: Some(Duration::from_secs(3_600)), ..own() };
        assert!(scheduled(&hourly, true).is_some() && scheduled(&own(), true).is_none());
        assert_eq!(scheduled(&hourly, false), None, "whoever rules the hub makes the schedule");
        let forbidden = Effective { allow: AllowList::parse(&["ping".into()]).unwrap(), ..hourly };
        assert_eq!(scheduled(&forbidden, true), None);
    }
}
