//! Settings that need not hold: what an examination starts from, as far as it goes.

use super::{
    HubUrl, HubUrlError, RunArguments, Settings, SettingsError, Trust, check, default_state_dir, file,
    service, values,
};
use std::path::PathBuf;

/// What was set, each part as far as it holds.
#[derive(Debug)]
pub struct Draft {
    /// The file that was read, or should have been.
    pub file: Option<PathBuf>,
    /// Where the hub is; nothing when nobody said.
    pub hub: Option<Result<HubUrl, HubUrlError>>,
    /// By what it is known.
    pub trust: Result<Trust, SettingsError>,
    /// Where the state is.
    pub state_dir: Result<PathBuf, SettingsError>,
    /// All of it, as `run` would take it.
    pub settings: Result<Settings, SettingsError>,
}

impl Draft {
    /// What `flags` and the file that they name say.
    pub(super) fn of(mut flags: RunArguments) -> Self {
        if flags.common.hub.is_none() && flags.state_dir.is_none() {
            flags.config = service::config_or_installed(flags.config);
        }
        let file = flags.config.clone().filter(|path| !path.as_os_str().is_empty());
        let (texts, unread) = match file.as_deref().map(file::read) {
            Some(Ok(texts)) => (flags.or(texts), None),
            Some(Err(error)) => (flags, Some(error)),
            None => (flags, None),
        };
        let insecure_http =
            values::switch("insecure-http", texts.common.insecure_http.as_deref()).unwrap_or(false);
        let hub = values::given(texts.common.hub.clone()).map(|hub| HubUrl::parse(&hub, insecure_http));
        Self {
            file,
            trust: match &hub {
                Some(Ok(url)) => Trust::of(url, texts.common.hub_pin.clone(), texts.hub_ca.clone()),
                _ => Ok(Trust::default()),
            },
            hub,
            state_dir: match values::given(texts.state_dir.clone()) {
                Some(path) => Ok(path.into()),
                None => default_state_dir(),
            },
            settings: match unread {
                Some(error) => Err(error),
                None => check(texts),
            },
        }
    }
}
