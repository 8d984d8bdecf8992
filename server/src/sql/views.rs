//! The four views, as questions name them. `docs/sql.md` says what their columns mean; here is where they come from.

use crate::tsdb::schema::{RAW, SCANS};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, LazyLock};

/// A view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) enum View {
    /// Samples: files and memory.
    Metrics,
    /// Scans: files and memory.
    Discovery,
    /// Agents that live, from the records.
    AgentsCurrent,
    /// Commands that are kept, from the records.
    Commands,
}

/// Hosts as they lie in the files, and as SQL sees them.
const HOSTS: &str =
    r#"[{"ip":"VARCHAR","latency":"DOUBLE","ports":["USMALLINT"],"hostname":"VARCHAR","mac":"VARCHAR"}]"#;

/// Agents, one row each.
pub(super) static AGENTS: LazyLock<SchemaRef> = LazyLock::new(|| {
    let texts = ["hostname", "os", "arch", "version", "ip_address"];
    let mut fields = vec![nullable("agent_id", DataType::Utf8), nullable("name", DataType::Utf8)];
    fields.push(nullable("status", DataType::Utf8));
    fields.extend(["last_seen", "created_at"].map(moment));
    fields.extend(texts.map(|name| nullable(name, DataType::Utf8)));
    fields.push(nullable("labels", maps_of_text()));
    fields.push(moment("latest_at"));
    fields.extend(["cpu", "ram", "disk", "latency"].map(|name| nullable(name, DataType::Float64)));
    Arc::new(Schema::new(fields))
});

/// Commands, one row each.
pub(super) static COMMANDS: LazyLock<SchemaRef> = LazyLock::new(|| {
    let mut fields = vec![nullable("command_id", DataType::Utf8), nullable("agent_id", DataType::Utf8)];
    fields.push(nullable("seq", DataType::Int64));
    fields.extend(["batch_id", "action", "status"].map(|name| nullable(name, DataType::Utf8)));
    fields.push(nullable("timeout_seconds", DataType::Int64));
    fields.extend(["created_at", "expires_at", "delivered_at"].map(moment));
    fields.extend(["cancel_asked_at", "started_at", "finished_at"].map(moment));
    fields.push(nullable("exit_code", DataType::Int64));
    fields.push(nullable("signed_by", DataType::Utf8));
    Arc::new(Schema::new(fields))
});

fn nullable(name: &str, of: DataType) -> Field {
    Field::new(name, of, true)
}

fn moment(name: &str) -> Field {
    nullable(name, DataType::Timestamp(TimeUnit::Microsecond, None))
}

fn maps_of_text() -> DataType {
    let pair =
        Fields::from(vec![Field::new("keys", DataType::Utf8, false), nullable("values", DataType::Utf8)]);
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(pair), false)), false)
}

impl View {
    /// All of them.
    pub(super) const ALL: [Self; 4] = [Self::Metrics, Self::Discovery, Self::AgentsCurrent, Self::Commands];

    /// What it is called.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Discovery => "discovery",
            Self::AgentsCurrent => "agents_current",
            Self::Commands => "commands",
        }
    }

    /// The view of that name, in any case.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|view| view.name().eq_ignore_ascii_case(name))
    }

    /// The columns of what is handed over from memory; files have the same.
    pub(super) fn schema(self) -> SchemaRef {
        Arc::clone(match self {
            Self::Metrics => &RAW,
            Self::Discovery => &SCANS,
            Self::AgentsCurrent => &AGENTS,
            Self::Commands => &COMMANDS,
        })
    }

    /// What the view shows of the rows that it is made of, as SQL.
    pub(super) fn columns(self) -> String {
        match self {
            Self::Metrics => "agent_id, timestamp, status, cpu, ram, disk, latency, further".to_owned(),
            Self::Discovery => {
                format!(
                    "agent_id, timestamp, duration, host_count, from_json(hosts, '{HOSTS}') AS hosts,
                     from_json(networks, '[\"VARCHAR\"]') AS networks"
                )
            }
            Self::AgentsCurrent | Self::Commands => "*".to_owned(),
        }
    }
}
