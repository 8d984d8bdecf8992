//! What happened: rows by fate, answers by kind, latencies.
//!
//! A latency is taken only of pushes that were stored, from the moment they were due to the 200 that
//! said so, retries and reconnects included. A quick refusal must not flatter the figures.

use crate::answer::{Answer, OK};
use hdrhistogram::Histogram;
use pingup_protocol::{metrics::PushAnswer, problem::ProblemType};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// The longest latency that is told from longer ones: an hour.
pub(crate) const LATENCY_MICROS_MAX: u64 = 3_600_000_000;
/// Three significant digits: a p99 of 12.3 ms is not 12.2.
const LATENCY_DIGITS: u8 = 3;
/// Seconds of a run whose worst latency is kept for each; what comes later counts with the last.
const SECONDS_MAX: usize = 7 * 24 * 3600;

/// A histogram of microseconds, with nothing in it.
pub(crate) fn microseconds() -> Histogram<u64> {
    match Histogram::new_with_bounds(1, LATENCY_MICROS_MAX, LATENCY_DIGITS) {
        Ok(histogram) => histogram,
        Err(_) => unreachable!("the bounds are constants that fit"),
    }
}

/// The fate of every row. Each row that was sent ends in exactly one of these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rows {
    /// Stored by the request that was answered.
    pub(crate) accepted: u64,
    /// Stored by an earlier try whose answer was lost.
    pub(crate) duplicates: u64,
    /// Called a duplicate though it was sent only once: the hub does not have it.
    pub(crate) never_stored: u64,
    /// Not stored by the hub's word: rejected from a batch, or expired.
    pub(crate) rejected: u64,
    /// In a request that was refused whole.
    pub(crate) refused: u64,
    /// In a request that got no answer, or one that does not account for it.
    pub(crate) unanswered: u64,
}

impl Rows {
    /// Rows that were sent and are not known to be stored.
    pub(crate) const fn lost(&self) -> u64 {
        self.never_stored + self.rejected + self.refused + self.unanswered
    }
}

/// Everything that is counted in a run.
#[derive(Debug)]
pub(crate) struct Tally {
    /// Rows by fate.
    pub(crate) rows: Rows,
    /// Rows that were due and never sent, because their connection was held up until the end.
    pub(crate) unsent: u64,
    /// Answers by status and problem. Bounded: a status has three digits, and only known problems have a name.
    pub(crate) answers: BTreeMap<(u16, Option<ProblemType>), u64>,
    /// Requests sent again because the hub asked for it.
    pub(crate) retries: u64,
    /// Requests whose connection broke or whose answer never came.
    pub(crate) broken: u64,
    /// Microseconds from due to stored.
    pub(crate) latency: Histogram<u64>,
    /// The worst of them in each second of the run, microseconds.
    pub(crate) worst_by_second: Vec<u32>,
    /// When the newest answer came.
    pub(crate) last_answer: Option<Instant>,
    stored_requests: u64,
    started: Instant,
}

impl Tally {
    /// A tally of a run that begins at `started`.
    pub(crate) fn new(started: Instant) -> Self {
        Self {
            rows: Rows::default(),
            unsent: 0,
            answers: BTreeMap::new(),
            retries: 0,
            broken: 0,
            latency: microseconds(),
            worst_by_second: Vec::new(),
            last_answer: None,
            stored_requests: 0,
            started,
        }
    }

    /// Answers of any kind.
    pub(crate) fn requests(&self) -> u64 {
        self.stored_requests + self.answers.values().sum::<u64>()
    }

    /// A 200 came for a push of `sent` rows, `latency` after it was due.
    pub(crate) fn stored(&mut self, sent: u64, first_try: bool, counts: Counts, latency: Duration) {
        let now = Instant::now();
        self.stored_requests += 1;
        self.last_answer = Some(now);
        let accounted = counts.accepted + counts.duplicates + counts.not_stored;
        self.rows.accepted += counts.accepted;
        self.rows.rejected += counts.not_stored;
        match first_try {
            true => self.rows.never_stored += counts.duplicates,
            false => self.rows.duplicates += counts.duplicates,
        }
        self.rows.unanswered += sent.saturating_sub(accounted);
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.latency.saturating_record(micros);
        self.note_worst(now, u32::try_from(micros).unwrap_or(u32::MAX));
    }

    fn note_worst(&mut self, now: Instant, micros: u32) {
        let second =
            usize::try_from((now - self.started).as_secs()).unwrap_or(SECONDS_MAX).min(SECONDS_MAX - 1);
        if self.worst_by_second.len() <= second {
            self.worst_by_second.resize(second + 1, 0);
        }
        self.worst_by_second[second] = self.worst_by_second[second].max(micros);
    }

    /// An answer came that stored nothing.
    pub(crate) fn answered(&mut self, status: u16, problem: Option<ProblemType>) {
        *self.answers.entry((status, problem)).or_default() += 1;
        self.last_answer = Some(Instant::now());
    }

    /// Adds what another part of the same run counted.
    pub(crate) fn merge(&mut self, other: Self) {
        let Self { rows, unsent, answers, retries, broken, latency, worst_by_second, .. } = other;
        self.rows.accepted += rows.accepted;
        self.rows.duplicates += rows.duplicates;
        self.rows.never_stored += rows.never_stored;
        self.rows.rejected += rows.rejected;
        self.rows.refused += rows.refused;
        self.rows.unanswered += rows.unanswered;
        self.unsent += unsent;
        self.retries += retries;
        self.broken += broken;
        self.stored_requests += other.stored_requests;
        self.last_answer = self.last_answer.max(other.last_answer);
        for (kind, count) in answers {
            *self.answers.entry(kind).or_default() += count;
        }
        // Both were made with the same bounds, so nothing is out of range.
        let _ = self.latency.add(latency);
        if self.worst_by_second.len() < worst_by_second.len() {
            self.worst_by_second.resize(worst_by_second.len(), 0);
        }
        for (worst, micros) in self.worst_by_second.iter_mut().zip(worst_by_second) {
            *worst = (*worst).max(micros);
        }
    }

