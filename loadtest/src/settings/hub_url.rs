//! Where a running hub is: a URL in, host and port out.

use http::Uri;
use std::net::IpAddr;

/// Where the hub listens. Plain HTTP/1.1: what is measured is the hub, not somebody's TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hub {
    /// Name or address, without an IPv6 address's brackets.
    pub(crate) host: String,
    /// TCP port.
    pub(crate) port: u16,
    /// The value of the `Host` header.
    pub(crate) authority: String,
}

impl Hub {
    /// Reads a URL; over a network only if `insecure_http` says that this is meant.
    pub(crate) fn read(url: &str, insecure_http: bool) -> Result<Self, &'static str> {
        let expected = "a URL such as http://127.0.0.1:8080 expected";
        let uri: Uri = url.parse().map_err(|_| expected)?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => return Err("only plain http is spoken here; load the hub beside its TLS proxy"),
            _ => return Err(expected),
        }
        let host = uri.host().filter(|host| !host.is_empty()).ok_or("it names no host")?;
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err("the hub's routes start at the root: leave the path away");
        }
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        if !insecure_http && !is_loopback(&host) {
            return Err("tokens would cross the network in the clear; if that is meant, add --insecure-http");
        }
        let port = uri.port_u16().unwrap_or(80);
        let authority = match host.contains(':') {
            true => format!("[{host}]:{port}"),
            false => format!("{host}:{port}"),
        };
        Ok(Self { host, port, authority })
    }

    /// The hub's URL as people write it.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.authority)
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hubs_that_cannot_be_meant_are_refused() {
        for (url, word) in [
            ("https://127.0.0.1", "plain http"),
            ("127.0.0.1:8080", "expected"),
            ("http://127.0.0.1/api", "root"),
            ("http://192.0.2.7", "--insecure-http"),
            ("http://localhost.example.org", "--insecure-http"),
        ] {
            assert!(Hub::read(url, false).is_err_and(|line| line.contains(word)), "{url}");
        }
        assert!(Hub::read("http://192.0.2.7", true).is_ok());
        let hub = Hub::read("http://[::1]:9", false).unwrap();
        assert_eq!((hub.host.as_str(), hub.port, hub.url().as_str()), ("::1", 9, "http://[::1]:9"));
    }
}
