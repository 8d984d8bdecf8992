//! When the provider is asked, how often, and what becomes of tokens where it is slow or away.

use super::{
    held::{KEPT_SECONDS, KNOWN_MAX, RETRY_PAUSE_SECONDS, UNKNOWN_PAUSE_SECONDS},
    *,
};
use crate::auth::token::{Expiry, TokenError};
use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

const FAR: i64 = 10 * 24 * 3_600;

/// A token that stays good through a test in which days go by.
pub(super) fn lasting(scene: &Scene, key: &SigningKey, jti: usize) -> String {
    key.token(&scene.claims_with(&json!({"exp": NOW_SECONDS + FAR, "jti": jti.to_string()})))
}

#[tokio::test]
async fn one_fetch_serves_all_until_it_is_stale() {
    let key = SigningKey::ec("e");
    let scene = Scene::with(&[&key]);
    let keys = Answer::json("cache-control: public, max-age=120\r\n", &json!({"keys": [key.jwk()]}));
    scene.provider.answer(KEYS, keys);
    let tokens: Vec<_> = (0..20).map(|jti| lasting(&scene, &key, jti)).collect();
    let checks: Vec<_> = tokens
        .iter()
        .map(|token| {
            let (oidc, token) = (scene.oidc.clone(), token.clone());
            tokio::spawn(async move { oidc.check(&token).await.map(|(operator, _)| operator) })
        })
        .collect();
    for check in checks {
        assert_eq!(check.await.unwrap(), Ok(viewer()));
    }
    let asked =
        |times| assert_eq!((scene.provider.asked(DISCOVERY), scene.provider.asked(KEYS)), (times, times));
    asked(1);
    scene.clock.advance(119);
    assert_eq!(scene.check(&tokens[0]).await, Ok(viewer()));
    asked(1);
    scene.clock.advance(1);
    assert_eq!(scene.check(&tokens[0]).await, Ok(viewer()));
    asked(2);
}

#[tokio::test]
async fn a_key_that_is_rotated_in_is_found_and_one_that_is_rotated_out_is_dead() {
    let (old, new) = (SigningKey::ec("old"), SigningKey::ec("new"));
    let scene = Scene::with(&[&old]);
    let (by_old, by_new) = (lasting(&scene, &old, 0), lasting(&scene, &new, 1));
    assert_eq!(scene.check(&by_old).await, Ok(viewer()));
    scene.provider.publish(&[&new]);
    // Asked a moment ago: not yet again.
    assert!(scene.why_not(&by_new).await.contains("no key"));
    scene.clock.advance(UNKNOWN_PAUSE_SECONDS);
    assert_eq!(scene.check(&by_new).await, Ok(viewer()));
    // Also that it verified before counts for nothing.
    assert!(scene.why_not(&by_old).await.contains("no key"));
    // Another key of a known name: seen as soon as the keys are stale.
    let replaced = SigningKey::ec("new");
    scene.provider.publish(&[&replaced]);
    assert_eq!(scene.check(&by_new).await, Ok(viewer()));
    scene.clock.advance(300);
    assert!(scene.why_not(&by_new).await.contains("signature"));
    // None at all is the provider's word too.
    scene.provider.publish(&[]);
    scene.clock.advance(300);
    assert!(scene.why_not(&lasting(&scene, &replaced, 2)).await.contains("no key"));
}

#[tokio::test]
async fn what_was_begun_with_a_key_ends_when_it_is_withdrawn() {
    let (old, kept) = (SigningKey::ec("old"), SigningKey::ed("kept"));
    let scene = Scene::with(&[&old, &kept]);
    let [(_, ends), (_, stays)] = [
        scene.oidc.check(&lasting(&scene, &old, 0)).await.unwrap(),
        scene.oidc.check(&lasting(&scene, &kept, 1)).await.unwrap(),
    ];
    scene.provider.publish(&[&SigningKey::ec("new"), &kept]);
    assert!(!ends.is_revoked() && !stays.is_revoked(), "nobody has heard of it");
    scene.clock.advance(300);
    // Nobody else comes: whoever stays has the keys fetched.
    ends.revoked().await;
    assert_eq!(ends.check(scene.clock.now()), Err(TokenError::Revoked));
    assert!(!stays.is_revoked());
    scene.provider.answer(DISCOVERY, Answer::HangUp);
    scene.clock.advance(KEPT_SECONDS);
    assert!(stays.is_revoked(), "of keys that are too old nobody can tell");
}

