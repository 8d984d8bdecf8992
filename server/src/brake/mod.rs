//! Brakes by address: how often one may try something ([`RateLimit`]), and who is not listened to for a while after too
//! many bad tokens ([`Lockout`]).
//!
//! Pure: the caller brings the time. What is known of addresses stands in a [`Book`], which is bounded, so a flood of
//! addresses can loosen a brake, but takes no memory and keeps nobody out: no secret here is guessed anyway, however
//! often it is tried. An IPv6 host has a whole /64 to itself, so that counts as one address.

mod lockout;
mod rate;

pub use lockout::Lockout;
pub use rate::RateLimit;

use std::{
    collections::HashMap,
    mem,
    net::{IpAddr, Ipv6Addr},
};

/// Addresses in one half of a book; a book has two. Some 100 bytes each.
const HALF_ADDRESSES_MAX: usize = 4_096;
/// Addresses in a book.
pub const ADDRESSES_MAX: usize = 2 * HALF_ADDRESSES_MAX;
/// The part of an IPv6 address that a network hands to one host.
const IPV6_HOST_PREFIX_BITS: u32 = 64;

/// What is known of each address. When its newer half is full, the older half is forgotten: those that were not asked
/// for since so many others were. No step takes longer the more addresses there are.
#[derive(Debug)]
pub struct Book<E> {
    newer: HashMap<IpAddr, E>,
    older: HashMap<IpAddr, E>,
}

impl<E> Default for Book<E> {
    fn default() -> Self {
        Self { newer: HashMap::new(), older: HashMap::new() }
    }
}

impl<E: Default> Book<E> {
    /// What is known of an address; nothing yet, for a new one.
    pub fn entry(&mut self, address: IpAddr) -> &mut E {
        let address = host(address);
        if !self.newer.contains_key(&address) && self.newer.len() >= HALF_ADDRESSES_MAX {
            self.older = mem::take(&mut self.newer);
        }
        let older = &mut self.older;
        self.newer.entry(address).or_insert_with(|| older.remove(&address).unwrap_or_default())
    }

    /// What is known of an address, if anything is; asking makes it no newer.
    pub fn find(&self, address: IpAddr) -> Option<&E> {
        let address = host(address);
        self.newer.get(&address).or_else(|| self.older.get(&address))
    }
}

/// The address as it is counted. An IPv6 host has a whole /64 to itself, so that is one; an IPv4 address in IPv6's notation is
/// the IPv4 address.
pub fn host(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            let prefix = u128::MAX << (u128::BITS - IPV6_HOST_PREFIX_BITS);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & prefix))
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn address(number: u32) -> IpAddr {
        Ipv4Addr::from_bits(0x0a00_0000 + number).into()
    }

    #[test]
    fn a_host_does_not_multiply_by_its_ipv6_addresses() {
        let mut book = Book::<u32>::default();
        for (text, count) in [
            ("2001:db8::1", 1),
            ("2001:db8::2", 2),
            ("2001:db8:0:1::1", 1),
            ("10.0.0.1", 1),
            ("::ffff:10.0.0.1", 2),
        ] {
            let entry = book.entry(text.parse().unwrap());
            *entry += 1;
            assert_eq!(*entry, count, "{text}");
        }
    }

    #[test]
    fn the_book_is_bounded_and_forgets_who_was_not_asked_for() {
        let mut book = Book::<u32>::default();
        *book.entry(address(0)) = 7;
        *book.entry(address(1)) = 8;
        for number in 2..10 * ADDRESSES_MAX as u32 {
            *book.entry(address(number)) = 1;
            assert_eq!(*book.entry(address(0)), 7, "asked for each time");
            assert!(book.newer.len() + book.older.len() <= ADDRESSES_MAX);
        }
        assert_eq!(book.find(address(1)), None, "the quietest was forgotten");
        assert_eq!(book.find(address(0)), Some(&7));
    }
}
