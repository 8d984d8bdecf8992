//! By what the hub is known over TLS: pinned keys, authorities of a file, both at once, or the system's authorities.
//!
//! Each says all there is to ask. Of a pinned key neither name nor time is: the key is who the hub is, and a machine's
//! clock may be wrong. Of authorities both are. Where a pin and a file are given, both must hold.

use super::{HubUrl, SettingsError, values};
use pingup_protocol::pin::Pin;
use std::{
    fmt,
    path::{Path, PathBuf},
};

/// Pins that may be given: a hub has one key, and two while it changes it.
const PINS_MAX: usize = 8;

/// By what the hub is known; without anything, by the system's authorities.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    pins: Vec<Pin>,
    authorities: Option<PathBuf>,
}

impl Trust {
    /// What was said of the hub at `url`. Nothing is opened.
    pub(super) fn of(
        url: &HubUrl,
        pins: Option<Vec<String>>,
        authorities: Option<String>,
    ) -> Result<Self, SettingsError> {
        let mut trust = Self { pins: Vec::new(), authorities: values::given(authorities).map(PathBuf::from) };
        for word in values::guard("hub-pin", pins)?.unwrap_or_default() {
            let pin = word.parse();
            let pin = pin.map_err(|e| SettingsError::of("hub-pin", format!("{e}; not {word:?}")))?;
            if !trust.pins.contains(&pin) {
                trust.pins.push(pin);
            }
        }
        if trust.pins.len() > PINS_MAX {
            return Err(SettingsError::of("hub-pin", format!("at most {PINS_MAX} expected")));
        }
        // Said, and of no effect: somebody believes to be safe who is not.
        let name = if trust.pins.is_empty() { "hub-ca" } else { "hub-pin" };
        match url.tls_name().is_none() && trust != Self::default() {
            true => {
                Err(SettingsError::of(name, format!("proves nothing of {url}: it wants an https:// address")))
            }
            false => Ok(trust),
        }
    }

    /// The keys that may be the hub's; empty where that is not asked.
    pub fn pins(&self) -> &[Pin] {
        &self.pins
    }

    /// The file whose authorities count, where one was named.
    pub fn authorities(&self) -> Option<&Path> {
        self.authorities.as_deref()
    }
}

impl fmt::Display for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.pins.len(), &self.authorities) {
            (0, None) => f.write_str("the system's authorities"),
            (0, Some(path)) => write!(f, "the authorities of {}", path.display()),
            (_, None) => f.write_str("its pinned key"),
            (_, Some(path)) => write!(f, "its pinned key and the authorities of {}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(url: &str, pins: &[String], file: &str) -> Result<Trust, SettingsError> {
        Trust::of(&HubUrl::parse(url, true).unwrap(), Some(pins.to_vec()), Some(file.to_owned()))
    }

    fn pins(count: u8) -> Vec<String> {
        (0..count).map(|key| Pin::of(&[key]).to_string()).collect()
    }

    #[test]
    fn a_hub_is_known_by_what_was_said() {
        let known = |pins: &[String], file| of("https://h", pins, file).unwrap();
        assert_eq!(known(&[], "").to_string(), "the system's authorities");
        assert_eq!(known(&[], " "), Trust::default(), "an empty variable says nothing");
        assert_eq!(known(&[], "/ca.pem").to_string(), "the authorities of /ca.pem");
        let both = known(&pins(2), "/ca.pem");
        assert_eq!((both.pins().len(), both.authorities()), (2, Some(Path::new("/ca.pem"))));
        assert_eq!(both.to_string(), "its pinned key and the authorities of /ca.pem");
        let twice = [pins(1), pins(1)].concat();
        assert_eq!(known(&twice, "").pins().len(), 1);
    }

    #[test]
    fn what_proves_nothing_is_refused() {
        let refusal = |url, pins: &[String], file| of(url, pins, file).unwrap_err().to_string();
        let plain = refusal("http://h", &pins(1), "");
        assert!(plain.starts_with("hub-pin: ") && plain.contains("https://"), "{plain}");
        assert!(refusal("http://h", &[], "/ca.pem").starts_with("hub-ca: "));
        assert!(refusal("https://h", &["sha256//x".to_owned()], "").contains("not \"sha256//x\""));
        for blank in [&[String::new()][..], &[" ".to_owned()], &[pins(1), vec![String::new()]].concat()] {
            assert!(
                refusal("https://h", blank, "").starts_with("hub-pin: an empty entry"),
                "a template's mistake"
            );
        }
        assert!(of("http://h", &[], "").is_ok());
    }

    #[test]
    fn pins_are_bounded() {
        let most = u8::try_from(PINS_MAX).unwrap();
        assert!(of("https://h", &pins(most), "").is_ok());
        assert!(of("https://h", &pins(most + 1), "").unwrap_err().to_string().contains("at most 8"));
    }
}
