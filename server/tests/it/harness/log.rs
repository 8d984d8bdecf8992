//! What a hub logs, as it logs it.

use std::{
    io::Read,
    process::ChildStderr,
    sync::{Arc, Mutex},
    thread,
};

/// Read while the hub runs, so that it never waits for a reader.
pub struct Log {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: thread::JoinHandle<()>,
}

impl Log {
    /// What comes out of `stderr`.
    pub fn of(mut stderr: ChildStderr) -> Self {
        let bytes = Arc::<Mutex<Vec<u8>>>::default();
        let read = Arc::clone(&bytes);
        let reader = thread::spawn(move || {
            let mut piece = [0; 4_096];
            while let Ok(length @ 1..) = stderr.read(&mut piece) {
                read.lock().unwrap().extend_from_slice(&piece[..length]);
            }
        });
        Self { bytes, reader }
    }

    /// What came so far.
    pub fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned()
    }

    /// All of it, once the hub has ended.
    pub fn whole(self) -> String {
        self.reader.join().unwrap();
        String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned()
    }
}
