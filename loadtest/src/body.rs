//! Bodies, written canonically (RFC 8785) and signed in place.
//!
//! The protocol crate signs any message by serialising it, rewriting it canonically and looking at the result
//! again. A generator that shares its machine with the hub cannot spend that: here the members are written in
//! their order, the MAC runs over the two pieces around the signature, and the tests hold both to be the same
//! bytes.

use crate::measured::{Measured, mix};
use pingup_protocol::{
    signing::{self, Key, SIGNATURE_CHARS},
    time::Timestamp,
};

/// The status that every sample carries.
pub(crate) const STATUS: &str = "online";
/// Hosts that a scan finds.
pub(crate) const SCAN_HOSTS: u64 = 50;

const MICROS: i64 = 1_000_000;
const DAY_SECONDS: i64 = 86_400;

/// Whose body it is: what stands in every one of an agent's messages.
#[derive(Clone, Debug)]
pub(crate) struct Author {
    /// The agent's id.
    pub(crate) id: String,
    /// Its stream.
    pub(crate) boot: u64,
    /// Its seed for [`Measured`].
    pub(crate) seed: u64,
}

/// Appends one sample, signed.
pub(crate) fn write_single(out: &mut Vec<u8>, author: &Author, key: &Key, seq: u64, at: Timestamp) {
    let start = out.len();
    write_author(out, author);
    out.extend_from_slice(b",\"metrics\":");
    write_metrics(out, author.seed, seq);
    out.extend_from_slice(b",\"seq\":");
    write_number(out, seq);
    let slot = write_slot(out);
    out.extend_from_slice(b",\"status\":\"");
    out.extend_from_slice(STATUS.as_bytes());
    out.extend_from_slice(b"\",\"timestamp\":\"");
    write_moment(out, at);
    out.extend_from_slice(b"\"}");
    sign(out, start, slot, key);
}

/// Appends a batch of `samples`, given as number and moment, signed.
pub(crate) fn write_batch(
    out: &mut Vec<u8>,
    author: &Author,
    key: &Key,
    samples: impl Iterator<Item = (u64, Timestamp)>,
) {
    let start = out.len();
    write_author(out, author);
    out.extend_from_slice(b",\"samples\":[");
    for (index, (seq, at)) in samples.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"metrics\":");
        write_metrics(out, author.seed, seq);
        out.extend_from_slice(b",\"seq\":");
        write_number(out, seq);
        out.extend_from_slice(b",\"status\":\"");
        out.extend_from_slice(STATUS.as_bytes());
        out.extend_from_slice(b"\",\"timestamp\":\"");
        write_moment(out, at);
        out.extend_from_slice(b"\"}");
    }
    out.push(b']');
    let slot = write_slot(out);
    out.push(b'}');
    sign(out, start, slot, key);
}

/// Appends a scan that found [`SCAN_HOSTS`] hosts, signed. A network is the same from scan to scan, but for
/// how fast its hosts answer and now and then one that is away.
pub(crate) fn write_scan(out: &mut Vec<u8>, author: &Author, key: &Key, seq: u64, at: Timestamp) {
    let start = out.len();
    write_author(out, author);
    out.extend_from_slice(b",\"discovery\":{\"duration\":");
    write_tenths(out, 20_000 + Measured::new(author.seed, seq).latency);
    out.extend_from_slice(b",\"hosts\":[");
    let away = mix(author.seed ^ seq) % (4 * SCAN_HOSTS);
    for place in 0..SCAN_HOSTS {
        if place > 0 {
            out.push(b',');
        }
        // Who is away has its place taken by a host of its own, so that every scan has as many.
        write_host(out, author.seed, seq, if place == away { place + SCAN_HOSTS } else { place });
    }
    out.extend_from_slice(b"]},\"seq\":");
    write_number(out, seq);
    let slot = write_slot(out);
    out.extend_from_slice(b",\"timestamp\":\"");
    write_moment(out, at);
    out.extend_from_slice(b"\"}");
    sign(out, start, slot, key);
}

