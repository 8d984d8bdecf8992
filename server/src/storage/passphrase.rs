//! The passphrase that secrets in the data folder are sealed with: out of a file, never an argument.

use super::{StorageError, seal::Passphrase, secret};
use std::path::Path;

/// Bytes of a passphrase.
const PASSPHRASE_BYTES_MAX: usize = 1_024;

/// The passphrase in a file that nobody but its owner may be able to read.
pub(super) fn read(path: &Path) -> Result<Passphrase, StorageError> {
    let mut passphrase = secret::read("the file with the passphrase", path, PASSPHRASE_BYTES_MAX + 1)?;
    // Editors end a file with a line's end.
    let kept = passphrase.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r')).map_or(0, |last| last + 1);
    passphrase.truncate(kept);
    match passphrase.len() {
        1..=PASSPHRASE_BYTES_MAX => Ok(passphrase),
        _ => Err(StorageError::Folder(format!(
            "{} must hold a passphrase of 1 to {PASSPHRASE_BYTES_MAX} bytes",
            path.display()
        ))),
    }
}

/// That none was named, and one is needed.
pub(super) fn missing(what: &str) -> StorageError {
    StorageError::Folder(format!(
        "{what}; name the file with the passphrase by --master-passphrase-file or PINGUP_MASTER_PASSPHRASE_FILE"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        fs::{self, Permissions},
        os::unix::fs::PermissionsExt,
    };

    #[test]
    fn a_passphrase_has_a_length_and_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passphrase");
        secret::create("create", &path, b"x").unwrap();
        for (content, is_good) in [
            (vec![], false),
            (b"\r\n".to_vec(), false),
            (vec![b'x'; PASSPHRASE_BYTES_MAX], true),
            (vec![b'x'; PASSPHRASE_BYTES_MAX + 1], false),
            (vec![b'x'; PASSPHRASE_BYTES_MAX + 9], false),
        ] {
            fs::write(&path, &content).unwrap();
            assert_eq!(read(&path).is_ok(), is_good, "{} bytes", content.len());
        }
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("mode 0644"));
    }
}
