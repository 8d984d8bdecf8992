//! As much YAML as our files are written in, read strictly: what is not of that form is a failed test.
//!
//! Maps and lists by indentation of two spaces; numbers, true, false, words, texts in double quotes as JSON has them, and
//! JSON's lists; comments on lines of their own. Keys stand in a map once.

use serde_json::{Map, Value};

/// A line that says something: how far it is indented, and what it says.
#[derive(Clone, Copy, Debug)]
struct Line<'a> {
    indent: usize,
    text: &'a str,
}

/// Reads a whole file.
pub fn read(text: &str) -> Value {
    let lines: Vec<_> = text.lines().filter_map(line).collect();
    let mut rest = lines.as_slice();
    let value = block(&mut rest, 0);
    assert!(rest.is_empty(), "what does {:?} belong to?", rest[0].text);
    value
}

fn line(text: &str) -> Option<Line<'_>> {
    let said = text.trim_start_matches(' ');
    assert!(!text.contains('\t') && text.trim_end() == text, "blanks: {text:?}");
    (!said.is_empty() && !said.starts_with('#')).then(|| Line { indent: text.len() - said.len(), text: said })
}

/// What is indented by `indent`, as long as it goes on.
fn block(rest: &mut &[Line<'_>], indent: usize) -> Value {
    if rest.first().is_some_and(|line| line.text.starts_with("- ")) {
        items(rest, indent)
    } else {
        map(rest, indent)
    }
}

fn items(rest: &mut &[Line<'_>], indent: usize) -> Value {
    let mut found = Vec::new();
    while let Some(line) = rest.first().filter(|line| line.indent == indent) {
        let said = line.text.strip_prefix("- ").unwrap_or_else(|| panic!("no item: {}", line.text));
        // A map begins beside the dash, and goes on below it.
        let mut own = vec![Line { indent: indent + 2, text: said }];
        *rest = &rest[1..];
        while let Some(line) = rest.first().filter(|line| line.indent > indent) {
            own.push(*line);
            *rest = &rest[1..];
        }
        let mut own = own.as_slice();
        found.push(if said.contains(": ") || said.ends_with(':') {
            map(&mut own, indent + 2)
        } else {
            scalar(said)
        });
        assert!(own.len() <= 1, "what does {own:?} belong to?");
    }
    Value::Array(found)
}

fn map(rest: &mut &[Line<'_>], indent: usize) -> Value {
    let mut found = Map::new();
    while let Some(&line) = rest.first().filter(|line| line.indent == indent && !line.text.starts_with("- "))
    {
        *rest = &rest[1..];
        let (key, said) = line.text.split_once(':').unwrap_or_else(|| panic!("no key: {}", line.text));
        let value = match said.strip_prefix(' ') {
            Some(said) => scalar(said),
            None => {
                assert!(said.is_empty(), "no blank behind the colon: {}", line.text);
                let below = rest.first().filter(|below| below.indent == indent + 2);
                below.unwrap_or_else(|| panic!("nothing below {key}"));
                block(rest, indent + 2)
            }
        };
        assert!(key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'), "a key: {key}");
        assert!(found.insert(key.to_owned(), value).is_none(), "{key} twice");
    }
    Value::Object(found)
}

fn scalar(said: &str) -> Value {
    if said.starts_with(['"', '[']) {
        return serde_json::from_str(said).unwrap_or_else(|error| panic!("{said}: {error}"));
    }
    let is_word = !said.is_empty() && !said.contains(": ") && !said.contains(" #");
    assert!(is_word && !said.starts_with(['\'', '{', '&', '*', '!', '|', '>', '%', '@', '`', '-']), "{said}");
    match said {
        "true" | "false" => Value::Bool(said == "true"),
        _ => said.parse::<i64>().map_or_else(|_| Value::from(said), Value::from),
    }
}

#[test]
fn what_our_files_are_written_in_is_read() {
    let text =
        "# a comment\na: 1\nb:\n  - c: \"x: y\"\n    d: [0, 1]\n  - c: two words\n    e:\n      f: true\n";
    let wanted =
        serde_json::json!({"a": 1, "b": [{"c": "x: y", "d": [0, 1]}, {"c": "two words", "e": {"f": true}}]});
    assert_eq!(read(text), wanted);
    for bad in [
        "a:1\n",
        "a: b: c\n",
        "a: 1\na: 2\n",
        "a:\n   b: 1\n",
        "a: 1 \n",
        "a: 'x'\n",
        "a:\n",
        "  a: 1\n",
        "- a\nb: 1\n",
    ] {
        assert!(std::panic::catch_unwind(|| read(bad)).is_err(), "{bad:?}");
    }
}
