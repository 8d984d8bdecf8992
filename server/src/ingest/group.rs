//! A group: what waited together, decided in its order and turned into the rows of one transaction.
//!
//! Pure but for the looks that bodies without numbers need. What it decides is only a draft: the answers are
//! true, and the changes to be adopted, once the rows are on disk.

use super::{
    Fate, IngestError, Job, Load, Record, Stored, Work,
    marks::{self, Marks},
    queue::Outcome,
    unnumbered::{self, LookError, Lookup, Newest, kind},
};
use crate::tsdb::{
    TsdbError,
    rows::{Mark, MarkRow, Origin, PointRow, Rows, SampleRow, ScanRow},
};
use pingup_protocol::{ids::AgentId, time::Timestamp};

/// A decided group.
#[derive(Debug)]
pub struct Group<'a> {
    /// What is to be written.
    pub rows: Rows<'a>,
    /// What each is to be told once that is done, in their order.
    pub outcomes: Vec<Outcome>,
    /// What to remember of streams.
    pub marks: marks::Changes,
    /// What to remember of unnumbered rows.
    pub newest: unnumbered::Changes,
    /// How often numbers jumped.
    pub gaps: u64,
    /// Looks into files that were made.
    pub file_looks: usize,
    /// The first look that failed; those it was made for are refused, the others go on.
    pub failed_look: Option<TsdbError>,
}

/// Decides over `works` in their order, each seeing what those before it bring.
pub fn decide<'a>(
    works: impl Iterator<Item = &'a Work>,
    marks: &Marks,
    newest: &Newest,
    lookup: &mut impl Lookup,
) -> Group<'a> {
    let mut decider = Decider {
        marks: marks.draft(),
        newest: newest.draft(),
        rows: Rows::default(),
        gaps: 0,
        failed_look: None,
    };
    let outcomes = works.map(|work| decider.decide(work, lookup)).collect();
    let Decider { marks, newest, rows, gaps, failed_look } = decider;
    let file_looks = newest.file_looks();
    let (marks, newest) = (marks.finish(), newest.finish());
    Group { rows, outcomes, marks, newest, gaps, file_looks, failed_look }
}

struct Decider<'a, 'm> {
    marks: marks::Draft<'m>,
    newest: unnumbered::Draft<'m>,
    rows: Rows<'a>,
    gaps: u64,
    failed_look: Option<TsdbError>,
}

impl<'a> Decider<'a, '_> {
    fn decide(&mut self, work: &'a Work, lookup: &mut impl Lookup) -> Outcome {
        match work {
            Work::Job(job) => self.job(job, lookup),
            Work::Points(points) => Ok(self.points(points)),
        }
    }

    fn points(&mut self, points: &'a [PointRow]) -> Stored {
        if !points.is_empty() {
            self.rows.points.push(points);
        }
        Stored { accepted: points.len() as u64, ..Stored::default() }
    }

    fn job(&mut self, job: &'a Job, lookup: &mut impl Lookup) -> Outcome {
        match &job.load {
            Load::Stream { boot, entries } => self.stream(&job.agent_id, *boot, entries),
            Load::Unnumbered(_, None) => Ok(Stored { expired: 1, ..Stored::default() }),
            Load::Unnumbered(at, Some(record)) => self.unnumbered(&job.agent_id, *at, record, lookup),
        }
    }

    fn unnumbered(
        &mut self,
        agent_id: &'a AgentId,
        timestamp: Timestamp,
        record: &'a Record,
        lookup: &mut impl Lookup,
    ) -> Outcome {
        match self.newest.is_new(lookup, agent_id, kind(record), timestamp) {
            Ok(true) => {
                self.store(Origin { agent_id, stream: None, timestamp }, record);
                Ok(Stored { accepted: 1, ..Stored::default() })
            }
            Ok(false) => Ok(Stored { duplicates: 1, ..Stored::default() }),
            Err(LookError::TooMany) => Err(IngestError::TooManyLate),
            Err(LookError::Failed(error)) => {
                self.failed_look.get_or_insert(error);
                Err(IngestError::NotCommitted)
            }
        }
    }

    fn stream(&mut self, agent_id: &'a AgentId, boot: u64, entries: &'a [(u64, Fate)]) -> Outcome {
        let numbers = entries.iter().map(|(seq, fate)| (*seq, fate.timestamp()));
        let decision = self.marks.decide(agent_id, boot, numbers)?;
        self.gaps += decision.gaps;
        let known = entries.iter().take(decision.duplicates);
        let mut stored = Stored {
            duplicates: decision.duplicates as u64,
            duplicates_expired: known.filter(|(_, fate)| matches!(fate, Fate::Expired(_))).count() as u64,
            high_water: Some(decision.high_water),
            ..Stored::default()
        };
        for (seq, fate) in entries.iter().skip(decision.duplicates) {
            match fate {
                Fate::Store(timestamp, record) => {
                    let origin = Origin { agent_id, stream: Some((boot, *seq)), timestamp: *timestamp };
                    self.store(origin, record);
                    stored.accepted += 1;
                }
                Fate::Expired(_) => stored.expired += 1,
                Fate::Rejected(rejected) => stored.rejected.push(rejected.clone()),
            }
        }
        // A row tells its number by itself; one that was consumed without a row has to be told.
        if let Some((seq, fate @ (Fate::Expired(_) | Fate::Rejected(_)))) = entries.last()
            && entries.len() > decision.duplicates
        {
            let mark = Mark { seq: *seq, timestamp: fate.timestamp() };
            self.rows.marks.push(MarkRow { agent_id: agent_id.clone(), boot, mark });
        }
        Ok(stored)
    }

    fn store(&mut self, origin: Origin<'a>, record: &'a Record) {
        match record {
            Record::Sample { status, metrics } => {
                let row = SampleRow { origin, status, metrics };
                self.rows.samples.push(row);
            }
            Record::Scan(scan) => self.rows.scans.push(ScanRow { origin, scan }),
        }
    }
}
