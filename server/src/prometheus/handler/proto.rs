//! The messages of Prometheus's remote read protocol, in protobuf: the few fields that travel. What is unknown is
//! passed over; what is malformed or beyond a bound is an error.

use crate::http::protobuf::{Broken, Field, Fields, put_bytes, put_eight, put_number, text, varint};
use pingup_promql::{Labels, Matcher, Pattern, Test};

/// Queries of one request; Prometheus asks one at a time.
pub(super) const QUERIES_MAX: usize = 64;
/// What a sample takes at most, with its key and its length.
pub(super) const SAMPLE_BYTES_MAX: usize = 2 + 9 + 11;
/// Matchers of one query.
const MATCHERS_MAX: usize = 64;
/// The answer that is made of samples, in Prometheus's numbers.
const SAMPLES: u64 = 0;

/// Why a request cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    /// The bytes are no message.
    #[error("the request is no protobuf message of the remote read protocol")]
    Bytes,
    /// A field is beyond its bound.
    #[error("a request has at most {QUERIES_MAX} queries of at most {MATCHERS_MAX} matchers")]
    TooMany,
    /// A pattern is none.
    #[error("{0}")]
    Pattern(String),
    /// No kind of answer that can be made is accepted.
    #[error("only answers of the type SAMPLES are made here")]
    AnswerType,
}

impl From<Broken> for Malformed {
    fn from(_: Broken) -> Self {
        Self::Bytes
    }
}

/// Which series of which time.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ReadQuery {
    pub(super) first_ms: i64,
    pub(super) last_ms: i64,
    pub(super) matchers: Vec<Matcher>,
    /// What is computed of each window of samples; empty where it is not said, or there are no windows.
    pub(super) function: String,
}

/// Reads a request.
pub(super) fn queries(message: &[u8]) -> Result<Vec<ReadQuery>, Malformed> {
    let (mut queries, mut types) = (Vec::new(), Vec::new());
    let mut fields = Fields(message);
    while let Some((number, field)) = fields.next()? {
        match (number, field) {
            (1, Field::Bytes(_)) if queries.len() == QUERIES_MAX => return Err(Malformed::TooMany),
            (1, Field::Bytes(bytes)) => queries.push(query(bytes)?),
            (2, Field::Number(kind)) => types.push(kind),
            (2, Field::Bytes(mut packed)) => {
                while !packed.is_empty() {
                    types.push(varint(&mut packed)?);
                }
            }
            _ => {}
        }
    }
    // Who says nothing takes samples.
    if types.is_empty() || types.contains(&SAMPLES) { Ok(queries) } else { Err(Malformed::AnswerType) }
}

fn query(message: &[u8]) -> Result<ReadQuery, Malformed> {
    let mut query = ReadQuery::default();
    let mut fields = Fields(message);
    while let Some((number, field)) = fields.next()? {
        match (number, field) {
            (1, Field::Number(at)) => query.first_ms = at.cast_signed(),
            (2, Field::Number(at)) => query.last_ms = at.cast_signed(),
            (3, Field::Bytes(_)) if query.matchers.len() == MATCHERS_MAX => return Err(Malformed::TooMany),
            (3, Field::Bytes(bytes)) => query.matchers.push(matcher(bytes)?),
            (4, Field::Bytes(bytes)) => query.function = window_function(bytes)?,
            _ => {}
        }
    }
    Ok(query)
}

/// The function of windows that hints tell. Without a range what they name is computed of other things than samples.
fn window_function(hints: &[u8]) -> Result<String, Malformed> {
    let (mut function, mut range_ms) = (String::new(), 0);
    let mut fields = Fields(hints);
    while let Some((number, field)) = fields.next()? {
        match (number, field) {
            (2, Field::Bytes(bytes)) => text(bytes)?.clone_into(&mut function),
            (7, Field::Number(number)) => range_ms = number,
            _ => {}
        }
    }
    Ok(if range_ms == 0 { String::new() } else { function })
}

fn matcher(message: &[u8]) -> Result<Matcher, Malformed> {
    let (mut kind, mut name, mut value) = (0, String::new(), String::new());
    let mut fields = Fields(message);
    while let Some((number, field)) = fields.next()? {
        match (number, field) {
            (1, Field::Number(number)) => kind = number,
            (2, Field::Bytes(bytes)) => text(bytes)?.clone_into(&mut name),
            (3, Field::Bytes(bytes)) => text(bytes)?.clone_into(&mut value),
            _ => {}
        }
    }
    let pattern = |value: String| Pattern::new(&value).map_err(Malformed::Pattern);
    let test = match kind {
        0 => Test::Equal(value),
        1 => Test::NotEqual(value),
        2 => Test::Matches(pattern(value)?),
        3 => Test::MatchesNot(pattern(value)?),
        _ => return Err(Malformed::Bytes),
    };
    Ok(Matcher { name, test })
}

