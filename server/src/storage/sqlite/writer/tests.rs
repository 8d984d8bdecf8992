//! Group commit under everything that may happen to a member of the group.

use super::*;
use std::sync::mpsc::{Sender, channel};

fn database() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch("CREATE TABLE kept (n INTEGER NOT NULL UNIQUE)").unwrap();
    connection
}

fn add(n: i64) -> impl FnOnce(&Connection) -> Result<i64, StorageError> + Send {
    move |connection| {
        connection.execute("INSERT INTO kept VALUES (?)", [n])?;
        Ok(n)
    }
}

/// A job as the queue holds it, and where its answer comes.
fn job<T: Send + 'static>(
    work: impl FnOnce(&Connection) -> Result<T, StorageError> + Send + 'static,
) -> (Box<dyn Job>, Answer<T, StorageError>) {
    told_job(work, |_| ())
}

/// The same, with something that hears of it.
fn told_job<T: Send + 'static>(
    work: impl FnOnce(&Connection) -> Result<T, StorageError> + Send + 'static,
    then: impl FnOnce(&T) + Send + 'static,
) -> (Box<dyn Job>, Answer<T, StorageError>) {
    let (waiter, answer) = oneshot::channel();
    (Box::new(Work { work: Some(work), then, outcome: None, waiter }), answer)
}

fn run_group(connection: &Connection, mut group: Vec<Box<dyn Job>>) -> Committed {
    let committed = commit(connection, &mut group);
    group.into_iter().for_each(|job| job.answer(committed.clone()));
    committed
}

