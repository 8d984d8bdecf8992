//! What the head of a request says: all that can be judged before anyone asks who comes, and the token that it brings.

use super::Gate;
use crate::http::{
    body::{self, Kind},
    problem::Refusal,
    query::Params,
    respond::Representation,
    rules::Dialect,
    single,
};
use axum::body::HttpBody;
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, header};

impl Gate {
    /// All that can be told before anyone asks who comes.
    pub(super) fn check_head<B: HttpBody>(
        &self,
        request: &http::Request<B>,
    ) -> Result<Representation, Refusal> {
        if self.rules.dialect == Dialect::Pingup {
            Params::parse(request.uri().query().unwrap_or_default()).check(self.rules.query)?;
        }
        let headers = request.headers();
        let mut accepts = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let offer = match (accepts.next(), accepts.next()) {
            (None, _) => Representation::choose("", self.rules.offers),
            (Some(accept), None) => Representation::choose(accept, self.rules.offers),
            (Some(first), Some(second)) => {
                let all: Vec<_> = [first, second].into_iter().chain(accepts).collect();
                Representation::choose(&all.join(","), self.rules.offers)
            }
        }?;
        if let Some(bytes_max) = self.rules.body_bytes_max {
            // What a form has may all stand in the URL.
            if self.rules.body_kind != Kind::Form || !request.body().is_end_stream() {
                body::check_headers(headers, self.rules.body_kind, bytes_max)?;
            }
        }
        Ok(offer)
    }
}

/// The bearer token (RFC 6750).
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = single(headers, &header::AUTHORIZATION)?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The password of Basic authentication (RFC 7617), whoever the user is said to be.
pub(super) fn password(headers: &HeaderMap) -> Option<String> {
    let (scheme, encoded) = single(headers, &header::AUTHORIZATION)?.split_once(' ')?;
    let both = scheme.eq_ignore_ascii_case("basic").then(|| STANDARD.decode(encoded.trim()).ok())??;
    let (_user, password) = std::str::from_utf8(&both).ok()?.split_once(':')?;
    Some(password.to_owned())
}
