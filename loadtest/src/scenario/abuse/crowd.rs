//! The abusers at work: a thread of their own, on which all of them share one processor at most.

use super::loads::{Load, Way};
use crate::{client::Client, error::LoadError, settings::Hub};
use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::Builder,
    sync::watch,
    task::{JoinSet, spawn_blocking},
    time::{sleep, timeout},
};

/// How long all abusers may take to begin, before it is called a failure.
const BEGIN_WITHIN: Duration = Duration::from_secs(60);
/// The pause after a connection could not be had, or was closed.
const PAUSE: Duration = Duration::from_millis(5);
/// How long a connection may take to open, and an answer to come.
const PATIENCE: Duration = Duration::from_secs(20);
/// Statuses and names of refusals that are told apart; the rest is counted with the last.
const ANSWERS_MAX: usize = 32;

/// What became of what the abusers sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Taken {
    /// Requests, or connections, that were offered.
    pub(super) offered: u64,
    /// Answers, by status and name.
    pub(super) answers: BTreeMap<String, u64>,
    /// Connections that the hub closed, or that broke.
    pub(super) closed: u64,
}

/// A load that is under way.
pub(super) struct Crowd {
    stop: watch::Sender<bool>,
    /// How many of them there are, and how many have begun.
    abusers: usize,
    begun: watch::Receiver<usize>,
    thread: JoinHandle<io::Result<()>>,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Clone)]
struct Counts {
    taken: Arc<Mutex<Taken>>,
    begun: watch::Sender<usize>,
}

impl Counts {
    fn lock(&self) -> MutexGuard<'_, Taken> {
        // Counts stay sound whoever panicked beside them.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answered(&self, what: String) {
        let mut taken = self.lock();
        let is_new = !taken.answers.contains_key(&what);
        let what = if is_new && taken.answers.len() >= ANSWERS_MAX { "others".to_owned() } else { what };
        *taken.answers.entry(what).or_default() += 1;
    }

    /// Counts an abuser that has done once what it does (its turn 0), whatever came of it.
    fn begun(&self, turn: u64) {
        self.begun.send_if_modified(|begun| {
            *begun += usize::from(turn == 0);
            turn == 0
        });
    }
}

impl Crowd {
    /// Sends them off.
    pub(super) fn start(load: Load, hub: Arc<Hub>) -> Result<Self, LoadError> {
        let (stop, mut stopped) = watch::channel(false);
        let (begin, begun) = watch::channel(0);
        let taken: Arc<Mutex<Taken>> = Arc::default();
        let counts = Counts { taken: Arc::clone(&taken), begun: begin };
        let abusers = load.way.abusers();
        let work = move || {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let mut abusers = send_off(load, &hub, &counts);
                // Whoever holds the other end is gone: that is a stop too.
                let _ = stopped.wait_for(|stopped| *stopped).await;
                abusers.abort_all();
            });
            Ok(())
        };
        let thread =
            thread::Builder::new().name("abusers".to_owned()).spawn(work).map_err(LoadError::Runtime)?;
        Ok(Self { stop, abusers, begun, thread, taken })
    }

    /// Waits until each of them has begun: their connections are open, or were refused.
    pub(super) async fn settled(&self) -> Result<(), LoadError> {
        let mut begun = self.begun.clone();
        let all = timeout(BEGIN_WITHIN, begun.wait_for(|begun| *begun >= self.abusers)).await;
        let have_begun = matches!(all, Ok(Ok(_)));
        have_begun.then_some(()).ok_or(LoadError::Nothing("not all abusers have begun"))
    }

    /// Calls them off, and waits until all their connections are closed.
    pub(super) async fn end(self) -> Result<Taken, LoadError> {
        self.stop.send_replace(true);
        let thread = self.thread;
        let ended = spawn_blocking(move || thread.join()).await?;
        ended
            .unwrap_or_else(|_| Err(io::Error::other("the abusers' thread panicked")))
            .map_err(LoadError::Runtime)?;
        // Counts stay sound whoever panicked beside them.
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(taken)
    }
}

