//! Answers that are written piece by piece, and packed (gzip) on their way where the asker takes that.
//!
//! What is packed is never whole in memory: pieces go through the packer as they are written, so an answer costs its
//! packed size. Either way it has a bound, and takes its room in the outbox where it is long.

use super::{
    envelope::Complaint,
    problem::Refusal,
    respond::{self, Representation},
};
use crate::storage::{Outbox, Wanted};
use axum::response::Response;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, HeaderValue, header};
use std::io::{self, Write};

/// An answer in one piece.
pub const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// One that is written piece by piece, as it leaves. Two who ask at once make the hub hold as much beside what they evaluate.
const WRITTEN_BYTES_MAX: usize = ANSWER_BYTES_MAX / 2;
/// Below this an answer leaves as it is: packing would cost more than it saves.
const PACKED_FROM_BYTES: usize = 1024;
/// What is written before it goes through the packer.
const PIECE_BYTES: usize = 64 * 1024;

/// Whether an asker takes gzip (RFC 9110 §12.5.3).
pub fn takes_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let mut found = (0, false);
    for coding in values.flat_map(|value| value.split(',')) {
        let mut parts = coding.split(';').map(str::trim);
        let precision = match parts.next() {
            Some(name) if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") => 2,
            Some("*") => 1,
            _ => continue,
        };
        let weight = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
        let liked = weight.is_none_or(|weight| weight.trim().parse().is_ok_and(|weight: f32| weight > 0.0));
        if precision > found.0 {
            found = (precision, liked);
        }
    }
    found.1
}

/// An answer that is being written, by the thread whose turn it is.
pub struct Packing<'a> {
    /// What was written and is not packed yet; all of it, for an asker that does not take gzip.
    text: String,
    packed: Option<GzEncoder<Vec<u8>>>,
    gzip: bool,
    bytes_max: usize,
    wanted: &'a Wanted,
}

impl<'a> Packing<'a> {
    /// Begins an answer.
    pub fn new(gzip: bool, wanted: &'a Wanted) -> Self {
        Self { text: String::new(), packed: None, gzip, bytes_max: WRITTEN_BYTES_MAX, wanted }
    }

    /// The word with the thread that writes.
    pub const fn wanted(&self) -> &Wanted {
        self.wanted
    }

    /// Where to write on.
    pub fn text(&mut self) -> &mut String {
        &mut self.text
    }

    /// To be called after every few kilobytes: packs what was written, and looks whether to go on.
    pub fn settle(&mut self) -> Result<(), Complaint> {
        if self.text.len() < PIECE_BYTES {
            return Ok(());
        }
        self.wanted.check()?;
        if !self.gzip {
            let more = last_growth(self.text.len(), self.text.capacity(), self.bytes_max);
            self.text.reserve_exact(more);
        }
        let held = match self.gzip {
            true => self.pack()?.len(),
            false => self.text.len(),
        };
        self.check(held)
    }

