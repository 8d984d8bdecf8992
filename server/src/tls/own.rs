//! The hub's own certificate: an authority that signs for this hub alone, and what it signs.
//!
//! Made once and kept: the hub's key, by which agents with a pin know it, and the authority's key and certificate, which
//! others trust as a file. Made anew at each start and before it ends: the hub's certificate, for the names that the
//! settings give it then, with the same key. So pins and the authority's file stay true for as long as the folder is
//! kept.
//!
//! Keys appear whole, synced, their owner's alone, and sealed where the master key is ([`TlsKeys`]). The authority's certificate is made last: where it is, both keys must
//! be, and one that is missing is not made again behind everybody's back.

use super::pair::{self, Identity, Pair, PairError};
use crate::storage::{CA_FILE, CA_KEY, HUB_KEY, TlsKeys};
use pingup_protocol::{pin::Pin, time::Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, SerialNumber, date_time_ymd,
};
use rustls::crypto::CryptoProvider;
use sha2::{Digest, Sha256};
use std::{
    fmt::Write as _,
    fs::{self, DirBuilder, File},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
    time::{Duration, SystemTime},
};
use zeroize::Zeroizing;

/// The hub's certificate as it is shown, for people to look at; nobody reads it back.
const HUB_FILE: &str = "hub.pem";

const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

const DAY_SECONDS: i64 = 24 * 3_600;
/// How long a certificate of the hub is good: less than some systems take at most of an authority of one's own (825 days).
const GOOD_SECONDS: i64 = 397 * DAY_SECONDS;
/// How long before its end it is renewed, also for those who look at it seldom.
const RENEW_SECONDS: i64 = 90 * DAY_SECONDS;
/// It is good from a while ago: clocks of clients are behind.
const BACK_SECONDS: i64 = DAY_SECONDS;
/// The years in which the authority is good. They go by no clock: that of a machine at its first start may be wrong.
const AUTHORITY_YEARS: (i32, i32) = (2020, 2070);

const _: () = assert!(GOOD_SECONDS <= 825 * DAY_SECONDS && RENEW_SECONDS * 2 < GOOD_SECONDS);

/// Whether a certificate should be made anew.
pub(super) fn is_due(shown: &Identity, now: Timestamp) -> bool {
    now < shown.begins || now.plus_seconds(RENEW_SECONDS) > shown.ends
}

/// Makes a certificate for these names, and before that what is missing in `folder`.
pub(super) fn issue(
    folder: &Path,
    (names, keys): (&[String], &TlsKeys),
    now: Timestamp,
    provider: &CryptoProvider,
) -> Result<Pair, PairError> {
    DirBuilder::new()
        .recursive(true)
        .mode(FOLDER_MODE)
        .create(folder)
        .map_err(PairError::file("create", folder))?;
    let (ca_file, hub_key) = (folder.join(CA_FILE), folder.join(HUB_KEY));
    let is_first = !ca_file.try_exists().map_err(PairError::file("look for", &ca_file))?;
    let (hub, secret) = key(&hub_key, keys, is_first)?;
    let (authority, _) = key(&folder.join(CA_KEY), keys, is_first)?;
    let failed =
        |error: rcgen::Error| PairError::unusable(folder, format!("no certificate can be made: {error}"));
    let params = authority_params(&authority);
    if is_first {
        let certificate = params.self_signed(&authority).map_err(failed)?;
        put(&ca_file, certificate.pem().as_bytes())?;
    }
    let issuer = Issuer::from_params(&params, &authority);
    let certificate =
        hub_params(names, now).and_then(|params| params.signed_by(&hub, &issuer)).map_err(failed)?;
    let (hub_file, chain) = (folder.join(HUB_FILE), certificate.pem());
    if let Err(error) = put(&hub_file, chain.as_bytes()) {
        // It is only to be looked at; a full disk must not keep the hub from starting.
        tracing::warn!(%error, "the hub's certificate could not be written down");
    }
    pair::pair(&hub_file, chain.as_bytes(), &hub_key, &secret, provider)
}

