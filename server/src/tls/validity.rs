//! From when and until when a certificate is good: two dates, read from its DER (RFC 5280 §4.1).
//!
//! Only as much is read as leads there; whether the rest is a certificate is found by who verifies it.

use pingup_protocol::time::Timestamp;

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Two-digit years from here on are of the last century (RFC 5280 §4.1.2.5.1).
const CENTURY_TURNS: u8 = 50;

/// The moments between which a certificate is good; none where that cannot be read.
pub(super) fn validity(certificate: &[u8]) -> Option<(Timestamp, Timestamp)> {
    let (whole, _) = expect(SEQUENCE, certificate)?;
    let (mut rest, _) = expect(SEQUENCE, whole)?;
    if let Some((_, behind)) = expect(VERSION, rest) {
        rest = behind;
    }
    let (_serial, rest) = expect(INTEGER, rest)?;
    let (_algorithm, rest) = expect(SEQUENCE, rest)?;
    let (_issuer, rest) = expect(SEQUENCE, rest)?;
    let (dates, _) = expect(SEQUENCE, rest)?;
    let (begins, rest) = moment(dates)?;
    let (ends, _) = moment(rest)?;
    Some((begins, ends))
}

/// The element of this tag that `bytes` begin with, and what is behind it.
fn expect(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, content, behind) = element(bytes)?;
    (found == tag).then_some((content, behind))
}

/// The first element: its tag, what is in it, and what is behind it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        // How many bytes the length has; a certificate's takes three at most.
        0x81..=0x83 => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, behind) = rest.split_at_checked(length)?;
    Some((tag, content, behind))
}

/// The moment that `bytes` begin with: `YYMMDDHHMMSSZ`, or the same with four digits of the year.
fn moment(bytes: &[u8]) -> Option<(Timestamp, &[u8])> {
    let (tag, content, behind) = element(bytes)?;
    let text = std::str::from_utf8(content).ok().filter(|text| text.is_ascii())?;
    let (year, rest) = match tag {
        UTC_TIME => {
            let (year, rest) = text.split_at_checked(2)?;
            let century = if year.parse::<u8>().ok()? >= CENTURY_TURNS { "19" } else { "20" };
            (format!("{century}{year}"), rest)
        }
        GENERALIZED_TIME => text.split_at_checked(4).map(|(year, rest)| (year.to_owned(), rest))?,
        _ => return None,
    };
    let two = |at: usize| rest.get(at..at + 2);
    let (month, day, hour, minute, second) = (two(0)?, two(2)?, two(4)?, two(6)?, two(8)?);
    if rest.get(10..) != Some("Z") {
        return None;
    }
    let moment = Timestamp::parse(&format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z")).ok()?;
    Some((moment, behind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    fn of(begins: (i32, u8, u8), ends: (i32, u8, u8)) -> Vec<u8> {
        let mut params = CertificateParams::new(["hub".to_owned()]).unwrap();
        params.not_before = date_time_ymd(begins.0, begins.1, begins.2);
        params.not_after = date_time_ymd(ends.0, ends.1, ends.2);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn dates_of_either_form_are_read() {
        for (begins, ends, told) in [
            ((1999, 12, 31), (2049, 1, 2), ("1999-12-31T00:00:00Z", "2049-01-02T00:00:00Z")),
            ((2026, 2, 28), (2070, 1, 1), ("2026-02-28T00:00:00Z", "2070-01-01T00:00:00Z")),
        ] {
            let found = validity(&of(begins, ends)).unwrap();
            assert_eq!(found, (Timestamp::parse(told.0).unwrap(), Timestamp::parse(told.1).unwrap()));
        }
    }

    #[test]
    fn what_is_cut_or_altered_is_read_as_nothing_or_as_dates_but_never_breaks() {
        let whole = of((2026, 1, 1), (2027, 1, 1));
        for length in 0..whole.len() {
            assert_eq!(validity(&whole[..length]), None, "{length}");
        }
        for at in 0..200.min(whole.len()) {
            for bit in 0..8 {
                let mut altered = whole.clone();
                altered[at] ^= 1 << bit;
                let _ = validity(&altered);
            }
        }
    }
}
