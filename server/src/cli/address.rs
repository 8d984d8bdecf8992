//! The hub's address, as Grafana is told it and orders are sent to it.

use http::Uri;
use std::fmt;

/// Where the paths of the hub's Prometheus API begin; who names it means the hub all the same.
const API: &str = "/prometheus";

/// `http://HOST[:PORT][/PATH]`, or https.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// `http` or `https`.
    pub(super) scheme: String,
    /// Host, and port if one was named.
    pub(super) authority: String,
    /// What stands before the hub's own paths; without a slash at its end.
    pub(super) path: String,
}

impl Address {
    /// Reads an address. The reason why it is none does not repeat it: it may hold a password.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        const WANTED: &str = "http://HOST:PORT or https://HOST:PORT expected";
        let uri: Uri = text.trim().parse().map_err(|_| WANTED)?;
        let scheme = uri.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https")).ok_or(WANTED)?;
        let authority = uri.authority().filter(|authority| !authority.host().is_empty()).ok_or(WANTED)?;
        if authority.as_str().contains('@') {
            return Err(
                "an address without a password expected; the token has a file of its own (--token-file)",
            );
        }
        if uri.query().is_some() {
            return Err(WANTED);
        }
        let path = uri.path().trim_end_matches('/');
        Ok(Self {
            scheme: scheme.to_owned(),
            authority: authority.as_str().to_owned(),
            path: path.strip_suffix(API).unwrap_or(path).to_owned(),
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_as_people_write_it() {
        for (text, address) in [
            ("http://hub:8080", "http://hub:8080"),
            ("http://hub:8080/", "http://hub:8080"),
            (" https://hub.example/pingup/ ", "https://hub.example/pingup"),
            ("http://[::1]:8080/prometheus", "http://[::1]:8080"),
            ("http://hub/a/prometheus/", "http://hub/a"),
        ] {
            assert_eq!(
                Address::parse(text).map(|address| address.to_string()),
                Ok(address.to_owned()),
                "{text}"
            );
        }
        for bad in
            ["", "hub:8080", "hub", "/prometheus", "ftp://hub", "http://", "http://hub?x=1", "http://a b"]
        {
            assert!(Address::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_password_is_refused_and_not_repeated() {
        let refused = Address::parse("http://ada:secret@hub:8080").unwrap_err();
        assert!(refused.contains("password") && !refused.contains("secret"), "{refused}");
    }
}