/// Reads a key, making it first where it may be missing; and its text.
fn key(path: &Path, keys: &TlsKeys, may_be_made: bool) -> Result<(KeyPair, Zeroizing<Vec<u8>>), PairError> {
    let is_there = path.try_exists().map_err(PairError::file("look for", path))?;
    if !is_there && !may_be_made {
        return Err(PairError::unusable(
            path,
            format!(
                "missing beside {CA_FILE}; put it back from a backup, or move the whole folder away: a new key is a new \
                 pin, which every agent has to be told"
            ),
        ));
    }
    if !is_there {
        let made = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
            .map_err(|error| PairError::unusable(path, format!("no key can be made: {error}")))?;
        keys.create(path, Zeroizing::new(made.serialize_pem()).as_bytes())?;
    }
    let text = keys.read(path)?;
    let key = std::str::from_utf8(&text).ok().and_then(|text| KeyPair::from_pem(text).ok());
    let key = key.ok_or_else(|| PairError::unusable(path, "no key in it that can be read"))?;
    Ok((key, text))
}

/// The same at any time, for the same key: what it signs must find it.
fn authority_params(key: &KeyPair) -> CertificateParams {
    let mut params = CertificateParams::default();
    let (from, to) = AUTHORITY_YEARS;
    (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
    // Two hubs' authorities are told apart by name too.
    let which =
        Sha256::digest(key.subject_public_key_info())[..4].iter().fold(String::new(), |mut hex, byte| {
            let _infallible = write!(hex, "{byte:02x}");
            hex
        });
    params.distinguished_name = called(format!("pingup hub {which}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn hub_params(names: &[String], now: Timestamp) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = called("pingup hub".to_owned());
    params.not_before = system_time(now.plus_seconds(-BACK_SECONDS)).into();
    params.not_after = system_time(now.plus_seconds(GOOD_SECONDS)).into();
    // Some clients refuse two certificates of one number, and those of one key would have one.
    params.serial_number = Some(SerialNumber::from_slice(&serial()?));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn called(name: String) -> DistinguishedName {
    let mut called = DistinguishedName::new();
    called.push(DnType::CommonName, name);
    called
}

/// A positive number that no other certificate has (RFC 5280 §4.1.2.2).
fn serial() -> Result<[u8; 16], rcgen::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| rcgen::Error::RingUnspecified)?;
    bytes[0] = bytes[0] & 0x3f | 0x40;
    Ok(bytes)
}

fn system_time(moment: Timestamp) -> SystemTime {
    // Before 1970 no clock stands.
    SystemTime::UNIX_EPOCH + Duration::from_micros(u64::try_from(moment.as_micros()).unwrap_or(0))
}

/// Writes a file whole, synced, under a name that lasts, for its owner alone.
fn put(path: &Path, bytes: &[u8]) -> Result<(), PairError> {
    let draft = path.with_extension("new");
    let write = || {
        match fs::remove_file(&draft) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = File::options().write(true).create_new(true).mode(FILE_MODE).open(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&draft, path)?;
        path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    };
    write().map_err(PairError::file("write", path))
}

/// What `check` tells of the folder.
#[derive(Debug)]
pub enum Inspected {
    /// The pin of the hub's key.
    Opened(Pin),
    /// The keys are sealed, and nothing was named that opens them.
    Sealed,
}

/// Looks at what is kept in `folder`; nothing is changed. None where nothing was made yet.
pub fn inspect(folder: &Path, keys: &TlsKeys) -> Result<Option<Inspected>, PairError> {
    let (ca_file, ca_key, hub_key) = (folder.join(CA_FILE), folder.join(CA_KEY), folder.join(HUB_KEY));
    if !ca_file.try_exists().map_err(PairError::file("look for", folder))? {
        return Ok(None);
    }
    for path in [&hub_key, &ca_key] {
        if path.exists() && !keys.can_read(path)? {
            return Ok(Some(Inspected::Sealed));
        }
    }
    let (hub, _) = key(&hub_key, keys, false)?;
    let (authority, _) = key(&ca_key, keys, false)?;
    let certificate = pair::contents(&ca_file)?;
    let signed = pair::public_key(&certificate)
        .ok_or_else(|| PairError::unusable(&ca_file, "no certificate in it that can be read"))?;
    if signed != Pin::of(&authority.subject_public_key_info()) {
        return Err(PairError::Mismatch { key: ca_key, certificate: ca_file });
    }
    Ok(Some(Inspected::Opened(Pin::of(&hub.subject_public_key_info()))))
}
