//! Every limit of the wire: its name, its unit (last in the name), its one place in the code.
//!
//! A limit that is hit is an answer with a name ([`crate::problem`]), never a surprise.

/// A request body, unless the route takes batches.
pub const BODY_BYTES_MAX: usize = 256 * 1024;
/// A body of `POST /api/v1/metrics`, `POST /api/v1/discovery`, or of `POST /api/v1/commands`, which may name many agents.
pub const BATCH_BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Samples in one batch.
pub const BATCH_SAMPLES_MAX: usize = 10_000;
/// Hosts in one scan: a whole /16.
pub const SCAN_HOSTS_MAX: usize = 65_536;
/// Addresses of one scan that nobody forced: half a /16, so that a /16 is a decision rather than a slip.
pub const SCAN_HOSTS_UNFORCED_MAX: usize = SCAN_HOSTS_MAX / 2;
/// Networks that one scan says it looked at.
pub const SCAN_NETWORKS_MAX: usize = 64;
/// Ports listed for one host of a scan.
pub const HOST_PORTS_MAX: usize = 65_535;
/// Nested arrays and objects, the outermost counted as one.
pub const DEPTH_MAX: usize = 16;
/// Members of one object.
pub const MEMBERS_MAX: usize = 1_024;
/// One string, unescaped, in UTF-8.
pub const STRING_BYTES_MAX: usize = 64 * 1024;
/// What a command printed; longer output is cut by the agent, and says so.
pub const OUTPUT_BYTES_MAX: usize = STRING_BYTES_MAX;
/// What one message says of the output of a command that runs; small enough to fit a body however it is escaped.
pub const PROGRESS_BYTES_MAX: usize = 32 * 1024;
/// Request line and headers together.
pub const HEADER_BYTES_MAX: usize = 16 * 1024;
/// An agent's identifier, in characters (ASCII, so bytes too).
pub const AGENT_ID_CHARS_MAX: usize = 64;
/// Measurements of one sample beside cpu, ram, disk and latency.
pub const MEASUREMENTS_MAX: usize = 64;
/// The name of a measurement, an action or a label.
pub const NAME_CHARS_MAX: usize = 64;
/// Labels of one agent.
pub const LABELS_MAX: usize = 32;
/// The value of a label, in UTF-8.
pub const LABEL_VALUE_BYTES_MAX: usize = 128;
/// A sample's own word for how its machine does.
pub const STATUS_BYTES_MAX: usize = 64;
/// Why an agent did not apply a configuration, in UTF-8.
pub const REASON_BYTES_MAX: usize = 1024;
/// A nonce, chosen by the asker.
pub const NONCE_CHARS_MAX: usize = 128;
/// How far a timestamp may lie ahead of the hub's clock.
pub const FUTURE_SECONDS_MAX: i64 = 5 * 60;
/// How long `GET …/pending` may be held open.
pub const WAIT_SECONDS_MAX: u64 = 60;
/// Registrations by join token, from one address.
pub const ENROLMENTS_PER_MINUTE_MAX: u32 = 5;
/// The largest integer that every JSON implementation keeps exactly: 2^53 − 1.
pub const INTEGER_MAX: u64 = (1 << 53) - 1;
/// A command's time to live.
pub const COMMAND_TTL_SECONDS_MAX: u64 = 30 * 24 * 3600;
/// Agents of one batch that an operator signed: with ids and parameters as long as they may be, they and their signatures
/// fit a body.
pub const ORDER_AGENTS_MAX: usize = 16_384;
/// How long a command may run.
pub const COMMAND_TIMEOUT_SECONDS_MAX: u64 = 24 * 3600;
/// Seconds between two heartbeats.
pub const HEARTBEAT_SECONDS: u64 = 30;
/// How long a generation of keys is still good once its successor is in use.
pub const GENERATION_ENDING_SECONDS: i64 = 24 * 3600;
/// Heartbeats missed before an agent counts as offline.
pub const MISSED_HEARTBEATS_MAX: u64 = 3;

const _: () = assert!(BODY_BYTES_MAX > STRING_BYTES_MAX + HEADER_BYTES_MAX, "a full output must fit a body");
const _: () = assert!(
    PROGRESS_BYTES_MAX <= OUTPUT_BYTES_MAX && 6 * PROGRESS_BYTES_MAX + HEADER_BYTES_MAX < BODY_BYTES_MAX
);
const _: () = assert!(BATCH_BODY_BYTES_MAX > BODY_BYTES_MAX);
const _: () = assert!(MEASUREMENTS_MAX + 4 <= MEMBERS_MAX);
