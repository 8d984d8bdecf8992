//! The real program, started, signalled and killed.

use super::{Hub, PATIENCE};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    io::Read,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::Instant,
};

/// The program, without anything of the environment that would configure it.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pingup-agent"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PINGUP_")) {
        command.env_remove(name);
    }
    command
}

/// An agent at work, or one that is not any more.
pub(crate) struct Agent {
    child: Child,
    /// What it logged until now, and the word that it logged more.
    log: Arc<(Mutex<Vec<u8>>, Condvar)>,
    /// Reads on until the agent has ended.
    reader: Option<JoinHandle<()>>,
}

impl Agent {
    /// Starts an agent with state in `state`, enrolling where it must.
    pub(crate) fn start(hub: &Hub, state: &Path) -> Self {
        Self::start_with(hub, state, &["--interval", "1s"])
    }

    /// Starts one with these arguments beside.
    pub(crate) fn start_with(hub: &Hub, state: &Path, arguments: &[&str]) -> Self {
        Self::spawn(Self::command(program(), hub, state, arguments))
    }

    /// Starts one that is told another address than the hub's.
    pub(crate) fn start_towards(url: &str, hub: &Hub, state: &Path, arguments: &[&str]) -> Self {
        Self::spawn(Self::command_towards(program(), url, hub, state, arguments))
    }

    /// Starts one whose system trusts the authorities in the file `trusted`.
    pub(crate) fn start_trusting(hub: &Hub, state: &Path, trusted: &Path) -> Self {
        let mut command = Self::command(program(), hub, state, &["--interval", "1s"]);
        command.env("SSL_CERT_FILE", trusted).env_remove("SSL_CERT_DIR");
        Self::spawn(command)
    }

    /// Starts one that bears a limit on the size of files as it bears a full disk, and may run programs.
    pub(crate) fn start_for_full_disk(hub: &Hub, state: &Path) -> Self {
        let program = program();
        let mut shell = Command::new("sh");
        shell.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(program.get_program());
        program.get_envs().for_each(|(name, _)| _ = shell.env_remove(name));
        Self::spawn(Self::command(shell, hub, state, &["--interval", "1s", "--allow", "ping,exec"]))
    }

    /// Starts one on a machine that `unshare` makes with these arguments, and shell code changes.
    pub(crate) fn start_apart(hub: &Hub, state: &Path, unshare: &[&str], change: &str) -> Self {
        let program = program();
        let mut command = Command::new("unshare");
        command
            .args(unshare)
            .args(["sh", "-c", &format!("{change} && exec \"$0\" \"$@\"")])
            .arg(program.get_program());
        program.get_envs().for_each(|(name, _)| _ = command.env_remove(name));
        Self::spawn(Self::command(command, hub, state, &["--interval", "1s"]))
    }

    /// Starts one as a service does: with the settings in `config`, and nothing else but where its state is here.
    pub(crate) fn installed(config: &Path, state: &Path) -> Self {
        let mut command = program();
        command.arg("run").arg("--config").arg(config).arg("--state-dir").arg(state);
        Self::spawn(command)
    }

    fn command(command: Command, hub: &Hub, state: &Path, arguments: &[&str]) -> Command {
        Self::command_towards(command, &hub.url(), hub, state, arguments)
    }

    fn command_towards(
        mut command: Command,
        url: &str,
        hub: &Hub,
        state: &Path,
        arguments: &[&str],
    ) -> Command {
        let token = hub.state.lock().token.to_text();
        command.args(["run", "--hub", url, "--log", "debug"]).args(arguments);
        command.env("PINGUP_JOIN_TOKEN", token).env("PINGUP_STATE_DIR", state);
        command
    }

    fn spawn(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let log = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
        let kept = Arc::clone(&log);
        let reader = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = stderr.read(&mut bytes) {
                lock(&kept.0).extend_from_slice(&bytes[..count]);
                kept.1.notify_all();
            }
        });
        Self { child, log, reader: Some(reader) }
    }

    /// What it logged until now.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&lock(&self.log.0)).into_owned()
    }

    /// Waits until `is` holds of what it does on this machine: looked at again whenever it logs, as it does of each sample
    /// that it takes, and of each time that it writes its status down.
    pub(crate) fn until(&self, what: &str, mut is: impl FnMut() -> bool) {
        let (log, logged) = &*self.log;
        let mut length = 0;
        loop {
            let (kept, waited) = logged
                .wait_timeout_while(lock(log), PATIENCE, |log| log.len() == length)
                .unwrap_or_else(PoisonError::into_inner);
            length = kept.len();
            drop(kept);
            if is() {
                return;
            }
            assert!(!waited.timed_out(), "waited in vain for {what}");
        }
    }

    /// Waits until it has logged this.
    pub(crate) fn until_it_says(&self, words: &str) {
        self.until(words, || self.log().contains(words));
    }

    /// Sets how large its files may be: `0` or `unlimited`.
    pub(crate) fn limit_files(&self, bytes: &str) {
        let set = Command::new("prlimit")
            .args(["--pid", &self.child.id().to_string(), &format!("--fsize={bytes}:unlimited")])
            .status();
        assert!(set.unwrap().success());
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Tells it to stop, and waits until it has. What it logged.
    pub(crate) fn terminate(self) -> (ExitStatus, String) {
        self.signal(Signal::TERM);
        self.ended()
    }

    /// Kills it where it stands.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until it has ended by itself. What it logged.
    pub(crate) fn ended(mut self) -> (ExitStatus, String) {
        let began = Instant::now();
        let reader = self.reader.take().unwrap();
        reader.join().unwrap();
        let (status, log) = (self.child.wait().unwrap(), self.log());
        assert!(began.elapsed() < PATIENCE, "{log}");
        (status, log)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the agent's log:\n{}", self.log());
        }
    }
}

fn lock(log: &Mutex<Vec<u8>>) -> MutexGuard<'_, Vec<u8>> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}
