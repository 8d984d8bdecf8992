//! Columns of a part straight into arrays, for who reads many rows of few columns: agent by agent, in the part's order.
//!
//! [`Layout`] is what is worth remembering of a file: where its columns lie and, once asked, which rows are whose. With
//! it a [`Strip`] goes to an agent's rows without looking at others', and decodes of each column only those, to the end
//! of the array that the caller fills. [`Layouts`] remembers them. Where a [`pick`](super::pick) begins a question in a millisecond a file, this
//! takes a tenth; it is for questions that touch every file of a month.
//!
//! [`words`] reads columns of texts as runs of one word: ids, names and statuses repeat, and are decoded once a run.

mod column;
mod file;
mod layout;
mod layouts;
mod strip;
mod unpack;
mod words;

pub use file::CHUNK_BYTES_MAX;
pub use layout::{Ids, Layout};
pub use layouts::{LAYOUTS_BYTES_MAX, Layouts};
pub use strip::{Leaf, Strip};

use super::TsdbError;
use parquet::errors::ParquetError;

/// A file that is not as this program writes them.
fn unlike(what: &str) -> TsdbError {
    TsdbError::Parquet(ParquetError::General(format!("a part is not as it was written: {what}")))
}