/// Writes a series behind the others of a query's result.
pub(super) fn put_series(result: &mut Vec<u8>, labels: &Labels, samples: impl Iterator<Item = (i64, f64)>) {
    let mut series = Vec::new();
    for (name, value) in labels.iter() {
        let mut label = Vec::new();
        put_bytes(&mut label, 1, name.as_bytes());
        put_bytes(&mut label, 2, value.as_bytes());
        put_bytes(&mut series, 1, &label);
    }
    let mut sample = Vec::new();
    for (timestamp_ms, value) in samples {
        sample.clear();
        // Bit by bit: a stale marker is one of many NaNs.
        put_eight(&mut sample, 1, value.to_bits());
        put_number(&mut sample, 2, timestamp_ms.cast_unsigned());
        put_bytes(&mut series, 2, &sample);
    }
    put_bytes(result, 1, &series);
}

/// Writes a query's result behind those of the queries before.
pub(super) fn put_result(answer: &mut Vec<u8>, result: &[u8]) {
    put_bytes(answer, 1, result);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(parts: &[(u64, &[u8])]) -> Vec<u8> {
        let mut out = Vec::new();
        parts.iter().for_each(|(number, bytes)| put_bytes(&mut out, *number, bytes));
        out
    }

    fn matching(kind: u64, name: &str, value: &str) -> Vec<u8> {
        let mut out = Vec::new();
        put_number(&mut out, 1, kind);
        out.extend(message(&[(2, name.as_bytes()), (3, value.as_bytes())]));
        out
    }

    #[test]
    fn a_request_is_read() {
        let mut asked = Vec::new();
        put_number(&mut asked, 1, (-5_i64).cast_unsigned());
        put_number(&mut asked, 2, 1_763_216_880_000);
        for (kind, name, value) in [(0, "__name__", "up"), (1, "a", "b"), (2, "c", "d.*"), (3, "e", "")] {
            put_bytes(&mut asked, 3, &matching(kind, name, value));
        }
        // A function of windows; a number of eight bytes and one of four: passed over.
        put_bytes(&mut asked, 4, b"\x08\x01\x12\x04rate\x38\x05");
        asked.extend_from_slice(&[9 << 3 | 1, 0, 0, 0, 0, 0, 0, 0, 0, 10 << 3 | 5, 0, 0, 0, 0]);
        let mut request = message(&[(1, &asked)]);
        // Packed: streamed chunks, or samples.
        put_bytes(&mut request, 2, &[1, 0]);

        let read = queries(&request).unwrap();
        let shown: Vec<_> = read[0].matchers.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["__name__=\"up\"", "a!=\"b\"", "c=~\"d.*\"", "e!~\"\""]);
        assert_eq!(read[0].function, "rate");
        assert_eq!((read[0].first_ms, read[0].last_ms, read.len()), (-5, 1_763_216_880_000, 1));
    }

    #[test]
    fn what_is_no_request_is_an_error() {
        let matcher = |matcher: &[u8]| message(&[(1, &message(&[(3, matcher)]))]);
        for (request, error) in [
            (vec![0x08], Malformed::Bytes),
            (vec![0x0a, 5, 0], Malformed::Bytes),
            (vec![0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], Malformed::Bytes),
            (vec![0x80; 11], Malformed::Bytes),
            (vec![0x0b], Malformed::Bytes),
            (vec![0x10, 1], Malformed::AnswerType),
            (matcher(&matching(4, "a", "b")), Malformed::Bytes),
            (matcher(&message(&[(2, b"\xff")])), Malformed::Bytes),
            (message(&vec![(1, &b""[..]); QUERIES_MAX + 1]), Malformed::TooMany),
            (message(&[(1, &message(&vec![(3, &b""[..]); MATCHERS_MAX + 1]))]), Malformed::TooMany),
        ] {
            assert_eq!(queries(&request), Err(error), "{request:?}");
        }
        assert!(matches!(queries(&matcher(&matching(2, "a", "("))), Err(Malformed::Pattern(_))));
        assert_eq!(queries(b""), Ok(Vec::new()));
        assert_eq!(window_function(b"\x12\x03sum"), Ok(String::new()), "of values, not of samples");
        assert_eq!(window_function(b"\x12\x01\xff"), Err(Malformed::Bytes));
    }

    #[test]
    fn an_answer_is_written_bit_by_bit() {
        let mut result = Vec::new();
        let samples = [(300_i64, 0.0_f64), (-1, f64::from_bits(0x7ff0_0000_0000_0002))];
        put_series(&mut result, &Labels::new([("a", "b")]), samples.into_iter());
        let mut answer = Vec::new();
        put_result(&mut answer, &result);
        let mut wanted = vec![0x0a, 45, 0x0a, 43, 0x0a, 6, 0x0a, 1, b'a', 0x12, 1, b'b'];
        wanted.extend([0x12, 12, 0x09, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0xac, 0x02]);
        wanted.extend([0x12, 20, 0x09, 2, 0, 0, 0, 0, 0, 0xf0, 0x7f, 0x10]);
        wanted.extend([0xff; 9]);
        wanted.push(1);
        wanted[1] = u8::try_from(wanted.len() - 2).unwrap();
        wanted[3] = u8::try_from(wanted.len() - 4).unwrap();
        assert_eq!(answer, wanted);
    }
}
