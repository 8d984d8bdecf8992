//! An answer's head, read from bytes: status, length, and the few headers that mean something here. Pure.

use pingup_protocol::problem::{Problem, ProblemType};
use std::{ops::Range, time::Duration};

/// A head's bytes; the hub's own are a few hundred.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// The wait after a retryable refusal that names none.
const RETRY_AFTER_DEFAULT: Duration = Duration::from_secs(1);
/// The least wait before a retry: a hub that says "0" is not to be hammered in a tight loop.
const RETRY_AFTER_MIN: Duration = Duration::from_millis(20);
/// The longest wait that a hub can ask of us.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);

/// The status of an answer that did what was asked.
pub(crate) const OK: u16 = 200;
/// The status of an answer that made something.
pub(crate) const CREATED: u16 = 201;
/// The status of a hub that has no room at the moment.
pub(crate) const OVERLOADED: u16 = 503;
const TOO_MANY: u16 = 429;

/// What came is not an answer as it is understood here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unexpected {
    /// No status line, or a header that cannot be one.
    #[error("it is not HTTP/1.1")]
    NotHttp,
    /// Its end cannot be known.
    #[error("it has no Content-Length")]
    NoLength,
    /// Longer than is taken.
    #[error("it is too long")]
    TooLong,
    /// Something follows it that nobody asked for.
    #[error("more came than was asked for")]
    MoreThanAsked,
}

/// The head of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    status: u16,
    bytes: usize,
    body_bytes: usize,
    retry_after: Option<Duration>,
    next_cursor: Option<Range<usize>>,
    closes: bool,
}

impl Head {
    /// Reads the head that `bytes` begins with; `None` while it is not there whole.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Self>, Unexpected> {
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            return if bytes.len() > HEAD_BYTES_MAX { Err(Unexpected::TooLong) } else { Ok(None) };
        };
        let line_end = bytes.iter().position(|&byte| byte == b'\r').unwrap_or(end);
        let mut head = Self {
            status: status(&bytes[..line_end]).ok_or(Unexpected::NotHttp)?,
            bytes: end + 4,
            body_bytes: 0,
            retry_after: None,
            next_cursor: None,
            closes: false,
        };
        let mut length = None;
        let mut at = line_end + 2;
        while at < end {
            let line = bytes[at..end].iter().position(|&byte| byte == b'\r').map_or(end, |line| at + line);
            let colon = bytes[at..line].iter().position(|&byte| byte == b':').ok_or(Unexpected::NotHttp)?;
            let value = trimmed(bytes, at + colon + 1..line);
            head.note(&bytes[at..at + colon], bytes, value, &mut length)?;
            at = line + 2;
        }
        head.body_bytes = length.ok_or(Unexpected::NoLength)?;
        Ok(Some(head))
    }

    fn note(
        &mut self,
        name: &[u8],
        bytes: &[u8],
        value: Range<usize>,
        length: &mut Option<usize>,
    ) -> Result<(), Unexpected> {
        let text = || std::str::from_utf8(&bytes[value.clone()]).unwrap_or_default();
        // Told apart by length first: most headers mean nothing here.
        match name.len() {
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                *length = Some(text().parse().map_err(|_| Unexpected::NoLength)?);
            }
            11 if name.eq_ignore_ascii_case(b"retry-after") => {
                self.retry_after = text().parse().ok().map(Duration::from_secs);
            }
            13 if name.eq_ignore_ascii_case(b"x-next-cursor") => self.next_cursor = Some(value),
            10 if name.eq_ignore_ascii_case(b"connection") => {
                self.closes = text().eq_ignore_ascii_case("close");
            }
            _ => {}
        }
        Ok(())
    }

    /// Bytes of the whole answer.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes.saturating_add(self.body_bytes)
    }

    /// Whether the connection ends with it.
    pub(crate) const fn closes(&self) -> bool {
        self.closes
    }

    /// The answer whose head this is, read from the bytes that it was parsed from and what followed them.
    pub(crate) fn over<'a>(&self, input: &'a [u8]) -> Answer<'a> {
        let cursor = self.next_cursor.clone().map(|range| &input[range]);
        Answer {
            status: self.status,
            body: &input[self.bytes..self.bytes()],
            next_cursor: cursor.and_then(|text| std::str::from_utf8(text).ok()),
            retry_after: self.retry_after,
        }
    }
}

