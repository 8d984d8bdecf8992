//! From the texts of flags, variables and files to values: each says what it would have liked instead.

use super::SettingsError;
use crate::scan::PORTS;
use pingup_protocol::labels::Labels;
use std::{collections::BTreeMap, ops::RangeInclusive, str::FromStr, time::Duration};
use tracing::level_filters::LevelFilter;

/// A text, unless it is empty: an empty variable says nothing.
pub(super) fn given(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}

/// A list, unless all it holds is one empty word: that is what an empty variable looks like.
pub(super) fn list(words: Option<Vec<String>>) -> Option<Vec<String>> {
    words.filter(|words| !matches!(words.as_slice(), [word] if word.trim().is_empty()))
}

/// A list that guards this machine: an empty word in it, also from an empty variable, is no word of somebody who wanted
/// none. It would take the guard away, unseen.
pub(super) fn guard(name: &str, words: Option<Vec<String>>) -> Result<Option<Vec<String>>, SettingsError> {
    match words.iter().flatten().any(|word| word.trim().is_empty()) {
        true => Err(SettingsError::of(
            name,
            "an empty entry guards nothing; say what it should be, or leave it away",
        )),
        false => Ok(words),
    }
}

/// Yes or no; no when nothing was said.
pub(super) fn switch(name: &str, text: Option<&str>) -> Result<bool, SettingsError> {
    match text.unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "" | "false" | "no" | "off" | "0" => Ok(false),
        "true" | "yes" | "on" | "1" => Ok(true),
        other => Err(SettingsError::of(name, format!("true or false expected, not {other:?}"))),
    }
}

/// A time span such as `30s` or `5m` within `range`.
pub(super) fn duration(
    name: &str,
    text: Option<String>,
    default: Duration,
    range: RangeInclusive<Duration>,
) -> Result<Duration, SettingsError> {
    let Some(text) = given(text) else { return Ok(default) };
    let duration = humantime::parse_duration(text.trim()).map_err(|_| {
        SettingsError::of(name, format!("a time span such as 30s or 5m expected, not {text:?}"))
    })?;
    if range.contains(&duration) {
        return Ok(duration);
    }
    let least = humantime::format_duration(*range.start());
    let bounds = match *range.end() {
        Duration::MAX => format!("at least {least}"),
        most => format!("{least} to {}", humantime::format_duration(most)),
    };
    Err(SettingsError::of(name, format!("{bounds} expected, not {text:?}")))
}

/// A whole number within `range`.
pub(super) fn number<T: FromStr + PartialOrd + std::fmt::Display>(
    name: &str,
    text: Option<String>,
    range: RangeInclusive<T>,
) -> Result<Option<T>, SettingsError> {
    let Some(text) = given(text) else { return Ok(None) };
    match text.trim().parse::<T>() {
        Ok(number) if range.contains(&number) => Ok(Some(number)),
        _ => {
            let what = format!("a number from {} to {} expected, not {text:?}", range.start(), range.end());
            Err(SettingsError::of(name, what))
        }
    }
}

/// Ports to try; the agent's own list when nothing was said.
pub(super) fn ports(words: Option<&[String]>) -> Result<Vec<u16>, SettingsError> {
    let Some(words) = list(words.map(<[String]>::to_vec)) else { return Ok(PORTS.to_vec()) };
    let mut ports = Vec::with_capacity(words.len());
    for word in words {
        match word.trim().parse::<u16>() {
            Ok(port @ 1..) => ports.push(port),
            _ => return Err(SettingsError::of("ports", format!("1 to 65535 expected, not {word:?}"))),
        }
    }
    match ports.is_empty() {
        false => Ok(ports),
        true => Err(SettingsError::of("ports", "at least one expected")),
    }
}

/// Labels, each as name=value; none when nothing was said.
pub(super) fn labels(words: Option<Vec<String>>) -> Result<Labels, SettingsError> {
    let words = list(words).unwrap_or_default();
    let mut labels = BTreeMap::new();
    for word in &words {
        let (name, value) = word
            .split_once('=')
            .ok_or_else(|| SettingsError::of("labels", format!("name=value expected, not {word:?}")))?;
        if labels.insert(name.trim().to_owned(), value.trim().to_owned()).is_some() {
            return Err(SettingsError::of("labels", format!("{:?} is named twice", name.trim())));
        }
    }
    let labels: Labels = labels.into_iter().collect();
    labels.check("").map_err(|error| SettingsError::of("labels", error))?;
    Ok(labels)
}

/// What to log.
pub(super) fn level(text: Option<String>) -> Result<LevelFilter, SettingsError> {
    match text.as_deref().map(str::trim) {
        None | Some("info") => Ok(LevelFilter::INFO),
        Some("error") => Ok(LevelFilter::ERROR),
        Some("warn") => Ok(LevelFilter::WARN),
        Some("debug") => Ok(LevelFilter::DEBUG),
        Some(other) => {
            Err(SettingsError::of("log", format!("error, warn, info or debug expected, not {other:?}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_words_of_a_name_and_a_value() {
        let read = |words: &[&str]| labels(Some(words.iter().map(|&word| word.to_owned()).collect()));
        let both = read(&["role=web", " site = ber=lin "]).unwrap();
        assert_eq!(both.iter().collect::<Vec<_>>(), [("role", "web"), ("site", "ber=lin")]);
        assert!(read(&[""]).unwrap().is_empty() && labels(None).unwrap().is_empty());
        for (words, what) in [
            (&["role"][..], "name=value expected"),
            (&["Role=web"][..], "Role"),
            (&["role="][..], "1 to 128 bytes"),
            (&["role=a", "role=b"][..], "named twice"),
        ] {
            let refusal = read(words).unwrap_err().to_string();
            assert!(refusal.starts_with("labels: ") && refusal.contains(what), "{refusal}");
        }
        let many: Vec<String> = (0..=32).map(|number| format!("l{number}=x")).collect();
        assert!(labels(Some(many)).unwrap_err().to_string().contains("at most 32"));
    }
}
