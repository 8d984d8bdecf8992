//! Join tokens' secrets as the records keep them: sealed under the master key. The hub must know them, since enrolments are
//! signed with them; whoever has the records alone, enrols nobody.
//!
//! Which master key a secret is sealed under stands beside it. Those of before lie there as they are, until a start seals
//! them ([`adopt`]); those of the former master key are sealed anew by a start that has both, and with the former one gone
//! they open nothing any more.
//!
//! Each function that takes a connection runs inside the transaction of whoever calls it.

use crate::{
    generations::MasterId,
    storage::{
        StorageError,
        seal::{NONCE_BYTES, Seal, SealError, TAG_BYTES, random},
    },
};
use pingup_protocol::keys::{KEY_BYTES, Secret, derive_hub};
use rusqlite::{Connection, Row};
use std::fmt;

/// What a secret's seal is bound to, before the token's id: it opens for no other token.
const DOMAIN: &str = "pingup-join-token/1\0";
/// Bytes of a sealed secret: a nonce, the secret, the tag.
const SEALED_BYTES: usize = NONCE_BYTES + KEY_BYTES + TAG_BYTES;

/// A secret as it is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct KeptSecret {
    /// For its column.
    pub bytes: Vec<u8>,
    /// Which master key it is sealed under; none where it is not sealed.
    pub master: Option<MasterId>,
}

impl fmt::Debug for KeptSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeptSecret({:?})", self.master)
    }
}

impl KeptSecret {
    /// The secret of the token `token_id`, sealed under this master key.
    pub fn seal(master: &Secret, token_id: &str, secret: &Secret) -> Result<Self, SealError> {
        let nonce = random::<NONCE_BYTES>()?;
        let sealed = seal_of(master)?.close(nonce, bound_to(token_id).as_bytes(), secret.expose())?;
        Ok(Self { bytes: [&nonce[..], &sealed].concat(), master: Some(MasterId::of(master)) })
    }

    /// One that no master key opens, at the price of one that does.
    pub fn of_nobody(master: MasterId) -> Self {
        Self { bytes: vec![0; SEALED_BYTES], master: Some(master) }
    }

    /// Reads columns `secret` and `master`, which begin at `first`.
    pub fn read(row: &Row<'_>, first: usize) -> rusqlite::Result<Self> {
        Ok(Self { bytes: row.get(first)?, master: row.get(first + 1)? })
    }

    /// The secret, if it lies there as it is.
    pub fn plain(&self) -> Option<Secret> {
        Secret::from_slice(&self.bytes).filter(|_| self.master.is_none())
    }

    /// The secret, if it was sealed for this token under this master key.
    pub fn open(&self, master: &Secret, token_id: &str) -> Option<Secret> {
        let (nonce, sealed) = self.bytes.split_first_chunk::<NONCE_BYTES>()?;
        let opened = seal_of(master).ok()?.open(*nonce, bound_to(token_id).as_bytes(), sealed).ok()?;
        Secret::from_slice(&opened)
    }
}

fn seal_of(master: &Secret) -> Result<Seal, SealError> {
    Seal::with(derive_hub(master, "join-token-seal").expose())
}

fn bound_to(token_id: &str) -> String {
    format!("{DOMAIN}{token_id}")
}

/// Seals under the master key in force what is not: secrets of before, and those of the former one. How many that were.
/// What comes from neither stays as it is, and opens nothing.
pub fn adopt(
    connection: &Connection,
    current: &Secret,
    former: Option<&Secret>,
) -> Result<usize, StorageError> {
    let former = former.map(|former| (MasterId::of(former), former));
    let mut select =
        connection.prepare_cached("SELECT id, secret, master FROM join_tokens WHERE master IS NOT ?1")?;
    let rows = select
        .query_map([MasterId::of(current)], |row| Ok((row.get(0)?, KeptSecret::read(row, 1)?)))?
        .collect::<Result<Vec<(String, KeptSecret)>, _>>()?;
    let mut update =
        connection.prepare_cached("UPDATE join_tokens SET secret = ?2, master = ?3 WHERE id = ?1")?;
    let mut adopted = 0;
    for (id, kept) in rows {
        let of_former = || {
            former.filter(|(of, _)| kept.master == Some(*of)).and_then(|(_, former)| kept.open(former, &id))
        };
        let Some(secret) = kept.plain().or_else(of_former) else { continue };
        let sealed = KeptSecret::seal(current, &id, &secret)
            .map_err(|error| StorageError::Folder(format!("a join token cannot be sealed: {error}")))?;
        adopted += update.execute((&id, sealed.bytes, sealed.master))?;
    }
    Ok(adopted)
}

