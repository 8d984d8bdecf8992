//! A real hub in a folder of its own on a port of its own; agents and operators that speak to it.
//!
//! A hub that is dropped is stopped, and must stop cleanly; a test that fails leaves its folder behind and
//! says where.

pub mod agent;
mod log;
pub mod sealed;
pub mod stream;
pub mod wire;

use log::Log;
use sealed::Sealed;
use serde_json::Value;
use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Output, Stdio},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use wire::{Answer, Wire};

/// How long anything may take that a test waits for, on a machine that does other things too.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Characters that nothing told has by chance.
const SECRET_CHARS_MIN: usize = 40;

/// The hub program.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pingup-server"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PINGUP_")) {
        command.env_remove(name);
    }
    command
}

/// The secret of a join token, `pjt_<id>_<secret>`: what names it is none, and the secret may have `_` itself.
pub fn join_secret(token: &str) -> &str {
    token.splitn(3, '_').nth(2).unwrap()
}

/// A program of another crate of the workspace, built with the same profile.
pub fn sibling(name: &str) -> PathBuf {
    static BUILT: std::sync::OnceLock<()> = std::sync::OnceLock::new();
    let hub = PathBuf::from(env!("CARGO_BIN_EXE_pingup-server"));
    BUILT.get_or_init(|| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--locked", "--package", "pingup-agent"]);
        if hub.components().any(|part| part.as_os_str() == "release") {
            cargo.arg("--release");
        }
        assert!(cargo.status().unwrap().success(), "the agent must build");
    });
    hub.with_file_name(name)
}

/// The load generator, which `cargo test --workspace` has built; where only the hub's tests are run, it is built first.
pub fn loadtest() -> PathBuf {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_pingup-server")).with_file_name("pingup-loadtest");
    static BUILT: std::sync::Once = std::sync::Once::new();
    BUILT.call_once(|| {
        if !program.is_file() {
            let mut cargo = Command::new(env!("CARGO"));
            cargo.args(["build", "--locked", "--package", "pingup-loadtest"]);
            if program.components().any(|part| part.as_os_str() == "release") {
                cargo.arg("--release");
            }
            assert!(cargo.status().unwrap().success(), "the load generator must build");
        }
    });
    program
}

/// A data folder, and perhaps a hub that runs on it.
pub struct Hub {
    folder: Option<TempDir>,
    running: Option<Running>,
    environment: Vec<(String, String)>,
    /// Every token and key that was made for a test, as text.
    secrets: Mutex<Vec<String>>,
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

    /// Runs another subcommand on this hub's folder.
    pub fn run(&self, arguments: &[&str]) -> Output {
        program().args(arguments).arg("--data-dir").arg(self.folder()).output().unwrap()
    }

    /// Runs a subcommand that prints one line.
    pub fn line(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        let said = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        match arguments {
            ["token", ..] => self.keep_secret(&said),
            ["join-token", ..] => self.keep_secret(join_secret(&said)),
            _ => {}
        }
        said
    }

    /// Notes a text that neither an answer nor the log may have.
    pub fn keep_secret(&self, secret: &str) {
        assert!(secret.len() >= SECRET_CHARS_MIN, "so short a text is in every answer");
        self.secrets.lock().unwrap().push(secret.to_owned());
    }

    /// Checks that `told` has none of the secrets that were made.
    #[track_caller]
    pub fn assert_no_secret(&self, told: &str) {
        for secret in self.secrets.lock().unwrap().iter() {
            assert!(!told.contains(secret.as_str()), "a secret is told: {told}");
        }
    }

    /// An operator's token of that role.
    pub fn token(&self, role: &str) -> String {
        self.line(&["token", "create", "--role", role, "--name", role])
    }

    /// An operator of that role.
    pub fn operator(&self, role: &str) -> Wire {
        self.wire.with_token(&self.token(role))
    }

    /// A join token for one use.
    pub fn join_token(&self) -> String {
        self.line(&["join-token", "create", "--token-only"])
    }

    /// Registers an agent as an operator does.
    pub fn register(&self, id: &str) -> agent::Agent {
        let answer = self.operator("operator").post("/api/v1/agents", &serde_json::json!({ "id": id }));
        assert_eq!(answer.status, 201, "{answer:?}");
        let credentials = &answer.json()["credentials"];
        self.keep_secret(credentials["token"].as_str().unwrap());
        for key in credentials["keys"].as_object().unwrap().values() {
            self.keep_secret(key.as_str().unwrap());
        }
        agent::Agent::new(self.wire.clone(), credentials)
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

/// Sends a signal by the system's own program.
pub fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status().unwrap();
    assert!(sent.success());
}

/// Asks again and again, for what another program brings about in its own time.
pub fn eventually<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    eventually_within(PATIENCE, what, look)
}

/// The same for what is known to take longer.
pub fn eventually_within<T>(patience: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < patience, "gave up waiting until {what}");
        thread::park_timeout(Duration::from_millis(20));
    }
}

/// Checks a refusal: its status, its name, and the form of its document.
#[track_caller]
pub fn refused(answer: &Answer, status: u16, name: &str) -> Value {
    let problem = answer.json();
    assert_eq!(
        (answer.status, problem["type"].as_str()),
        (status, Some(&*format!("urn:pingup:problem:{name}"))),
        "{answer:?}"
    );
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(problem["status"], status);
    for member in ["title", "detail", "serverTime"] {
        assert!(problem[member].is_string(), "{member} in {problem}");
    }
    assert!(problem["retryable"].is_boolean(), "{problem}");
    problem
}

#[test]
fn a_secret_is_kept_whole() {
    assert_eq!(join_secret("pjt_a1_b_c_"), "b_c_");
}
