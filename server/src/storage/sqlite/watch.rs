//! A thread that looks at the records every so often, over a connection of its own: for what has to be heard soon,
//! whoever else reads, and whatever the other threads are at.

use super::readers::reader;
use crate::storage::StorageError;
use rusqlite::Connection;
use std::{
    path::Path,
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread::{self, JoinHandle},
    time::Duration,
};

/// The thread; it ends when this is dropped.
#[derive(Debug)]
pub struct Watch {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Looks once before it returns, and then every `every`. A look that fails is told once until one works.
    pub fn start(
        path: &Path,
        every: Duration,
        mut look: impl FnMut(&Connection) -> Result<(), StorageError> + Send + 'static,
    ) -> Result<Self, StorageError> {
        let connection = reader(path)?;
        look(&connection)?;
        let (stop, stopped) = channel();
        let mut is_failing = false;
        let watch = move || {
            while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                let looked = look(&connection);
                match &looked {
                    Err(error) if !is_failing => {
                        tracing::warn!(%error, "what was changed beside the hub cannot be read");
                    }
                    Ok(()) if is_failing => {
                        tracing::info!("what is changed beside the hub can be read again");
                    }
                    _ => {}
                }
                is_failing = looked.is_err();
            }
        };
        let thread = thread::Builder::new()
            .name("watch".to_owned())
            .spawn(watch)
            .map_err(StorageError::file("start the thread that watches", path))?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It panicked: that was told when it did.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::scratch::Scratch;

    #[test]
    fn what_another_connection_commits_is_seen_until_the_watch_ends() {
        let scratch = Scratch::new();
        let sqlite = scratch.sqlite();
        let (tell, told) = channel();
        let look = move |connection: &Connection| {
            let version: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
            tell.send(version).map_err(|_| StorageError::Closed)
        };
        let watch = Watch::start(&scratch.folder.sqlite_path(), Duration::from_millis(1), look).unwrap();
        assert_eq!(told.recv(), Ok(0), "before it returns");
        let touch = |connection: &Connection| super::super::touch(connection).map_err(StorageError::from);
        sqlite.reclaim_blocking(touch).unwrap();
        assert!(told.iter().any(|version| version == 1));
        drop(watch);
        assert!(told.iter().all(|version| version == 1), "and then it is over");
    }

    #[test]
    fn a_look_that_fails_is_not_the_last() {
        let scratch = Scratch::new();
        drop(scratch.sqlite());
        let (tell, told) = channel();
        let mut looks = 0;
        let look = move |_: &Connection| {
            looks += 1;
            tell.send(looks).map_err(|_| StorageError::Closed)?;
            if looks == 2 { Err(StorageError::Busy) } else { Ok(()) }
        };
        let path = scratch.folder.sqlite_path();
        let _watch = Watch::start(&path, Duration::from_millis(1), look).unwrap();
        assert!(told.iter().any(|looks| looks == 4));
        let failed = Watch::start(&path, Duration::from_secs(600), |_| Err(StorageError::Busy));
        assert!(failed.is_err(), "the first has to work");
    }
}