#[tokio::test]
async fn a_signature_is_told_from_a_made_up_one_without_asking() {
    let (key, stranger) = (SigningKey::ed("o"), SigningKey::ed("o"));
    let scene = Scene::with(&[&key]);
    let [good, bad] = [&key, &stranger].map(|key| lasting(&scene, key, 0));
    assert!(!scene.oidc.is_signed(&good), "there are no keys yet");
    assert_eq!(scene.check(&lasting(&scene, &key, 1)).await, Ok(viewer()));
    scene.clock.advance(2 * KEPT_SECONDS);
    assert!(scene.oidc.is_signed(&good) && !scene.oidc.is_signed(&bad) && !scene.oidc.is_signed("x.y.z"));
    assert_eq!(scene.provider.asked(KEYS), 1);
}

#[tokio::test]
async fn made_up_keys_do_not_have_the_provider_asked() {
    let (key, stranger) = (SigningKey::ed("o"), SigningKey::ed("s"));
    let scene = Scene::with(&[&key]);
    let good = lasting(&scene, &key, 0);
    assert_eq!(scene.check(&good).await, Ok(viewer()));
    for asked in 1..4 {
        for made_up in 0..1_000 {
            let header = json!({"alg": "EdDSA", "kid": format!("{asked}-{made_up}")});
            let token = provider::compact(&header, &scene.claims(), |bytes| stranger.sign(bytes));
            assert!(scene.why_not(&token).await.contains("no key"));
        }
        assert_eq!(scene.check(&good).await, Ok(viewer()));
        assert_eq!(scene.provider.asked(KEYS), asked);
        scene.clock.advance(UNKNOWN_PAUSE_SECONDS);
    }
}

#[tokio::test]
async fn keys_outlive_a_provider_that_is_away_but_not_for_ever() {
    let key = SigningKey::ed("o");
    let scene = Scene::with(&[&key]);
    let token = lasting(&scene, &key, 0);
    assert_eq!(scene.check(&token).await, Ok(viewer()));
    scene.provider.answer(DISCOVERY, Answer::HangUp);
    scene.clock.advance(KEPT_SECONDS - 1);
    assert_eq!(scene.check(&token).await, Ok(viewer()));
    assert_eq!(scene.provider.asked(DISCOVERY), 2);
    // Nothing can be told of a key that nobody knows: it may be a new one.
    let unknown = lasting(&scene, &SigningKey::ed("new"), 1);
    assert_eq!(scene.check(&unknown).await, Err(OidcError::Unavailable));
    scene.clock.advance(1);
    assert_eq!(scene.check(&token).await, Err(OidcError::Unavailable));
    // Asked again after a pause, however many come.
    let asked = scene.provider.asked(DISCOVERY);
    scene.clock.advance(RETRY_PAUSE_SECONDS);
    for _ in 0..100 {
        assert_eq!(scene.check(&token).await, Err(OidcError::Unavailable));
    }
    assert_eq!(scene.provider.asked(DISCOVERY), asked + 1);
    scene.provider.introduce(&scene.provider.issuer, &format!("{}{KEYS}", scene.provider.issuer));
    scene.clock.advance(RETRY_PAUSE_SECONDS);
    assert_eq!(scene.check(&token).await, Ok(viewer()));
}

#[tokio::test]
async fn while_a_provider_is_away_nobody_waits_for_it() {
    let key = SigningKey::ed("o");
    let scene = Scene::with(&[&key]);
    let token = lasting(&scene, &key, 0);
    assert_eq!(scene.check(&token).await, Ok(viewer()));
    scene.provider.answer(DISCOVERY, Answer::HangUp);
    scene.clock.advance(300);
    assert_eq!(scene.check(&token).await, Ok(viewer()));
    scene.provider.answer(DISCOVERY, Answer::Silence);
    scene.clock.advance(RETRY_PAUSE_SECONDS);
    // Another look is under way, and the token is taken meanwhile: at the first poll.
    let check = pin!(scene.oidc.check(&token));
    assert!(matches!(check.poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(_))));
}

