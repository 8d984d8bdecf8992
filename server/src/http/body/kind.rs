//! What a body is by its own account, before anyone reads it: its media type, how it is packed, how long it says it is.

use super::too_large;
use crate::http::{problem::Refusal, single};
use http::{HeaderMap, HeaderValue, header};
use pingup_protocol::problem::ProblemType;

/// What the body of a route must be by its own account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `application/json`.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `application/x-protobuf` as a block of snappy: what Prometheus's remote protocols are made of.
    Snappy,
    /// The same, as senders of remote write say it: version 1 of the protocol.
    Written,
    /// OTLP: `application/x-protobuf` or `application/json`, as it is or packed by gzip.
    Otlp,
}

/// Says which version of remote write a sender speaks.
const WRITE_VERSION: &str = "x-prometheus-remote-write-version";
/// The message of version 1, by its full name.
const WRITE_MESSAGE: &str = "prometheus.WriteRequest";

impl Kind {
    /// Its media type, without parameters.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Form => "application/x-www-form-urlencoded",
            Self::Snappy | Self::Written | Self::Otlp => "application/x-protobuf",
        }
    }

    /// What to send, where something else came.
    const fn wanted(self) -> &'static str {
        match self {
            Self::Otlp => "application/x-protobuf, or application/json",
            Self::Written => "application/x-protobuf (prometheus.WriteRequest): remote write 1, not 2",
            other => other.media_type(),
        }
    }

    /// Whether a body is that, and of no charset but UTF-8.
    fn is(self, content_type: &str) -> bool {
        let mut parts = content_type.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default();
        let is = |known: &str| media_type.eq_ignore_ascii_case(known);
        let right = |parameter: &str| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let value = value.trim_matches('"');
            match &*name.to_ascii_lowercase() {
                "charset" => value.eq_ignore_ascii_case("utf-8"),
                "proto" => self != Self::Written || value == WRITE_MESSAGE,
                _ => true,
            }
        };
        (is(self.media_type()) || (self == Self::Otlp && is(Self::Json.media_type()))) && parts.all(right)
    }

    /// Whether it may come in this version of its protocol, by the sender's own account.
    fn is_spoken(self, headers: &HeaderMap) -> bool {
        let version = headers.get(WRITE_VERSION).map(HeaderValue::as_bytes);
        self != Self::Written || version.is_none_or(|version| !version.starts_with(b"2"))
    }

    /// Whether it may be packed so.
    fn may_be(self, coding: Option<&[u8]>) -> bool {
        match self {
            Self::Json | Self::Form => coding.is_none(),
            Self::Snappy | Self::Written => coding == Some(b"snappy"),
            Self::Otlp => matches!(coding, None | Some(b"identity" | b"gzip")),
        }
    }

    /// How to send it, where it was packed otherwise.
    const fn packed(self) -> &'static str {
        match self {
            Self::Json | Self::Form => "send the body without a content encoding",
            Self::Snappy | Self::Written => "send the body with Content-Encoding: snappy",
            Self::Otlp => "send the body with Content-Encoding: gzip, or without one",
        }
    }
}

/// Refuses a body that is not of this kind by its own account, or larger than `bytes_max` by its own account. Whether one
/// of remote write is larger is told when it has come, for else its sender would not hear it.
pub fn check_headers(headers: &HeaderMap, kind: Kind, bytes_max: usize) -> Result<(), Refusal> {
    let content_type = single(headers, &header::CONTENT_TYPE);
    if !content_type.is_some_and(|content_type| kind.is(content_type)) || !kind.is_spoken(headers) {
        let detail = format!("send Content-Type: {}", kind.wanted());
        return Err(Refusal::new(ProblemType::UnsupportedMediaType, detail));
    }
    if !kind.may_be(headers.get(header::CONTENT_ENCODING).map(HeaderValue::as_bytes)) {
        return Err(Refusal::new(ProblemType::UnsupportedMediaType, kind.packed()));
    }
    let length = single(headers, &header::CONTENT_LENGTH);
    if length.is_none()
        && single(headers, &header::TRANSFER_ENCODING).is_some_and(|coding| !is_chunked(coding))
    {
        let detail = "send the body with a Content-Length, or with Transfer-Encoding: chunked alone";
        return Err(Refusal::new(ProblemType::UnsupportedMediaType, detail));
    }
    let announced = length.and_then(|text| text.parse::<usize>().ok());
    if kind != Kind::Written && announced.is_some_and(|length| length > bytes_max) {
        return Err(too_large(bytes_max));
    }
    Ok(())
}

fn is_chunked(coding: &str) -> bool {
    coding.trim().eq_ignore_ascii_case("chunked")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: Kind, headers: &[(&'static str, &'static str)]) -> Result<(), String> {
        let headers = headers.iter().map(|&(name, value)| {
            (name.parse::<http::HeaderName>().unwrap(), HeaderValue::from_static(value))
        });
        check_headers(&headers.collect(), kind, 100).map_err(|refusal| refusal.problem().detail.clone())
    }

    #[test]
    fn version_1_of_remote_write_is_taken_and_version_2_is_told_so() {
        let packed = ("content-encoding", "snappy");
        for content_type in [
            "application/x-protobuf",
            "Application/X-Protobuf; charset=\"UTF-8\"",
            "application/x-protobuf;proto=prometheus.WriteRequest",
        ] {
            for version in ["0.1.0", "1.0", ""] {
                let version = (WRITE_VERSION, version);
                assert_eq!(check(Kind::Written, &[("content-type", content_type), packed, version]), Ok(()));
            }
        }
        for (content_type, version) in [
            ("application/x-protobuf;proto=io.prometheus.write.v2.Request", "2.0.0"),
            ("application/x-protobuf;proto=io.prometheus.write.v2.Request", "0.1.0"),
            ("application/x-protobuf", "2.0.0"),
            ("application/json", "0.1.0"),
        ] {
            let headers = [("content-type", content_type), packed, (WRITE_VERSION, version)];
            let said = check(Kind::Written, &headers).unwrap_err();
            assert!(said.contains("remote write 1, not 2"), "{said}");
        }
        for coding in ["zstd", "gzip", "snappy, gzip"] {
            let headers = [("content-type", "application/x-protobuf"), ("content-encoding", coding)];
            assert!(check(Kind::Written, &headers).unwrap_err().contains("Content-Encoding: snappy"));
        }
    }

    #[test]
    fn otlp_comes_in_two_encodings_packed_or_not() {
        for content_type in ["application/x-protobuf", "application/json", "application/json; charset=utf-8"]
        {
            let content_type = ("content-type", content_type);
            assert_eq!(check(Kind::Otlp, &[content_type]), Ok(()));
            for coding in ["gzip", "identity"] {
                assert_eq!(check(Kind::Otlp, &[content_type, ("content-encoding", coding)]), Ok(()));
            }
            let said = check(Kind::Otlp, &[content_type, ("content-encoding", "zstd")]).unwrap_err();
            assert!(said.contains("gzip, or without one"), "{said}");
        }
        assert!(
            check(Kind::Otlp, &[("content-type", "text/plain")]).unwrap_err().contains("or application/json")
        );
        assert!(check(Kind::Otlp, &[]).is_err());
        let long = [("content-type", "application/json"), ("content-length", "101")];
        assert!(check(Kind::Otlp, &long).unwrap_err().contains("at most 100 bytes"));
        let written = [("content-type", "application/x-protobuf"), ("content-encoding", "snappy"), long[1]];
        assert_eq!(check(Kind::Written, &written), Ok(()), "told when it has come");
    }
}
