//! A hub within this process, so that the fuzzer sees what code an input takes: on a folder in memory, with an agent that
//! is registered, tokens for operators, and some history to ask about.

use pingup_protocol::{
    keys::Secret,
    signing::{self, Key},
};
use pingup_server::{
    app,
    auth::{
        Operator, Role,
        operators::{
            Fresh,
            store::{self, Row},
        },
        token::Tokens,
    },
    clock::Clock,
    settings::{Layer, LimitsKeys, Settings},
    storage::{DataFolder, DiskSpace, Sqlite},
};
use serde_json::{Value, json};
use std::{
    error::Error,
    io::{self, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    path::Path,
    sync::{Arc, OnceLock},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// How long an answer may take. libFuzzer's own limit is longer.
pub const PATIENCE: Duration = Duration::from_secs(15);
/// Requests a second that nobody reaches here.
const FAST: u64 = 1_000_000;
/// The agent that everything is asked of.
pub const AGENT: &str = "AGENT-001";
/// Another, whose keys and settings operators change.
pub const OTHER: &str = "AGENT-002";
/// One that operators may remove, if it was registered.
pub const ENDED: &str = "AGENT-003";

/// The hub, and whoever may come in.
#[derive(Debug)]
pub struct Hub {
    /// Where it listens.
    pub address: SocketAddr,
    /// An admin's token.
    pub admin: String,
    /// The agent's token.
    pub agent: String,
    /// What the agent signs with.
    pub up: Key,
    /// When its history ends, in seconds since 1970.
    pub began: i64,
    _folder: TempDir,
}

/// The hub of this process, which is started when it is first asked for.
pub fn hub() -> &'static Hub {
    static HUB: OnceLock<Hub> = OnceLock::new();
    HUB.get_or_init(|| Hub::start().expect("a hub can be started"))
}

impl Hub {
    fn start() -> io::Result<Self> {
        let memory = Path::new("/dev/shm");
        let folder = match memory.is_dir() {
            true => tempfile::tempdir_in(memory)?,
            false => tempfile::tempdir()?,
        };
        let data_dir = folder.path().join("data");
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let said = Layer {
            data_dir: Some(data_dir.clone()),
            listen: Some(address),
            // The fuzzer asks more often than any agent.
            limits: LimitsKeys {
                agent_requests_per_second: Some(FAST),
                agent_refusals_per_second: Some(FAST),
                stranger_requests_per_second: Some(FAST),
                ..LimitsKeys::default()
            },
            log: Some("off".to_owned()),
            ..Layer::default()
        };
        let settings = Settings::resolve(said, None).map_err(io::Error::other)?;
        let master = DataFolder::open_or_create(&data_dir)
            .and_then(|folder| folder.master_or_create())
            .map_err(io::Error::other)?;
        let admin = admins_token(&data_dir, &Tokens::new(&master)).map_err(io::Error::other)?;
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
            runtime
                .expect("a runtime")
                .block_on(app::run(settings, Arc::default(), std::future::pending()))
                .expect("the hub runs");
        });
        let nobody = Key::new(&Secret::new([0; 32]));
        let began = Clock::system().now().as_micros() / 1_000_000;
        let mut hub = Self { address, admin, agent: String::new(), up: nobody, began, _folder: folder };
        hub.register()?;
        Ok(hub)
    }

    /// Registers the agent and gives it some history.
    fn register(&mut self) -> io::Result<()> {
        let began = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            assert!(began.elapsed() < PATIENCE, "the hub does not listen");
            thread::sleep(Duration::from_millis(10));
        }
        let body = json!({"id": OTHER}).to_string();
        let answer = self.ask("POST", "/api/v1/agents", &self.admin, "application/json", body.as_bytes())?;
        assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
        let body = json!({"id": AGENT}).to_string();
        let answer = self.ask("POST", "/api/v1/agents", &self.admin, "application/json", body.as_bytes())?;
        let answer: Value = serde_json::from_slice(&answer.body)?;
        let credentials = &answer["credentials"];
        let up = credentials["keys"]["up"].as_str().and_then(Secret::from_base64);
        self.up = Key::new(&up.ok_or_else(|| io::Error::other(format!("no key in {answer}")))?);
        self.agent = credentials["token"].as_str().unwrap_or_default().to_owned();
        let now = Clock::system().now();
        let samples: Vec<_> = (1..=60)
            .map(|seq| {
                json!({"seq": seq, "timestamp": now.plus_seconds(15 * (seq - 60)), "status": "online",
                       "metrics": {"cpu": seq, "ram": 43.2, "disk": 71.4, "load1": -0.5}})
            })
            .collect();
        let body = json!({"agentId": AGENT, "boot": 1, "samples": samples}).to_string();
        let body = signing::sign_json(&self.up, body.as_bytes()).map_err(io::Error::other)?;
        let answer = self.ask("POST", "/api/v1/metrics", &self.agent, "application/json", &body)?;
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        Ok(())
    }

    /// One request on a connection of its own, and the whole answer.
    pub fn ask(
        &self,
        method: &str,
        target: &str,
        token: &str,
        kind: &str,
        body: &[u8],
    ) -> io::Result<Answer> {
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer {token}\r\nContent-Type: {kind}\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        let mut stream = self.connect()?;
        // A hub that refuses early may close before it has taken everything.
        let _ = stream.write_all(&[head.as_bytes(), body].concat());
        let answer = read_all(stream)?;
        Answer::read(&answer).ok_or_else(|| io::Error::other(String::from_utf8_lossy(&answer).into_owned()))
    }

    /// Sends raw bytes, says that this is all, and reads what comes until the hub closes.
    pub fn send(&self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut stream = self.connect()?;
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(Shutdown::Write);
        read_all(stream)
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(stream)
    }
}

/// A token for all doors, with its row in the records, which are made here.
fn admins_token(data_dir: &Path, tokens: &Tokens) -> Result<String, Box<dyn Error + Send + Sync>> {
    let now = Clock::system().now();
    let whose = Operator { name: "fuzz".to_owned(), role: Role::Admin };
    let fresh = Fresh::write(tokens, whose, 24 * 3_600, now)?;
    let row = Row::new(&fresh.token, fresh.digest(), None);
    let folder = DataFolder::open(data_dir)?;
    let sqlite = Sqlite::open(&folder.sqlite_path(), DiskSpace::watch(folder.path(), 0)?, now)?;
    tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
        let written = sqlite.write(move |connection| store::create(connection, &row, now)).await;
        sqlite.close().await;
        written
    })?;
    Ok(fresh.text)
}

fn read_all(mut stream: TcpStream) -> io::Result<Vec<u8>> {
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
        read => drop(read?),
    }
    Ok(answer)
}

/// What a hub answered.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its headers, in lower case.
    pub head: String,
    /// Its body, as it came: one in pieces is not put together.
    pub body: Vec<u8>,
}

impl Answer {
    /// Reads the first answer of what came; nothing, where there is none.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&bytes[..end]).ok()?.to_ascii_lowercase();
        let status = head.strip_prefix("http/1.1 ")?.get(..3)?.parse().ok()?;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let body = &bytes[end + 4..];
        let body = body[..length.unwrap_or(body.len()).min(body.len())].to_vec();
        Some(Self { status, head, body })
    }
}
