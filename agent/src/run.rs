//! Composition: the agent at work. The one file that knows every room; the order in which they start and stop.
//!
//! Start: settings (checked before this) → state directory and its lock → identity, by enrolment where there is
//! none → configuration, spool, journal → all loops at once.
//!
//! A state that was found to be a copy of another machine's at an earlier start begins nothing of all this ([`standby`]).
//!
//! Stop, at SIGTERM or SIGINT: everyone is told, and the hub hears at once that this agent goes. A command that
//! runs is ended and its outcome kept. What waits in spool and journal has a moment to get through; what does
//! not stays for the next start.

mod ending;
mod enrolling;
mod error;
mod standby;

pub use error::RunError;

use crate::{
    clock::{Clock, machine_time},
    collect::{Collector, PRIMING},
    config::{self, ConfigKeeper, Effective},
    copied,
    discover::{self, Discoverer},
    execute::Executor,
    heartbeat::{self, Pulse},
    host,
    introduction::Introduction,
    join_token,
    journal::Journal,
    keys::Keys,
    orders::Signers,
    pull::Puller,
    push::{Pusher, Witness, Word},
    record::{Recorder, SharedSpool},
    report::{Reporter, Results},
    settings::Settings,
    spool::Spool,
    state::StateDir,
    status::{StatusKeeper, Vitals},
    stop::{self, Stop, Stopper},
    transport::{Hub, Link, Revoked},
};
use ending::{Signals, bounded};
use enrolling::become_agent;
use std::{cell::RefCell, path::PathBuf, rc::Rc};
use tokio::time::{Instant, MissedTickBehavior, sleep_until};

/// Works until it is told to stop.
pub async fn run(settings: Settings) -> Result<(), RunError> {
    let hub = Hub::new(settings.hub.clone(), settings.trust.clone())?;
    let mut signals = Signals::listen().map_err(RunError::Signals)?;
    let state = StateDir::open(&settings.state_dir)?;
    let copy = copied::found(&settings.state_dir)?;
    let keys = match Keys::load(&state)? {
        Some(keys) => keys,
        None if copy.is_some() => return Err(RunError::HalfReset(settings.state_dir)),
        None => match signals.or(become_agent(&hub, &settings, &state)).await {
            Some(enrolled) => enrolled?,
            None => return Ok(()),
        },
    };
    // Used just now, or before a crash, or brought by an installation that did not need it.
    join_token::forget(&state)?;
    let (id, version) = (&keys.current().agent_id, env!("CARGO_PKG_VERSION"));
    tracing::info!(agent = %id, hub = %hub.url(), known_by = hub.known_by(), version, "started");
    let agent = Box::pin(Agent::open(hub, &settings, &state, keys)).await?;
    let (stopper, stop) = stop::channel();
    let ended = match copy {
        None => Box::pin(agent.work(&mut signals, stopper, &stop)).await,
        Some(why) => {
            Box::pin(agent.stand_by(&why, &mut signals)).await;
            Ok(())
        }
    };
    agent.status.end(ended.as_ref().map_or_else(ToString::to_string, |&()| "told to stop".to_owned()));
    if ended.is_ok() {
        tracing::info!("stopped");
    }
    Ok(ended?)
}

/// Everything that an agent at work consists of.
struct Agent {
    /// Of its state.
    folder: PathBuf,
    link: Rc<Link>,
    clock: Rc<Clock>,
    config: Rc<ConfigKeeper>,
    /// Whose orders count: of this machine's settings alone, beside all that the hub configures.
    signers: Rc<Signers>,
    spool: Rc<SharedSpool>,
    results: Rc<Results>,
    recorder: Rc<Recorder>,
    discoverer: Discoverer,
    pulse: Pulse,
    vitals: Rc<Vitals>,
    status: StatusKeeper,
    introduction: RefCell<Introduction>,
    /// When the readings were taken that the first sample is compared with.
    primed_at: Instant,
}

impl Agent {
    async fn open(hub: Hub, settings: &Settings, state: &StateDir, keys: Keys) -> Result<Self, RunError> {
        let now = machine_time();
        let vitals = Rc::new(Vitals::begun(keys.current().agent_id.as_str(), &hub, now));
        let link = Link::with_keys(hub, keys);
        let clock = Rc::new(Clock::default());
        let spool = SharedSpool::new(Spool::open(&state.subdirectory("spool")?, settings.spool, now)?);
        let (collector, primed_at) = (Collector::primed().await, Instant::now());
        let recorder = Recorder::new(collector, Rc::clone(&spool), Rc::clone(&clock), Rc::clone(&link));
        let recorder = Rc::new(recorder);
        let config = Rc::new(ConfigKeeper::open(state.join("config.json"), Effective::of(settings))?);
        let schedule = state.join(discover::FILE);
        let results = Results::new(Journal::open(state, now)?);
        let signers = Rc::new(settings.signers.clone());
        Ok(Self {
            folder: settings.state_dir.clone(),
            status: StatusKeeper {
                path: state.join(crate::status::FILE),
                vitals: Rc::clone(&vitals),
                link: Rc::clone(&link),
                spool: Rc::clone(&spool),
                results: Rc::clone(&results),
                config: Rc::clone(&config),
                signers: Rc::clone(&signers),
            },
            vitals,
            discoverer: Discoverer::new(schedule, Rc::clone(&config), Rc::clone(&recorder), &signers),
            config,
            signers,
            results,
            recorder,
            pulse: Pulse::new(Rc::clone(&clock)),
            introduction: RefCell::new(Introduction::new(
                host::info(&settings.ssh, &settings.labels).await,
                settings.labels_file.clone(),
            )),
            link,
            clock,
            spool,
            primed_at,
        })
    }

