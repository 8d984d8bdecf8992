//! Points of a segment: samples of series that others write, in memory and in the order of the disk.
//!
//! Three columns and no index: a question goes through all of them, which takes a millisecond or two, and a series that
//! has one sample in a segment costs no more than that sample. A segment without points takes nothing for them.

use super::{
    SEGMENT_BYTES_MAX, Segment,
    order::{DayRows, chunks, days},
    place,
};
use crate::tsdb::{
    rollup::day,
    rows::{PointRow, SeriesId},
    schema::{self, POINTS},
};
use arrow::{
    array::{RecordBatch, StringBuilder},
    error::ArrowError,
};
use pingup_protocol::time::Timestamp;
use std::{ops::Range, sync::Arc};

/// What a point takes: a cell of each column, and its place when it is sealed.
pub(super) const POINT_BYTES: usize = 2 * size_of::<u32>() + size_of::<i64>() + size_of::<f64>();
/// Points that are looked at while a group has to wait.
const POINTS_AT_ONCE: usize = 4_096;

/// A segment's points, in the order they came.
#[derive(Debug, Default)]
pub(super) struct Points {
    series: Vec<u32>,
    at_ms: Vec<i64>,
    value: Vec<f64>,
}

impl Points {
    pub(super) fn push(&mut self, points: &[PointRow]) {
        if self.series.is_empty() {
            // Room for a full segment: growing would copy all of it. Memory that is not written to costs nothing.
            const ROOM: usize = SEGMENT_BYTES_MAX / POINT_BYTES;
            self.series.reserve(ROOM);
            self.at_ms.reserve(ROOM);
            self.value.reserve(ROOM);
        }
        self.series.extend(points.iter().map(|point| point.series.number()));
        self.at_ms.extend(points.iter().map(|point| point.at_ms));
        self.value.extend(points.iter().map(|point| point.value));
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    pub(super) const fn bytes(&self) -> usize {
        self.series.len() * POINT_BYTES
    }

    /// When the first that came was measured, microseconds.
    pub(super) fn first_at(&self) -> Option<i64> {
        self.at_ms.first().map(|at| micros(*at))
    }

    /// When the newest was measured, microseconds.
    pub(super) fn last_at(&self) -> Option<i64> {
        self.at_ms.iter().max().map(|at| micros(*at))
    }

    fn point(&self, row: u32) -> PointRow {
        let row = row as usize;
        PointRow { series: SeriesId::new(self.series[row]), at_ms: self.at_ms[row], value: self.value[row] }
    }
}

const fn micros(at_ms: i64) -> i64 {
    at_ms.saturating_mul(1_000)
}

impl Segment {
    /// Shows every point within `range`, in the order they came; those that come meanwhile are left out. Groups wait
    /// while some are looked at, not for all of them.
    pub fn each_point(&self, range: &Range<Timestamp>, mut show: impl FnMut(PointRow)) {
        let range = range.start.as_micros()..range.end.as_micros();
        let all = self.points();
        for first in (0..all).step_by(POINTS_AT_ONCE) {
            let columns = self.read();
            let points = (first..all.min(first + POINTS_AT_ONCE)).map(|row| columns.points.point(place(row)));
            points.filter(|point| range.contains(&micros(point.at_ms))).for_each(&mut show);
        }
    }

    /// Points in it.
    pub fn points(&self) -> usize {
        self.read().points.series.len()
    }
}

/// A segment's points in the order of the disk: by day, then series, then time; of several of one moment only the one
/// that counts. The segment must not grow any more.
#[derive(Debug)]
pub struct SortedPoints {
    segment: Arc<Segment>,
    rows: Vec<u32>,
}

impl SortedPoints {
    /// Sorts the points of `segment`.
    pub fn new(segment: Arc<Segment>) -> Self {
        let columns = segment.read();
        let points = &columns.points;
        let mut rows: Vec<u32> = (0..place(points.series.len())).collect();
        rows.sort_unstable_by(|&a, &b| {
            let (a, b) = (points.point(a), points.point(b));
            day(micros(a.at_ms)).cmp(&day(micros(b.at_ms))).then_with(|| a.order(&b))
        });
        rows.dedup_by(|&mut later, &mut kept| points.point(later).is_of_same_moment(&points.point(kept)));
        drop(columns);
        Self { segment, rows }
    }

    /// The days that points lie in, each with its rows.
    pub fn days(&self) -> Vec<DayRows> {
        let columns = self.segment.read();
        days(&self.rows, |row| micros(columns.points.at_ms[row as usize]))
    }

    /// Points as batches, made one by one.
    pub fn batches(
        self: &Arc<Self>,
        rows: Range<usize>,
    ) -> impl Iterator<Item = Result<RecordBatch, ArrowError>> + Send + use<> {
        let sorted = Arc::clone(self);
        chunks(rows).map(move |rows| {
            let columns = sorted.segment.read();
            let points: Vec<_> = sorted.rows[rows].iter().map(|&row| columns.points.point(row)).collect();
            drop(columns);
            point_batch(&points)
        })
    }
}

/// Points as one batch of [`POINTS`].
pub fn point_batch(points: &[PointRow]) -> Result<RecordBatch, ArrowError> {
    let (mut keys, mut last) = (StringBuilder::new(), None);
    for point in points {
        // Rows of a series stand together.
        let key = match last.take() {
            Some((series, key)) if series == point.series => key,
            _ => point.series.key(),
        };
        keys.append_value(&key);
        last = Some((point.series, key));
    }
    let all = vec![
        Arc::new(keys.finish()),
        schema::moments(points.iter().map(|point| micros(point.at_ms))),
        schema::doubles(points.iter().map(|point| Some(point.value))),
    ];
    schema::batch(&POINTS, all)
}
