//! Networks as they travel: an address and the length of its prefix, `192.168.1.0/24`.
//!
//! Bits behind the prefix mean nothing, and are dropped when a text is read: two texts for one network are equal.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// A network of IPv4 or IPv6. On the wire a text, `ADDRESS/LENGTH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    address: IpAddr,
    prefix_len: u8,
}

/// Why a text is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a network such as 192.168.1.0/24 expected")]
pub struct NetworkError;

impl Network {
    /// The network that `address` is in, if there are prefixes of `prefix_len` bits.
    pub fn new(address: IpAddr, prefix_len: u8) -> Result<Self, NetworkError> {
        match prefix_len <= bits(address) {
            true => Ok(Self { address: prefix(address, prefix_len), prefix_len }),
            false => Err(NetworkError),
        }
    }

    /// Reads `ADDRESS/LENGTH`.
    pub fn parse(text: &str) -> Result<Self, NetworkError> {
        let (address, length) = text.split_once('/').ok_or(NetworkError)?;
        if !length.bytes().all(|b| b.is_ascii_digit()) {
            return Err(NetworkError);
        }
        let address = address.parse().map_err(|_| NetworkError)?;
        Self::new(address, length.parse().map_err(|_| NetworkError)?)
    }

    /// The first address of it.
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// Bits that all of its addresses have in common.
    pub const fn prefix_len(&self) -> u8 {
        self.prefix_len
    }

    /// Whether `address` is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        bits(address) == bits(self.address) && prefix(address, self.prefix_len) == self.address
    }

    /// Whether `address` is in it and may be a host's: of a network of IPv4 wider than a /31, the first and the last are none.
    pub fn has_host(&self, address: IpAddr) -> bool {
        let is_edge = match (self.address, address) {
            (IpAddr::V4(first), IpAddr::V4(address)) if self.prefix_len < 31 => {
                let behind = first.to_bits() ^ address.to_bits();
                behind == 0 || behind == u32::MAX >> self.prefix_len
            }
            _ => false,
        };
        self.contains(address) && !is_edge
    }
}

const fn bits(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// The address with all bits behind the prefix zero. A shift by all bits there are leaves nothing.
fn prefix(address: IpAddr, length: u8) -> IpAddr {
    let behind = u32::from(bits(address) - length);
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(behind).unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(behind).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix_len)
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_read_and_written_without_what_is_behind_its_prefix() {
        for (text, written) in [
            ("192.168.1.0/24", "192.168.1.0/24"),
            ("192.168.1.77/24", "192.168.1.0/24"),
            ("10.1.2.3/32", "10.1.2.3/32"),
            ("255.255.255.255/0", "0.0.0.0/0"),
            ("fe80::1:2/64", "fe80::/64"),
            ("ffff::1/0", "::/0"),
            ("::1/128", "::1/128"),
        ] {
            let network = Network::parse(text).unwrap();
            assert_eq!(network.to_string(), written);
            let json = serde_json::to_string(&network).unwrap();
            assert_eq!(
                (json.as_str(), serde_json::from_str(&json).unwrap()),
                (&*format!("{written:?}"), network)
            );
        }
        for bad in
            ["", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/+8", "::/129", "::/256", "x/8", "10.0.0/8"]
        {
            assert_eq!(Network::parse(bad), Err(NetworkError), "{bad:?}");
        }
    }

    #[test]
    fn an_address_is_within_a_network_of_its_own_kind() {
        let contains = |network: &str, address: &str| {
            Network::parse(network).unwrap().contains(address.parse().unwrap())
        };
        assert!(contains("10.0.0.0/27", "10.0.0.31") && !contains("10.0.0.0/27", "10.0.0.32"));
        assert!(contains("10.0.0.1/32", "10.0.0.1") && !contains("10.0.0.1/32", "10.0.0.0"));
        assert!(contains("0.0.0.0/0", "203.0.113.9") && !contains("0.0.0.0/0", "::1"));
        assert!(contains("fe80::/10", "febf::1") && !contains("fe80::/10", "10.0.0.1"));
        assert!(contains("::/0", "ffff::") && !contains("::/0", "10.0.0.1"));
    }

    #[test]
    fn the_first_and_the_last_address_of_a_network_are_no_hosts() {
        let hosts = |network: &str| {
            let network = Network::parse(network).unwrap();
            let address = |last: u8| IpAddr::from([10, 0, 0, last]);
            (0..=255).filter(|&last| network.has_host(address(last))).collect::<Vec<u8>>()
        };
        assert_eq!(hosts("10.0.0.4/30"), [5, 6]);
        assert_eq!((hosts("10.0.0.4/31"), hosts("10.0.0.4/32")), (vec![4, 5], vec![4]));
        assert_eq!(
            (hosts("10.0.0.0/24").len(), hosts("10.0.0.0/23").len(), hosts("0.0.0.0/0").len()),
            (254, 255, 256)
        );
        let first = Network::parse("fe80::/64").unwrap();
        assert!(first.has_host("fe80::".parse().unwrap()) && !first.has_host("10.0.0.1".parse().unwrap()));
    }
}