fn write_host(out: &mut Vec<u8>, seed: u64, seq: u64, place: u64) {
    const PORTS: [&[u8]; 4] = [b"22", b"22,80,443", b"443", b""];
    out.extend_from_slice(b"{\"ip\":\"10.");
    write_number(out, seed % 256);
    out.push(b'.');
    write_number(out, (seed >> 8) % 256);
    out.push(b'.');
    write_number(out, place + 1);
    out.extend_from_slice(b"\",\"latency\":");
    write_tenths(out, 1 + (mix(seed ^ (seq << 8) ^ place) % 30) as u32);
    out.extend_from_slice(b",\"ports\":[");
    out.extend_from_slice(PORTS[(mix(seed ^ place) % 4) as usize]);
    out.extend_from_slice(b"]}");
}

fn write_author(out: &mut Vec<u8>, author: &Author) {
    out.extend_from_slice(b"{\"agentId\":\"");
    out.extend_from_slice(author.id.as_bytes());
    out.extend_from_slice(b"\",\"boot\":");
    write_number(out, author.boot);
}

fn write_metrics(out: &mut Vec<u8>, seed: u64, seq: u64) {
    let Measured { cpu, disk, latency, ram } = Measured::new(seed, seq);
    for (name, tenths) in
        [(&b"{\"cpu\":"[..], cpu), (b",\"disk\":", disk), (b",\"latency\":", latency), (b",\"ram\":", ram)]
    {
        out.extend_from_slice(name);
        write_tenths(out, tenths);
    }
    out.push(b'}');
}

/// Where a signature's characters go.
struct Slot {
    member: usize,
    text: usize,
}

fn write_slot(out: &mut Vec<u8>) -> Slot {
    let member = out.len();
    out.extend_from_slice(b",\"signature\":\"");
    let text = out.len();
    out.extend_from_slice(&[b'='; SIGNATURE_CHARS]);
    out.push(b'"');
    Slot { member, text }
}

fn sign(out: &mut [u8], start: usize, slot: Slot, key: &Key) {
    let end = slot.text + SIGNATURE_CHARS;
    let signature = signing::signature_of(key, &[&out[start..slot.member], &out[end + 1..]]);
    out[slot.text..end].copy_from_slice(signature.as_bytes());
}

/// Appends a whole number.
pub(crate) fn write_number(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[first..]);
}

/// Appends tenths as ECMAScript writes them: 125 as 12.5, 120 as 12.
fn write_tenths(out: &mut Vec<u8>, tenths: u32) {
    write_number(out, u64::from(tenths / 10));
    if !tenths.is_multiple_of(10) {
        out.extend_from_slice(&[b'.', b'0' + (tenths % 10) as u8]);
    }
}

/// Appends a moment from 1970 on as RFC 3339 text, as [`Timestamp`] writes it. Days become dates by Howard
/// Hinnant's `civil_from_days`.
fn write_moment(out: &mut Vec<u8>, at: Timestamp) {
    let micros = at.as_micros().max(0);
    let (seconds, fraction) = (micros / MICROS, (micros % MICROS) as u32);
    let (days, second) = (seconds / DAY_SECONDS + 719_468, seconds % DAY_SECONDS);
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    let two = |number: i64| [b'0' + (number / 10 % 10) as u8, b'0' + (number % 10) as u8];
    let mut text = *b"0000-00-00T00:00:00";
    for (place, number) in [
        (0, year / 100),
        (2, year % 100),
        (5, month),
        (8, day),
        (11, second / 3_600),
        (14, second / 60 % 60),
        (17, second % 60),
    ] {
        text[place..place + 2].copy_from_slice(&two(number));
    }
    out.extend_from_slice(&text);
    if fraction > 0 {
        let mut digits = *b".000000";
        let (mut rest, mut last) = (fraction, 0);
        for place in (1..digits.len()).rev() {
            digits[place] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if last == 0 && digits[place] != b'0' {
                last = place;
            }
        }
        out.extend_from_slice(&digits[..=last]);
    }
    out.push(b'Z');
}

#[cfg(test)]
mod tests;