    /// The answer, whole.
    pub fn finish(mut self, outbox: &Outbox) -> Result<Response, Complaint> {
        let pack = self.packed.is_some() || (self.gzip && self.text.len() >= PACKED_FROM_BYTES);
        if pack {
            self.pack()?;
        }
        let bytes = match self.packed.take() {
            Some(encoder) => encoder.finish().map_err(|error| broken(&error))?,
            None => std::mem::take(&mut self.text).into_bytes(),
        };
        self.check(bytes.len())?;
        let mut response = respond::of(Representation::Json.media_type(), outbox.hold(bytes, self.wanted)?);
        let headers = response.headers_mut();
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        if pack {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        Ok(response)
    }

    /// Packs what was written; gives all that is packed so far.
    fn pack(&mut self) -> Result<&[u8], Complaint> {
        let bytes_max = self.bytes_max;
        let encoder = self.packed.get_or_insert_with(|| GzEncoder::new(Vec::new(), Compression::fast()));
        let packed = encoder.get_mut();
        packed.reserve_exact(last_growth(packed.len(), packed.capacity(), bytes_max));
        encoder.write_all(self.text.as_bytes()).map_err(|error| broken(&error))?;
        self.text.clear();
        Ok(encoder.get_ref())
    }

    fn check(&self, held: usize) -> Result<(), Complaint> {
        if held <= self.bytes_max {
            return Ok(());
        }
        let most = self.bytes_max / (1024 * 1024);
        let advice = if self.gzip { "" } else { ", or accept gzip" };
        Err(Complaint::execution(format!(
            "the answer would be larger than {most} MiB: ask for fewer series or a larger step{advice}"
        )))
    }
}

/// By how much to grow what is nearly full, where doubling it would go beyond the bound: to the bound, with the piece that
/// is too much.
const fn last_growth(len: usize, capacity: usize, bytes_max: usize) -> usize {
    if capacity - len > 2 * PIECE_BYTES || 2 * capacity <= bytes_max {
        return 0;
    }
    (bytes_max + 2 * PIECE_BYTES).saturating_sub(len)
}

fn broken(error: &io::Error) -> Complaint {
    Refusal::internal("an answer could not be packed", error).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{http::envelope::ErrorType, storage::OUTBOX_WAIT};
    use flate2::read::GzDecoder;
    use http_body_util::BodyExt;
    use std::io::Read;

    const MIB: usize = 1024 * 1024;

    fn headers(accept: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_str(accept).unwrap())])
    }

    #[test]
    fn gzip_is_sent_to_those_who_take_it() {
        for accept in ["gzip", "GZIP;q=0.5", "deflate, gzip;q=1.0, *;q=0", "*", "br, *;q=0.1", "x-gzip"] {
            assert!(takes_gzip(&headers(accept)), "{accept}");
        }
        for accept in ["", "br", "gzip;q=0", "gzip; q=0.000", "*;q=0", "gzip;q=0, *", "gzip;q=x", "identity"]
        {
            assert!(!takes_gzip(&headers(accept)), "{accept}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }

    async fn sent(response: Response) -> (Option<HeaderValue>, Vec<u8>) {
        let (parts, body) = response.into_parts();
        assert_eq!(parts.headers[header::VARY], "accept-encoding");
        let bytes = body.collect().await.unwrap().to_bytes().to_vec();
        (parts.headers.get(header::CONTENT_ENCODING).cloned(), bytes)
    }

    #[tokio::test]
    async fn what_is_long_enough_is_packed_as_it_is_written() {
        let (outbox, wanted) = (Outbox::new(MIB, OUTBOX_WAIT), Wanted::default());
        let line = "0123456789abcdef".repeat(64);
        for (gzip, lines) in [(true, 0), (true, 1), (true, 400), (false, 400)] {
            let mut packing = Packing::new(gzip, &wanted);
            for _ in 0..lines {
                packing.text().push_str(&line);
                packing.settle().unwrap();
                assert!(!gzip || packing.text().len() <= PIECE_BYTES);
            }
            let (encoding, bytes) = sent(packing.finish(&outbox).unwrap()).await;
            let text = match encoding {
                None => bytes,
                Some(encoding) => {
                    assert_eq!(encoding, "gzip");
                    let mut text = Vec::new();
                    GzDecoder::new(&*bytes).read_to_end(&mut text).unwrap();
                    assert!(bytes.len() < text.len());
                    text
                }
            };
            assert_eq!(text, line.repeat(lines).into_bytes());
        }
    }

    #[test]
    fn what_is_written_does_not_grow_beyond_its_bound() {
        let wanted = Wanted::default();
        let mut packing = Packing { bytes_max: 3 * MIB, ..Packing::new(false, &wanted) };
        while packing.settle().is_ok() {
            packing.text().push_str(&"x".repeat(PIECE_BYTES / 2));
        }
        assert!(packing.text.len() > 3 * MIB && packing.text.capacity() <= 3 * MIB + 2 * PIECE_BYTES);
        assert_eq!([last_growth(0, 0, MIB), last_growth(MIB / 4, MIB / 4, MIB)], [0, 0]);
        assert_eq!(last_growth(2 * MIB, 2 * MIB, 3 * MIB), MIB + 2 * PIECE_BYTES);
    }

    #[test]
    fn an_answer_has_a_bound_and_ends_with_its_asker() {
        let (outbox, wanted) = (Outbox::new(MIB, OUTBOX_WAIT), Wanted::default());
        let mut packing = Packing { bytes_max: MIB, ..Packing::new(false, &wanted) };
        packing.text().push_str(&"x".repeat(MIB));
        packing.settle().unwrap();
        packing.text().push('x');
        for ended in [packing.settle(), packing.finish(&outbox).map(drop)] {
            let Err(Complaint::Error(ErrorType::Execution, text)) = ended else { panic!("{ended:?}") };
            assert!(text.contains("larger than 1 MiB") && text.contains("gzip"), "{text}");
        }
        let nobody = Wanted::nobody();
        let mut packing = Packing::new(true, &nobody);
        packing.text().push_str(&"x".repeat(PIECE_BYTES));
        assert!(matches!(packing.settle(), Err(Complaint::Error(ErrorType::Timeout, _))));
    }
}