/// Uses up those that are not sealed under this master key; how many there were.
pub fn end_others(connection: &Connection, current: MasterId) -> rusqlite::Result<usize> {
    connection
        .prepare_cached("UPDATE join_tokens SET uses_left = 0 WHERE master IS NOT ?1 AND uses_left > 0")?
        .execute([current])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::migrate::SQLITE;

    fn secret(seed: u8) -> Secret {
        Secret::new([seed; KEY_BYTES])
    }

    #[test]
    fn a_secret_opens_with_its_master_key_for_its_token_and_as_it_was_kept() {
        let kept = KeptSecret::seal(&secret(1), "t", &secret(9)).unwrap();
        assert_eq!(kept.bytes.len(), SEALED_BYTES);
        assert!(!kept.bytes.windows(4).any(|bytes| bytes == [9; 4]), "nothing of it lies open");
        assert_eq!(kept.open(&secret(1), "t"), Some(secret(9)));
        assert_eq!(
            (kept.open(&secret(2), "t"), kept.open(&secret(1), "u"), kept.plain()),
            (None, None, None)
        );
        for at in [0, NONCE_BYTES, SEALED_BYTES - 1] {
            let mut changed = kept.clone();
            changed.bytes[at] ^= 1;
            assert_eq!(changed.open(&secret(1), "t"), None, "byte {at}");
        }
        for bytes in [0, 1, NONCE_BYTES, SEALED_BYTES - 1] {
            let short = KeptSecret { bytes: kept.bytes[..bytes].to_vec(), ..kept.clone() };
            assert_eq!(short.open(&secret(1), "t"), None, "{bytes} bytes");
        }
        assert_eq!(KeptSecret::of_nobody(MasterId::of(&secret(1))).open(&secret(1), "t"), None);
    }

    #[test]
    fn a_start_seals_what_is_not_and_what_the_former_master_key_sealed() {
        let records = Connection::open_in_memory().unwrap();
        SQLITE.iter().for_each(|step| records.execute_batch(step.sql).unwrap());
        let sealed = |master, id| KeptSecret::seal(&secret(master), id, &secret(9)).unwrap();
        for (id, kept) in [
            ("before", KeptSecret { bytes: vec![9; KEY_BYTES], master: None }),
            ("current", sealed(2, "current")),
            ("former", sealed(1, "former")),
            ("stranger", sealed(3, "stranger")),
        ] {
            let sql = "INSERT INTO join_tokens (id, secret, master, uses_left, created_at, expires_at)
                       VALUES (?1, ?2, ?3, 1, 0, 1)";
            records.execute(sql, (id, kept.bytes, kept.master)).unwrap();
        }
        let kept = |id: &str| {
            let sql = "SELECT secret, master FROM join_tokens WHERE id = ?1";
            records.query_row(sql, [id], |row| KeptSecret::read(row, 0)).unwrap()
        };
        let current = kept("current");
        assert_eq!(adopt(&records, &secret(2), Some(&secret(1))).unwrap(), 2);
        assert_eq!(adopt(&records, &secret(2), Some(&secret(1))).unwrap(), 0, "once");
        for id in ["before", "current", "former"] {
            assert_eq!(kept(id).open(&secret(2), id), Some(secret(9)), "{id}");
        }
        assert_eq!(kept("current"), current, "what is right stays");
        assert_eq!(kept("stranger").master, Some(MasterId::of(&secret(3))));
        assert_eq!(
            adopt(&records, &secret(4), None).unwrap(),
            0,
            "and without the former one they are of no use"
        );
        assert_eq!(end_others(&records, MasterId::of(&secret(2))).unwrap(), 1);
        assert_eq!(end_others(&records, MasterId::of(&secret(2))).unwrap(), 0, "once");
    }

    #[test]
    fn no_secret_is_kept_in_a_form_that_is_neither() {
        let records = Connection::open_in_memory().unwrap();
        SQLITE.iter().for_each(|step| records.execute_batch(step.sql).unwrap());
        let sql = "INSERT INTO join_tokens (id, secret, master, uses_left, created_at, expires_at)
                   VALUES ('t', ?1, ?2, 1, 0, 1)";
        let master = MasterId::of(&secret(1));
        for (bytes, master) in
            [(31, None), (SEALED_BYTES, None), (KEY_BYTES, Some(master)), (SEALED_BYTES + 1, Some(master))]
        {
            assert!(records.execute(sql, (vec![0; bytes], master)).is_err(), "{bytes} bytes");
        }
    }
}