fn send_off(load: Load, hub: &Arc<Hub>, counts: &Counts) -> JoinSet<()> {
    let mut abusers = JoinSet::new();
    match load.way {
        Way::Flood { connections, request } => {
            let request: Arc<[u8]> = request.into();
            for _ in 0..connections {
                abusers.spawn(flood(Arc::clone(hub), Arc::clone(&request), counts.clone()));
            }
        }
        Way::Hold { connections, firsts, drip, every } => {
            let firsts: Vec<Arc<[u8]>> = firsts.into_iter().map(Arc::from).collect();
            for number in 0..connections {
                let first = Arc::clone(&firsts[number % firsts.len()]);
                abusers.spawn(hold(Arc::clone(hub), first, (drip, every), counts.clone()));
            }
        }
        Way::Connect { at_once } => {
            for _ in 0..at_once {
                abusers.spawn(connect_and_close(Arc::clone(hub), counts.clone()));
            }
        }
        Way::Pipeline { connections, requests } => {
            let requests: Arc<[u8]> = requests.into();
            for _ in 0..connections {
                abusers.spawn(pipeline(Arc::clone(hub), Arc::clone(&requests), counts.clone()));
            }
        }
    }
    abusers
}

async fn flood(hub: Arc<Hub>, request: Arc<[u8]>, counts: Counts) {
    let mut client = Client::new(hub).with_patience(PATIENCE);
    for turn in 0_u64.. {
        counts.lock().offered += 1;
        let is_answered = match client.exchange(&request).await {
            Ok(answer) => {
                let problem = answer.problem().and_then(|problem| problem.problem_type());
                counts.answered(format!("{} {}", answer.status, problem.map_or("-", |kind| kind.name())));
                true
            }
            Err(_) => {
                counts.lock().closed += 1;
                false
            }
        };
        counts.begun(turn);
        if !is_answered {
            sleep(PAUSE).await;
        }
    }
}

async fn open(hub: &Hub) -> io::Result<TcpStream> {
    timeout(PATIENCE, TcpStream::connect((hub.host.as_str(), hub.port))).await?
}

async fn hold(hub: Arc<Hub>, first: Arc<[u8]>, drips: (Option<u8>, Duration), counts: Counts) {
    for turn in 0_u64.. {
        let opened = open(&hub).await;
        counts.begun(turn);
        if let Ok(mut stream) = opened {
            counts.lock().offered += 1;
            // It ends when the hub closes it.
            let _ = held(&mut stream, &first, drips).await;
            counts.lock().closed += 1;
        }
        sleep(PAUSE).await;
    }
}

async fn held(stream: &mut TcpStream, first: &[u8], (drip, every): (Option<u8>, Duration)) -> io::Result<()> {
    stream.write_all(first).await?;
    let Some(drip) = drip else {
        // Nothing is read, so an error is all that can come.
        return stream.ready(tokio::io::Interest::ERROR).await.map(drop);
    };
    let mut heard = [0; 512];
    loop {
        tokio::select! {
            read = stream.read(&mut heard) => if read? == 0 { return Ok(()) },
            () = sleep(every) => stream.write_all(&[drip]).await?,
        }
    }
}

async fn connect_and_close(hub: Arc<Hub>, counts: Counts) {
    for turn in 0_u64.. {
        counts.lock().offered += 1;
        let opened = open(&hub).await;
        counts.begun(turn);
        match opened {
            Ok(_) => counts.answered("opened".to_owned()),
            Err(_) => {
                counts.lock().closed += 1;
                sleep(PAUSE).await;
            }
        }
    }
}

async fn pipeline(hub: Arc<Hub>, requests: Arc<[u8]>, counts: Counts) {
    for turn in 0_u64.. {
        let opened = open(&hub).await;
        counts.begun(turn);
        if let Ok(stream) = opened {
            let (mut reading, mut writing) = stream.into_split();
            let write = async {
                loop {
                    counts.lock().offered += 1;
                    if writing.write_all(&requests).await.is_err() {
                        return;
                    }
                }
            };
            let mut heard = vec![0; 64 * 1024];
            let read = async { while reading.read(&mut heard).await.is_ok_and(|read| read > 0) {} };
            tokio::select! {
                () = write => {}
                () = read => {}
            }
            counts.lock().closed += 1;
        }
        sleep(PAUSE).await;
    }
}
