//! The real program, started, signalled and killed.

use super::{Hub, PATIENCE};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    io::Read,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
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
}

impl Agent {
    /// Starts an agent with state in `state`, enrolling where it must.
    pub(crate) fn start(hub: &Hub, state: &Path) -> Self {
        Self::start_with(hub, state, &["--interval", "1s"])
    }

    /// Starts one with these arguments beside.
    pub(crate) fn start_with(hub: &Hub, state: &Path, arguments: &[&str]) -> Self {
        let token = hub.state.lock().token.to_text();
        let child = program()
            .args(["run", "--hub", &hub.url(), "--log", "debug"])
            .args(arguments)
            .env("PINGUP_JOIN_TOKEN", token)
            .env("PINGUP_STATE_DIR", state)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self { child }
    }

    /// Starts one as a service does: with the settings in `config`, and nothing else but where its state is here.
    pub(crate) fn installed(config: &Path, state: &Path) -> Self {
        let mut command = program();
        command.arg("run").arg("--config").arg(config).arg("--state-dir").arg(state);
        Self { child: command.stderr(Stdio::piped()).spawn().unwrap() }
    }

    fn signal(&self, signal: Signal) {
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
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        let status = self.child.wait().unwrap();
        assert!(began.elapsed() < PATIENCE, "{log}");
        (status, log)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking()
            && let Some(mut stderr) = self.child.stderr.take()
        {
            let mut log = String::new();
            let _ = stderr.read_to_string(&mut log);
            eprintln!("the agent's log:\n{log}");
        }
    }
}
