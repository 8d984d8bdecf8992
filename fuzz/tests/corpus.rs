//! Every target over its corpus: each input as it is, and changed in a few places, with a seed that is printed.
//! Finds what was found before, and now and then something new; the search proper is `make fuzz`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails may panic")]

use fastrand::Rng;
use pingup_fuzz::{TARGETS, door};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

/// Changed inputs for each that stands in the corpus.
const CHANGED_EACH: usize = 8;
/// Places that are changed in one at most.
const CHANGES_MAX: usize = 4;

fn corpus(target: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Bits turned, bytes put in and taken out, a piece said twice.
fn change(input: &mut Vec<u8>, random: &mut Rng) {
    for _ in 0..random.usize(1..=CHANGES_MAX) {
        let at = random.usize(..=input.len());
        match random.u8(..4) {
            0 if at < input.len() => input[at] ^= 1 << random.u8(..8),
            1 => input.insert(at, random.u8(..)),
            2 if at < input.len() => drop(input.remove(at)),
            _ => {
                let end = random.usize(at..=input.len());
                let piece = input[at..end].to_vec();
                input.extend_from_slice(&piece);
            }
        }
    }
}

#[test]
fn every_target_holds_over_its_corpus_and_near_it() {
    let seed = std::env::var("PINGUP_FUZZ_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs());
    println!("PINGUP_FUZZ_SEED={seed} repeats this");
    let mut random = Rng::with_seed(seed);
    for target in TARGETS {
        let files = corpus(target.name);
        assert!(!files.is_empty(), "{} has no corpus", target.name);
        for file in files {
            println!("{}", file.display());
            let input = fs::read(&file).unwrap();
            (target.run)(&input);
            for _ in 0..CHANGED_EACH {
                let mut changed = input.clone();
                change(&mut changed, &mut random);
                (target.run)(&changed);
            }
        }
    }
}

/// A refusal for what stands before the body says nothing of what reads it.
#[test]
fn the_corpus_reaches_the_reader_of_every_body() {
    let mut reached = BTreeSet::new();
    for file in corpus("api") {
        let (row, answer) = door::asked(&fs::read(&file).unwrap()).unwrap();
        let text = String::from_utf8_lossy(&answer.body);
        if ![401, 403, 404, 415].contains(&answer.status) && !text.contains("query parameter") {
            reached.insert(row);
        }
    }
    let missed: Vec<_> = door::readers().into_iter().filter(|row| !reached.contains(row)).collect();
    assert!(missed.is_empty(), "{missed:?}");
}
