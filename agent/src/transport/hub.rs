//! Where the hub is, and opening a connection to it: when one is handed out over TLS, the hub has proved that it is the
//! hub. Before that nothing was said but what a handshake says.

use super::{
    Failure, doubt,
    stream::Stream,
    tls::{Broken, Shown, Tls, TlsError},
};
use crate::settings::{HubUrl, Trust};
use std::{io, time::Duration};
use tokio::{
    net::TcpStream,
    time::{Instant, timeout_at},
};

/// How long opening a connection may take, the handshake included.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// A hub: where it is, and by what it is known.
#[derive(Clone, Debug)]
pub struct Hub {
    url: HubUrl,
    trust: Trust,
    /// Where its address says https. Connections share what was learned of sessions.
    tls: Option<Tls>,
}

impl Hub {
    /// The hub at `url`, known by `trust`. The file of authorities is read, so that one that is none is told at once.
    pub fn new(url: HubUrl, trust: Trust) -> Result<Self, TlsError> {
        let tls = match url.tls_name() {
            Some(name) => Some(Tls::new(name.clone(), &trust)?),
            None => None,
        };
        Ok(Self { url, trust, tls })
    }

    /// The hub at `url`, known by nothing more than a system knows, or over plain HTTP.
    #[cfg(test)]
    pub(crate) fn at(url: &str) -> Self {
        Self::new(HubUrl::parse(url, false).unwrap(), Trust::default()).unwrap()
    }

    /// Where it is.
    pub const fn url(&self) -> &HubUrl {
        &self.url
    }

    /// By what it is known, in words.
    pub fn known_by(&self) -> String {
        match self.tls {
            Some(_) => self.trust.to_string(),
            None => "nothing: plain HTTP".to_owned(),
        }
    }

    /// By what it is known.
    pub const fn trust(&self) -> &Trust {
        &self.trust
    }

    /// Opens a connection.
    pub(super) async fn connect(&self) -> Result<Stream, Failure> {
        let until = Instant::now() + CONNECT_WITHIN;
        let stream = self.reach(until).await?;
        match &self.tls {
            None => Ok(Stream::Plain(stream)),
            Some(tls) => Ok(Stream::Tls(Box::new(self.shake(tls, stream, until).await?))),
        }
    }

    /// Opens a connection only to see what the hub shows in the handshake; nothing where plain HTTP is spoken.
    pub async fn show(&self) -> Result<Option<Shown>, Failure> {
        let Some(tls) = &self.tls else { return Ok(None) };
        let until = Instant::now() + CONNECT_WITHIN;
        let stream = self.reach(until).await?;
        Ok(Shown::of(&self.shake(tls, stream, until).await?))
    }

    async fn reach(&self, until: Instant) -> Result<TcpStream, Failure> {
        let connect = async {
            let stream = TcpStream::connect(self.url.address()).await?;
            stream.set_nodelay(true)?;
            doubt::keep(&stream);
            Ok::<_, io::Error>(stream)
        };
        timeout_at(until, connect)
            .await
            .map_err(|_| self.unreachable("no connection in time"))?
            .map_err(|error| self.unreachable(error.to_string()))
    }

    async fn shake(
        &self,
        tls: &Tls,
        stream: TcpStream,
        until: Instant,
    ) -> Result<super::tls::TlsStream, Failure> {
        let within = CONNECT_WITHIN.as_secs();
        match timeout_at(until, Box::pin(tls.shake(stream))).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(Broken::Distrusted(reason))) => {
                Err(Failure::Untrusted { hub: self.url.to_string(), reason })
            }
            Ok(Err(Broken::Failed(reason))) => Err(self.unreachable(reason)),
            Err(_) => Err(self
                .unreachable(format!("it listens, but no TLS handshake came to its end within {within} s"))),
        }
    }

    /// What could not be done there.
    pub(super) fn unreachable(&self, reason: impl Into<String>) -> Failure {
        Failure::Unreachable { hub: self.url.to_string(), reason: reason.into() }
    }
}
