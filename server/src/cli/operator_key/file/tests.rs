//! Keys that are put away and taken out again, and files that are not as they were.

use super::*;
use pingup_protocol::keys::KEY_BYTES;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;

/// Cheap, and a seal all the same.
const CHEAP: Cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };

fn key() -> (PrivateKey, OperatorKey) {
    let key = PrivateKey::new(&Secret::new([7; KEY_BYTES]));
    let public = OperatorKey { id: key.id(), name: "ada".parse().ok() };
    (key, public)
}

fn sealed() -> Kept {
    let (key, public) = key();
    let sealed = Some(seal(&key, &public, "open", CHEAP).unwrap());
    let stored = Stored { about: String::new(), public_key: public.to_string(), private_key: None, sealed };
    Kept { public, stored }
}

fn opened_with(kept: &Kept, passphrase: &str) -> Result<PrivateKey, CliError> {
    kept.open(|| Ok(Zeroizing::new(passphrase.to_owned())))
}

#[test]
fn a_key_is_written_once_and_is_its_owners_alone() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("a.key");
    let (key, public) = key();
    let kept = Kept::new(&key, public.clone(), None).unwrap();
    create_new(&path, &kept).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    assert!(create_new(&path, &kept).is_err(), "never over another");
    let unasked = || -> Result<Zeroizing<String>, CliError> { panic!("it is not sealed") };
    let (again, known) = open(&path, unasked).unwrap();
    assert_eq!((again.id(), known), (key.id(), public));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(open(&path, unasked).unwrap_err().to_string().contains("chmod 600"));
}

#[test]
fn a_sealed_key_opens_with_its_passphrase_alone() {
    let kept = sealed();
    let text = serde_json::to_string(&kept.stored).unwrap();
    let (key, _) = key();
    assert!(!text.contains(&key.seed().to_base64()), "{text}");
    assert_eq!(opened_with(&kept, "open").unwrap().id(), key.id());
    assert!(opened_with(&kept, "opem").unwrap_err().to_string().contains("the passphrase is wrong"));
}

#[test]
fn a_file_that_was_changed_does_not_open() {
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut json = serde_json::to_value(&sealed().stored).unwrap();
        change(&mut json);
        let stored: Stored = serde_json::from_value(json).unwrap();
        let public = stored.public_key.parse().unwrap();
        opened_with(&Kept { public, stored }, "open").map(|key| key.id().to_string()).unwrap_err().to_string()
    };
    let other = PrivateKey::new(&Secret::new([8; KEY_BYTES])).id().to_string();
    changed(&|json| json["publicKey"] = json!(other));
    changed(&|json| json["sealed"]["nonce"] = json!("AAAA"));
    changed(&|json| json["sealed"]["salt"] = json!("AAAAAAAAAAAAAAAAAAAAAA=="));
    changed(&|json| json["sealed"]["privateKey"] = json!(""));
    changed(&|json| json["privateKey"] = json!("x"));
    changed(&|json| json["sealed"] = Value::Null);
    let cost = |member: &'static str, value: u32| {
        changed(&move |json| json["sealed"]["argon2id"][member] = json!(value))
    };
    for (member, value) in [("memoryKib", u32::MAX), ("passes", 17), ("lanes", 17), ("passes", 0)] {
        assert!(cost(member, value).contains("cannot be opened"));
    }
}
