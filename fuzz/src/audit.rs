//! The audit as somebody left it who can write the file: reading it comes back, a row that says anything else than it said is
//! noticed, and nothing that stands in a row acts where it is shown.

use pingup_protocol::{canonical, plain, problem::ProblemType, time::Timestamp};
use pingup_server::{
    audit::{
        Entry, guards, store,
        walk::{Broken, Walk},
    },
    deed::{Act, By, Deed, Who},
    storage::migrate,
};
use rusqlite::Connection;

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
/// Rows of the chain.
const ROWS: u64 = 5;
/// What of a row can be changed, and which of it is JSON, where more than one text says the same.
const COLUMNS: [&str; 12] = [
    "at",
    "act",
    "by_kind",
    "who",
    "role",
    "came_from",
    "agent_id",
    "subject",
    "detail",
    "result",
    "times",
    "hash",
];
const DETAIL: &str = "detail";

thread_local! {
    static RECORDS: Connection = records();
}

/// Records with a chain, and nothing that keeps it as it is.
fn records() -> Connection {
    let records = Connection::open_in_memory().expect("records in memory");
    migrate::SQLITE.iter().for_each(|step| records.execute_batch(step.sql).expect("a step"));
    let by = By { who: Who::CommandLine("ada".to_owned()), address: None };
    for number in 1..=ROWS {
        let deed = Deed::new(Act::ConfigSet, &by, NOW.plus_seconds(number as i64))
            .agent("a")
            .with("version", number);
        let deed = if number == 3 { deed.refused(ProblemType::ScopeDenied).times(7) } else { deed };
        store::record(&records, &deed).expect("a row");
    }
    assert!(guards::touched(&records).expect("the triggers").is_empty());
    for guard in ["audit_goes_on", "audit_is_not_changed", "audit_is_not_deleted"] {
        records.execute_batch(&format!("DROP TRIGGER {guard}")).expect("a trigger");
    }
    records
}

/// Bytes that choose a row, what of it is changed, and whether to text, a number or bytes; then what stands there.
pub fn run(bytes: &[u8]) {
    let Some((&[row, column, kind], value)) = bytes.split_first_chunk::<3>() else { return };
    let (row, column) = (u64::from(row) % ROWS + 1, COLUMNS[usize::from(column) % COLUMNS.len()]);
    RECORDS.with(|records| {
        let before = row_of(records, row);
        records.execute_batch("BEGIN").expect("a transaction");
        let changed = change(records, row, column, kind, value);
        if changed {
            judge(records, row, column, before.as_ref());
        }
        records.execute_batch("ROLLBACK").expect("and its end");
    });
}

/// Whether the records took it.
fn change(records: &Connection, row: u64, column: &str, kind: u8, value: &[u8]) -> bool {
    let sql = format!("UPDATE audit SET {column} = ?1 WHERE seq = ?2");
    let mut statement = records.prepare_cached(&sql).expect("a statement");
    let (text, number) =
        (String::from_utf8_lossy(value), value.iter().fold(0_i64, |n, &b| n.rotate_left(8) ^ i64::from(b)));
    match kind % 4 {
        0 => statement.execute((text, row)),
        1 => statement.execute((number, row)),
        2 => statement.execute((value, row)),
        _ => statement.execute((None::<i64>, row)),
    }
    .is_ok()
}

fn row_of(records: &Connection, row: u64) -> Option<Entry> {
    store::behind(records, row - 1, 1).ok()?.pop()
}

fn judge(records: &Connection, row: u64, column: &str, before: Option<&Entry>) {
    // What cannot be read at all is an error, which is told.
    let Ok(rows) = store::behind(records, 0, usize::from(u8::MAX)) else { return };
    let (entry, before) = (&rows[row as usize - 1], before.expect("it could be read before"));
    let is_same = match column {
        DETAIL => canonical(entry) == canonical(before),
        _ => told(entry) == told(before),
    };
    let mut walk = Walk::new(store::genesis(records).expect("where it begins"), None);
    let walked = rows.iter().enumerate().try_for_each(|(at, entry)| walk.step(entry, &rows[at + 1..]));
    match walked {
        Ok(()) => {
            assert!(is_same, "{column} of row {row} was changed, and nobody noticed");
            let head = walk.end().expect("nothing was expected");
            assert_eq!((head.count, head.hash), (ROWS, rows[ROWS as usize - 1].hash));
        }
        // A hash is also what the next row goes on from.
        Err(Broken::Changed(at)) => assert!(!is_same && at == row, "row {at}, not {row}"),
        Err(other) => panic!("{other}"),
    }
    assert!(!told(entry).contains(plain::acts), "{}", told(entry));
}

/// The row as it is shown.
fn told(entry: &Entry) -> String {
    let json = serde_json::to_string(entry).expect("an entry can be written");
    plain::json_text(&json).into_owned()
}

/// Its detail in the form that is signed; none where it has none.
fn canonical(entry: &Entry) -> Option<Vec<u8>> {
    canonical::rewrite(entry.detail.get().as_bytes()).ok().map(|detail| detail.bytes)
}
