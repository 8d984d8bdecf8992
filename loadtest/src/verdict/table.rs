//! The table: each line once, in the order in which it is told, under the section that it belongs to.

/// One thing that must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Must {
    /// Singles over 1 000 connections, as a share of the bare handler.
    Singles1000,
    /// The same over 256.
    Singles256,
    /// The same over 64.
    Singles64,
    /// Batches.
    Batches,
    /// A steady load: its p99.
    SteadyP99,
    /// Its p99.9.
    SteadyP999,
    /// Its longest pause.
    SteadyPause,
    /// A light load: its median.
    LightP50,
    /// Its p99.
    LightP99,
    /// Resident memory.
    Memory,
    /// One agent, a month by the hour.
    MonthByHour,
    /// The same in the store: beyond what a question takes that finds nothing.
    MonthInStore,
    /// One agent, a day's raw rows.
    DayRaw,
    /// The fleet's mean, a month by the hour.
    Fleet,
    /// The top ten of the last hour.
    Top,
    /// One agent's scans, each with how many hosts it found.
    Scans,
    /// The same with all hosts, page by page.
    ScansWhole,
    /// PromQL: one agent, a month by the hour.
    PromMonth,
    /// One agent's last hour at 15 s.
    PromHour,
    /// The top ten of the last hour.
    PromTop,
    /// The mean of all over a day.
    PromMean,
    /// PromQL: which labels there are.
    Labels,
    /// The values of one that each agent has another of.
    LabelValues,
    /// Disk space.
    Disk,
    /// Start after a clean stop.
    StartClean,
    /// Start after a kill under load.
    StartKilled,
    /// Ingest beside heavy queries.
    BesideQueries,
    /// Rows lost or doubled by kills.
    Crash,
    /// Rows lost or doubled by a stall.
    Stall,
    /// What the hub grows by while a full queue stands still.
    StallMemory,
    /// A command to the one agent that waits: the median.
    CommandP50,
    /// Its p99.
    CommandP99,
    /// The same to one among many that wait.
    CommandAmongP99,
    /// An order to all: until the last has begun.
    FanoutBegun,
    /// An order to all: until the last result is stored.
    FanoutStored,
    /// Resident memory with a fleet.
    FleetMemory,
    /// What each agent of it takes beyond the idle hub.
    FleetMemoryEach,
    /// A hub that was restarted under a fleet: until all are back and their spools delivered.
    HerdBack,
    /// Rows lost or doubled by that.
    HerdRows,
    /// Attempts to connect in the worst second of it, as a share of the agents.
    HerdAttempts,
    /// An agent's resident memory at work.
    AgentMemory,
    /// The most of a day without its hub, and while that is delivered.
    AgentAway,
    /// Its processor time at work.
    AgentProcessor,
    /// The program without its symbols.
    AgentBinary,
    /// From its start until the hub has its first sample.
    AgentStart,
    /// A scan of a /24.
    ScanTime,
    /// Hosts and ports that it missed, or made up.
    ScanMissed,
    /// What the agent takes for it.
    ScanMemory,
    /// Good agents' rate beside abuse, of the loads that the goal names.
    AbuseShare,
    /// The same beside the others.
    AbuseOthers,
    /// The hub's memory under abuse.
    AbuseMemory,
    /// Until the rate is back.
    AbuseNormal,
}

/// A line of the table.
pub(super) struct Line {
    pub(super) must: Must,
    pub(super) what: &'static str,
    /// A lower bound; else an upper one.
    pub(super) at_least: bool,
    pub(super) bound: f64,
    pub(super) unit: &'static str,
    pub(super) section: &'static str,
}

const fn at_least(must: Must, what: &'static str, bound: f64, unit: &'static str) -> Line {
    Line { must, what, at_least: true, bound, unit, section: INGEST }
}

const fn at_most(must: Must, what: &'static str, bound: f64, unit: &'static str) -> Line {
    Line { must, what, at_least: false, bound, unit, section: INGEST }
}

const fn fleet(must: Must, what: &'static str, bound: f64, unit: &'static str) -> Line {
    Line { must, what, at_least: false, bound, unit, section: FLEET }
}

const fn agent(must: Must, what: &'static str, bound: f64, unit: &'static str) -> Line {
    Line { must, what, at_least: false, bound, unit, section: AGENT }
}

const fn abuse(must: Must, what: &'static str, bound: f64, unit: &'static str) -> Line {
    Line { must, what, at_least: false, bound, unit, section: ABUSE }
}

const INGEST: &str = "ingest and history";
const FLEET: &str = "commands and a fleet";
const AGENT: &str = "the agent itself";
const ABUSE: &str = "abuse";

