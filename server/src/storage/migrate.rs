//! Migrations: which there are, which of them a database has, and how the rest get in.
//!
//! Forward only, all that are missing in one transaction, each remembered in `schema_migrations` with the
//! SHA-256 of its text. Refuses a database that a newer program has migrated, and one whose applied
//! migrations are not those this program carries.

mod sqlite;

use sha2::{Digest, Sha256};
use std::fmt::Write;

/// One step, carried inside the program.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Its place in the order, from 1.
    pub version: u32,
    /// Its file's name without the number.
    pub name: &'static str,
    /// What it runs.
    pub sql: &'static str,
}

/// The records' steps.
pub const SQLITE: &[Migration] = &[
    Migration {
        version: 1,
        name: "records",
        sql: include_str!("../../../migrations/sqlite/0001_records.sql"),
    },
    Migration {
        version: 2,
        name: "history",
        sql: include_str!("../../../migrations/sqlite/0002_history.sql"),
    },
    Migration { version: 3, name: "former", sql: include_str!("../../../migrations/sqlite/0003_former.sql") },
    Migration {
        version: 4,
        name: "batches",
        sql: include_str!("../../../migrations/sqlite/0004_batches.sql"),
    },
    Migration {
        version: 5,
        name: "running",
        sql: include_str!("../../../migrations/sqlite/0005_running.sql"),
    },
    Migration {
        version: 6,
        name: "checksums",
        sql: include_str!("../../../migrations/sqlite/0006_checksums.sql"),
    },
    Migration {
        version: 7,
        name: "config_reports",
        sql: include_str!("../../../migrations/sqlite/0007_config_reports.sql"),
    },
    Migration {
        version: 8,
        name: "left_out",
        sql: include_str!("../../../migrations/sqlite/0008_left_out.sql"),
    },
    Migration {
        version: 9,
        name: "forgotten",
        sql: include_str!("../../../migrations/sqlite/0009_forgotten.sql"),
    },
    Migration {
        version: 10,
        name: "series",
        sql: include_str!("../../../migrations/sqlite/0010_series.sql"),
    },
    Migration {
        version: 11,
        name: "written_series",
        sql: include_str!("../../../migrations/sqlite/0011_written_series.sql"),
    },
    Migration {
        version: 12,
        name: "signed_orders",
        sql: include_str!("../../../migrations/sqlite/0012_signed_orders.sql"),
    },
    Migration {
        version: 13,
        name: "operator_tokens",
        sql: include_str!("../../../migrations/sqlite/0013_operator_tokens.sql"),
    },
    Migration {
        version: 14,
        name: "generations",
        sql: include_str!("../../../migrations/sqlite/0014_generations.sql"),
    },
    Migration { version: 15, name: "audit", sql: include_str!("../../../migrations/sqlite/0015_audit.sql") },
    Migration {
        version: 16,
        name: "sealed_join_tokens",
        sql: include_str!("../../../migrations/sqlite/0016_sealed_join_tokens.sql"),
    },
    Migration {
        version: 17,
        name: "restored",
        sql: include_str!("../../../migrations/sqlite/0017_restored.sql"),
    },
];

/// A step that a database remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Applied {
    /// Its place in the order.
    version: u32,
    /// SHA-256 of the text that ran, in hexadecimal.
    sha256: String,
}

/// Why a database's tables cannot be brought to what this program needs.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// A newer program was here.
    #[error(
        "{database} is at version {found}, this program knows {known}; run the newer program, or restore a backup \
         made before it"
    )]
    Newer {
        /// Which database.
        database: &'static str,
        /// Its version.
        found: u32,
        /// The newest this program carries.
        known: u32,
    },
    /// An applied migration is not the one this program carries.
    #[error(
        "{database}'s migration {version} is not the one in this program; the database was made by another build, \
         use that one"
    )]
    Changed {
        /// Which database.
        database: &'static str,
        /// The first version that differs.
        version: u32,
    },
    /// A step failed; nothing of it stays.
    #[error("{database} could not be migrated, nothing was changed: {reason}")]
    Failed {
        /// Which database.
        database: &'static str,
        /// What the engine said.
        reason: String,
    },
}

impl Migration {
    fn sha256(&self) -> String {
        Sha256::digest(self.sql.as_bytes()).iter().fold(String::new(), |mut hex, byte| {
            let _infallible = write!(hex, "{byte:02x}");
            hex
        })
    }
}

/// What `applied` (in order) still lacks of `known`.
fn missing<'a>(
    database: &'static str,
    known: &'a [Migration],
    applied: &[Applied],
) -> Result<&'a [Migration], MigrationError> {
    for (place, found) in applied.iter().enumerate() {
        let Some(migration) = known.get(place) else {
            let known = known.last().map_or(0, |last| last.version);
            return Err(MigrationError::Newer { database, found: found.version, known });
        };
        if migration.version != found.version || migration.sha256() != found.sha256 {
            return Err(MigrationError::Changed { database, version: migration.version });
        }
    }
    Ok(known.get(applied.len()..).unwrap_or_default())
}

/// A database that can be migrated.
pub(super) trait Target {
    /// What people call it.
    const DATABASE: &'static str;
    /// Begins a transaction that nobody else can write beside.
    const BEGIN: &'static str;
    /// Makes the table that remembers.
    const REMEMBER: &'static str;
    /// The engine's own error.
    type Error: std::fmt::Display;

    fn run(&self, sql: &str) -> Result<(), Self::Error>;
    fn applied(&self) -> Result<Vec<Applied>, Self::Error>;
    fn remember(&self, migration: &Migration, sha256: &str, now_micros: i64) -> Result<(), Self::Error>;
}

/// Brings `target` to the newest of `known`, all or nothing, and says what it applied.
pub(super) fn apply<T: Target>(
    target: &T,
    known: &[Migration],
    now_micros: i64,
) -> Result<Vec<&'static str>, MigrationError> {
    target.run(T::BEGIN).map_err(failed::<T>)?;
    let applied = apply_in_transaction(target, known, now_micros)
        .and_then(|names| target.run("COMMIT").map_err(failed::<T>).map(|()| names));
    if applied.is_err() {
        // The first error is the one to tell; a transaction that is gone already has nothing to roll back.
        let _ = target.run("ROLLBACK");
    }
    applied
}

fn apply_in_transaction<T: Target>(
    target: &T,
    known: &[Migration],
    now_micros: i64,
) -> Result<Vec<&'static str>, MigrationError> {
    target.run(T::REMEMBER).map_err(failed::<T>)?;
    let mut names = Vec::new();
    for migration in find_missing(target, known)? {
        target.run(migration.sql).map_err(failed::<T>)?;
        target.remember(migration, &migration.sha256(), now_micros).map_err(failed::<T>)?;
        names.push(migration.name);
    }
    Ok(names)
}

/// What `target` still lacks of `known`.
pub(super) fn find_missing<'a, T: Target>(
    target: &T,
    known: &'a [Migration],
) -> Result<&'a [Migration], MigrationError> {
    missing(T::DATABASE, known, &target.applied().map_err(failed::<T>)?)
}

fn failed<T: Target>(error: T::Error) -> MigrationError {
    MigrationError::Failed { database: T::DATABASE, reason: error.to_string() }
}

#[cfg(test)]
mod tests;
