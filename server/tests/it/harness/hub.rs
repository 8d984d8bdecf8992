//! A hub in a folder of its own: started, stopped, killed.

use super::{log::Log, program, sealed::Sealed, signal, wire::Wire};
use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::Mutex,
    thread,
};
use tempfile::TempDir;

/// A data folder, and perhaps a hub that runs on it.
pub struct Hub {
    folder: Option<TempDir>,
    running: Option<Running>,
    environment: Vec<(String, String)>,
    /// Every token and key that was made for a test, as text.
    pub(super) secrets: Mutex<Vec<String>>,
    /// Speaks for nobody; see [`Hub::operator`].
    pub wire: Wire,
}

struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
    stderr: Log,
}

impl Hub {
    /// Starts a hub with its defaults on a new folder.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a hub on a new folder with these environment variables beside.
    pub fn start_with(environment: &[(&str, &str)]) -> Self {
        let mut hub = Self::prepare(environment);
        hub.restart();
        hub
    }

    /// A new folder without a running hub.
    pub fn prepare(environment: &[(&str, &str)]) -> Self {
        let folder = tempfile::Builder::new().prefix("pingup-it-").tempdir().unwrap();
        let defaults = [
            ("PINGUP_ENROLMENTS_PER_MINUTE", "10000"),
            ("PINGUP_BAD_TOKENS_PER_MINUTE", "10000"),
            ("PINGUP_LOG", "warn"),
        ];
        let environment =
            defaults.iter().chain(environment).map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let wire = Wire::new(SocketAddr::from(([127, 0, 0, 1], 9)));
        Self { folder: Some(folder), running: None, environment, secrets: Mutex::default(), wire }
    }

    /// The data folder, which the hub makes.
    pub fn folder(&self) -> PathBuf {
        self.beside().join("data")
    }

    /// The folder that the data folder lies in.
    pub fn beside(&self) -> &Path {
        self.folder.as_ref().unwrap().path()
    }

    /// The command that serves on this hub's folder, on a free port.
    pub fn serve_command(&self) -> Command {
        self.serve_command_at("127.0.0.1:0")
    }

    /// The same, listening there.
    pub fn serve_command_at(&self, listen: &str) -> Command {
        let mut command = program();
        command.args(["serve", "--listen", listen, "--data-dir"]).arg(self.folder());
        command.envs(self.environment.iter().map(|(k, v)| (k, v)));
        command
    }

    /// Starts the hub where it listened before, for agents that were told that address.
    pub fn restart_in_place(&mut self) {
        let command = self.serve_command_at(&self.wire.address.to_string());
        self.restart_as(command);
    }

    /// Starts the hub on its folder and waits until it says that it is ready.
    pub fn restart(&mut self) {
        let command = self.serve_command();
        self.restart_as(command);
    }

    /// Starts the hub by `command` and waits until it says that it is ready.
    pub fn restart_as(&mut self, command: Command) {
        if let Err(said) = self.try_start(command) {
            panic!("the hub did not start {said}");
        }
    }

    /// Starts the hub by `command` and waits until it says that it is ready, or has ended: then, what it said.
    pub fn try_start(&mut self, mut command: Command) -> Result<(), String> {
        assert!(self.running.is_none(), "one hub at a time");
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = Log::of(child.stderr.take().unwrap());
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let told = line.trim().strip_prefix("listening on ").and_then(|url| url.split_once("://"));
        let Some((scheme, address)) = told else {
            let status = child.wait().unwrap();
            return Err(format!("({status}): {line:?}\n{}", stderr.whole()));
        };
        let address = address.parse().unwrap();
        self.wire = match scheme {
            "https" => Wire::over(Sealed::trusting(&fs::read(self.trusted()).unwrap(), address)),
            _ => Wire::new(address),
        };
        self.running = Some(Running { child, stdout, stderr });
        Ok(())
    }

    /// The file that clients of a hub over TLS trust: what it was given, or its own.
    pub fn trusted(&self) -> PathBuf {
        let given = self.environment.iter().find(|(name, _)| name == "PINGUP_TLS_CERT");
        given.map_or_else(|| self.folder().join("tls/ca.pem"), |(_, path)| PathBuf::from(path))
    }

    /// Whether the hub has ended by itself; if so, it is not running any more for this either.
    pub fn has_ended(&mut self) -> bool {
        let ended = self.running.as_mut().is_some_and(|running| running.child.try_wait().unwrap().is_some());
        if ended {
            self.running = None;
        }
        ended
    }

    /// The hub's process number.
    pub fn pid(&self) -> u32 {
        self.running.as_ref().unwrap().child.id()
    }

    /// What the hub has logged so far.
    pub fn log(&self) -> String {
        self.running.as_ref().unwrap().stderr.so_far()
    }

    /// Ends the hub as a power cut would.
    pub fn kill(&mut self) {
        let mut running = self.running.take().unwrap();
        running.child.kill().unwrap();
        running.child.wait().unwrap();
    }

    /// Asks the hub to stop, waits, and gives back what it logged.
    pub fn stop(&mut self) -> String {
        let mut running = self.running.take().unwrap();
        signal(running.child.id(), "TERM");
        let status = running.child.wait().unwrap();
        let log = running.stderr.whole();
        assert!(status.success(), "the hub stopped with {status}: {log}");
        let mut rest = String::new();
        running.stdout.read_to_string(&mut rest).unwrap();
        assert!(rest.is_empty(), "only one line belongs on stdout, not {rest:?}");
        log
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        if thread::panicking() {
            if let Some(folder) = self.folder.take() {
                eprintln!("the hub's folder is kept: {}", folder.keep().display());
            }
            if let Some(mut running) = self.running.take() {
                let _ = running.child.kill();
                let _ = running.child.wait();
                eprintln!("the hub logged:\n{}", running.stderr.whole());
            }
        } else if self.running.is_some() {
            self.stop();
        }
    }
}
