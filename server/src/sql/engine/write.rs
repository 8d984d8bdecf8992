//! Writes an answer while its rows come, in the form that was asked for, and no more of it than one may have.

use super::{EngineError, cells};
use crate::{
    csv,
    sql::letters::{Ask, Form},
};
use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch},
    datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType},
    error::ArrowError,
    ipc::writer::StreamWriter,
};
use pingup_protocol::plain;
use serde_json::{Map, Value, json};
use std::{collections::HashSet, sync::Arc};

const UTC: &str = "UTC";

/// An answer that is being written.
pub(super) struct Page<'a> {
    ask: &'a Ask,
    schema: SchemaRef,
    body: Body,
    rows: u64,
    more: bool,
}

enum Body {
    Text(String),
    Arrow(StreamWriter<Vec<u8>>),
}

impl<'a> Page<'a> {
    /// The beginning of an answer of these columns.
    pub(super) fn new(ask: &'a Ask, schema: SchemaRef) -> Result<Self, EngineError> {
        let schema = told(&schema);
        let names = || schema.fields().iter().map(|field| field.name().as_str());
        let body = match ask.form {
            Form::Arrow => Body::Arrow(StreamWriter::try_new(Vec::new(), &schema)?),
            Form::NdJson => Body::Text(String::new()),
            Form::Csv => Body::Text(line(names().map(|name| cell(|to| csv::text(name, to))))),
            Form::Json => {
                let columns: Vec<_> = schema.fields().iter().map(|field| column(field)).collect();
                Body::Text(format!("{{\"columns\":{},\"rows\":[", Value::from(columns)))
            }
        };
        Ok(Self { ask, schema, body, rows: 0, more: false })
    }

    /// Whether no more rows are wanted.
    pub(super) const fn is_full(&self) -> bool {
        self.more
    }

    /// Takes rows, up to the limit.
    pub(super) fn take(&mut self, chunk: &RecordBatch) -> Result<(), EngineError> {
        let columns =
            chunk.columns().iter().zip(self.schema.fields()).map(|(column, field)| marked(column, field));
        let chunk = RecordBatch::try_new(Arc::clone(&self.schema), columns.collect())?;
        let room = usize::try_from(self.ask.rows_max - self.rows).unwrap_or(usize::MAX);
        self.more = chunk.num_rows() > room;
        let chunk = chunk.slice(0, chunk.num_rows().min(room));
        match &mut self.body {
            Body::Arrow(writer) => {
                writer.write(&chunk)?;
                fits(writer.get_ref().len(), self.ask)?;
            }
            Body::Text(text) => {
                for row in 0..chunk.num_rows() {
                    let is_first = self.rows == 0 && row == 0;
                    write(self.ask.form, &chunk, row, is_first, text)?;
                    fits(text.len(), self.ask)?;
                }
            }
        }
        self.rows += chunk.num_rows() as u64;
        Ok(())
    }

    /// The whole answer: rows, whether there are more, and the body.
    pub(super) fn finish(self) -> Result<(u64, bool, Vec<u8>), EngineError> {
        let body = match self.body {
            Body::Arrow(mut writer) => {
                writer.finish()?;
                writer.into_inner()?
            }
            Body::Text(mut text) => {
                if self.ask.form == Form::Json {
                    text.push_str(&format!("],\"more\":{}}}", self.more));
                }
                match self.ask.form {
                    Form::Csv => text.into_bytes(),
                    _ => plain::json(text.into_bytes()),
                }
            }
        };
        fits(body.len(), self.ask)?;
        Ok((self.rows, self.more, body))
    }
}

fn fits(bytes: usize, ask: &Ask) -> Result<(), EngineError> {
    let most = ask.bytes_max;
    match bytes <= most {
        true => Ok(()),
        false => Err(EngineError::Refused(format!(
            "the answer is longer than {most} bytes; ask for fewer rows or columns, or for Arrow"
        ))),
    }
}

