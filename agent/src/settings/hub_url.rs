//! The hub's address: plain HTTP, to this machine only unless told otherwise.

use http::Uri;
use std::{fmt, net::IpAddr};

/// Where the hub is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubUrl {
    host: String,
    port: u16,
    path: String,
}

/// Why a text is no address of a hub that may be spoken to.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum HubUrlError {
    /// Not a URL with a host.
    #[error("http://HOST:PORT expected, not {0:?}")]
    Malformed(String),
    /// TLS.
    #[error("https:// is not spoken yet by this version; put a TLS tunnel on this machine and name that")]
    Tls,
    /// Plain HTTP that leaves the machine.
    #[error("plain HTTP to {0} can be read on the way; if that is acceptable here, say --insecure-http")]
    Plain(String),
}

impl HubUrl {
    /// Reads `http://HOST[:PORT][/PATH]`.
    pub fn parse(text: &str, insecure_http: bool) -> Result<Self, HubUrlError> {
        let text = text.trim();
        // Not repeated when it may hold a password.
        let malformed = || HubUrlError::Malformed(text.rsplit('@').next().unwrap_or_default().to_owned());
        let uri: Uri = text.parse().map_err(|_| malformed())?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => return Err(HubUrlError::Tls),
            _ => return Err(malformed()),
        }
        let authority = uri.authority().ok_or_else(malformed)?;
        if authority.as_str().contains('@') || uri.query().is_some() || authority.host().is_empty() {
            return Err(malformed());
        }
        let host = authority.host().to_owned();
        if !insecure_http && !is_loopback(&host) {
            return Err(HubUrlError::Plain(host));
        }
        let port = match authority.port() {
            Some(port) => port.as_u16(),
            None if authority.as_str() == host => 80,
            None => return Err(malformed()),
        };
        Ok(Self { host, port, path: uri.path().trim_end_matches('/').to_owned() })
    }

    /// Host and port to connect to; an IPv6 address without its brackets.
    pub fn address(&self) -> (&str, u16) {
        (bare(&self.host), self.port)
    }

    /// Whether it is on this machine.
    pub fn is_local(&self) -> bool {
        is_loopback(&self.host)
    }

    /// Whether nobody on the way reads what is said: it does not leave this machine.
    pub fn keeps_secrets(&self) -> bool {
        self.is_local()
    }

    /// What the Host header says.
    pub fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The path of `route` at this hub.
    pub fn path(&self, route: &str) -> String {
        format!("{}{route}", self.path)
    }
}

impl fmt::Display for HubUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}:{}{}", self.host, self.port, self.path)
    }
}

fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || bare(host).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hubs_are_found() {
        let url = HubUrl::parse("http://[::1]:8080/pingup/", false).unwrap();
        assert_eq!(url.address(), ("::1", 8080));
        assert_eq!(url.path("/health"), "/pingup/health");
        assert_eq!(url.to_string(), "http://[::1]:8080/pingup");
        assert_eq!(HubUrl::parse("http://localhost", false).unwrap().authority(), "localhost:80");
        assert!(HubUrl::parse("http://hub.example:8080", true).is_ok());
    }

    #[test]
    fn what_would_leak_or_cannot_be_spoken_is_refused() {
        let refused = |text: &str| HubUrl::parse(text, false).unwrap_err();
        assert_eq!(refused("https://hub.example"), HubUrlError::Tls);
        assert_eq!(refused("http://192.168.1.2:8080"), HubUrlError::Plain("192.168.1.2".into()));
        assert_eq!(
            refused("http://localhost.evil.example"),
            HubUrlError::Plain("localhost.evil.example".into())
        );
        for bad in [
            "",
            "localhost:8080",
            "127.0.0.1",
            "ftp://localhost",
            "http://",
            "http://localhost:99999",
            "http://localhost/?x",
        ] {
            assert!(matches!(refused(bad), HubUrlError::Malformed(_)), "{bad:?}");
        }
        assert!(!refused("http://user:secret@localhost").to_string().contains("secret"));
    }
}
