//! Rows of a segment as batches of the disk's columns; also of one that still grows, up to where it was at a moment.

use super::{HeadSample, HeadScanRow, Segment, columns::Columns, place};
use crate::tsdb::schema::{self, OWN_COLUMNS, RAW, SCANS};
use arrow::{array::RecordBatch, error::ArrowError};
use serde::Serialize;
use std::ops::Range;

/// Samples of one batch: so many are copied while a group has to wait.
const SAMPLES_AT_ONCE: usize = 512;
/// The same of scans, each of which may have thousands of hosts.
const SCANS_AT_ONCE: usize = 16;

/// How far a segment had grown at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    samples: usize,
    scans: usize,
}

impl Segment {
    /// How far it has grown. Rows only ever come behind those that are there.
    pub fn extent(&self) -> Extent {
        let columns = self.read();
        Extent { samples: columns.at.len(), scans: columns.scans.len() }
    }

    /// The samples that were there at `extent`, in the order they came, as batches that are made one by one.
    pub fn sample_batches(
        &self,
        extent: Extent,
    ) -> impl Iterator<Item = Result<RecordBatch, ArrowError>> + '_ {
        few_by_few(extent.samples, SAMPLES_AT_ONCE)
            .map(|rows| of_samples(&self.read(), place(rows.start)..place(rows.end)))
    }

    /// The same of scans.
    pub fn scan_batches(&self, extent: Extent) -> impl Iterator<Item = Result<RecordBatch, ArrowError>> + '_ {
        few_by_few(extent.scans, SCANS_AT_ONCE)
            .map(|rows| of_scans(&self.read(), place(rows.start)..place(rows.end)))
    }
}

fn few_by_few(all: usize, at_once: usize) -> impl Iterator<Item = Range<usize>> {
    (0..all).step_by(at_once).map(move |from| from..all.min(from + at_once))
}

/// These samples as one batch.
pub(super) fn of_samples(
    columns: &Columns,
    rows: impl Iterator<Item = u32> + Clone,
) -> Result<RecordBatch, ArrowError> {
    let samples = || rows.clone().map(|row| HeadSample::new(columns, row));
    let mut all = vec![
        schema::texts(samples().map(|sample| sample.agent_id().as_str())),
        schema::moments(samples().map(|sample| sample.timestamp().as_micros())),
    ];
    all.extend(
        (0..OWN_COLUMNS.len()).map(|place| schema::doubles(samples().map(|sample| sample.own(place)))),
    );
    all.push(schema::texts(samples().map(|sample| sample.status())));
    all.push(schema::integers(samples().map(|sample| sample.stream().map(|(boot, _)| boot))));
    all.push(schema::integers(samples().map(|sample| sample.stream().map(|(_, seq)| seq))));
    all.push(schema::maps(samples().map(|sample| sample.further()))?);
    schema::batch(&RAW, all)
}

/// These scans as one batch.
pub(super) fn of_scans(
    columns: &Columns,
    rows: impl Iterator<Item = u32> + Clone,
) -> Result<RecordBatch, ArrowError> {
    let scans = || rows.clone().map(|row| HeadScanRow::new(columns, &columns.scans[row as usize]));
    let hosts: Vec<_> = scans().map(|scan| json(scan.hosts())).collect::<Result<_, _>>()?;
    let networks = scans().map(|scan| match scan.networks() {
        [] => Ok(None),
        said => json(said).map(Some),
    });
    let networks: Vec<_> = networks.collect::<Result<_, _>>()?;
    let all = vec![
        schema::texts(scans().map(|scan| scan.agent_id().as_str())),
        schema::moments(scans().map(|scan| scan.timestamp().as_micros())),
        schema::doubles(scans().map(|scan| Some(scan.duration()))),
        schema::integers(scans().map(|scan| scan.stream().map(|(boot, _)| boot))),
        schema::integers(scans().map(|scan| scan.stream().map(|(_, seq)| seq))),
        schema::integers(scans().map(|scan| Some(scan.hosts().len() as u64))),
        schema::texts(hosts.iter().map(String::as_str)),
        schema::texts_if_any(networks.iter().map(Option::as_deref)),
    ];
    schema::batch(&SCANS, all)
}

fn json(value: &(impl Serialize + ?Sized)) -> Result<String, ArrowError> {
    serde_json::to_string(value).map_err(|error| ArrowError::ExternalError(Box::new(error)))
}

#[cfg(test)]
mod tests {
    use crate::tsdb::{
        record::OwnedRows,
        schema::time_at,
        testing::{Bench, NOW, sample},
    };

    #[test]
    fn rows_that_come_later_are_not_among_those_that_were_there() {
        let mut bench = Bench::new();
        let view = bench.tsdb.view();
        let segment = view.segments.last().unwrap();
        let mut put = |seqs: std::ops::RangeInclusive<u64>| {
            let samples = seqs.map(|seq| sample("a", (1, seq), NOW.plus_seconds(seq.cast_signed())));
            bench.append(&OwnedRows { samples: samples.collect(), ..OwnedRows::default() }).unwrap();
        };
        let empty = segment.extent();
        put(1..=700);
        let extent = segment.extent();
        put(701..=900);
        assert_eq!(segment.sample_batches(empty).count(), 0);
        let batches: Vec<_> = segment.sample_batches(extent).map(Result::unwrap).collect();
        let times = batches.iter().flat_map(|batch| (0..batch.num_rows()).map(|row| time_at(batch, 1, row)));
        let expected = (1..=700).map(|second| NOW.plus_seconds(second).as_micros());
        assert!(times.eq(expected));
        assert_eq!(segment.scan_batches(extent).count(), 0);
    }
}