    async fn work(&self, signals: &mut Signals, stopper: Stopper, stop: &Stop) -> Result<(), Revoked> {
        let (witness, word) = Witness::new(self.folder.clone());
        let mut pusher = Pusher::new(
            self.link.session("push"),
            Rc::clone(&self.spool),
            Rc::clone(&self.clock),
            Rc::clone(&self.vitals),
            witness,
        );
        let results = Rc::clone(&self.results);
        let mut reporter = Reporter::new(self.link.session("report"), results, Rc::clone(&self.clock));
        let stopping = async {
            signals.wait().await;
            tracing::info!("stopping");
            stopper.stop();
            self.link.hurry();
            heartbeat::farewell(&self.pulse, &self.link).await;
            Ok(())
        };
        let working = async {
            // Each ends when it is told to stop; any of them may find that we are revoked, which ends all.
            tokio::try_join!(
                pusher.run(stop),
                reporter.run(stop),
                Box::pin(self.beat(stop)),
                Box::pin(self.configure(stop)),
                Box::pin(self.pull(word, stop)),
                self.sample(stop),
                Box::pin(self.discover(stop)),
                self.keep_status(stop),
            )?;
            tokio::try_join!(pusher.drain(), reporter.drain()).map(drop)
        };
        // Boxed: a future of everything is large, and is moved on its way.
        let (working, stopping) = (Box::pin(working), Box::pin(stopping));
        tokio::try_join!(bounded(working, stop), bounded(stopping, stop)).map(drop)
    }

    async fn beat(&self, stop: &Stop) -> Result<(), Revoked> {
        let mut session = self.link.session("heartbeat");
        heartbeat::run(&self.pulse, &mut session, &self.config, &self.vitals, &self.introduction, stop).await
    }

    async fn keep_status(&self, stop: &Stop) -> Result<(), Revoked> {
        self.status.run(stop).await;
        Ok(())
    }

    async fn configure(&self, stop: &Stop) -> Result<(), Revoked> {
        config::run(&self.config, &mut self.link.session("config"), stop).await
    }

    /// Pulls, once pushing has shown that this state is no copy: that one is handed what is meant for the original.
    async fn pull(&self, Word { copied, own }: Word, stop: &Stop) -> Result<(), Revoked> {
        let Some(Some(())) = stop.or(copied.or(own.wait())).await else { return Ok(()) };
        let executor = Executor::new(Rc::clone(&self.recorder));
        let (results, config) = (Rc::clone(&self.results), Rc::clone(&self.config));
        let (clock, signers) = (Rc::clone(&self.clock), Rc::clone(&self.signers));
        Puller::new(&self.link, results, config, clock, executor, signers, copied).run(stop).await
    }

    /// A sample at once, then one at every interval, on a steady grid that begins anew when the interval changes.
    async fn sample(&self, stop: &Stop) -> Result<(), Revoked> {
        let mut changes = self.config.changes();
        stop.or(sleep_until(self.primed_at + PRIMING)).await;
        let mut begin = Instant::now();
        while !stop.is_set() {
            let interval = changes.borrow_and_update().interval;
            let mut due = tokio::time::interval_at(begin, interval);
            due.set_missed_tick_behavior(MissedTickBehavior::Skip);
            loop {
                tokio::select! {
                    biased;
                    () = stop.wait() => return Ok(()),
                    _ = due.tick() => {
                        stop.or(self.take_sample()).await;
                    }
                    _ = changes.changed() => {
                        if self.config.current().interval != interval {
                            break;
                        }
                    }
                }
            }
            begin = Instant::now() + self.config.current().interval;
        }
        Ok(())
    }

    async fn take_sample(&self) {
        if let Err(error) = self.recorder.take_sample().await {
            tracing::error!("a sample is lost: {error}");
        }
    }

    /// Scans as often as the hub's configuration says; never, when it does not.
    async fn discover(&self, stop: &Stop) -> Result<(), Revoked> {
        self.discoverer.run(stop).await;
        Ok(())
    }
}
