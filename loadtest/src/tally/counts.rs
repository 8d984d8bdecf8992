//! What an answer says became of the rows it is about.

use crate::answer::Answer;
use pingup_protocol::metrics::PushAnswer;

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
pub(super) fn all_accepted(body: &[u8]) -> Option<u64> {
    let rest = body.strip_prefix(b"{\"accepted\":")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let usual = rest.get(digits..)?.starts_with(b",\"duplicates\":0,\"expired\":0,\"rejected\":[],");
    // More digits than any batch has rows: then it is for the slow way to say what this is.
    (usual && (1..=9).contains(&digits))
        .then(|| rest[..digits].iter().fold(0, |number, digit| 10 * number + u64::from(digit - b'0')))
}
