//! The driver with jobs that work, fail, panic and hang.

use super::*;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tokio::sync::{Notify, oneshot};

fn scheduled(job: Job) -> Scheduled {
    Scheduled { job, due: None, running: None, is_failing: false }
}

/// A job that counts its runs and ends them as `end` says.
fn counted(every: Duration, end: fn(usize) -> Result<(), JobError>) -> (Scheduled, Arc<AtomicUsize>) {
    let runs = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&runs);
    let job = Job::new("counted", every, move || {
        let run = counter.fetch_add(1, Ordering::SeqCst);
        async move { end(run) }
    });
    (scheduled(job), runs)
}

async fn until_ended(scheduled: &Scheduled) {
    while scheduled.running.as_ref().is_some_and(|running| !running.is_finished()) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_job_runs_when_it_is_due() {
    let (mut job, runs) = counted(Duration::from_secs(10), |_| Ok(()));
    let start = Instant::now();
    for (second, expected) in [(0, 1), (1, 1), (9, 1), (10, 2), (11, 2), (30, 3)] {
        job.tick(start + Duration::from_secs(second)).await;
        until_ended(&job).await;
        assert_eq!(runs.load(Ordering::SeqCst), expected, "at {second} s");
    }
}

#[tokio::test]
async fn a_job_that_fails_or_panics_is_run_again_until_it_works() {
    let (mut job, runs) = counted(TICK, |run| match run {
        0 => Err("on purpose".into()),
        1 => panic!("on purpose"),
        _ => Ok(()),
    });
    let start = Instant::now();
    let mut was_failing = Vec::new();
    for second in 0..4 {
        job.tick(start + TICK * second).await;
        was_failing.push(job.is_failing);
        until_ended(&job).await;
    }
    assert_eq!(runs.load(Ordering::SeqCst), 4);
    assert_eq!(was_failing, [false, true, true, false]);
}

#[tokio::test]
async fn a_job_that_is_at_work_is_not_started_again() {
    let (release, starts) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
    let job = Job::new("slow", TICK, {
        let (release, starts) = (Arc::clone(&release), Arc::clone(&starts));
        move || {
            starts.fetch_add(1, Ordering::SeqCst);
            let release = Arc::clone(&release);
            async move {
                release.notified().await;
                Ok::<_, JobError>(())
            }
        }
    });
    let (mut job, start) = (scheduled(job), Instant::now());
    job.tick(start).await;
    job.tick(start + TICK).await;
    assert_eq!(starts.load(Ordering::SeqCst), 1);
    release.notify_one();
    until_ended(&job).await;
    job.tick(start + 2 * TICK).await;
    assert_eq!(starts.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn shutdown_lets_a_job_finish() {
    let (started, running) = oneshot::channel();
    let (stop, stopped) = oneshot::channel();
    let release = Arc::new(Notify::new());
    let finished = Arc::new(AtomicUsize::new(0));
    let job = Job::new("finishing", TICK, {
        let (release, finished, mut started) = (Arc::clone(&release), Arc::clone(&finished), Some(started));
        move || {
            let (release, finished, started) = (Arc::clone(&release), Arc::clone(&finished), started.take());
            async move {
                started.map(|started| started.send(()));
                release.notified().await;
                finished.fetch_add(1, Ordering::SeqCst);
                Ok::<_, JobError>(())
            }
        }
    });
    let sweep = tokio::spawn(Sweep::new().with(job).run(async { stopped.await.unwrap_or_default() }));
    running.await.unwrap();
    stop.send(()).unwrap();
    release.notify_one();
    sweep.await.unwrap();
    assert_eq!(finished.load(Ordering::SeqCst), 1);
}
