//! Damage is told from a torn end: never is a record lost in silence that stands behind a damaged one.

use super::*;
use crate::tsdb::testing::Dice;

/// What reading a segment comes to: the refusal's text, or the records and where they end.
fn try_read(folder: &Path, segment: u64) -> Result<(Vec<Vec<u8>>, ReadEnd), String> {
    let mut found = Vec::new();
    let read = Journal::read(folder, segment, |record| {
        found.push(record.to_owned());
        Ok(())
    });
    read.map(|end| (found, end)).map_err(|error| error.to_string())
}

/// Refused as damaged at `offset`, with the file's name and a way out.
#[track_caller]
fn refused(folder: &Path, segment: u64, offset: usize) {
    let said = try_read(folder, segment).unwrap_err();
    let name = segment_path(folder, segment).display().to_string();
    assert!(said.starts_with(&format!("{name} is damaged from byte {offset} on")), "{said}");
    assert!(said.contains("Restore a backup") && said.contains("docs/operations.md"), "{said}");
}

/// Where the record that holds byte `at` begins; the header is one.
fn place_of(at: usize) -> usize {
    if at < HEADER_BYTES { 0 } else { *bounds().iter().rfind(|bound| **bound <= at).unwrap() }
}

#[test]
fn a_flipped_byte_is_damage_unless_it_is_in_the_last_record() {
    let (_place, folder) = place();
    let (whole, last) = (written(&folder), bounds()[3]);
    for at in 0..whole.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] ^= flip;
            fs::write(segment_path(&folder, 1), &bytes).unwrap();
            if at < last {
                refused(&folder, 1, place_of(at));
            } else {
                let torn = (whole.len() - last) as u64;
                let end = ReadEnd { end: last as u64, torn_bytes: torn };
                assert_eq!(
                    try_read(&folder, 1),
                    Ok((RECORDS[..3].iter().map(|r| r.to_vec()).collect(), end))
                );
            }
            assert_eq!(fs::read(segment_path(&folder, 1)).unwrap(), bytes, "nothing is changed");
        }
    }
}

#[test]
fn damage_before_a_torn_end_is_damage() {
    let (_place, folder) = place();
    let (whole, bounds) = (written(&folder), bounds());
    for at in bounds[2]..bounds[3] {
        for cut in bounds[3] + 1..whole.len() {
            let mut bytes = whole[..cut].to_vec();
            bytes[at] ^= 0x10;
            fs::write(segment_path(&folder, 1), bytes).unwrap();
            let frame_is_hit = at < bounds[2] + 8;
            // A frame that is hit does not tell its end, and half a frame behind it does not tell itself.
            if frame_is_hit && cut < bounds[3] + FRAME_BYTES {
                assert_eq!(try_read(&folder, 1).unwrap().1.end, bounds[2] as u64);
            } else {
                refused(&folder, 1, bounds[2]);
            }
        }
    }
}

#[test]
fn only_the_newest_segment_may_be_torn() {
    let (_place, folder) = place();
    let whole = written(&folder);
    let mut journal = open(&folder, Faults::none()).unwrap();
    journal.begin(2).unwrap();
    for cut in (0..whole.len()).filter(|cut| !bounds().contains(cut)) {
        fs::write(segment_path(&folder, 1), &whole[..cut]).unwrap();
        refused(&folder, 1, place_of(cut));
    }
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x04;
        fs::write(segment_path(&folder, 1), bytes).unwrap();
        refused(&folder, 1, place_of(at));
    }
    fs::write(segment_path(&folder, 1), [&whole[..], &[0; 9]].concat()).unwrap();
    refused(&folder, 1, whole.len());
}

/// Records of any size, some larger than what is searched at once; one or several bytes flipped anywhere.
#[test]
fn random_damage_never_hides_what_follows() {
    for seed in 1..=40 {
        println!("seed {seed}");
        let (mut dice, (_place, folder)) = (Dice::seeded(seed), place());
        let mut journal = open(&folder, Faults::none()).unwrap();
        journal.begin(1).unwrap();
        let mut begins = Vec::new();
        for _ in 0..2 + dice.below(6) {
            let length_max = [20, 3_000, 150_000][dice.below(3) as usize];
            let length = 1 + dice.below(length_max);
            begins.push(journal.current_bytes());
            journal.append(&(0..length).map(|_| dice.below(256) as u8).collect::<Vec<_>>()).unwrap();
        }
        let mut bytes = fs::read(segment_path(&folder, 1)).unwrap();
        let last = *begins.last().unwrap();
        let flips = 1 + dice.below(3);
        let hit = (0..flips).map(|_| dice.below(last)).collect::<Vec<_>>();
        hit.iter().for_each(|at| bytes[*at as usize] ^= 0x20);
        fs::write(segment_path(&folder, 1), bytes).unwrap();
        let mut odd = hit.clone();
        odd.retain(|at| hit.iter().filter(|other| *other == at).count() % 2 == 1);
        let first =
            odd.into_iter().min().map(|at| begins.iter().rfind(|begin| **begin <= at).map_or(0, |b| *b));
        match first {
            Some(offset) => refused(&folder, 1, offset as usize),
            None => assert_eq!(read(&folder, 1).0.len(), begins.len()),
        }
    }
}

#[test]
fn zeros_and_old_records_at_another_place_never_count() {
    let (_place, folder) = place();
    let whole = written(&folder);
    let bounds = bounds();
    let second = &whole[bounds[1]..bounds[2]];
    for behind in [&[0; 4096][..], second, &whole[HEADER_BYTES..]] {
        let bytes = [&whole, behind].concat();
        fs::write(segment_path(&folder, 1), bytes).unwrap();
        let (found, end) = read(&folder, 1);
        assert_eq!((found.len(), end.torn_bytes), (4, behind.len() as u64));
    }
    let other = [&format::header(2)[..], &whole[HEADER_BYTES..]].concat();
    fs::write(segment_path(&folder, 2), other).unwrap();
    assert_eq!(read(&folder, 2).0.len(), 0, "a record is its segment's");
}

#[test]
fn a_renamed_segment_and_another_form_are_refused_not_taken_for_torn() {
    let (_place, folder) = place();
    let mut whole = written(&folder);
    fs::copy(segment_path(&folder, 1), segment_path(&folder, 2)).unwrap();
    let refused = Journal::read(&folder, 2, |_| Ok(())).unwrap_err().to_string();
    assert!(refused.contains("segment 1"), "{refused}");
    whole[8] = 1;
    let checksum = crc32fast::hash(&whole[..20]);
    whole[20..24].copy_from_slice(&checksum.to_le_bytes());
    fs::write(segment_path(&folder, 1), &whole).unwrap();
    let refused = Journal::read(&folder, 1, |_| Ok(())).unwrap_err().to_string();
    assert!(refused.contains("form 1 of the journal, this program knows form 2"), "{refused}");
}
