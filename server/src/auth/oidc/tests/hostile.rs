//! A provider that lies, and somebody in its place.

use super::{fetch::ANSWER_BYTES_MAX, fetching::lasting, held::RETRY_PAUSE_SECONDS, provider::certified, *};
use std::fs;

#[tokio::test]
async fn what_a_hostile_provider_says_leads_nowhere() {
    let key = SigningKey::ed("o");
    let set = json!({"keys": [key.jwk()]}).to_string();
    let huge = format!("{}{set}", " ".repeat(ANSWER_BYTES_MAX));
    let cut = [b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n", set.as_bytes()].concat();
    let many = json!({"keys": vec![key.jwk(); jwk::KEYS_MAX + 1]});
    for (path, answer) in [
        (KEYS, Answer::status("200 OK", "", huge.as_bytes())),
        (KEYS, Answer::Bytes([&b"HTTP/1.1 200 OK\r\n\r\n"[..], huge.as_bytes()].concat())),
        (KEYS, Answer::Bytes(cut)),
        (KEYS, Answer::Bytes(vec![b'a'; 1 << 20])),
        (KEYS, Answer::status("200 OK", "", b"<html>")),
        (KEYS, Answer::json("", &many)),
        (KEYS, Answer::status("500 Internal Server Error", "", set.as_bytes())),
        (KEYS, Answer::status("302 Found", "location: /other\r\n", set.as_bytes())),
        (DISCOVERY, Answer::status("301 Moved Permanently", "location: /other\r\n", b"")),
        (DISCOVERY, Answer::status("200 OK", "", b"{}")),
        (DISCOVERY, Answer::HangUp),
    ] {
        let scene = Scene::with(&[&key]);
        scene.provider.answer("/other", Answer::status("200 OK", "", set.as_bytes()));
        scene.provider.answer(path, answer);
        let told = scene.check(&lasting(&scene, &key, 0)).await;
        assert_eq!((told, scene.provider.asked("/other")), (Err(OidcError::Unavailable), 0), "{path}");
    }
}

#[tokio::test]
async fn a_provider_is_who_it_says_and_its_keys_are_where_it_may_say() {
    let key = SigningKey::ed("o");
    let scene = Scene::with(&[&key]);
    let (issuer, address) = (scene.provider.issuer.clone(), scene.provider.address);
    let keys = format!("{issuer}{KEYS}");
    for (said, at) in [
        (format!("{issuer}/"), keys.clone()),
        (issuer.replace("127.0.0.1", "localhost"), keys.clone()),
        (issuer.clone(), format!("https://{address}{KEYS}")),
        (issuer.clone(), "http://sso.example/keys".to_owned()),
        (issuer.clone(), KEYS.to_owned()),
        (issuer.clone(), "file:///etc/passwd".to_owned()),
        (issuer.clone(), format!("http://u@{address}{KEYS}")),
    ] {
        scene.provider.introduce(&said, &at);
        let told = scene.check(&lasting(&scene, &key, 0)).await;
        assert_eq!(told, Err(OidcError::Unavailable), "{said} {at}");
        scene.clock.advance(RETRY_PAUSE_SECONDS);
    }
    assert_eq!(scene.provider.asked(KEYS), 0);
    scene.provider.introduce(&issuer, &keys);
    assert_eq!(scene.check(&lasting(&scene, &key, 0)).await, Ok(viewer()));
}

#[tokio::test]
async fn over_tls_a_provider_needs_an_authority_that_is_trusted() {
    let key = SigningKey::ec("e");
    let (pem, config) = certified();
    let folder = tempfile::tempdir().unwrap();
    let trusting = |pem: &str| {
        let file = folder.path().join("ca.pem");
        fs::write(&file, pem).unwrap();
        Some(Authorities::read(&file).unwrap())
    };
    for (authorities, told) in [
        (trusting(&pem), Ok(viewer())),
        (trusting(&certified().0), Err(OidcError::Unavailable)),
        (None, Err(OidcError::Unavailable)),
    ] {
        let provider = Provider::start_tls(config.clone());
        provider.publish(&[&key]);
        let scene = Scene::of(provider, |trust| trust.authorities = authorities);
        assert_eq!(scene.check(&lasting(&scene, &key, 0)).await, told);
    }
}
