//! Signatures: what was signed verifies, by its own key alone; and with any one bit changed it does not, unless the bit
//! made another way to write the same (`1E5` for `1e5`), which is the same message.

use pingup_protocol::{
    canonical,
    keys::Secret,
    signing::{self, Key},
};
use std::sync::LazyLock;

static KEYS: LazyLock<[Key; 2]> = LazyLock::new(|| [7, 8].map(|seed| Key::new(&Secret::new([seed; 32]))));

/// Two bytes that choose a bit, then any bytes as a message.
pub fn run(bytes: &[u8]) {
    let Some((&[high, low], message)) = bytes.split_first_chunk::<2>() else { return };
    let [key, other] = &*KEYS;
    let Ok(signed) = signing::sign_json(key, message) else { return };
    assert!(canonical::recognise(&signed).is_some(), "what is signed here goes the fast way");
    let scanned = signing::scan(&signed).expect("what was signed is scanned");
    assert!(scanned.verify(key) && !scanned.verify(other));
    let bit = usize::from(u16::from_be_bytes([high, low])) % (signed.len() * 8);
    let mut broken = signed.clone();
    broken[bit / 8] ^= 1 << (bit % 8);
    if signing::scan(&broken).is_ok_and(|scanned| scanned.verify(key)) {
        assert_eq!(canonical::rewrite(&broken), canonical::rewrite(&signed), "bit {bit} changed the message");
    }
}
