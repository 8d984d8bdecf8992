//! Requests as clients send them, recorded in `shapes/`, one a file: above the line of dashes the request, below it the
//! status and the answer. `{T}` is the scene's beginning in seconds, `{T+90}` a moment after it. A text that ends with
//! `…` stands for any that begins so.

use super::{FORM, Scene, plain};
use serde_json::Value;
use std::{fs, path::Path};

/// What stands between a request and its answer.
const LINE: &str = "\n---\n";

struct Shape {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Option<String>,
    status: u16,
    answer: Value,
}

impl Shape {
    fn read(text: &str, begin: i64) -> Self {
        let text = moments(text, begin);
        let (request, answer) = text.split_once(LINE).expect("a request and an answer");
        let (head, body) = match request.split_once("\n\n") {
            Some((head, body)) => (head, Some(body.trim_end().to_owned())),
            None => (request, None),
        };
        let mut lines = head.lines();
        let mut first = lines.next().unwrap().split(' ').map(str::to_owned);
        let headers = lines.map(|line| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_ascii_lowercase(), value.to_owned())
        });
        let (status, answer) = answer.split_once('\n').unwrap();
        Self {
            method: first.next().unwrap(),
            path: first.next().unwrap(),
            headers: headers.collect(),
            body,
            status: status.trim().parse().unwrap(),
            answer: serde_json::from_str(answer).unwrap(),
        }
    }
}

/// Puts moments in.
fn moments(text: &str, begin: i64) -> String {
    let mut parts = text.split("{T");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (shift, behind) = part.split_once('}').unwrap();
        let shift: i64 = if shift.is_empty() { 0 } else { shift.parse().unwrap() };
        out.push_str(&format!("{}{behind}", begin + shift));
    }
    out
}

fn fits(wanted: &Value, found: &Value) -> bool {
    match (wanted, found) {
        (Value::String(wanted), Value::String(found)) => match wanted.strip_suffix('…') {
            Some(beginning) => found.starts_with(beginning),
            None => wanted == found,
        },
        (Value::Array(wanted), Value::Array(found)) => {
            wanted.len() == found.len() && wanted.iter().zip(found).all(|(wanted, found)| fits(wanted, found))
        }
        (Value::Object(wanted), Value::Object(found)) => {
            wanted.len() == found.len()
                && wanted
                    .iter()
                    .all(|(name, wanted)| found.get(name).is_some_and(|found| fits(wanted, found)))
        }
        _ => wanted == found,
    }
}

#[test]
fn recorded_requests_are_answered_as_recorded() {
    let scene = Scene::set();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/prometheus/shapes");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 30, "{} shapes", files.len());
    let mut wrong = Vec::new();
    for file in files {
        let shape = Shape::read(&fs::read_to_string(&file).unwrap(), scene.begin);
        let mut headers: Vec<_> = shape.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        if shape.body.is_some() && !headers.iter().any(|(name, _)| *name == FORM.0) {
            headers.push(FORM);
        }
        let body = shape.body.as_deref().map(str::as_bytes);
        let answer = scene.viewer.send(&shape.method, &shape.path, &headers, body);
        let found: Value = serde_json::from_slice(&plain(&answer)).unwrap_or_default();
        if answer.status != shape.status || !fits(&shape.answer, &found) {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            wrong.push(format!(
                "{name}: {} {found}\n  wanted {} {}",
                answer.status, shape.status, shape.answer
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
