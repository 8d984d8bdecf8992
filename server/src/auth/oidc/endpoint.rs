//! Where a provider is asked: a URL of which nothing is left to guess.

use http::Uri;
use std::net::IpAddr;

/// Bytes of such a URL.
const URL_BYTES_MAX: usize = 1_024;

/// A URL that may be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Over TLS.
    pub(super) is_tls: bool,
    /// A name or an address, an IPv6 address without its brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// As the Host header has it.
    pub(super) authority: String,
    /// Path and query.
    pub(super) path: String,
}

/// Why a text is no such URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Not a URL with a host, or more than that.
    #[error("https://HOST/PATH expected, without a user and without a fragment")]
    Malformed,
    /// Plain HTTP that leaves the machine.
    #[error(
        "plain HTTP to another machine can be changed on the way; if that is acceptable here, say --insecure-http"
    )]
    Plain,
}

impl Endpoint {
    /// Reads `https://HOST[:PORT]/PATH`, also with `http` to this machine, and anywhere where `insecure_http` says so.
    pub fn parse(text: &str, insecure_http: bool) -> Result<Self, EndpointError> {
        if text.len() > URL_BYTES_MAX || text.contains('#') {
            return Err(EndpointError::Malformed);
        }
        let uri: Uri = text.parse().map_err(|_| EndpointError::Malformed)?;
        let authority = uri.authority().ok_or(EndpointError::Malformed)?;
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(EndpointError::Malformed),
        };
        let host = bare(authority.host());
        if authority.as_str().contains('@') || host.is_empty() {
            return Err(EndpointError::Malformed);
        }
        let port = match authority.port() {
            Some(port) => port.as_u16(),
            None if authority.as_str() != authority.host() => return Err(EndpointError::Malformed),
            None if is_tls => 443,
            None => 80,
        };
        if !is_tls && !insecure_http && !is_loopback(host) {
            return Err(EndpointError::Plain);
        }
        Ok(Self {
            is_tls,
            host: host.to_owned(),
            port,
            authority: authority.to_string(),
            path: uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string),
        })
    }

    /// Where the issuer of this URL says what it is (OpenID Connect Discovery 1.0, section 4).
    pub(super) fn discovery(&self) -> Self {
        let path = format!("{}/.well-known/openid-configuration", self.path.trim_end_matches('/'));
        Self { path, ..self.clone() }
    }

    /// Whether it is a URL that an issuer may have: without a query.
    pub fn is_issuer(&self) -> bool {
        !self.path.contains('?')
    }
}

fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_where_and_how() {
        let at = Endpoint::parse("https://sso.example/realms/ops", false).unwrap();
        assert_eq!((at.is_tls, at.host.as_str(), at.port), (true, "sso.example", 443));
        assert_eq!(at.discovery().path, "/realms/ops/.well-known/openid-configuration");
        let at = Endpoint::parse("http://[::1]:8081/", false).unwrap();
        assert_eq!(
            (at.is_tls, at.host.as_str(), at.port, at.authority.as_str()),
            (false, "::1", 8081, "[::1]:8081")
        );
        assert_eq!(at.discovery().path, "/.well-known/openid-configuration");
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        let long = format!("https://a/{}", "x".repeat(URL_BYTES_MAX));
        for bad in [
            "",
            "sso.example",
            "ftp://a/",
            "https://",
            "https://u:p@a/",
            "https://a/#b",
            "https://a:/",
            &long,
        ] {
            assert_eq!(Endpoint::parse(bad, true), Err(EndpointError::Malformed), "{bad}");
        }
        assert!(!Endpoint::parse("https://a/?b", false).unwrap().is_issuer());
    }

    #[test]
    fn plain_http_stays_at_home_unless_told() {
        for home in ["http://localhost/", "http://127.0.0.2:1/", "http://[::1]/"] {
            assert!(Endpoint::parse(home, false).is_ok(), "{home}");
        }
        for away in ["http://sso.example/", "http://10.0.0.1/", "http://localhost.example/"] {
            assert_eq!(Endpoint::parse(away, false), Err(EndpointError::Plain), "{away}");
            assert!(Endpoint::parse(away, true).is_ok(), "{away}");
        }
    }
}