    /// Answers by kind, the 200s with the others.
    pub(crate) fn answers(&self) -> BTreeMap<(u16, Option<ProblemType>), u64> {
        let mut all = self.answers.clone();
        if self.stored_requests > 0 {
            *all.entry((OK, None)).or_default() += self.stored_requests;
        }
        all
    }
}

/// What a 200 says became of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Stored now.
    pub(crate) accepted: u64,
    /// Stored before.
    pub(crate) duplicates: u64,
    /// Expired or rejected.
    pub(crate) not_stored: u64,
}

impl Counts {
    /// Reads the body of a 200; the common answer by its text, any other as JSON.
    pub(crate) fn read(answer: &Answer<'_>) -> Option<Self> {
        if let Some(accepted) = all_accepted(answer.body) {
            return Some(Self { accepted, duplicates: 0, not_stored: 0 });
        }
        let read: PushAnswer = serde_json::from_slice(answer.body).ok()?;
        let not_stored = read.expired + read.rejected.len() as u64;
        Some(Self { accepted: read.accepted, duplicates: read.duplicates, not_stored })
    }
}

/// The number in an answer that says only that everything was accepted.
fn all_accepted(body: &[u8]) -> Option<u64> {
    let rest = body.strip_prefix(b"{\"accepted\":")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let usual = rest.get(digits..)?.starts_with(b",\"duplicates\":0,\"expired\":0,\"rejected\":[],");
    // More digits than any batch has rows: then it is for the slow way to say what this is.
    (usual && (1..=9).contains(&digits))
        .then(|| rest[..digits].iter().fold(0, |number, digit| 10 * number + u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pingup_protocol::{metrics::Rejected, time::Timestamp};

    fn answer(accepted: u64, duplicates: u64, expired: u64, rejected: usize) -> PushAnswer {
        let bad = Rejected { seq: 1, problem: "schema-invalid".to_owned(), detail: String::new() };
        PushAnswer {
            accepted,
            duplicates,
            expired,
            rejected: vec![bad; rejected],
            high_water: Some(9),
            server_time: Timestamp::from_micros(0),
        }
    }

    fn counts(answer: &PushAnswer) -> Counts {
        let body = serde_json::to_vec(answer).unwrap();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len()).into_bytes();
        let input = [head, body].concat();
        Counts::read(&crate::answer::Head::parse(&input).unwrap().unwrap().over(&input)).unwrap()
    }

    fn rows_after(sent: u64, first_try: bool, answer: &PushAnswer) -> Rows {
        let mut tally = Tally::new(Instant::now());
        tally.stored(sent, first_try, counts(answer), Duration::from_millis(1));
        tally.rows
    }

    #[test]
    fn the_quick_look_and_the_slow_one_agree() {
        assert_eq!(all_accepted(&serde_json::to_vec(&answer(500, 0, 0, 0)).unwrap()), Some(500));
        for (accepted, duplicates, expired, rejected) in
            [(0, 0, 0, 0), (500, 0, 0, 0), (1, 1, 0, 0), (1, 0, 1, 0), (2, 0, 0, 1), (u64::MAX, 0, 0, 0)]
        {
            let told = counts(&answer(accepted, duplicates, expired, rejected));
            assert_eq!(told, Counts { accepted, duplicates, not_stored: expired + rejected as u64 });
        }
    }

    #[test]
    fn every_row_has_one_fate() {
        let rows = rows_after(10, false, &answer(4, 3, 1, 2));
        assert_eq!(rows, Rows { accepted: 4, duplicates: 3, rejected: 3, ..Rows::default() });
        assert_eq!(rows.lost(), 3);
    }

    #[test]
    fn a_duplicate_of_something_sent_once_is_a_loss() {
        assert_eq!(rows_after(2, true, &answer(1, 1, 0, 0)).lost(), 1);
        assert_eq!(rows_after(2, false, &answer(1, 1, 0, 0)).lost(), 0);
    }

    #[test]
    fn rows_that_no_count_covers_are_missed() {
        assert_eq!(rows_after(5, true, &answer(3, 0, 0, 0)).lost(), 2);
    }

    #[test]
    fn latencies_beyond_the_last_are_kept_as_the_last() {
        let mut tally = Tally::new(Instant::now());
        tally.stored(1, true, counts(&answer(1, 0, 0, 0)), Duration::from_secs(1_000_000));
        assert!(tally.latency.max() >= LATENCY_MICROS_MAX);
    }

    #[test]
    fn parts_add_up() {
        let started = Instant::now();
        let mut whole = Tally::new(started);
        for millis in [3, 9] {
            let mut part = Tally::new(started);
            part.stored(2, true, counts(&answer(2, 0, 0, 0)), Duration::from_millis(millis));
            part.answered(503, Some(ProblemType::Overloaded));
            whole.merge(part);
        }
        assert_eq!((whole.rows.accepted, whole.requests(), whole.latency.len()), (4, 4, 2));
        assert_eq!(whole.answers()[&(OK, None)], 2);
        assert_eq!(whole.worst_by_second, [9_000]);
    }
}
