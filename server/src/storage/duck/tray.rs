//! Arrow batches as a table: `SELECT … FROM tray(?)`, with [`Tray::id`] as the parameter.
//!
//! Promises: rows come in the order they were handed over, scanned by one thread, converted a vector at a
//! time when DuckDB asks, and only the columns it asks for. A tray that keeps its batches can be scanned as often as a
//! query names it. Refuses: an id whose tray is gone, a second scan of batches that have been given away, a batch that
//! is not of the tray's schema. Types: numbers, booleans, strings, timestamps, lists, structs, maps, with nulls
//! anywhere.
//!
//! A table function is given nothing but SQL values, so numbers stand for trays, in a register of the whole
//! process. It holds as many as there are [`Tray`]s: a few for each query, and queries are bounded.

mod window;

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use duckdb::{
    core::{DataChunkHandle, LogicalTypeHandle, LogicalTypeId},
    vtab::{
        BindInfo, InitInfo, TableFunctionInfo, VTab, record_batch_to_duckdb_data_chunk,
        to_duckdb_logical_type_for_field,
    },
};
use std::{
    collections::HashMap,
    error::Error,
    fmt,
    sync::{
        Arc, LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// DuckDB's vector: more rows it does not take at once.
const VECTOR_ROWS: usize = 2_048;

static TRAYS: LazyLock<Mutex<HashMap<u64, Arc<Contents>>>> = LazyLock::new(Mutex::default);
static LAST_ID: AtomicU64 = AtomicU64::new(0);

type Batches = Box<dyn Iterator<Item = RecordBatch> + Send>;
type Failure = Box<dyn Error>;

/// Batches that SQL can read as `tray(id)`, until this is dropped; a scan that has begun goes on.
pub struct Tray {
    id: u64,
}

/// What a tray holds.
pub(super) struct Contents {
    schema: SchemaRef,
    batches: Source,
}

/// Where a scan gets its batches.
enum Source {
    /// Until a scan takes them.
    Once(Mutex<Option<Batches>>),
    /// For every scan.
    Kept(Vec<RecordBatch>),
}

impl Tray {
    /// Serves `batches` once, each of `schema` and of any number of rows. The iterator is asked for the next one
    /// only when DuckDB needs it, on a thread of the engine's; nothing is copied before.
    pub fn serve(schema: SchemaRef, batches: impl Iterator<Item = RecordBatch> + Send + 'static) -> Self {
        Self::of(Contents { schema, batches: Source::Once(Mutex::new(Some(Box::new(batches)))) })
    }

    /// Serves `batches`, each of `schema`, to every scan.
    pub fn keep(schema: SchemaRef, batches: Vec<RecordBatch>) -> Self {
        Self::of(Contents { schema, batches: Source::Kept(batches) })
    }

    fn of(contents: Contents) -> Self {
        let id = LAST_ID.fetch_add(1, Ordering::Relaxed) + 1;
        lock(&TRAYS).insert(id, Arc::new(contents));
        Self { id }
    }

    /// What stands for it in SQL: bind it as the parameter of `tray(?)`, or write it there.
    pub fn id(&self) -> i64 {
        self.id.cast_signed()
    }
}

impl Drop for Tray {
    fn drop(&mut self) {
        // Dropped after the lock is released: batches may be large.
        let _gone = lock(&TRAYS).remove(&self.id);
    }
}

impl fmt::Debug for Tray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tray({})", self.id)
    }
}

/// The table function `tray`.
pub(super) struct TrayFunction;

/// One scan of a tray.
pub(super) struct Scan {
    /// The columns that DuckDB asked for, by their places in the schema, in its order.
    columns: Vec<usize>,
    /// `None` until the first rows are asked for.
    rows: Mutex<Option<Rows>>,
}

/// What a scan has not handed over yet.
struct Rows {
    batches: Batches,
    /// Of a batch of more rows than fit at once.
    rest: Option<RecordBatch>,
}

impl VTab for TrayFunction {
    type BindData = Arc<Contents>;
    type InitData = Scan;

    fn bind(bind: &BindInfo) -> Result<Arc<Contents>, Failure> {
        let value = bind.get_parameter(0);
        if value.is_null() {
            // Looking at it any closer would end the process: DuckDB throws where nothing catches.
            return Err("there is no tray NULL".into());
        }
        let id = value.to_int64();
        let found = lock(&TRAYS).get(&id.cast_unsigned()).cloned();
        let contents = found.ok_or_else(|| format!("there is no tray {id}, or it is gone"))?;
        for field in contents.schema.fields() {
            bind.add_result_column(field.name(), to_duckdb_logical_type_for_field(field)?);
        }
        Ok(contents)
    }

    fn init(init: &InitInfo) -> Result<Scan, Failure> {
        init.set_max_threads(1);
        let columns = init.get_column_indices().into_iter().map(usize::try_from);
        Ok(Scan { columns: columns.collect::<Result<_, _>>()?, rows: Mutex::new(None) })
    }

    fn func(call: &TableFunctionInfo<Self>, output: &mut DataChunkHandle) -> Result<(), Failure> {
        let scan = call.get_init_data();
        let contents = call.get_bind_data();
        let mut rows = lock(&scan.rows);
        let rows = match &mut *rows {
            Some(rows) => rows,
            empty => empty.insert(contents.take()?),
        };
        let Some(batch) = rows.next() else {
            output.set_len(0);
            return Ok(());
        };
        if !contents.is_schema_of(&batch) {
            return Err("a batch is not of its tray's schema".into());
        }
        let batch = window::compact(&batch.project(&scan.columns)?)?;
        record_batch_to_duckdb_data_chunk(&batch, output)
    }

    fn supports_pushdown() -> bool {
        true
    }

    fn parameters() -> Option<Vec<LogicalTypeHandle>> {
        Some(vec![LogicalTypeId::Bigint.into()])
    }
}

impl Contents {
    fn take(&self) -> Result<Rows, Failure> {
        let batches: Batches = match &self.batches {
            Source::Once(batches) => lock(batches).take().ok_or("a tray can be scanned only once")?,
            Source::Kept(batches) => Box::new(batches.clone().into_iter()),
        };
        Ok(Rows { batches, rest: None })
    }

    /// Whether the converter may write the batch into vectors made for the schema: it trusts types blindly.
    fn is_schema_of(&self, batch: &RecordBatch) -> bool {
        let (ours, theirs) = (self.schema.fields(), batch.schema_ref().fields());
        ours.len() == theirs.len()
            && ours.iter().zip(theirs).all(|(ours, theirs)| ours.data_type() == theirs.data_type())
    }
}

impl Rows {
    /// The next rows, at least one and as many as fit into a vector.
    fn next(&mut self) -> Option<RecordBatch> {
        let batch = match self.rest.take() {
            Some(rest) => rest,
            None => self.batches.find(|batch| batch.num_rows() > 0)?,
        };
        if batch.num_rows() > VECTOR_ROWS {
            self.rest = Some(batch.slice(VECTOR_ROWS, batch.num_rows() - VECTOR_ROWS));
            return Some(batch.slice(0, VECTOR_ROWS));
        }
        Some(batch)
    }
}

/// A panic in an iterator leaves nothing half done here that a later lock could trip over.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
