//! Lists that the kernel keeps of the network, over netlink: asked for by anyone, answered at once.
//!
//! A request is a header and a fixed part; an answer is messages of the same form, each with attributes behind its fixed
//! part (rtnetlink(7)). All numbers are in the machine's own order, every part begins at a multiple of four.

use rustix::{
    io::retry_on_intr,
    net::{
        AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with,
        sockopt::{Timeout, set_socket_timeout},
    },
};
use std::{io, time::Duration};

const HEADER_BYTES: usize = 16;
const ATTRIBUTE_HEADER_BYTES: usize = 4;
/// Messages that end a list.
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// A request for all there is.
const REQUEST_DUMP: u16 = 0x1 | 0x300;
/// Two bits of an attribute's kind say how it is written, not what it is.
const KIND_MASK: u16 = 0x3fff;
/// The kernel fills one datagram up to this.
const DATAGRAM_BYTES_MAX: usize = 64 * 1024;
/// A list of some hundred thousand entries; a router of the internet's core has longer ones, and is not scanned from.
const DATAGRAMS_MAX: usize = 1_024;
/// How long the kernel may take, which answers from memory.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// Asks for the list of `kind`, and hands over each message of kind `answer`, without its header.
pub(super) fn list(kind: u16, fixed: &[u8], answer: u16, mut each: impl FnMut(&[u8])) -> io::Result<()> {
    // Of all that netlink is for, routing is number nought.
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    set_socket_timeout(&socket, Timeout::Recv, Some(ANSWER_WITHIN))?;
    send(&socket, &request(kind, fixed), SendFlags::empty())?;
    let mut datagram = vec![0_u8; DATAGRAM_BYTES_MAX];
    for _ in 0..DATAGRAMS_MAX {
        let (length, _) = retry_on_intr(|| recv(&socket, datagram.as_mut_slice(), RecvFlags::empty()))?;
        for (found, body) in messages(&datagram[..length]) {
            match found {
                DONE => return Ok(()),
                ERROR => return Err(io::Error::other("the kernel refused to tell")),
                _ if found == answer => each(body),
                _ => {}
            }
        }
    }
    Err(io::Error::other("the list is too long"))
}

fn request(kind: u16, fixed: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADER_BYTES + fixed.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(HEADER_BYTES + fixed.len());
    bytes.extend(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(REQUEST_DUMP.to_ne_bytes());
    // Number and sender: there is one request a socket, and the kernel knows whose it is.
    bytes.extend([0; 8]);
    bytes.extend(fixed);
    bytes
}

/// The kind and the body of each message. What is cut short ends them.
fn messages(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = u32_at(bytes, 0)? as usize;
        let kind = u16_at(bytes, 4)?;
        let body = bytes.get(HEADER_BYTES..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, body))
    })
}

/// The kind and the value of each attribute. What is cut short ends them.
pub(super) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(bytes, 0)?);
        let kind = u16_at(bytes, 2)? & KIND_MASK;
        let value = bytes.get(ATTRIBUTE_HEADER_BYTES..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// The two bytes there as a number.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_ne_bytes)
}

/// The four bytes there as a number.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_and_attributes_end_where_they_are_cut() {
        let mut bytes = request(18, &[1, 2, 3, 4, 5]);
        bytes.extend([0; 3]);
        bytes.extend(request(20, &[9; 4]));
        let read: Vec<_> = messages(&bytes).map(|(kind, body)| (kind, body.len())).collect();
        assert_eq!(read, [(18, 5), (20, 4)]);
        for cut in 0..bytes.len() {
            assert!(messages(&bytes[..cut]).count() <= 1, "{cut}");
        }
        let nested = [6_u16.to_ne_bytes(), (3 | 0x8000_u16).to_ne_bytes(), [7, 8], [0, 0]].concat();
        assert_eq!(attributes(&nested).collect::<Vec<_>>(), [(3, &[7, 8][..])]);
        // A length of nothing must not be read for ever.
        assert_eq!(attributes(&[0; 8]).count() + messages(&[0; 64]).count(), 0);
    }
}
