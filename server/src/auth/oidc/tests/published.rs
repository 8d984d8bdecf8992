//! Sets of keys as providers publish them, some of which nobody should use.

use super::{
    jwk::{KEYS_MAX, KeySetError},
    *,
};

/// What becomes of `key`'s token where the provider publishes these.
async fn verdict(key: &SigningKey, published: &Value) -> Result<Operator, OidcError> {
    let provider = Provider::start();
    provider.answer(KEYS, Answer::json("", &json!({ "keys": published })));
    let scene = Scene::of(provider, |_| {});
    scene.check(&key.token(&scene.claims())).await
}

fn with(key: &SigningKey, others: &Value) -> Value {
    let mut jwk = key.jwk();
    for (name, value) in others.as_object().unwrap() {
        jwk[name] = value.clone();
    }
    jwk.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    jwk
}

#[tokio::test]
async fn only_keys_for_verifying_count() {
    let (r, e) = (SigningKey::rsa("r"), SigningKey::ec("e"));
    for good in [json!({"alg": null}), json!({"use": null, "key_ops": ["verify"]}), json!({"x5c": ["AAAA"]})]
    {
        assert_eq!(verdict(&r, &json!([with(&r, &good)])).await, Ok(viewer()), "{good}");
    }
    let unknown = Err(OidcError::Invalid("no key of the provider signed it"));
    for bad in [
        json!({"use": "enc"}),
        json!({"use": "SIG"}),
        json!({"key_ops": ["encrypt"]}),
        json!({"alg": "none"}),
        json!({"alg": "PS256"}),
        json!({"alg": "HS256"}),
        json!({"alg": "ES256"}),
        json!({"kty": "EC"}),
        json!({"kty": "oct", "k": "AAAA"}),
        json!({"d": "AAAA"}),
        json!({"kid": null}),
        json!({"n": null}),
        json!({"n": ""}),
        json!({"n": "A".repeat(1_368)}),
        json!({"e": "AQAB AQAB"}),
        json!({"e": "AQABAQABAQABAQABAQAB"}),
        json!({"kid": 7}),
    ] {
        assert_eq!(verdict(&r, &json!([with(&r, &bad)])).await, unknown, "{bad}");
    }
    for bad in
        [json!({"crv": "P-384"}), json!({"crv": "secp256k1"}), json!({"y": "AAAA"}), json!({"kty": "OKP"})]
    {
        assert_eq!(verdict(&e, &json!([with(&e, &bad)])).await, unknown, "{bad}");
    }
    // A modulus of some 1024 bits, and a point that is not on the curve: keys, but none that verify anything.
    let broken = Err(OidcError::Invalid("its signature does not verify"));
    let short = with(&r, &json!({"n": r.jwk()["n"].as_str().unwrap()[..172]}));
    assert_eq!(verdict(&r, &json!([short])).await, broken);
    let off = with(&e, &json!({"y": e.jwk()["x"]}));
    assert_eq!(verdict(&e, &json!([off])).await, broken);
}

#[tokio::test]
async fn two_keys_of_one_name_are_none_and_take_no_others_with_them() {
    let (one, same, other) = (SigningKey::ec("e"), SigningKey::ed("e"), SigningKey::ec("o"));
    let keys =
        json!([one.jwk(), same.jwk(), {"kty": 7}, "no key", null, {"kty": "AKP", "kid": "pq"}, other.jwk()]);
    let unknown = Err(OidcError::Invalid("no key of the provider signed it"));
    assert_eq!(verdict(&one, &keys).await, unknown);
    assert_eq!(verdict(&same, &keys).await, unknown);
    assert_eq!(verdict(&other, &keys).await, Ok(viewer()));
    // One for encryption is not asked, so it may have the name.
    let keys = json!([one.jwk(), with(&same, &json!({"use": "enc"}))]);
    assert_eq!(verdict(&one, &keys).await, Ok(viewer()));
}

#[test]
fn a_set_has_a_bound_and_a_form() {
    let key = SigningKey::ed("o").jwk();
    let set = |count| json!({"keys": vec![key.clone(); count]}).to_string();
    assert!(KeySet::read(set(KEYS_MAX).as_bytes()).is_ok());
    assert_eq!(KeySet::read(set(KEYS_MAX + 1).as_bytes()), Err(KeySetError::TooMany));
    for bad in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[}"#, "<html>"] {
        assert_eq!(KeySet::read(bad.as_bytes()), Err(KeySetError::Malformed), "{bad}");
    }
}