/// Time goes by when nothing else can happen: a provider that says nothing is given up.
#[tokio::test(start_paused = true)]
async fn a_provider_that_is_silent_is_given_up() {
    let key = SigningKey::ed("o");
    for path in [DISCOVERY, KEYS] {
        let scene = Scene::with(&[&key]);
        scene.provider.answer(path, Answer::Silence);
        assert_eq!(scene.check(&lasting(&scene, &key, 0)).await, Err(OidcError::Unavailable), "{path}");
    }
}

#[tokio::test]
async fn only_so_many_wait_for_a_provider() {
    let key = SigningKey::ed("o");
    let scene = Scene::with(&[&key]);
    scene.provider.answer(DISCOVERY, Answer::Silence);
    let token = lasting(&scene, &key, 0);
    let mut waker = Context::from_waker(Waker::noop());
    let mut waiting: Vec<_> = (0..WAITING_MAX).map(|_| Box::pin(scene.oidc.check(&token))).collect();
    assert!(waiting.iter_mut().all(|check| check.as_mut().poll(&mut waker).is_pending()));
    let mut one_more = pin!(scene.oidc.check(&token));
    assert!(matches!(one_more.as_mut().poll(&mut waker), Poll::Ready(Err(OidcError::Unavailable))));
    // Who hangs up leaves a place.
    waiting.pop();
    let mut next = pin!(scene.oidc.check(&token));
    assert!(next.as_mut().poll(&mut waker).is_pending());
}

#[tokio::test]
async fn a_fetch_goes_on_when_its_asker_hangs_up() {
    let key = SigningKey::ed("o");
    let scene = Scene::with(&[&key]);
    let token = lasting(&scene, &key, 0);
    let mut landed = scene.oidc.0.landed.subscribe();
    assert!(pin!(scene.oidc.check(&token)).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    landed.wait_for(|landed| *landed == 1).await.unwrap();
    assert_eq!(scene.check(&token).await, Ok(viewer()));
    assert_eq!(scene.provider.asked(KEYS), 1);
}

#[test]
fn what_is_remembered_has_a_bound() {
    let mut held = Held::default();
    let brought = || Some(fetch::Brought { keys: KeySet::default(), fresh_seconds: 60 });
    held.begin(0);
    held.land(0, brought());
    let Next::Use(keys) = held.next("k", 1).0 else { panic!("the keys are fresh") };
    let digest = |n: usize| Digest::of(Sha256::digest(n.to_string()).into());
    let verdict = |keys: &Arc<KeySet>, seconds| {
        let (expiry, keys) = (Expiry::at_seconds(NOW_SECONDS + seconds), Arc::clone(keys));
        Verdict { operator: viewer(), expiry, kid: "k".into(), keys }
    };
    // Half of them are over when there is no room any more, and go.
    (0..KNOWN_MAX)
        .for_each(|n| held.remember(digest(n), verdict(&keys, if n % 2 == 0 { 0 } else { 9 }), NOW));
    held.remember(digest(KNOWN_MAX), verdict(&keys, 9), NOW);
    let count = |held: &Held| (0..2 * KNOWN_MAX).filter(|&n| held.known(&digest(n), 1).is_some()).count();
    assert_eq!(count(&held), KNOWN_MAX / 2 + 1);
    (0..2 * KNOWN_MAX).for_each(|n| held.remember(digest(n), verdict(&keys, 9), NOW));
    assert!(count(&held) <= KNOWN_MAX);
    // The same keys again leave all as it is; nothing is remembered of keys that are no more.
    held.land(0, brought());
    assert!(count(&held) > 0);
    held.remember(digest(0), verdict(&Arc::default(), 9), NOW);
    assert!(held.known(&digest(0), 60 * 1_000_000).is_none(), "stale");
}