fn status(line: &[u8]) -> Option<u16> {
    let rest = line.strip_prefix(b"HTTP/1.1 ")?;
    let digits = rest.get(..3).filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
    Some(digits.iter().fold(0, |number, digit| 10 * number + u16::from(digit - b'0')))
}

fn trimmed(bytes: &[u8], range: Range<usize>) -> Range<usize> {
    let white = |byte: &u8| matches!(byte, b' ' | b'\t');
    let before = bytes[range.clone()].iter().take_while(|byte| white(byte)).count();
    let start = range.start + before;
    let after = bytes[start..range.end].iter().rev().take_while(|byte| white(byte)).count();
    start..range.end - after
}

/// What the hub said.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer<'a> {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The body, whatever it is.
    pub(crate) body: &'a [u8],
    /// Where the next page begins, if the answer says so in its head.
    pub(crate) next_cursor: Option<&'a str>,
    retry_after: Option<Duration>,
}

impl Answer<'_> {
    /// The refusal in it, if it is one of the protocol's.
    pub(crate) fn problem(&self) -> Option<Problem> {
        serde_json::from_slice(self.body).ok()
    }

    /// Whether it names a time after which to come again.
    pub(crate) const fn says_when(&self) -> bool {
        self.retry_after.is_some()
    }

    /// How long to wait before the same request may be sent again; `None` when that is of no use.
    pub(crate) fn retry_after(&self, problem: Option<ProblemType>) -> Option<Duration> {
        let overloaded = matches!(self.status, OVERLOADED | TOO_MANY);
        (overloaded || problem.is_some_and(ProblemType::retryable))
            .then(|| self.retry_after.unwrap_or(RETRY_AFTER_DEFAULT).clamp(RETRY_AFTER_MIN, RETRY_AFTER_MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, retry_after: Option<u64>) -> Answer<'static> {
        Answer { status, body: b"", next_cursor: None, retry_after: retry_after.map(Duration::from_secs) }
    }

    #[test]
    fn only_what_may_succeed_later_is_sent_again() {
        assert_eq!(answer(503, Some(2)).retry_after(None), Some(Duration::from_secs(2)));
        assert_eq!(answer(429, None).retry_after(None), Some(RETRY_AFTER_DEFAULT));
        assert_eq!(
            answer(500, None).retry_after(Some(ProblemType::InternalError)),
            Some(RETRY_AFTER_DEFAULT)
        );
        assert_eq!(answer(409, Some(2)).retry_after(Some(ProblemType::SequenceConflict)), None);
        assert_eq!(answer(400, None).retry_after(None), None);
    }

    #[test]
    fn waits_have_a_floor_and_a_ceiling() {
        assert_eq!(answer(503, Some(0)).retry_after(None), Some(RETRY_AFTER_MIN));
        assert_eq!(answer(503, Some(86_400)).retry_after(None), Some(RETRY_AFTER_MAX));
    }

    #[test]
    fn a_head_is_read_however_it_is_spelt() {
        let bytes = b"HTTP/1.1 503 Service Unavailable\r\nX-Next-Cursor: abc \r\nretry-after:7\r\n\
                      CONTENT-LENGTH:   2\r\nConnection: close\r\n\r\nok";
        let head = Head::parse(bytes).unwrap().unwrap();
        let answer = head.over(bytes);
        assert_eq!((answer.status, answer.body, answer.next_cursor), (503, &b"ok"[..], Some("abc")));
        assert_eq!(answer.retry_after(None), Some(Duration::from_secs(7)));
        assert!(head.closes() && head.bytes() == bytes.len());
    }

    #[test]
    fn what_is_no_head_is_said_so() {
        for (bytes, wanted) in [
            (&b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n"[..], Ok(None)),
            (b"HTTP/1.1 200 OK\r\n\r\n", Err(Unexpected::NoLength)),
            (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", Err(Unexpected::NoLength)),
            (b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n", Err(Unexpected::NoLength)),
            (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", Err(Unexpected::NotHttp)),
            (b"SSH-2.0-x\r\n\r\n", Err(Unexpected::NotHttp)),
            (&[b'x'; HEAD_BYTES_MAX + 1], Err(Unexpected::TooLong)),
        ] {
            assert_eq!(
                Head::parse(bytes),
                wanted,
                "{}",
                String::from_utf8_lossy(&bytes[..20.min(bytes.len())])
            );
        }
    }
}
