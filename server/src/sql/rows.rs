//! Rows that lie in memory, or in the records, on their way to an engine: as Arrow streams, a batch at a time.

use super::{
    SqlError,
    letters::Given,
    neighbours::{AgentNow, CommandNow, Neighbours},
    views::{AGENTS, COMMANDS, View},
};
use crate::{
    storage::{Sqlite, StorageError},
    tsdb::{self, Part, Tier},
};
use arrow::{
    array::{
        ArrayRef, Float64Array, Int64Array, MapBuilder, MapFieldNames, RecordBatch, StringArray,
        StringBuilder, TimestampMicrosecondArray,
    },
    datatypes::SchemaRef,
    error::ArrowError,
    ipc::writer::StreamWriter,
};
use pingup_protocol::time::Timestamp;
use rusqlite::Connection;
use std::{
    io::Write,
    ops::Range,
    sync::{Arc, mpsc},
};
use tokio::runtime::Handle;

/// Every moment.
const EVER: Range<Timestamp> = Timestamp::from_micros(i64::MIN)..Timestamp::from_micros(i64::MAX);
/// Records that become one batch.
const RECORDS_AT_ONCE: usize = 2_048;

/// What a question is asked of.
pub(super) struct Snapshot {
    pub(super) view: Arc<tsdb::View>,
    pub(super) sqlite: Sqlite,
    pub(super) neighbours: Neighbours,
    pub(super) now: Timestamp,
    pub(super) runtime: Handle,
}

/// A stream of batches to an engine.
struct Stream<'a, W: Write>(StreamWriter<&'a mut W>);

impl<'a, W: Write> Stream<'a, W> {
    fn new(to: &'a mut W, schema: &SchemaRef) -> Result<Self, SqlError> {
        StreamWriter::try_new(to, schema).map(Self).map_err(unsent)
    }

    fn send(&mut self, batch: Result<RecordBatch, ArrowError>) -> Result<(), SqlError> {
        self.0.write(&batch.map_err(unsent)?).map_err(unsent)
    }

    fn finish(mut self) -> Result<(), SqlError> {
        self.0.finish().map_err(unsent)
    }
}

fn unsent(error: ArrowError) -> SqlError {
    match error {
        // Nobody is there to take them.
        ArrowError::IoError(..) => SqlError::Died,
        other => SqlError::Engine(format!("rows could not be handed over: {other}")),
    }
}

impl Snapshot {
    /// The files of the views that have some. They stay while this does.
    pub(super) fn files(&self, views: &[View]) -> Given {
        let of = |view, tier| match views.contains(&view) {
            true => self.view.parts_for(tier, None, &EVER).iter().map(path).collect(),
            false => Vec::new(),
        };
        Given { metrics: of(View::Metrics, Tier::Raw), discovery: of(View::Discovery, Tier::Scans) }
    }

    /// Sends what of these views is in no file, a stream each, in their order. The segment that is written to is seen up
    /// to where it was at the beginning, by all of them.
    pub(super) fn send(&self, views: &[View], to: &mut impl Write) -> Result<(), SqlError> {
        let segments: Vec<_> = self.view.segments.iter().map(|segment| (segment, segment.extent())).collect();
        for view in views {
            let mut stream = Stream::new(to, &view.schema())?;
            match view {
                View::Metrics => {
                    let mut all = segments.iter().flat_map(|(segment, to)| segment.sample_batches(*to));
                    all.try_for_each(|batch| stream.send(batch))?;
                }
                View::Discovery => {
                    let mut all = segments.iter().flat_map(|(segment, to)| segment.scan_batches(*to));
                    all.try_for_each(|batch| stream.send(batch))?;
                }
                View::AgentsCurrent => self.send_agents(&mut stream)?,
                View::Commands => self.send_commands(&mut stream)?,
            }
            stream.finish()?;
        }
        Ok(())
    }

    fn send_agents<W: Write>(&self, stream: &mut Stream<'_, W>) -> Result<(), SqlError> {
        let tell = Arc::clone(&self.neighbours.agents);
        let read = self.sqlite.read(move |connection| Ok::<_, StorageError>(tell(connection)?));
        let agents = self.runtime.block_on(read)?;
        agents.chunks(RECORDS_AT_ONCE).try_for_each(|agents| stream.send(of_agents(agents)))
    }

