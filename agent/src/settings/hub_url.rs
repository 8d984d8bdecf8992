//! The hub's address: HTTP over TLS, or plain HTTP, which goes to this machine only unless told otherwise.

use http::Uri;
use rustls::pki_types::ServerName;
use std::{fmt, net::IpAddr};

/// Where a hub listens whose address names no port, by scheme.
const HTTP_PORT: u16 = 80;
const HTTPS_PORT: u16 = 443;

/// Where the hub is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubUrl {
    host: String,
    port: u16,
    path: String,
    /// Over TLS: what the hub's certificate calls it, where that is asked.
    tls_name: Option<ServerName<'static>>,
}

/// Why a text is no address of a hub that may be spoken to.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum HubUrlError {
    /// Not a URL with a host.
    #[error("https://HOST:PORT or http://HOST:PORT expected, not {0:?}")]
    Malformed(String),
    /// Plain HTTP that leaves the machine.
    #[error(
        "plain HTTP to {0} can be read on the way: use https://; if that is acceptable here, say --insecure-http"
    )]
    Plain(String),
}

impl HubUrl {
    /// Reads `https://HOST[:PORT][/PATH]`, or the same with `http`.
    pub fn parse(text: &str, insecure_http: bool) -> Result<Self, HubUrlError> {
        let text = text.trim();
        // Not repeated when it may hold a password.
        let malformed = || HubUrlError::Malformed(text.rsplit('@').next().unwrap_or_default().to_owned());
        let uri: Uri = text.parse().map_err(|_| malformed())?;
        let is_tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(malformed()),
        };
        let authority = uri.authority().ok_or_else(malformed)?;
        if authority.as_str().contains('@') || uri.query().is_some() || authority.host().is_empty() {
            return Err(malformed());
        }
        let host = authority.host().to_owned();
        if !is_tls && !insecure_http && !is_loopback(&host) {
            return Err(HubUrlError::Plain(host));
        }
        let port = match authority.port() {
            Some(port) => port.as_u16(),
            None if authority.as_str() != host => return Err(malformed()),
            None if is_tls => HTTPS_PORT,
            None => HTTP_PORT,
        };
        let tls_name = match is_tls {
            true => Some(ServerName::try_from(bare(&host).to_owned()).map_err(|_| malformed())?),
            false => None,
        };
        Ok(Self { host, port, path: uri.path().trim_end_matches('/').to_owned(), tls_name })
    }

    /// What the hub is called in TLS; nothing where plain HTTP is spoken.
    pub const fn tls_name(&self) -> Option<&ServerName<'static>> {
        self.tls_name.as_ref()
    }

    /// Host and port to connect to; an IPv6 address without its brackets.
    pub fn address(&self) -> (&str, u16) {
        (bare(&self.host), self.port)
    }

    /// Whether it is on this machine.
    pub fn is_local(&self) -> bool {
        is_loopback(&self.host)
    }

    /// Whether nobody on the way reads what is said: it goes over TLS, or does not leave this machine.
    pub fn keeps_secrets(&self) -> bool {
        self.tls_name.is_some() || self.is_local()
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
        let scheme = if self.tls_name.is_some() { "https" } else { "http" };
        write!(f, "{scheme}://{}:{}{}", self.host, self.port, self.path)
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
    fn tls_needs_no_leave_and_has_a_port_and_a_name_of_its_own() {
        for (text, address, name) in [
            ("https://hub.example", ("hub.example", 443), "hub.example"),
            ("https://192.0.2.1:8443/", ("192.0.2.1", 8443), "192.0.2.1"),
            ("https://[2001:db8::1]:8443", ("2001:db8::1", 8443), "2001:db8::1"),
        ] {
            let url = HubUrl::parse(text, false).unwrap();
            assert_eq!(url.address(), address);
            assert_eq!(url.tls_name().map(|name| name.to_str().into_owned()).as_deref(), Some(name));
            assert!(url.to_string().starts_with("https://"), "{url}");
        }
        assert_eq!(HubUrl::parse("http://localhost", false).unwrap().tls_name(), None);
    }

    #[test]
    fn what_would_leak_or_cannot_be_spoken_is_refused() {
        let refused = |text: &str| HubUrl::parse(text, false).unwrap_err();
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
            "https://",
            "https://hub.example:x",
            "https://a..b",
        ] {
            assert!(matches!(refused(bad), HubUrlError::Malformed(_)), "{bad:?}");
        }
        for scheme in ["http", "https"] {
            assert!(!refused(&format!("{scheme}://user:secret@localhost")).to_string().contains("secret"));
        }
    }
}
