//! Asks a provider for its keys: what it says of itself first, then the keys where it says they are.
//!
//! Each answer must come with status 200, whole, in time and within its bound. No redirect is followed, none elsewhere and none
//! at all: where the keys lie is said by the provider's own document, or by nobody.

use super::{
    Trust, authorities,
    endpoint::{Endpoint, EndpointError},
    jwk::{KeySet, KeySetError},
};
use bytes::Bytes;
use http::{HeaderMap, Request, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, crypto::aws_lc_rs::default_provider, pki_types::ServerName};
use serde::Deserialize;
use std::{io, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::TlsConnector;

/// How long both answers may take together.
const FETCH_TIME_MAX: Duration = Duration::from_secs(5);
/// Bytes of an answer: all keys that may be published, with certificates beside them.
pub(super) const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// The one status of an answer that counts.
const GOOD: u16 = 200;
/// How long keys are fresh where the provider does not say.
const FRESH_SECONDS: i64 = 300;
/// The least and the most that it may say.
const FRESH_SECONDS_MIN: i64 = 60;
const FRESH_SECONDS_MAX: i64 = 3_600;
const AGENT: &str = concat!("pingup-server/", env!("CARGO_PKG_VERSION"));

/// What a fetch brought.
pub(super) struct Brought {
    /// The keys.
    pub(super) keys: KeySet,
    /// How long they are fresh.
    pub(super) fresh_seconds: i64,
}

/// Why it brought nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("no answer within {} s", FETCH_TIME_MAX.as_secs())]
    Late,
    #[error("no connection: {0}")]
    Unreachable(#[from] io::Error),
    #[error("no answer: {0}")]
    Broken(#[from] hyper::Error),
    #[error("the answer is not whole, or longer than {ANSWER_BYTES_MAX} bytes: {0}")]
    Body(Box<dyn std::error::Error + Send + Sync>),
    #[error("the answer is {0}, not {GOOD}")]
    Status(u16),
    #[error("the provider does not say what it is in JSON with issuer and jwks_uri")]
    Document,
    #[error("the provider says that it is another issuer")]
    Issuer,
    #[error("jwks_uri: {0}")]
    KeysAt(#[from] EndpointError),
    #[error("jwks_uri has not the issuer's scheme")]
    Scheme,
    #[error(transparent)]
    Keys(#[from] KeySetError),
    #[error("the request cannot be made: {0}")]
    Request(#[from] http::Error),
    #[error("{0} cannot stand in a certificate")]
    Name(String),
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    jwks_uri: String,
}

/// Asks one provider.
pub(super) struct Client {
    issuer: Endpoint,
    tls: Option<TlsConnector>,
}

impl Client {
    pub(super) fn new(trust: &Trust) -> Result<Self, super::OidcStartError> {
        let issuer = Endpoint::parse(&trust.issuer, trust.insecure_http)?;
        let tls = issuer.is_tls.then(|| connector(trust)).transpose()?;
        Ok(Self { issuer, tls })
    }

    async fn get(&self, at: &Endpoint) -> Result<(HeaderMap, Bytes), FetchError> {
        let stream = TcpStream::connect((at.host.as_str(), at.port)).await?;
        match &self.tls {
            None => exchange(stream, at).await,
            Some(tls) => {
                let name =
                    ServerName::try_from(at.host.clone()).map_err(|_| FetchError::Name(at.host.clone()))?;
                exchange(tls.connect(name, stream).await?, at).await
            }
        }
    }
}

fn connector(trust: &Trust) -> Result<TlsConnector, rustls::Error> {
    let roots = match &trust.authorities {
        Some(authorities) => authorities.roots()?,
        None => authorities::of_the_system(),
    };
    // The provider is named: a build of the whole workspace has two.
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Fetches the provider's keys.
pub(super) async fn fetch(client: &Client, trust: &Trust) -> Result<Brought, FetchError> {
    timeout(FETCH_TIME_MAX, fetch_both(client, trust)).await.unwrap_or(Err(FetchError::Late))
}

async fn fetch_both(client: &Client, trust: &Trust) -> Result<Brought, FetchError> {
    let (_, document) = client.get(&client.issuer.discovery()).await?;
    let document: Document = serde_json::from_slice(&document).map_err(|_| FetchError::Document)?;
    if document.issuer != trust.issuer {
        return Err(FetchError::Issuer);
    }
    let at = Endpoint::parse(&document.jwks_uri, trust.insecure_http)?;
    if at.is_tls != client.issuer.is_tls {
        return Err(FetchError::Scheme);
    }
    let (headers, keys) = client.get(&at).await?;
    Ok(Brought { keys: KeySet::read(&keys)?, fresh_seconds: fresh_seconds(&headers) })
}

/// One request on a connection of its own, and its whole answer.
async fn exchange<S>(stream: S, at: &Endpoint) -> Result<(HeaderMap, Bytes), FetchError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    // Ends with this function, also when it is given up.
    let mut connections = JoinSet::new();
    connections.spawn(connection);
    let request = Request::get(&at.path)
        .header(header::HOST, &at.authority)
        .header(header::ACCEPT, "application/json")
        .header(header::USER_AGENT, AGENT)
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())?;
    let (parts, body) = sender.send_request(request).await?.into_parts();
    if parts.status != GOOD {
        return Err(FetchError::Status(parts.status.as_u16()));
    }
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(FetchError::Body)?;
    Ok((parts.headers, body.to_bytes()))
}

/// How long the answer is fresh by its `Cache-Control`, within bounds.
fn fresh_seconds(headers: &HeaderMap) -> i64 {
    let texts = headers.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let directives = texts.flat_map(|text| text.split(',')).map(|word| word.trim().to_ascii_lowercase());
    let said = directives.filter_map(|word| match word.as_str() {
        "no-store" | "no-cache" => Some(0),
        word => word.strip_prefix("max-age=").map(|seconds| seconds.parse().unwrap_or(0)),
    });
    said.min().unwrap_or(FRESH_SECONDS).clamp(FRESH_SECONDS_MIN, FRESH_SECONDS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn how_long_keys_are_fresh_is_the_providers_word_within_bounds() {
        for (said, seconds) in [
            (&[][..], FRESH_SECONDS),
            (&["public, max-age=600, must-revalidate"], 600),
            (&["Max-Age=61", "max-age=300"], 61),
            (&["max-age=5"], FRESH_SECONDS_MIN),
            (&["max-age=99999999999999999999"], FRESH_SECONDS_MIN),
            (&["max-age=86400"], FRESH_SECONDS_MAX),
            (&["no-store, max-age=600"], FRESH_SECONDS_MIN),
            (&["public"], FRESH_SECONDS),
        ] {
            let mut headers = HeaderMap::new();
            said.iter().for_each(|text| {
                headers.append(header::CACHE_CONTROL, HeaderValue::from_static(text));
            });
            assert_eq!(fresh_seconds(&headers), seconds, "{said:?}");
        }
    }
}
