//! The two ways to read a body, which must agree: what the fast one recognises the slow one accepts, with the same bytes
//! signed and the same verdict. What the slow one wrote is canonical: it reads its own words and writes them again.

use pingup_protocol::{
    canonical::{self, SignatureMember},
    keys::Secret,
    problem::ProblemType,
    signing::{self, Key},
};

/// Any bytes as a body.
pub fn run(bytes: &[u8]) {
    let slow = canonical::rewrite(bytes);
    if let Some(fast) = canonical::recognise(bytes) {
        let slow = slow.as_ref().expect("the slow way accepts what the fast way recognised");
        assert_eq!(fast.signed.concat(), slow.bytes);
        // The fast way gives the text as it stands; one with an escape in it is no base64 either way.
        if !fast.signature.contains('\\') {
            assert_eq!(slow.signature, SignatureMember::Text(fast.signature.into()));
        }
    }
    if let Ok(slow) = slow {
        match canonical::rewrite(&slow.bytes) {
            Ok(again) => assert_eq!(again.bytes, slow.bytes),
            // A fraction or a power of ten may be any whole number; written plainly it is one that is refused.
            Err(error) => assert_eq!(error.problem(), ProblemType::NumberOutOfRange),
        }
        serde_json::from_slice::<serde_json::Value>(&slow.bytes).expect("and is JSON to others");
    }
    let key = Key::new(&Secret::new([7; 32]));
    match (signing::scan(bytes), signing::scan_rewriting(bytes)) {
        (Ok(fast), Ok(slow)) => assert_eq!(fast.verify(&key), slow.verify(&key)),
        (fast, slow) => assert_eq!(fast.err(), slow.err()),
    }
}
