//! Rules that hold for every body: the fast and the slow way agree, signatures verify and nothing else does,
//! and an independent implementation of RFC 8785 writes the same bytes.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails may panic")]

use pingup_protocol::{
    canonical::{self, SignatureMember},
    keys::Secret,
    signing::{self, Key, ScanError},
};
use proptest::prelude::*;
use serde_json::{Map, Number, Value};

fn key(seed: u8) -> Key {
    Key::new(&Secret::new([seed; 32]))
}

/// Numbers that both we and I-JSON take, the awkward ones often.
fn number() -> impl Strategy<Value = Number> {
    prop_oneof![
        (-9_007_199_254_740_991_i64..=9_007_199_254_740_991).prop_map(Number::from),
        any::<f64>().prop_filter_map("finite", Number::from_f64),
        prop::sample::select(vec![0.0, -0.0, 1e21, 1e-7, 5e-324, 0.1, 1e20, 333_333_333.333_333_3])
            .prop_filter_map("finite", Number::from_f64),
        (-1000_i64..1000).prop_map(Number::from),
    ]
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,8}",
        "\\PC{0,6}",
        prop::sample::select(vec![
            "signature".to_owned(),
            "😂".to_owned(),
            "דּ".to_owned(),
            "\u{1}".to_owned()
        ])
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number().prop_map(Value::Number),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(name(), inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn body() -> impl Strategy<Value = Value> {
    prop::collection::btree_map(name(), value(), 0..8).prop_map(|mut members| {
        members.remove("signature");
        Value::Object(members.into_iter().collect())
    })
}

/// JSON and near-JSON, to drive both ways into their corners.
fn scraps() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"a\"",
        "\"b\"",
        "\"signature\"",
        "\"\\u0061\"",
        "\"\\ud800\"",
        "\"\\n\"",
        "\"\\u000a\"",
        "\"\\u001f\"",
        "\"\\u001F\"",
        "1",
        "-0",
        "0.0",
        "1e5",
        "1e400",
        "1e+21",
        "01",
        "9007199254740991",
        "9007199254740993",
        "true",
        "null",
        " ",
        "\n",
        "\"é\"",
        "\u{feff}",
        "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2048, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_ways_accept_the_same_with_the_same_mac(body in body(), signature in "[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=") {
        let mut signed = body;
        signed["signature"] = Value::from(signature);
        let canonical = serde_json_canonicalizer::to_vec(&signed).unwrap();
        agree(&canonical)?;
        agree(&serde_json::to_vec(&signed).unwrap())?;
        agree(&serde_json::to_vec_pretty(&signed).unwrap())?;
    }

    #[test]
    fn both_ways_agree_on_scraps(text in scraps()) {
        agree(text.as_bytes())?;
        agree(format!("{{\"a\":{text},\"signature\":\"x\"}}").as_bytes())?;
    }

    #[test]
    fn one_changed_byte_never_makes_the_ways_differ(body in body(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let signed = signing::sign_json(&key(1), &serde_json::to_vec(&body).unwrap());
        prop_assume!(signed.is_ok());
        let mut bytes = signed.unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        agree(&bytes)?;
    }

    #[test]
    fn an_independent_implementation_writes_the_same(body in body()) {
        let pretty = serde_json::to_vec_pretty(&body).unwrap();
        let ours = canonical::rewrite(&pretty).unwrap();
        let theirs = serde_json_canonicalizer::to_vec(&body).unwrap();
        prop_assert_eq!(String::from_utf8(ours.bytes).unwrap(), String::from_utf8(theirs).unwrap());
        prop_assert_eq!(ours.signature, SignatureMember::Absent);
    }

    #[test]
    fn what_was_signed_verifies_and_with_any_bit_changed_nothing_else_does(body in body(), bit in any::<prop::sample::Index>()) {
        let signed = signing::sign_json(&key(1), &serde_json::to_vec(&body).unwrap());
        prop_assume!(signed.is_ok());
        let signed = signed.unwrap();
        prop_assert!(canonical::recognise(&signed).is_some());
        prop_assert!(signing::scan(&signed).unwrap().verify(&key(1)));
        prop_assert!(!signing::scan(&signed).unwrap().verify(&key(2)));
        let mut broken = signed.clone();
        let bit = bit.index(signed.len() * 8);
        broken[bit / 8] ^= 1 << (bit % 8);
        // Another way to write the same (1E5 for 1e5) is the same message; everything else is refused.
        let accepted = signing::scan(&broken).is_ok_and(|scanned| scanned.verify(&key(1)));
        prop_assert!(!accepted || canonical::rewrite(&broken) == canonical::rewrite(&signed));
    }

    #[test]
    fn signing_what_was_signed_changes_nothing(body in body()) {
        let once = signing::sign_json(&key(1), &serde_json::to_vec(&body).unwrap());
        prop_assume!(once.is_ok());
        let once = once.unwrap();
        let twice = signing::sign_json(&key(1), &once).unwrap();
        prop_assert_eq!(once, twice);
    }
}

#[test]
fn what_the_other_side_would_refuse_is_not_signed() {
    for (body, refused) in
        [("{\"a\":1e20}", true), ("{\"a\":1e15}", false), ("{\"a\":1e21}", false), ("[]", true)]
    {
        assert_eq!(signing::sign_json(&key(1), body.as_bytes()).is_err(), refused, "{body}");
    }
}

/// Whatever the fast way recognises, the slow way accepts, with the same signature over the same bytes.
/// (What the fast way does not recognise goes the slow way, so this is all there is to agree on.)
fn agree(bytes: &[u8]) -> Result<(), TestCaseError> {
    let Some(fast) = canonical::recognise(bytes) else {
        return missed(bytes);
    };
    let slow = canonical::rewrite(bytes).expect("the slow way accepts what the fast way recognised");
    prop_assert_eq!(fast.signed.concat(), slow.bytes);
    // The fast way gives the text as it stands; one with an escape in it is no base64 either way.
    if !fast.signature.contains('\\') {
        prop_assert_eq!(slow.signature, SignatureMember::Text(fast.signature.into()));
    }
    let (a, b) = (signing::scan(bytes), signing::scan_rewriting(bytes));
    prop_assert_eq!(a.as_ref().err(), b.as_ref().err());
    if let (Ok(a), Ok(b)) = (a, b) {
        prop_assert_eq!(a.verify(&key(1)), b.verify(&key(1)));
    }
    Ok(())
}

/// A body that is canonical and signed is recognised: the fast way is not merely never wrong, it is used.
fn missed(bytes: &[u8]) -> Result<(), TestCaseError> {
    let canonical_and_signed = match canonical::rewrite(bytes) {
        Ok(slow) if matches!(slow.signature, SignatureMember::Text(_)) => signing::sign_json(&key(1), bytes)
            .is_ok_and(|ours| ours.len() == bytes.len() && same_but_signature(&ours, bytes)),
        _ => false,
    };
    prop_assert!(!canonical_and_signed, "not recognised: {}", String::from_utf8_lossy(bytes));
    Ok(())
}

fn same_but_signature(ours: &[u8], theirs: &[u8]) -> bool {
    match (canonical::recognise(ours), signing::scan(theirs)) {
        (Some(found), Ok(_) | Err(ScanError::SignatureMalformed)) => {
            let [head, tail] = found.signed;
            // A signature with an escaped slash is as long as another without, and not canonical.
            let member = theirs.strip_prefix(head).and_then(|rest| rest.strip_suffix(tail));
            member.is_some_and(|member| !member.windows(2).any(|pair| pair == b"\\/"))
        }
        _ => false,
    }
}