/// The table.
#[rustfmt::skip]
pub(super) const TABLE: [Line; 52] = [
    at_least(Must::Singles1000,  "one sample a POST, 1 000 connections, share of the bare handler", 0.60, "x"),
    at_least(Must::Singles256,   "the same over 256 connections",                            0.45, "x"),
    at_least(Must::Singles64,    "the same over 64 connections",                             0.25, "x"),
    at_least(Must::Batches,      "batches of 500, 32 connections",                           500_000.0, "rows/s"),
    at_most(Must::SteadyP99,     "20 000 rows/s, p99",                                       15.0, "ms"),
    at_most(Must::SteadyP999,    "20 000 rows/s, p99.9",                                     40.0, "ms"),
    at_most(Must::SteadyPause,   "20 000 rows/s, longest pause",                             100.0, "ms"),
    at_most(Must::LightP50,      "1 000 rows/s, p50",                                        2.0, "ms"),
    at_most(Must::LightP99,      "1 000 rows/s, p99",                                        8.0, "ms"),
    at_most(Must::Memory,        "the hub's resident memory, peak",                          100.0, "MB"),
    at_most(Must::MonthByHour,   "one agent, 30 days by the hour, p50",                      8.0, "ms"),
    at_most(Must::MonthInStore,  "the same in the store: beyond an empty answer, p50",       5.0, "ms"),
    at_most(Must::DayRaw,        "one agent, raw rows of one day, p50",                      8.0, "ms"),
    at_most(Must::Fleet,         "fleet average by the hour over 30 days, p50",              50.0, "ms"),
    at_most(Must::Top,           "top ten of the last hour, p50",                            20.0, "ms"),
    at_most(Must::Scans,         "one agent's scans of 30 days, counts of hosts, p50",       50.0, "ms"),
    at_most(Must::ScansWhole,    "the same with all hosts, all pages together, p50",         50.0, "ms"),
    at_most(Must::PromMonth,     "PromQL: one agent, 30 days by the hour, p50",              20.0, "ms"),
    at_most(Must::PromHour,      "PromQL: one agent's last hour at 15 s, p50",               5.0, "ms"),
    at_most(Must::PromTop,       "PromQL: top ten of all over the last hour, p50",           100.0, "ms"),
    at_most(Must::PromMean,      "PromQL: mean of all over a day, p50",                      60.0, "ms"),
    at_most(Must::Labels,        "PromQL: labels of 10 000 agents, p50",                     10.0, "ms"),
    at_most(Must::LabelValues,   "PromQL: their ids, p50",                                   10.0, "ms"),
    at_most(Must::Disk,          "disk for 86.4 million rows",                               351.0, "MB"),
    at_most(Must::StartClean,    "start with that store, after a clean stop",                100.0, "ms"),
    at_most(Must::StartKilled,   "start with that store, after kill -9 under load",          300.0, "ms"),
    at_most(Must::BesideQueries, "20 000 rows/s beside ten heavy queries, p99",              60.0, "ms"),
    at_most(Must::Crash,         "rows lost or doubled by kill -9",                          0.0, "rows"),
    at_most(Must::Stall,         "rows lost or doubled by a stalled writer",                 0.0, "rows"),
    at_most(Must::StallMemory,   "memory grown by while its queue is full",                  40.0, "MiB"),
    fleet(Must::CommandP50,      "a command answered, the one waiting agent begins it, p50", 3.0, "ms"),
    fleet(Must::CommandP99,      "the same, p99",                                            15.0, "ms"),
    fleet(Must::CommandAmongP99, "the same, one among 10 000 waiting agents, p99",           30.0, "ms"),
    fleet(Must::FanoutBegun,     "one order to 10 000 waiting agents: all have it",          3.0, "s"),
    fleet(Must::FanoutStored,    "the same: all results stored",                             6.0, "s"),
    fleet(Must::FleetMemory,     "memory with 10 000 agents waiting and pushing",            180.0, "MB"),
    fleet(Must::FleetMemoryEach, "the same, for each agent above the idle hub",              12.0, "KB"),
    fleet(Must::HerdBack,        "hub away for 35 s under 10 000 agents: back, delivered",   30.0, "s"),
    fleet(Must::HerdRows,        "the same: rows lost or doubled",                           0.0, "rows"),
    fleet(Must::HerdAttempts,    "the same: attempts in the worst second, share of agents",  0.5, "x"),
    agent(Must::AgentMemory,     "resident memory, a sample every 30 s",                     8.0, "MB"),
    agent(Must::AgentAway,       "the same, hub away for a day at 1 s, and its delivery",    10.0, "MB"),
    agent(Must::AgentProcessor,  "processor, a sample every 30 s, share of one",             0.1, "%"),
    agent(Must::AgentBinary,     "the program, stripped",                                    6.0, "MB"),
    agent(Must::AgentStart,      "start to first sample at the hub",                         300.0, "ms"),
    agent(Must::ScanTime,        "scan of a /24, 24 ports, 40 live hosts",                   4.0, "s"),
    agent(Must::ScanMissed,      "the same: hosts and ports missed or made up",              0.0, "of 360"),
    agent(Must::ScanMemory,      "the same: the agent's memory, peak",                       30.0, "MB"),
    Line { must: Must::AbuseShare, what: "slow connections, [, keys, endless bodies, bad tokens: good rate", at_least: true, bound: 0.80, unit: "x", section: ABUSE },
    Line { must: Must::AbuseOthers, what: "the same beside the other abusive loads",             at_least: true, bound: 0.80, unit: "x", section: ABUSE },
    abuse(Must::AbuseMemory,     "the same: the hub's memory, peak",                         150.0, "MB"),
    abuse(Must::AbuseNormal,     "the same: until the good rate is back",                    5.0, "s"),
];