    /// Sends commands while they are read, in one look at the records: there may be very many.
    fn send_commands<W: Write>(&self, stream: &mut Stream<'_, W>) -> Result<(), SqlError> {
        let (give, take) = mpsc::sync_channel(1);
        let (sqlite, tell, now) = (self.sqlite.clone(), self.neighbours.commands, self.now);
        let read = move |connection: &Connection| {
            let mut some = Vec::with_capacity(RECORDS_AT_ONCE);
            tell(connection, now, &mut |command| {
                some.push(command);
                some.len() < RECORDS_AT_ONCE || give.send(std::mem::take(&mut some)).is_ok()
            })?;
            // Who does not take it any more has ended.
            let _ = give.send(some);
            Ok::<_, StorageError>(())
        };
        let reading = self.runtime.spawn(async move { sqlite.read(read).await });
        take.into_iter().try_for_each(|commands| stream.send(of_commands(&commands)))?;
        Ok(self.runtime.block_on(reading).unwrap_or(Err(StorageError::Closed))?)
    }
}

fn of_agents(agents: &[AgentNow]) -> Result<RecordBatch, ArrowError> {
    let text = |of: fn(&AgentNow) -> Option<&str>| -> ArrayRef {
        Arc::new(agents.iter().map(of).collect::<StringArray>())
    };
    let moment = |of: fn(&AgentNow) -> Option<Timestamp>| moments(agents.iter().map(of));
    let mut columns = vec![
        text(|agent| Some(&agent.agent_id)),
        text(|agent| agent.name.as_deref()),
        text(|agent| Some(agent.status)),
        moment(|agent| agent.last_seen),
        moment(|agent| Some(agent.created_at)),
        text(|agent| agent.hostname.as_deref()),
        text(|agent| agent.os.as_deref()),
        text(|agent| agent.arch.as_deref()),
        text(|agent| agent.version.as_deref()),
        text(|agent| agent.ip_address.as_deref()),
        labels(agents)?,
        moment(|agent| agent.latest_at),
    ];
    let own = |place: usize| agents.iter().map(move |agent| agent.own[place]).collect::<Float64Array>();
    columns.extend((0..4).map(|place| Arc::new(own(place)) as ArrayRef));
    RecordBatch::try_new(Arc::clone(&AGENTS), columns)
}

fn labels(agents: &[AgentNow]) -> Result<ArrayRef, ArrowError> {
    let names =
        MapFieldNames { entry: "entries".to_owned(), key: "keys".to_owned(), value: "values".to_owned() };
    let mut map = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
    for agent in agents {
        for (name, value) in &agent.labels {
            map.keys().append_value(name);
            map.values().append_value(value);
        }
        map.append(true)?;
    }
    Ok(Arc::new(map.finish()))
}

fn of_commands(commands: &[CommandNow]) -> Result<RecordBatch, ArrowError> {
    let text = |of: fn(&CommandNow) -> Option<&str>| -> ArrayRef {
        Arc::new(commands.iter().map(of).collect::<StringArray>())
    };
    let number = |of: fn(&CommandNow) -> Option<i64>| -> ArrayRef {
        Arc::new(commands.iter().map(of).collect::<Int64Array>())
    };
    let moment = |of: fn(&CommandNow) -> Option<Timestamp>| moments(commands.iter().map(of));
    let columns = vec![
        text(|command| Some(&command.command_id)),
        text(|command| Some(&command.agent_id)),
        number(|command| Some(command.seq)),
        text(|command| command.batch_id.as_deref()),
        text(|command| Some(&command.action)),
        text(|command| Some(command.status)),
        number(|command| command.timeout_seconds),
        moment(|command| Some(command.created_at)),
        moment(|command| Some(command.expires_at)),
        moment(|command| command.delivered_at),
        moment(|command| command.cancel_asked_at),
        moment(|command| command.started_at),
        moment(|command| command.finished_at),
        number(|command| command.exit_code),
        text(|command| command.signed_by.as_deref()),
    ];
    RecordBatch::try_new(Arc::clone(&COMMANDS), columns)
}

fn moments(of: impl Iterator<Item = Option<Timestamp>>) -> ArrayRef {
    Arc::new(of.map(|at| at.map(Timestamp::as_micros)).collect::<TimestampMicrosecondArray>())
}

fn path(part: &Arc<Part>) -> String {
    part.path().to_string_lossy().into_owned()
}
