//! The TOML file: the same settings, typed as TOML types them. A key that is not known is refused, since a
//! misspelt setting that is silently ignored is worse than none.

use super::{SettingsError, arguments::RunArguments, common_arguments::CommonArguments};
use serde::Deserialize;
use std::path::Path;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    hub: Option<String>,
    hub_pin: Option<Vec<String>>,
    hub_ca: Option<String>,
    join_token: Option<String>,
    state_dir: Option<String>,
    interval: Option<String>,
    name: Option<String>,
    insecure_http: Option<bool>,
    allow: Option<Vec<String>>,
    operator_keys: Option<Vec<String>>,
    signed_actions: Option<Vec<String>>,
    spool_bytes_max: Option<u64>,
    spool_age_max: Option<String>,
    ports: Option<Vec<u16>>,
    scan_networks: Option<Vec<String>>,
    scan_rate: Option<u32>,
    ssh_host: Option<String>,
    ssh_port: Option<u16>,
    ssh_user: Option<String>,
    labels: Option<Vec<String>>,
    log: Option<String>,
}

/// Reads the file at `path`.
pub(super) fn read(path: &Path) -> Result<RunArguments, SettingsError> {
    let refused = |what: String| SettingsError(format!("{}: {what}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| refused(error.to_string()))?;
    parse(&text).map_err(|SettingsError(what)| refused(what))
}

/// Reads the text of a file.
pub(super) fn parse(text: &str) -> Result<RunArguments, SettingsError> {
    let file: File = toml::from_str(text).map_err(|error| SettingsError(explain(&error, text)))?;
    Ok(RunArguments {
        common: CommonArguments {
            hub: file.hub,
            hub_pin: file.hub_pin,
            name: file.name,
            insecure_http: file.insecure_http.map(|value| value.to_string()),
            operator_keys: file.operator_keys,
            signed_actions: file.signed_actions,
        },
        hub_ca: file.hub_ca,
        join_token: file.join_token,
        state_dir: file.state_dir,
        interval: file.interval,
        config: None,
        allow: file.allow,
        spool_bytes_max: file.spool_bytes_max.map(|value| value.to_string()),
        spool_age_max: file.spool_age_max,
        ports: file.ports.map(|ports| ports.iter().map(u16::to_string).collect()),
        scan_networks: file.scan_networks,
        scan_rate: file.scan_rate.map(|value| value.to_string()),
        ssh_host: file.ssh_host,
        ssh_port: file.ssh_port.map(|value| value.to_string()),
        ssh_user: file.ssh_user,
        labels: file.labels,
        log: file.log,
    })
}

/// One line: which line of the file, and what is wrong there. The file's own text may hold a secret and is
/// not repeated.
pub(super) fn explain(error: &toml::de::Error, text: &str) -> String {
    let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
    format!("line {line}: {}", error.message().replace('\n', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<RunArguments, SettingsError> {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("agent.toml");
        std::fs::write(&path, text).unwrap();
        read(&path)
    }

    #[test]
    fn what_the_file_says_comes_after_what_was_said_outright() {
        let file = read_text("hub = \"http://a\"\ninterval = \"5s\"\nallow = []\nports = [22]\n").unwrap();
        let common = CommonArguments { hub: Some("http://b".into()), ..CommonArguments::default() };
        let said = RunArguments { common, interval: Some(String::new()), ..RunArguments::default() };
        let both = said.or(file);
        assert_eq!(both.common.hub.as_deref(), Some("http://b"));
        assert_eq!(both.interval.as_deref(), Some("5s"), "an empty variable says nothing");
        assert_eq!(both.allow, Some(Vec::new()), "an empty list says: nothing");
        assert_eq!(both.ports, Some(vec!["22".to_owned()]));
    }

    #[test]
    fn unknown_keys_and_wrong_types_are_named_with_their_line() {
        let refusal = |text: &str| read_text(text).err().map(|error| error.to_string()).unwrap();
        assert!(refusal("hub = \"x\"\nhubb = 1\n").contains("line 2: unknown field `hubb`"));
        assert!(refusal("hub = \"x\"\n\ninterval = 30\n").contains("line 3"));
        let secret = refusal("join_token = \"pjt_secret\"\nx = 1\n");
        assert!(!secret.contains("pjt_secret") && !secret.contains('\n'), "{secret}");
    }
}
