//! A provider's keys and tokens: whatever comes is judged, a token that is good is good in one spelling alone, and nobody comes in
//! by a name of this house.

use crate::orders::KEY;
use pingup_protocol::time::Timestamp;
use pingup_server::auth::oidc::{ClaimPath, NAME_MARK, OidcError, Trust, judge_by};
use std::sync::LazyLock;

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

static TRUST: LazyLock<Trust> = LazyLock::new(|| Trust {
    issuer: "https://sso.example".to_owned(),
    audience: "pingup".to_owned(),
    role_claim: ClaimPath::new("realm_access.roles").expect("a path"),
    name_claim: ClaimPath::new("sub").expect("a path"),
    roles: None,
    authorities: None,
    insecure_http: false,
});
/// What the provider publishes: a key that the fuzzer signs with.
static PUBLISHED: LazyLock<String> = LazyLock::new(|| {
    format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"k","x":"{}"}}]}}"#, text(KEY.id().as_bytes()))
});

/// A byte that says how the rest is taken: published keys and a token, or header and claims that are signed; a line between.
pub fn run(bytes: &[u8]) {
    let Some((choice, rest)) = bytes.split_first() else { return };
    let mut parts = rest.splitn(2, |&byte| byte == b'\n');
    let [first, second] = [(); 2].map(|()| parts.next().unwrap_or_default());
    match choice % 3 {
        0 => came(first, second),
        1 => came(PUBLISHED.as_bytes(), rest),
        _ => signed(usize::from(*choice), first, second),
    }
}

/// Keys and a token of whoever comes.
fn came(published: &[u8], token: &[u8]) {
    let Ok(token) = std::str::from_utf8(token) else { return };
    if let Ok((operator, _)) = judge_by(&TRUST, published, token, NOW) {
        assert!(
            operator.name.len() > NAME_MARK.len() && operator.name.starts_with(NAME_MARK),
            "{operator:?}"
        );
    }
}

/// A token that the provider signed, whatever it says; then with each of its bits changed that the choice reaches.
fn signed(choice: usize, header: &[u8], claims: &[u8]) {
    let message = format!("{}.{}", text(header), text(claims));
    let token = format!("{message}.{}", text(KEY.sign(message.as_bytes()).as_bytes()));
    let judged = judge_by(&TRUST, PUBLISHED.as_bytes(), &token, NOW);
    let Ok((operator, _)) = judged else { return };
    assert!(
        operator.name.starts_with(NAME_MARK) && !operator.name.contains(char::is_control),
        "{operator:?}"
    );
    let unsigned = judge_by(&TRUST, br#"{"keys":[]}"#, &token, NOW);
    assert!(matches!(unsigned, Err(OidcError::Invalid(_))), "{unsigned:?}");
    for bit in (choice % 64..token.len() * 8).step_by(64) {
        let mut broken = token.clone().into_bytes();
        broken[bit / 8] ^= 1 << (bit % 8);
        if let Ok(broken) = std::str::from_utf8(&broken) {
            assert!(judge_by(&TRUST, PUBLISHED.as_bytes(), broken, NOW).is_err(), "bit {bit} of {token}");
        }
    }
}

/// Bytes in base64url, without padding.
fn text(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let word =
            three.iter().fold(0_u32, |word, &byte| word << 8 | u32::from(byte)) << (8 * (3 - three.len()));
        let letters = (0..=three.len()).map(|place| word >> (18 - 6 * place) & 63);
        text.extend(letters.map(|letter| char::from(LETTERS[letter as usize])));
    }
    text
}
