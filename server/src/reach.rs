//! How the hub is reached: what `join-token create` tells a new agent.
//!
//! A hub that starts notes it in its data folder, for commands that know the folder and not the hub's flags; it notes it
//! again when its key changes. Nothing in it is secret, and nothing is refused for want of it.

use crate::{address::Address, storage::DataFolder, tls::host_name};
use pingup_protocol::{order::OperatorKey, pin::Pin};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    io::{self, Read},
    net::SocketAddr,
    path::PathBuf,
};

/// Far more than a note has.
const NOTE_BYTES_MAX: u64 = 16 * 1024;

/// What a hub notes of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reach {
    /// Where agents find it.
    pub url: String,
    /// Of its key, where it speaks TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<String>,
    /// The file that clients may trust, where the hub made its certificate itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
}

impl Reach {
    /// A hub that listens at `listen`; `public` counts for more.
    pub fn new(listen: SocketAddr, public: Option<&Address>, tls: Option<(Pin, Option<PathBuf>)>) -> Self {
        let (pin, ca_file) = tls.map_or((None, None), |(pin, ca_file)| (Some(pin.to_string()), ca_file));
        let listens = || {
            let scheme = if pin.is_some() { "https" } else { "http" };
            match listen.ip().is_unspecified().then(host_name).flatten() {
                Some(name) => format!("{scheme}://{name}:{}", listen.port()),
                None => format!("{scheme}://{listen}"),
            }
        };
        let url = public.map_or_else(listens, Address::to_string);
        Self { url, pin, ca_file }
    }

    /// Notes it in the data folder.
    pub fn note(&self, folder: &DataFolder) -> io::Result<()> {
        let path = folder.reach_path();
        let draft = path.with_extension("new");
        fs::write(&draft, serde_json::to_vec_pretty(self)?)?;
        fs::rename(&draft, &path)
    }

    /// What the hub noted that ran on the folder last; none where none did, or where it cannot be read.
    pub fn noted(folder: &DataFolder) -> Option<Self> {
        let mut text = Vec::new();
        File::open(folder.reach_path()).ok()?.take(NOTE_BYTES_MAX).read_to_end(&mut text).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// The same hub at another address: a pin is of TLS, whoever speaks that.
    #[must_use]
    pub fn at(self, address: &Address) -> Self {
        let pin = self.pin.filter(|_| address.is_https());
        Self { url: address.to_string(), pin, ..self }
    }

    /// What is to be typed on a machine that is to have an agent. The token stands in the environment: a program's
    /// arguments are there for every user of the machine to read. With operators' keys the agent obeys nobody else in what
    /// changes the machine.
    pub fn agent_command(&self, token: &str, operator_keys: &[OperatorKey]) -> String {
        let mut command = format!("PINGUP_JOIN_TOKEN={token} pingup-agent run --hub {}", word(&self.url));
        if let Some(pin) = &self.pin {
            command.push_str(&format!(" --hub-pin {pin}"));
        }
        for key in operator_keys {
            command.push_str(&format!(" --operator-key {}", word(&key.to_string())));
        }
        if Address::parse(&self.url).is_ok_and(|address| !address.is_https() && !address.is_local()) {
            command.push_str(" --insecure-http");
        }
        command
    }
}

/// A text as one word of a shell.
fn word(text: &str) -> String {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b":/._-%".contains(&b);
    if text.bytes().all(is_plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(listen: &str, public: Option<&str>, is_tls: bool) -> Reach {
        let public = public.map(|text| Address::parse(text).unwrap());
        Reach::new(listen.parse().unwrap(), public.as_ref(), is_tls.then(|| (Pin::of(b""), None)))
    }

    #[test]
    fn the_command_says_all_that_an_agent_needs() {
        const PIN: &str = "sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        for (reach, command) in [
            (reach("127.0.0.1:8080", None, false), "--hub http://127.0.0.1:8080".to_owned()),
            (reach("192.0.2.1:80", None, false), "--hub http://192.0.2.1:80 --insecure-http".to_owned()),
            (reach("192.0.2.1:8443", None, true), format!("--hub https://192.0.2.1:8443 --hub-pin {PIN}")),
            (reach("[::1]:8443", None, true), format!("--hub 'https://[::1]:8443' --hub-pin {PIN}")),
            (
                reach("0.0.0.0:8443", Some("https://hub.example/it's"), true),
                format!(r"--hub 'https://hub.example/it'\''s' --hub-pin {PIN}"),
            ),
            // Somebody else speaks TLS for it, with a key that the hub does not know.
            (
                reach("127.0.0.1:8080", Some("https://hub.example"), false),
                "--hub https://hub.example".to_owned(),
            ),
        ] {
            assert_eq!(
                reach.agent_command("pjt_1", &[]),
                format!("PINGUP_JOIN_TOKEN=pjt_1 pingup-agent run {command}")
            );
        }
    }

    #[test]
    fn the_command_names_the_operators_whose_orders_count() {
        let key = "pok_F0VTtFbd38aQjsqxwQH-arIeK6oGF3lbfUOmNIKZP9U";
        let keys: Vec<OperatorKey> = vec![format!("{key} ada@laptop").parse().unwrap()];
        assert_eq!(
            reach("127.0.0.1:8080", None, false).agent_command("pjt_1", &keys),
            format!(
                "PINGUP_JOIN_TOKEN=pjt_1 pingup-agent run --hub http://127.0.0.1:8080 --operator-key '{key} ada@laptop'"
            )
        );
    }

    #[test]
    fn a_hub_that_listens_everywhere_goes_by_its_machines_name() {
        let name = host_name().unwrap_or_else(|| "0.0.0.0".to_owned());
        assert_eq!(reach("0.0.0.0:8443", None, true).url, format!("https://{name}:8443"));
    }

    #[test]
    fn a_note_is_read_as_it_was_written_and_one_that_is_none_is_no_note() {
        let place = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(place.path()).unwrap();
        assert_eq!(Reach::noted(&folder), None);
        let reach = reach("192.0.2.1:8443", None, true);
        reach.note(&folder).unwrap();
        assert_eq!(Reach::noted(&folder), Some(reach.clone()));
        let elsewhere = Address::parse("https://hub.example").unwrap();
        assert_eq!(reach.clone().at(&elsewhere).pin, reach.pin);
        assert_eq!(reach.at(&Address::parse("http://hub.example").unwrap()).pin, None);
        fs::write(folder.reach_path(), "x".repeat(100_000)).unwrap();
        assert_eq!(Reach::noted(&folder), None);
    }
}