fn kept(connection: &Connection) -> Vec<i64> {
    let mut statement = connection.prepare("SELECT n FROM kept ORDER BY n").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

#[test]
fn one_bad_job_is_rolled_back_alone() {
    let connection = database();
    let (first, mut first_answer) = job(add(1));
    let (bad, mut bad_answer) = job(|connection| {
        add(2)(connection)?;
        add(1)(connection)
    });
    let (panicking, mut panicking_answer) = job::<()>(|connection| {
        add(3)(connection)?;
        panic!("on purpose")
    });
    let (last, mut last_answer) = job(add(4));
    run_group(&connection, vec![first, bad, panicking, last]).unwrap();
    assert_eq!(kept(&connection), [1, 4]);
    assert!(matches!(first_answer.try_recv(), Ok(Ok(Ok(1)))));
    assert!(matches!(bad_answer.try_recv(), Ok(Ok(Err(StorageError::Sqlite(_))))));
    assert!(matches!(panicking_answer.try_recv(), Ok(Err(StorageError::Panicked))));
    assert!(matches!(last_answer.try_recv(), Ok(Ok(Ok(4)))));
}

#[test]
fn what_is_on_disk_is_told_in_order_and_before_it_is_answered() {
    let connection = database();
    let (tell, told) = channel();
    let telling = |work: fn(&Connection) -> Result<i64, StorageError>| {
        let tell = tell.clone();
        told_job(work, move |n: &i64| tell.send(*n).unwrap())
    };
    let (first, _) = telling(|connection| add(1)(connection));
    let (bad, _) = telling(|connection| add(1)(connection));
    let (panicking, mut panicking_answer) = told_job(add(2), |_| panic!("on purpose"));
    let (last, _) = telling(|connection| add(3)(connection));
    let mut group = vec![first, bad, panicking, last];
    let committed = commit(&connection, &mut group);
    assert!(told.try_recv().is_err(), "nothing is told before the commit");
    group.into_iter().for_each(|job| job.answer(committed.clone()));
    assert_eq!(told.try_iter().collect::<Vec<_>>(), [1, 3], "what failed is not told");
    assert!(matches!(panicking_answer.try_recv(), Ok(Ok(Ok(2)))), "it is on disk all the same");

    let (tell, told) = channel();
    let (undone, _) = told_job(add(9), move |_| tell.send(()).unwrap());
    let (breaker, _) = job(|connection| Ok(connection.execute_batch("ROLLBACK")?));
    run_group(&connection, vec![undone, breaker]).unwrap_err();
    assert!(told.try_recv().is_err(), "what was not committed is not told");
}

#[test]
fn nobody_is_answered_before_the_commit() {
    let connection = database();
    let (one, mut answer) = job(add(1));
    let (watcher, mut watched) = job(move |_| {
        assert!(answer.try_recv().is_err(), "answered while still uncommitted");
        Ok(())
    });
    let (sender, receiver) = sync_channel(2);
    sender.send(one).unwrap();
    sender.send(watcher).unwrap();
    drop(sender);
    run(&connection, &receiver);
    assert!(matches!(watched.try_recv(), Ok(Ok(Ok(())))));
    assert_eq!(kept(&connection), [1]);
}

#[test]
fn a_commit_that_fails_fails_everyone_and_keeps_nothing() {
    let connection = database();
    connection
        .execute_batch(
            "PRAGMA foreign_keys = ON; CREATE TABLE parent (id INTEGER PRIMARY KEY);
             CREATE TABLE child (id INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)",
        )
        .unwrap();
    let (good, mut good_answer) = job(add(1));
    // A deferred constraint is checked by COMMIT itself.
    let (orphan, mut orphan_answer) =
        job(|connection| Ok(connection.execute("INSERT INTO child VALUES (9)", []).map(drop)?));
    // Refused by what the first wrote, perhaps; that is now not there, so neither is the refusal.
    let (refused, mut refused_answer) = job(|_| -> Result<(), StorageError> { Err(StorageError::Busy) });
    run_group(&connection, vec![good, orphan, refused]).unwrap_err();
    assert!(matches!(refused_answer.try_recv(), Ok(Err(StorageError::Commit(_)))));
    assert!(matches!(good_answer.try_recv(), Ok(Err(StorageError::Commit(_)))));
    assert!(matches!(orphan_answer.try_recv(), Ok(Err(StorageError::Commit(_)))));
    assert!(kept(&connection).is_empty());

    let (again, mut again_answer) = job(add(1));
    run_group(&connection, vec![again]).unwrap();
    assert!(matches!(again_answer.try_recv(), Ok(Ok(Ok(1)))), "the next group starts afresh");
}

#[test]
fn a_transaction_that_ends_under_the_group_keeps_nothing_of_it() {
    let connection = database();
    let (before, mut before_answer) = job(add(1));
    // What SQLite does by itself when the disk is full.
    let (breaker, mut breaker_answer) = job(|connection| Ok(connection.execute_batch("ROLLBACK")?));
    let (after, mut after_answer) = job(add(2));
    run_group(&connection, vec![before, breaker, after]).unwrap_err();
    assert!(kept(&connection).is_empty());
    for answer in [before_answer.try_recv().map(|a| a.is_ok()), after_answer.try_recv().map(|a| a.is_ok())] {
        assert_eq!(answer, Ok(false));
    }
    assert!(matches!(breaker_answer.try_recv(), Ok(Err(StorageError::Commit(_)))));
}

/// A writer whose first job holds it until told, so that what follows waits together.
fn held_writer() -> (Writer, Answer<(), StorageError>, Sender<()>) {
    let writer = Writer::start(database()).unwrap();
    let (started, running) = channel();
    let (release, released) = channel();
    let first = writer
        .submit(
            move |_| {
                started.send(()).unwrap();
                released.recv().unwrap();
                Ok::<_, StorageError>(())
            },
            |_| (),
        )
        .unwrap();
    running.recv().unwrap();
    (writer, first, release)
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_shutdown_answers_everyone() {
    let (writer, first, release) = held_writer();
    let waiting: Vec<_> =
        (0..WAITING_JOBS_MAX as i64).map(|n| writer.submit(add(n), |_| ()).unwrap()).collect();
    assert!(matches!(writer.submit(add(-1), |_| ()), Err(StorageError::Busy)));

    let count = writer.submit(add(-2), |_| ());
    assert!(matches!(count, Err(StorageError::Busy)));
    release.send(()).unwrap();
    writer.close().await;
    assert!(matches!(first.await, Ok(Ok(Ok(())))));
    for (n, answer) in waiting.into_iter().enumerate() {
        assert!(matches!(answer.await, Ok(Ok(Ok(kept))) if kept == n as i64));
    }
    assert!(matches!(writer.submit(add(0), |_| ()), Err(StorageError::Closed)));
}

#[tokio::test]
async fn work_that_nobody_waits_for_any_more_is_done_all_the_same() {
    let (writer, _first, release) = held_writer();
    drop(writer.submit(add(1), |_| ()).unwrap());
    let count = writer.submit(|connection| Ok::<_, StorageError>(kept(connection)), |_| ()).unwrap();
    release.send(()).unwrap();
    assert!(matches!(count.await, Ok(Ok(Ok(found))) if found == [1]));
    writer.close().await;
}
