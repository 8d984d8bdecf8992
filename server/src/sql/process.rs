//! The process of one question: started when it is the question's turn, gone with the answer.
//!
//! It is the hub's own program, as it runs: also after another version was put in its place. It gets nothing of the hub's
//! environment and no file but its pipes. It ends when its pipes do, when its [`Leash`] is let go, when the hub dies, and
//! by limits that it sets for itself ([`super::engine`]).

use super::{
    SqlError,
    letters::{Ask, Word, hear, say},
    rows::Snapshot,
};
use crate::storage::StorageError;
use std::{
    env,
    io::{self, BufReader, Read},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The subcommand that is an engine.
pub const SUBCOMMAND: &str = "sql-engine";
/// What of the environment an engine keeps: where libraries are found.
const KEPT: [&str; 2] = ["LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"];

/// What ends a process from another thread.
#[derive(Clone, Default)]
pub(super) struct Leash(Arc<Mutex<State>>);

#[derive(Default)]
enum State {
    #[default]
    Waiting,
    Runs(Child),
    /// To be ended before it begins, or has ended.
    Gone,
}

/// Ends the process when it goes, and does not wait for that.
pub(super) struct EndOnDrop(Leash);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Ends the process when it goes, and waits for that.
struct Reaped<'a>(&'a Leash);

impl Drop for Reaped<'_> {
    fn drop(&mut self) {
        self.0.end();
        if let State::Runs(mut child) = std::mem::replace(&mut *self.0.lock(), State::Gone) {
            // It cannot refuse.
            let ended = child.wait();
            tracing::debug!(?ended, "the engine of a question has ended");
        }
    }
}

impl Leash {
    /// What ends the process when it is dropped.
    pub(super) fn end_on_drop(&self) -> EndOnDrop {
        EndOnDrop(self.clone())
    }

    fn start(&self) -> Result<(ChildStdin, BufReader<ChildStdout>), SqlError> {
        let mut state = self.lock();
        if matches!(*state, State::Gone) {
            return Err(StorageError::Timeout.into());
        }
        let begun = command().and_then(|mut command| command.spawn());
        let mut child = begun.map_err(|error| failed("could not be started", &error))?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        *state = State::Runs(child);
        let (to, from) = pipes.ok_or_else(|| failed("has no pipes", &io::ErrorKind::BrokenPipe.into()))?;
        Ok((to, BufReader::new(from)))
    }

    /// Ends the process, or keeps it from beginning.
    fn end(&self) {
        let mut state = self.lock();
        match &mut *state {
            // One that has ended by itself is fine.
            State::Runs(child) => drop(child.kill()),
            state => *state = State::Gone,
        }
    }

    /// A state is whole after every step.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn command() -> io::Result<Command> {
    let kept = KEPT.into_iter().filter_map(|name| Some((name, env::var_os(name)?)));
    let mut command = Command::new(program()?);
    command.arg(SUBCOMMAND).env_clear().envs(kept).env("TZ", "UTC");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    Ok(command)
}

/// This very program.
fn program() -> io::Result<PathBuf> {
    if cfg!(target_os = "linux") { Ok(PathBuf::from("/proc/self/exe")) } else { env::current_exe() }
}

/// Has a process of its own answer: rows, whether there are more, and the body. Blocks until the answer is whole or the
/// leash is let go.
pub(super) fn ask(leash: &Leash, ask: &Ask, snapshot: Snapshot) -> Result<(u64, bool, Vec<u8>), SqlError> {
    let _reaped = Reaped(leash);
    let (mut to, mut from) = leash.start()?;
    say(&mut to, ask).map_err(|error| broken(&error))?;
    let views = match hear(&mut from).map_err(|error| broken(&error))? {
        Word::Wants(views) => views,
        other => return Err(refusal(other)),
    };
    say(&mut to, &snapshot.files(&views)).map_err(|error| broken(&error))?;
    // What an engine says that stops listening is in its next word.
    let sent = snapshot.send(&views, &mut to);
    drop(to);
    let (rows, more, bytes) = match hear(&mut from) {
        Ok(Word::Answer { rows, more, bytes }) if bytes <= ask.bytes_max => (rows, more, bytes),
        Ok(other) => return Err(refusal(other)),
        // It may have ended because what it was promised did not come.
        Err(error) => return Err(sent.err().unwrap_or_else(|| broken(&error))),
    };
    let mut body = Vec::with_capacity(bytes);
    from.take(bytes as u64).read_to_end(&mut body).map_err(|error| broken(&error))?;
    if body.len() < bytes {
        return Err(SqlError::Died);
    }
    // Files may go only now.
    drop(snapshot);
    Ok((rows, more, body))
}

/// Why there is no answer.
fn refusal(word: Word) -> SqlError {
    match word {
        Word::Refused(why) => SqlError::Refused(why),
        Word::Exhausted => SqlError::Exhausted,
        Word::Failed(why) => SqlError::Engine(why),
        Word::Wants(_) | Word::Answer { .. } => SqlError::Engine("the engine spoke out of turn".to_owned()),
    }
}

/// A pipe that ended: the engine did.
fn broken(error: &io::Error) -> SqlError {
    match error.kind() {
        io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => {
            SqlError::Died
        }
        _ => failed("could not be spoken to", error),
    }
}

fn failed(what: &str, error: &io::Error) -> SqlError {
    SqlError::Engine(format!("the engine {what}: {error}"))
}
