//! `read`, Prometheus's remote read protocol, by hand: what is no request, and what is too much. A real Prometheus asks in
//! `crate::oracle`.

use super::{Scene, failed};
use crate::harness::wire::Answer;

pub const SNAPPY: [(&str, &str); 2] =
    [("content-type", "application/x-protobuf"), ("content-encoding", "snappy")];

fn ask(scene: &Scene, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    scene.viewer.send("POST", "/prometheus/api/v1/read", headers, Some(body))
}

fn packed(message: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(message).unwrap()
}

/// A field of bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, u8::try_from(bytes.len()).unwrap()], bytes].concat()
}

/// A request for all series ever whose label `name` is `value`.
fn request(name: &str, value: &str) -> Vec<u8> {
    let matcher = [field(2, name.as_bytes()), field(3, value.as_bytes())].concat();
    // From 0 to the highest number that there is.
    let end = [&[2 << 3][..], &[0xff; 8], &[0x7f]].concat();
    field(1, &[end, field(3, &matcher)].concat())
}

#[test]
fn series_come_as_they_are() {
    let scene = Scene::set();
    let answer = ask(&scene, &SNAPPY, &packed(&request("__name__", "pingup_cpu_percent")));
    assert_eq!(answer.status, 200, "{answer:?}");
    for (name, value) in SNAPPY {
        assert_eq!(answer.header(name), Some(value));
    }
    let message = snap::raw::Decoder::new().decompress_vec(&answer.body).unwrap();
    let count = |wanted: &[u8]| message.windows(wanted.len()).filter(|window| *window == wanted).count();
    let label =
        |name: &str, value: &str| field(1, &[field(1, name.as_bytes()), field(2, value.as_bytes())].concat());
    assert_eq!(count(&label("__name__", "pingup_cpu_percent")), 2);
    assert_eq!((count(&label("agent_id", "A")), count(&label("agent_id", "B"))), (1, 1));
    // A's seventh value.
    let value = [&[1 << 3 | 1][..], &7.0_f64.to_le_bytes()].concat();
    assert_eq!(count(&value), 1);

    let nothing = ask(&scene, &SNAPPY, &packed(&request("__name__", "nothing_there")));
    assert_eq!(snap::raw::Decoder::new().decompress_vec(&nothing.body).unwrap(), [0x0a, 0]);
    assert_eq!(ask(&scene, &SNAPPY, &packed(b"")).status, 200, "nothing was asked");
}

#[test]
fn what_is_no_request_is_told_so() {
    let scene = Scene::set();
    let body = packed(&request("__name__", "up"));
    for headers in [&SNAPPY[..1], &[SNAPPY[0], ("content-encoding", "gzip")], &[super::FORM, SNAPPY[1]]] {
        failed(&ask(&scene, headers, &body), 415, "bad_data");
    }
    for (body, said) in [
        (b"no snappy".to_vec(), "no snappy block"),
        // A claim of four gigabytes.
        (vec![0xff, 0xff, 0xff, 0xff, 0x0f], "at most 1048576 bytes"),
        (packed(&vec![0; 1024 * 1024 + 1]), "at most 1048576 bytes"),
        (packed(b"\x0a\x05"), "no protobuf message"),
        (packed(&request("a", "")), "the empty value does not fulfil"),
        (packed(b"\x10\x01"), "type SAMPLES"),
    ] {
        let error = failed(&ask(&scene, &SNAPPY, &body), 400, "bad_data");
        assert!(error.contains(said), "{error}");
    }
}
