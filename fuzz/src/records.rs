//! What the hub's journal holds in one record: a damaged disk must not bring the hub down, and what is read is what would
//! be written.

use pingup_server::tsdb::record;

/// Any bytes as one record.
pub fn run(bytes: &[u8]) {
    let Ok(rows) = record::read(bytes) else { return };
    let mut written = Vec::new();
    record::write(&rows.borrow(), &mut written);
    // Numbers that are none differ from themselves, so the bytes are compared.
    let again = record::read(&written).expect("what was written is read");
    let mut twice = Vec::new();
    record::write(&again.borrow(), &mut twice);
    assert_eq!(written, twice);
}
