//! What SQL can reach: the named folders, and nothing else.

use super::*;
use crate::storage::scratch::Scratch;
use std::fs;

fn run(duck: &Duck, sql: &str) -> Result<(), StorageError> {
    duck.run_blocking(|connection| connection.execute_batch(sql).map_err(StorageError::from))
}

fn count(duck: &Duck, from: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {from}");
    duck.run_blocking(|connection| {
        connection.query_row(&sql, [], |row| row.get(0)).map_err(StorageError::from)
    })
    .unwrap()
}

#[test]
fn inside_files_are_written_listed_and_read() {
    let scratch = Scratch::new();
    // A name that would break out of SQL text, or be taken for a pattern's, were it not quoted.
    let folder = scratch.folder.path().join("it's a, folder");
    fs::create_dir(&folder).unwrap();
    let duck =
        Duck::open(DuckSettings::default(), &folder.join("tmp"), std::slice::from_ref(&folder)).unwrap();
    let place = folder.to_string_lossy().replace('\'', "''");
    for number in 1..=2 {
        let sql = format!(
            "COPY (SELECT range AS n, 'x' AS t FROM range({number}000)) TO '{place}/{number}.parquet' \
             (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 2048)"
        );
        run(&duck, &sql).unwrap();
    }
    assert_eq!(count(&duck, &format!("read_parquet('{place}/1.parquet')")), 1000);
    assert_eq!(count(&duck, &format!("read_parquet(['{place}/1.parquet', '{place}/2.parquet'])")), 3000);
    assert_eq!(count(&duck, &format!("read_parquet('{place}/*.parquet')")), 3000);
    // A file that took another's name is not answered from what is remembered of the other.
    fs::rename(folder.join("2.parquet"), folder.join("1.parquet")).unwrap();
    assert_eq!(count(&duck, &format!("read_parquet('{place}/1.parquet')")), 2000);
}

#[test]
fn outside_nothing_is_read_written_attached_loaded_or_set() {
    let scratch = Scratch::new();
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("secret.csv");
    fs::write(&secret, "word\nsecret\n").unwrap();
    let duck = scratch.duck();
    let (inside, outside) = (scratch.folder.path().display(), outside.path().display());
    run(&duck, &format!("COPY (SELECT 1) TO '{inside}/a.parquet'")).unwrap();
    for sql in [
        "SELECT * FROM read_text('/etc/passwd')".to_owned(),
        "SELECT * FROM read_csv('/etc/passwd')".to_owned(),
        "SELECT * FROM glob('/etc/*')".to_owned(),
        format!("SELECT * FROM read_csv('{}')", secret.display()),
        format!("SELECT * FROM read_csv('{inside}/../../{}')", secret.display()),
        format!("SELECT * FROM read_text('{inside}/../../../../../../../../etc/passwd')"),
        // A sibling whose name begins with the folder's.
        format!("COPY (SELECT 1) TO '{inside}-beside.parquet'"),
        format!("COPY (SELECT 1) TO '{outside}/stolen.parquet'"),
        format!("COPY (SELECT 1) TO '{inside}/../stolen.parquet'"),
        format!("ATTACH '{outside}/other.duckdb'"),
        format!("EXPORT DATABASE '{outside}/all'"),
        "SELECT * FROM read_text('https://localhost/')".to_owned(),
        "INSTALL httpfs".to_owned(),
        "LOAD httpfs".to_owned(),
        format!("LOAD '{inside}/evil.duckdb_extension'"),
        "SET allowed_directories = ['/']".to_owned(),
        "SET enable_external_access = true".to_owned(),
        "SET lock_configuration = false".to_owned(),
        "RESET enable_external_access".to_owned(),
        "SET temp_directory = '/tmp'".to_owned(),
        "SET memory_limit = '8GB'".to_owned(),
    ] {
        let refused = run(&duck, &sql);
        assert!(matches!(refused, Err(StorageError::Duckdb(_))), "{sql}: {refused:?}");
    }
    assert_eq!(duck.reopened(), 0);
}

#[test]
fn a_folder_that_is_not_there_is_said() {
    let missing =
        Duck::open(DuckSettings::default(), Path::new("/nowhere"), &[PathBuf::from("/nowhere/at/all")]);
    assert!(missing.unwrap_err().to_string().contains("cannot find /nowhere/at/all"));
}