/// A row as text.
fn write(
    form: Form,
    chunk: &RecordBatch,
    row: usize,
    is_first: bool,
    to: &mut String,
) -> Result<(), ArrowError> {
    let values = chunk.columns().iter().map(|column| cells::value(column, row));
    match form {
        Form::Json => {
            to.push_str(if is_first { "" } else { "," });
            to.push_str(&values.collect::<Result<Value, _>>()?.to_string());
        }
        Form::Csv => {
            let cells = chunk.columns().iter().map(|column| table_cell(column, row));
            to.push_str(&line(cells.collect::<Result<Vec<_>, _>>()?.into_iter()));
        }
        _ => {
            let schema = chunk.schema_ref();
            let names = schema.fields().iter().map(|field| field.name().clone());
            let members = names.zip(values).map(|(name, value)| Ok((name, value?)));
            to.push_str(&Value::Object(members.collect::<Result<Map<_, _>, ArrowError>>()?).to_string());
            to.push('\n');
        }
    }
    Ok(())
}

/// A cell of a table: numbers and truths as they are, nothing for null, texts guarded, lists and the like as JSON.
fn table_cell(column: &ArrayRef, row: usize) -> Result<String, ArrowError> {
    if column.is_null(row) {
        return Ok(String::new());
    }
    let is_number = column.data_type().is_numeric() || *column.data_type() == DataType::Boolean;
    let said = match cells::value(column, row)? {
        _ if is_number => return cells::text(column, row),
        Value::String(text) => text,
        nested => nested.to_string(),
    };
    Ok(cell(|to| csv::text(&said, to)))
}

fn cell(write: impl FnOnce(&mut String)) -> String {
    let mut text = String::new();
    write(&mut text);
    text
}

fn line(cells: impl Iterator<Item = String>) -> String {
    let mut line = cells.collect::<Vec<_>>().join(",");
    line.push_str("\r\n");
    line
}

/// The columns as they are told: each by a name of its own, moments marked as UTC.
fn told(schema: &Schema) -> SchemaRef {
    let mut names = HashSet::new();
    let fields = schema.fields().iter().map(|field| {
        let told = match field.data_type() {
            DataType::Timestamp(TimeUnit::Microsecond, None) => {
                DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into()))
            }
            other => other.clone(),
        };
        let free = |name: &String| names.insert(name.clone());
        let further = (1..).map(|number| format!("{}_{number}", field.name()));
        let name = std::iter::once(field.name().clone()).chain(further).find(free);
        field.as_ref().clone().with_name(name.unwrap_or_default()).with_data_type(told).with_nullable(true)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// A column as it is told.
fn marked(column: &ArrayRef, field: &Field) -> ArrayRef {
    match column.as_primitive_opt::<TimestampMicrosecondType>() {
        Some(moments) if column.data_type() != field.data_type() => {
            Arc::new(moments.clone().with_timezone(UTC))
        }
        _ => Arc::clone(column),
    }
}

/// A column's name and its type, in DuckDB's words where they are simple.
fn column(field: &Field) -> Value {
    json!({"name": field.name(), "type": type_of(field.data_type())})
}

fn type_of(of: &DataType) -> String {
    let plain = match of {
        DataType::Boolean => "BOOLEAN",
        DataType::Int8 => "TINYINT",
        DataType::Int16 => "SMALLINT",
        DataType::Int32 => "INTEGER",
        DataType::Int64 => "BIGINT",
        DataType::UInt8 => "UTINYINT",
        DataType::UInt16 => "USMALLINT",
        DataType::UInt32 => "UINTEGER",
        DataType::UInt64 => "UBIGINT",
        DataType::Float32 => "FLOAT",
        DataType::Float64 => "DOUBLE",
        DataType::Utf8 => "VARCHAR",
        DataType::Date32 => "DATE",
        DataType::Timestamp(..) => "TIMESTAMP",
        DataType::Interval(_) => "INTERVAL",
        DataType::Binary => "BLOB",
        DataType::Decimal128(38, 0) => "HUGEINT",
        DataType::Decimal128(width, scale) => return format!("DECIMAL({width},{scale})"),
        DataType::List(item) => return format!("{}[]", type_of(item.data_type())),
        DataType::Struct(fields) => {
            let fields =
                fields.iter().map(|field| format!("{} {}", field.name(), type_of(field.data_type())));
            return format!("STRUCT({})", fields.collect::<Vec<_>>().join(", "));
        }
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(pair) if pair.len() == 2 => {
                return format!("MAP({}, {})", type_of(pair[0].data_type()), type_of(pair[1].data_type()));
            }
            _ => "MAP",
        },
        other => return other.to_string().to_uppercase(),
    };
    plain.to_owned()
}
