//! Tokens that look right and are not: another algorithm than the key's, a public key as a secret, parts that were changed.

use super::{provider::compact, *};
use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// A token signed as HS256 with something that everybody knows.
fn shared(header: &Value, claims: &Value, secret: &[u8]) -> String {
    compact(header, claims, |bytes| {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), bytes).as_ref().to_vec()
    })
}

#[tokio::test]
async fn nothing_public_passes_for_a_secret() {
    let keys = [SigningKey::rsa("r"), SigningKey::ec("e"), SigningKey::ed("o")];
    let scene = Scene::with(&keys.each_ref());
    for key in &keys {
        let jwk = key.jwk();
        let n = jwk["n"].as_str().unwrap_or_default().to_owned();
        for secret in [&key.public()[..], &[], b"pingup", n.as_bytes(), jwk.to_string().as_bytes()] {
            let header = json!({"alg": "HS256", "kid": key.kid, "typ": "JWT"});
            let told = scene.why_not(&shared(&header, &scene.claims(), secret)).await;
            assert!(told.contains("algorithm"), "{told}");
            // The same under the key's own algorithm.
            let told = scene.why_not(&shared(&key.header(), &scene.claims(), secret)).await;
            assert!(told.contains("signature"), "{told}");
        }
    }
    assert_eq!(scene.provider.asked(KEYS), 1);
}

#[tokio::test]
async fn the_key_says_which_algorithm_it_is() {
    let (r, e, o) = (SigningKey::rsa("r"), SigningKey::ec("e"), SigningKey::ed("o"));
    let scene = Scene::with(&[&r, &e, &o]);
    let claims = scene.claims();
    for (signer, alg, kid, why) in [
        (&r, "ES256", "r", "not that of its key"),
        (&r, "RS256", "e", "not that of its key"),
        (&e, "EdDSA", "e", "not that of its key"),
        (&o, "ES256", "o", "not that of its key"),
        (&o, "EdDSA", "e", "not that of its key"),
        (&r, "RS512", "r", "RS256, ES256 or EdDSA"),
        (&r, "PS256", "r", "RS256, ES256 or EdDSA"),
        (&e, "ES256K", "e", "RS256, ES256 or EdDSA"),
        (&o, "Ed25519", "o", "RS256, ES256 or EdDSA"),
        (&r, "rs256", "r", "RS256, ES256 or EdDSA"),
        (&r, "none", "r", "RS256, ES256 or EdDSA"),
        (&r, "RS256", "", "does not name its key"),
        (&r, "RS256", "R", "no key of the provider"),
    ] {
        let header = json!({"alg": alg, "kid": kid});
        let told = scene.why_not(&compact(&header, &claims, |bytes| signer.sign(bytes))).await;
        assert!(told.contains(why), "{header}: {told}");
    }
    let none = |alg| compact(&json!({"alg": alg, "kid": "r"}), &claims, |_| Vec::new());
    for alg in ["none", "None", "NONE", ""] {
        assert!(scene.why_not(&none(alg)).await.contains("algorithm"), "{alg}");
    }
    for signature in [&[][..], &[0; 64], &[0; 256]] {
        for key in [&r, &e, &o] {
            let token = compact(&key.header(), &claims, |_| signature.to_vec());
            assert!(scene.why_not(&token).await.contains("signature"));
        }
    }
}

#[tokio::test]
async fn what_a_header_brings_along_is_not_believed() {
    let (key, other) = (SigningKey::ec("e"), SigningKey::ec("e"));
    let scene = Scene::with(&[&key]);
    let claims = scene.claims();
    let signed = |signer: &SigningKey, more: Value| {
        let mut header = signer.header();
        for (name, value) in more.as_object().unwrap() {
            header[name] = value.clone();
        }
        header.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        compact(&header, &claims, |bytes| signer.sign(bytes))
    };
    for (more, why) in [
        (json!({"kid": null}), "does not name its key"),
        (json!({"kid": "k".repeat(257)}), "does not name its key"),
        (json!({"kid": 7}), "not a signed JWT"),
        (json!({"crit": ["exp"], "exp": 1}), "extension"),
        (json!({"crit": []}), "extension"),
        (json!({"b64": false}), "extension"),
        (json!({"typ": "logout+jwt"}), "type"),
        (json!({"typ": "dpop+jwt"}), "type"),
        (json!({"typ": "JOSE"}), "type"),
    ] {
        let told = scene.why_not(&signed(&key, more.clone())).await;
        assert!(told.contains(why), "{more}: {told}");
    }
    for more in [json!({"typ": null}), json!({"typ": "at+JWT"}), json!({"typ": "application/at+jwt"})] {
        assert_eq!(scene.check(&signed(&key, more)).await, Ok(viewer()));
    }
    // A stranger's key that comes with the token, under the name of the provider's.
    let asked = scene.provider.asked(KEYS);
    for more in [
        json!({"jwk": other.jwk()}),
        json!({"jku": format!("{}/strange", scene.provider.issuer)}),
        json!({"x5u": "http://127.0.0.1:9/", "x5c": ["AAAA"]}),
    ] {
        assert!(scene.why_not(&signed(&other, more)).await.contains("signature"));
    }
    assert_eq!((scene.provider.asked("/strange"), scene.provider.asked(KEYS)), (0, asked));
}

#[tokio::test]
async fn a_token_has_one_form() {
    let key = SigningKey::ed("o");
    let scene = Scene::with(&[&key]);
    let token = key.token(&scene.claims());
    let [header, claims, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    let text = |json: &str| URL_SAFE_NO_PAD.encode(json);
    let twice = text(r#"{"alg":"EdDSA","alg":"RS256","kid":"o"}"#);
    for bad in [
        format!("{header}.{claims}"),
        format!("{header}.{claims}."),
        format!("{header}.{claims}.{signature}."),
        format!("{header}.{claims}.{signature}.{signature}.{signature}"),
        format!("{header}.{claims}.{signature}="),
        format!("{header}.{claims}=.{signature}"),
        format!("{header}. {claims}.{signature}"),
        format!(".{claims}.{signature}"),
        format!("{twice}.{claims}.{signature}"),
        format!("{}.{claims}.{signature}", text("[]")),
        format!("{header}.{}.{signature}", text("[]")),
        format!("{header}.{claims}.{signature}{}", "A".repeat(12 * 1024)),
    ] {
        assert!(matches!(scene.oidc.check(&bad).await, Err(OidcError::Invalid(_))), "{bad}");
    }
    assert_eq!(scene.check(&token).await, Ok(viewer()));
}

#[tokio::test]
async fn any_changed_bit_is_refused() {
    for key in [SigningKey::ec("e"), SigningKey::ed("o"), SigningKey::rsa("r")] {
        let scene = Scene::with(&[&key]);
        let token = key.token(&scene.claims());
        let parts: Vec<_> = token.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap()).collect();
        for (part, bytes) in parts.iter().enumerate() {
            for at in 0..bytes.len() {
                let mut changed = parts.clone();
                changed[part][at] ^= 1 << (at % 8);
                let changed =
                    changed.iter().map(|part| URL_SAFE_NO_PAD.encode(part)).collect::<Vec<_>>().join(".");
                let told = scene.oidc.check(&changed).await;
                assert!(matches!(told, Err(OidcError::Invalid(_))), "part {part}, byte {at}: {told:?}");
            }
        }
        assert_eq!(scene.check(&token).await, Ok(viewer()));
    }
}
