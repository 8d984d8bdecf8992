//! By which names and addresses a hub with a certificate of its own can be reached.

use crate::address::Address;
use rustix::system::uname;
use std::net::SocketAddr;

/// More than a name in DNS has.
const NAME_BYTES_MAX: usize = 253;

/// What stands in the hub's own certificate: this machine, by name and by itself, where the hub listens, and where it is
/// said to be. Each once.
pub fn names(listen: SocketAddr, public: Option<&Address>) -> Vec<String> {
    let here = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let listens = (!listen.ip().is_unspecified()).then(|| listen.ip().to_string());
    let mut names = Vec::new();
    for name in here
        .into_iter()
        .chain(host_name())
        .chain(listens)
        .chain(public.map(|address| address.host().to_owned()))
    {
        let name = name.to_ascii_lowercase();
        if is_name(&name) && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// This machine's name, as others may know it; none where that is no name.
pub fn host_name() -> Option<String> {
    let told = uname();
    let name = told.nodename().to_str().ok()?.to_owned();
    is_name(&name).then_some(name)
}

/// Whether a text may stand in a certificate as a name or an address.
fn is_name(text: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_to_the_hub_is_named_once() {
        let named = |listen: &str, public: Option<&str>| {
            let public = public.map(|text| Address::parse(text).unwrap());
            let mut names = names(listen.parse().unwrap(), public.as_ref());
            names.retain(|name| Some(name) != host_name().map(|name| name.to_ascii_lowercase()).as_ref());
            names.join(" ")
        };
        assert_eq!(named("0.0.0.0:8443", None), "localhost 127.0.0.1 ::1");
        assert_eq!(named("127.0.0.1:0", Some("https://[::1]:8443")), "localhost 127.0.0.1 ::1");
        assert_eq!(
            named("192.0.2.7:1", Some("https://HUB.example")),
            "localhost 127.0.0.1 ::1 192.0.2.7 hub.example"
        );
    }

    #[test]
    fn what_no_certificate_can_hold_is_left_out() {
        for text in ["", "a b", "höb", "a/b", &"a".repeat(NAME_BYTES_MAX + 1)] {
            assert!(!is_name(text), "{text}");
        }
        assert!(is_name("my_host-1.example"));
    }
}
