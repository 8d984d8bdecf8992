//! What counts as one address where somebody is told apart by it alone.

use std::net::{IpAddr, Ipv6Addr};

/// The part of an IPv6 address that a network hands to one host.
const IPV6_HOST_PREFIX_BITS: u32 = 64;

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

    #[test]
    fn a_host_has_one_address() {
        let counted = |text: &str| host(text.parse().unwrap()).to_string();
        assert_eq!(counted("2001:db8::1"), counted("2001:db8::ffff:2"));
        assert_ne!(counted("2001:db8::1"), counted("2001:db8:0:1::1"));
        assert_eq!(counted("::ffff:10.0.0.1"), "10.0.0.1");
        assert_eq!((counted("::1"), counted("127.0.0.2")), ("::1".to_owned(), "127.0.0.2".to_owned()));
    }
}
