//! Requests as bytes: the head once an agent, the length filled in once the body is known.

use crate::settings::{Bearer, Hub};

/// Characters kept for a body's length: white space before a value means nothing, so what is not needed stays blank.
const LENGTH_CHARS: usize = 8;

/// Begins a request with a JSON body: everything up to the body, its length still blank.
pub(crate) fn post(hub: &Hub, path: &str, bearer: Option<&Bearer>) -> Vec<u8> {
    let blank = " ".repeat(LENGTH_CHARS);
    let head = head("POST", hub, path, bearer);
    format!("{head}content-type: application/json\r\ncontent-length: {blank}\r\n\r\n").into_bytes()
}

/// Fills in the length of the body that follows a head of `head_bytes`.
pub(crate) fn close(request: &mut [u8], head_bytes: usize) {
    let mut length = request.len() - head_bytes;
    let end = head_bytes - b"\r\n\r\n".len();
    for place in (end - LENGTH_CHARS..end).rev() {
        request[place] = b'0' + (length % 10) as u8;
        length /= 10;
        if length == 0 {
            break;
        }
    }
}

/// A request with `body`, whole.
pub(crate) fn post_with(hub: &Hub, path: &str, bearer: Option<&Bearer>, body: &[u8]) -> Vec<u8> {
    let mut request = post(hub, path, bearer);
    let head_bytes = request.len();
    request.extend_from_slice(body);
    close(&mut request, head_bytes);
    request
}

/// A request for `path` in the form `accept`, whole.
pub(crate) fn get(hub: &Hub, path: &str, bearer: &Bearer, accept: &str) -> Vec<u8> {
    format!("{}accept: {accept}\r\n\r\n", head("GET", hub, path, Some(bearer))).into_bytes()
}

fn head(method: &str, hub: &Hub, path: &str, bearer: Option<&Bearer>) -> String {
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", hub.authority);
    if let Some(bearer) = bearer {
        head += &format!("authorization: Bearer {}\r\n", bearer.expose());
    }
    head
}

/// A text as the value of a query parameter.
pub(crate) fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' | b'.' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_says_how_long_its_body_is() {
        let hub = Hub::read("http://127.0.0.1:9", false).unwrap();
        let bearer = Bearer::new("t");
        for (body, length) in [(&b""[..], 0), (b"{}", 2), (&[b'x'; 1234], 1234)] {
            let request = post_with(&hub, "/p", bearer.as_ref(), body);
            let text = String::from_utf8(request).unwrap();
            assert!(text.starts_with("POST /p HTTP/1.1\r\nhost: 127.0.0.1:9\r\nauthorization: Bearer t\r\n"));
            let said = text.split("content-length:").nth(1).unwrap().split("\r\n").next().unwrap().trim();
            assert_eq!(said.parse(), Ok(length));
        }
    }
}
