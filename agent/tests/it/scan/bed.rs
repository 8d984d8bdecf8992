//! A /24 of a story's own, in network namespaces of its own (`scripts/scan-bed`): real hosts, a real kernel between.

use crate::harness::program;
use pingup_protocol::discovery::Scan;
use std::{
    fmt::Write as _,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdout, Command, Output, Stdio},
};

/// Builds the network.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/scan-bed");
/// Says that there are no namespaces here, and that this is known: stories that need them pass without being told.
const WITHOUT: &str = "PINGUP_TEST_WITHOUT_NAMESPACES";
/// Listens at every ADDRESS:PORT that it is told, then runs each line that it reads, at the far end of the network.
const FAR_PROGRAM: &str = r#"
import socket, subprocess, sys
held = []
for place in sys.argv[1:]:
    address, port = place.rsplit(":", 1)
    held.append(socket.create_server((address, int(port)), backlog=64))
print("ready", flush=True)
for line in sys.stdin:
    print(subprocess.run(line, shell=True).returncode, flush=True)
"#;

/// What a network is to have.
#[derive(Default)]
pub(crate) struct Wanted<'a> {
    /// Hosts: the last numbers of the first and the last of them.
    pub(crate) hosts: (u8, u8),
    /// What takes connections: a host's number, and a port.
    pub(crate) open: Vec<(u8, u16)>,
    /// Shell code for the end where the hosts are.
    pub(crate) far: &'a str,
    /// Shell code for the end that scans.
    pub(crate) near: &'a str,
}

/// The network. It goes when this is dropped.
pub(crate) struct Bed {
    child: Child,
    stdout: BufReader<ChildStdout>,
    /// How to enter it.
    enter: &'static [&'static str],
}

impl Bed {
    /// Builds it; none where namespaces are not to be had, and somebody has said so.
    pub(crate) fn build(wanted: &Wanted<'_>) -> Option<Self> {
        let (unshare, enter) = namespaces()?;
        let (first, last) = wanted.hosts;
        let mut command = Command::new("unshare");
        command.args(unshare).args(["sh", SCRIPT, &first.to_string(), &last.to_string()]);
        command.args(["python3", "-c", FAR_PROGRAM]);
        command.args(wanted.open.iter().map(|(host, port)| format!("{}:{port}", address(*host))));
        command.env("FAR", wanted.far).env("NEAR", wanted.near);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut bed = Self { child, stdout, enter };
        assert_eq!(bed.line(), "ready");
        Some(bed)
    }

    /// Runs `line` where the hosts are.
    pub(crate) fn far(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
        assert_eq!(self.line(), "0", "{line}");
    }

    /// What `line` prints where the agent is.
    pub(crate) fn near(&self, line: &str) -> String {
        let output = self.inside("sh").args(["-c", line]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// Calls the agent program.
    pub(crate) fn call(&self, arguments: &[&str]) -> Output {
        let program = program();
        let mut command = self.inside(program.get_program().to_str().unwrap());
        program.get_envs().for_each(|(name, _)| _ = command.env_remove(name));
        command.args(arguments).output().unwrap()
    }

    /// Has the agent scan.
    pub(crate) fn scan(&self, arguments: &[&str]) -> Scan {
        let output = self.call(&[&["scan", "--json"], arguments].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn inside(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.child.id().to_string()]).args(self.enter).arg(program);
        command
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// The address of a host.
pub(crate) fn address(host: u8) -> String {
    format!("198.18.77.{host}")
}

/// How to make namespaces here, and how to enter them.
pub(crate) fn namespaces() -> Option<(&'static [&'static str], &'static [&'static str])> {
    const WAYS: [(&[&str], &[&str]); 2] = [
        (&["--net", "--mount"], &["--net", "--mount"]),
        (
            &["--user", "--map-root-user", "--net", "--mount"],
            &["--user", "--preserve-credentials", "--net", "--mount"],
        ),
    ];
    let mut why = String::new();
    for (unshare, enter) in WAYS {
        let tried = Command::new("unshare").args(unshare).args(["ip", "link", "show", "lo"]).output();
        match tried {
            Ok(output) if output.status.success() => return Some((unshare, enter)),
            Ok(output) => _ = write!(why, " {}", String::from_utf8_lossy(&output.stderr).trim_end()),
            Err(error) => _ = write!(why, " unshare: {error}"),
        }
    }
    assert!(
        std::env::var_os(WITHOUT).is_some_and(|value| value == "1"),
        "this needs network namespaces, unshare and ip, and has none:{why}. Where they cannot be had, say so with \
         {WITHOUT}=1, and the stories that need them are left out"
    );
    eprintln!("left out, since {WITHOUT} is set:{why}");
    None
}
