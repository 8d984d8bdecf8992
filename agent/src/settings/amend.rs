//! Changing settings in a file that people write in as well: what is not named, and every comment, stays.
//!
//! The file is flat, a key a value, so a value is replaced where it stands, and a new key added at the end.

use super::{SettingsError, check, file};
use crate::install::CONFIG;
use serde::de::IgnoredAny;
use std::collections::BTreeMap;
use toml::Spanned;

/// What a file begins with that was not there.
const HEADING: &str =
    "# Settings of the pingup agent. `pingup-agent run --help` names all of them, with _ for -.\n\n";

/// A key, and what it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amendment {
    key: &'static str,
    value: String,
}

impl Amendment {
    /// `key` is to be this text.
    pub fn text(key: &'static str, text: &str) -> Self {
        Self { key, value: quoted(text) }
    }

    /// `key` is to be this list.
    pub fn list(key: &'static str, words: &[String]) -> Self {
        let words: Vec<String> = words.iter().map(|word| quoted(word.trim())).collect();
        Self { key, value: format!("[{}]", words.join(", ")) }
    }

    /// `key` is to be this.
    pub fn switch(key: &'static str, on: bool) -> Self {
        Self { key, value: on.to_string() }
    }
}

/// The text of the settings file with `amendments`, from `before`, where there was one. Checked as `run` checks it.
pub fn amended(before: Option<&str>, amendments: &[Amendment]) -> Result<String, SettingsError> {
    let mut text = before.unwrap_or(HEADING).to_owned();
    let values: BTreeMap<String, Spanned<IgnoredAny>> =
        toml::from_str(&text).map_err(|error| of_file(&SettingsError(file::explain(&error, &text))))?;
    let mut added = String::new();
    let mut replaced = Vec::new();
    for Amendment { key, value } in amendments {
        match values.get(*key) {
            Some(there) => replaced.push((there.span(), value)),
            None => added.push_str(&format!("{key} = {value}\n")),
        }
    }
    // From the end, so that what comes before stays where it is.
    replaced.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
    for (span, value) in replaced {
        text.replace_range(span, value);
    }
    if !added.is_empty() && !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&added);
    check(file::parse(&text).map_err(|error| of_file(&error))?)?;
    Ok(text)
}

/// What is wrong in the file rather than in what was said now.
fn of_file(error: &SettingsError) -> SettingsError {
    SettingsError::of(CONFIG, error)
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let escaped = text.chars().map(|c| match c {
        '"' | '\\' => format!("\\{c}"),
        c if c.is_control() => format!("\\u{:04X}", u32::from(c)),
        c => c.to_string(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub(url: &str) -> Amendment {
        Amendment::text("hub", url)
    }

    #[test]
    fn what_people_wrote_stays() {
        let before = "# mine\nhub = \"http://127.0.0.1:1\" # the old one\nallow = [\n  \"ping\",\n]\ninterval = \"5s\"";
        let allow = Amendment::list("allow", &["ping".into(), "exec".into()]);
        let state = Amendment::text("state_dir", "/var/lib/x");
        let after = amended(Some(before), &[hub("http://127.0.0.1:2"), allow, state]).unwrap();
        assert_eq!(
            after,
            "# mine\nhub = \"http://127.0.0.1:2\" # the old one\nallow = [\"ping\", \"exec\"]\ninterval = \"5s\"\n\
             state_dir = \"/var/lib/x\"\n"
        );
        assert_eq!(amended(Some(&after), &[hub("http://127.0.0.1:2")]).unwrap(), after);
    }

    #[test]
    fn texts_survive_being_written() {
        for name in ["plain", "a \"b\" \\ c", "tab\tnew\nline \u{1}", "größe 机", ""] {
            let after = amended(None, &[hub("http://localhost"), Amendment::text("name", name)]).unwrap();
            assert_eq!(file::parse(&after).unwrap().common.name.as_deref(), Some(name));
        }
    }

    #[test]
    fn what_run_would_refuse_is_not_written() {
        let refusal = |before, amendments: &[Amendment]| amended(before, amendments).unwrap_err().to_string();
        assert!(refusal(None, &[]).contains("hub: where is it?"));
        let pinned = Amendment::list("hub_pin", &["sha256//x".into()]);
        assert!(refusal(None, &[hub("https://hub.example"), pinned]).contains("hub-pin: "));
        assert!(refusal(Some("hub = "), &[]).contains("line 1"));
        assert!(refusal(Some("hubb = 1\n"), &[hub("http://localhost")]).contains("hubb"));
        let wrong = [hub("http://localhost"), Amendment::text("interval", "soon")];
        assert!(refusal(None, &wrong).contains("interval"));
    }
}
