//! Where the authorities that certify the hub stay: a service reads them at every handshake, and not in somebody's home.

use super::{
    InstallError,
    files::{Content, Item},
    layout::{AUTHORITIES, Root},
};
use crate::{
    settings::{Amendment, SettingsError},
    transport::check_authorities,
};
use std::path::Path;

/// Folders that such files stay in: one that lies there is used where it is, for whoever put it there renews it there.
const FOLDERS: [&str; 3] = ["/etc", "/usr", "/opt"];

/// What is to be done with them.
pub(super) struct Place {
    /// What the settings say.
    pub(super) amendment: Amendment,
    /// What is to be written, unless they stay where they are.
    pub(super) copy: Option<Item>,
}

/// Decides for the file `from`, which must hold certificates that can be used. Into another folder than `/` it is always
/// copied.
pub(super) fn place(root: &Root, from: &Path) -> Result<Place, InstallError> {
    let text = check_authorities(from)?;
    // As it is written, since it may be a link that is set anew; but one that leads out of there does not stay.
    let written = std::path::absolute(from).map_err(InstallError::io(from))?;
    let lies = from.canonicalize().map_err(InstallError::io(from))?;
    let says = |path: &str| Amendment::text("hub_ca", path);
    let stays = |path: &Path| FOLDERS.iter().any(|folder| path.starts_with(folder));
    if root.is_machine() && stays(&written) && stays(&lies) {
        let path = written.to_str().ok_or_else(|| SettingsError::of("hub-ca", "its path is no UTF-8"))?;
        return Ok(Place { amendment: says(path), copy: None });
    }
    let copy = Item { path: AUTHORITIES.into(), mode: 0o644, content: Content::Text(text) };
    Ok(Place { amendment: says(AUTHORITIES), copy: Some(copy) })
}
