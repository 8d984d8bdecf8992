//! A real provider on this machine, and what of its tokens is taken.

use super::*;
use crate::auth::Role;
use pingup_protocol::time::Timestamp;
use provider::{Answer, DISCOVERY, KEYS, Provider, SigningKey};
use serde_json::{Value, json};

mod fetching;
mod hostile;
mod provider;
mod published;
mod refused;

const NOW_SECONDS: i64 = 1_800_000_000;
const NOW: Timestamp = Timestamp::from_micros(NOW_SECONDS * 1_000_000);

/// A provider, the hub's clock, and what checks tokens by it.
struct Scene {
    provider: Provider,
    clock: Clock,
    oidc: Oidc,
}

impl Scene {
    /// A provider that publishes these keys.
    fn with(keys: &[&SigningKey]) -> Self {
        let provider = Provider::start();
        provider.publish(keys);
        Self::of(provider, |_| {})
    }

    /// A hub that trusts this provider, but for what `change` does to it.
    fn of(provider: Provider, change: impl FnOnce(&mut Trust)) -> Self {
        let mut trust = Trust {
            issuer: provider.issuer.clone(),
            audience: "pingup".to_owned(),
            role_claim: ClaimPath::new("realm_access.roles").unwrap(),
            name_claim: ClaimPath::new("sub").unwrap(),
            roles: None,
            authorities: None,
            insecure_http: false,
        };
        change(&mut trust);
        let clock = Clock::fixed(NOW);
        let oidc = Oidc::new(trust, clock.clone()).unwrap();
        Self { provider, clock, oidc }
    }

    /// What a good token says, for five minutes.
    fn claims(&self) -> Value {
        json!({
            "iss": self.provider.issuer, "aud": "pingup", "sub": "u-1", "preferred_username": "ada",
            "iat": NOW_SECONDS, "exp": NOW_SECONDS + 300,
            "realm_access": {"roles": ["offline_access", "viewer"]},
        })
    }

    /// The same with other members; null takes one away.
    fn claims_with(&self, others: &Value) -> Value {
        let mut claims = self.claims();
        for (name, value) in others.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        claims
    }

    async fn check(&self, token: &str) -> Result<Operator, OidcError> {
        assert!(self.oidc.is_theirs(token), "{token}");
        self.oidc.check(token).await.map(|(operator, _)| operator)
    }

    /// Why a token is not taken.
    async fn why_not(&self, token: &str) -> &'static str {
        match self.oidc.check(token).await {
            Err(OidcError::Invalid(why)) => why,
            other => panic!("{other:?} for {token}"),
        }
    }
}

fn viewer() -> Operator {
    Operator { name: "oidc:u-1".to_owned(), role: Role::Viewer }
}

#[tokio::test]
async fn tokens_of_each_algorithm_open_the_door_until_they_end() {
    let keys = [SigningKey::rsa("r"), SigningKey::ec("e"), SigningKey::ed("o")];
    let scene = Scene::with(&keys.each_ref());
    let tokens: Vec<_> = keys.iter().map(|key| key.token(&scene.claims())).collect();
    for token in &tokens {
        assert_eq!(scene.check(token).await, Ok(viewer()));
    }
    scene.clock.advance(300 + claims::LEEWAY_SECONDS - 1);
    for token in &tokens {
        assert_eq!(scene.check(token).await, Ok(viewer()));
    }
    scene.clock.advance(1);
    for token in &tokens {
        assert_eq!(scene.check(token).await, Err(OidcError::Expired));
    }
    assert!(!scene.oidc.is_theirs("a.b.c") && !scene.oidc.is_theirs(""));
}

#[tokio::test]
async fn what_a_token_says_is_judged() {
    let key = SigningKey::ec("e");
    let scene = Scene::with(&[&key]);
    let token = |others| key.token(&scene.claims_with(&others));
    for good in [
        json!({"aud": ["account", "pingup"]}),
        json!({"exp": 1_800_000_000.9, "nbf": NOW_SECONDS + 30, "iat": NOW_SECONDS + 30}),
        json!({"iat": null}),
        json!({"sub": "u-1", "azp": "grafana", "typ": "Bearer"}),
    ] {
        assert_eq!(scene.check(&token(good.clone())).await, Ok(viewer()), "{good}");
    }
    assert_eq!(scene.check(&token(json!({"exp": NOW_SECONDS - 30}))).await, Err(OidcError::Expired));
    for (bad, why) in [
        (json!({"aud": "account"}), "aud"),
        (json!({"aud": ["Pingup", 7, "pingup "]}), "aud"),
        (json!({"aud": null}), "aud"),
        (json!({"aud": {"pingup": "pingup"}}), "aud"),
        (json!({"exp": null}), "exp"),
        (json!({"exp": "1900000000"}), "moment"),
        (json!({"exp": 1e300}), "moment"),
        (json!({"nbf": NOW_SECONDS + 31}), "nbf"),
        (json!({"iat": NOW_SECONDS + 31}), "iat"),
        (json!({"iat": true}), "moment"),
        (json!({"cnf": {"jkt": "x"}}), "cnf"),
        (json!({"events": {"http://schemas.openid.net/event/backchannel-logout": {}}}), "events"),
        (json!({"sub": null}), "who comes"),
        (json!({"sub": ""}), "who comes"),
        (json!({"sub": "a\u{1b}[2J"}), "who comes"),
        (json!({"sub": "x".repeat(256)}), "who comes"),
    ] {
        let told = scene.why_not(&token(bad.clone())).await;
        assert!(told.contains(why), "{bad}: {told}");
    }
    // Whose issuer is anything else is not this provider's at all.
    for issuer in [json!(format!("{}/", scene.provider.issuer)), json!("pingup"), json!(null), json!(7)] {
        assert!(!scene.oidc.is_theirs(&token(json!({"iss": issuer}))));
    }
}

#[tokio::test]
async fn the_highest_role_that_the_claim_names_counts() {
    let key = SigningKey::ed("o");
    let roles = [("ops", Role::Operator), ("bosses", Role::Admin)];
    let mapped = Some(roles.map(|(word, role)| (word.to_owned(), role)).into());
    for (path, roles, said, role) in [
        ("roles", None, json!({"roles": ["viewer", "admin", "operator"]}), Some(Role::Admin)),
        ("roles", None, json!({"roles": "writer"}), Some(Role::Writer)),
        ("roles", None, json!({"roles": ["writer", "viewer"]}), Some(Role::Viewer)),
        ("roles", None, json!({"roles": ["Admin", "administrator", 7, null, "scrape"]}), Some(Role::Scrape)),
        ("roles", None, json!({"roles": []}), None),
        ("roles", None, json!({"roles": "viewer admin"}), None),
        ("roles", None, json!({"roles": {"admin": true}}), None),
        ("roles", None, json!({}), None),
        ("a.b.c", None, json!({"a": {"b": {"c": "viewer"}}}), Some(Role::Viewer)),
        ("a.b.c", None, json!({"a": {"b": ["c"]}}), None),
        (
            "https://x.example/roles",
            None,
            json!({"https://x.example/roles": ["operator"]}),
            Some(Role::Operator),
        ),
        ("groups", mapped.clone(), json!({"groups": ["ops", "bosses"]}), Some(Role::Admin)),
        ("groups", mapped.clone(), json!({"groups": ["ops"]}), Some(Role::Operator)),
        // With a list of what values mean, others mean nothing.
        ("groups", mapped.clone(), json!({"groups": ["admin", "operator"]}), None),
    ] {
        let provider = Provider::start();
        provider.publish(&[&key]);
        let scene = Scene::of(provider, |trust| {
            trust.role_claim = ClaimPath::new(path).unwrap();
            trust.roles = roles;
        });
        let found = scene.check(&key.token(&scene.claims_with(&said))).await.map(|operator| operator.role);
        assert_eq!(found, role.ok_or_else(|| OidcError::NoRole(path.to_owned())), "{path} in {said}");
    }
    assert_eq!(ClaimPath::new(""), None);
    assert_eq!(ClaimPath::new("a.a.a.a.a.a.a.a.a"), None);
    assert_eq!(ClaimPath::new(&"a".repeat(257)), None);
}

#[tokio::test]
async fn a_name_has_a_mark_that_no_local_one_has() {
    let key = SigningKey::ed("o");
    let provider = Provider::start();
    provider.publish(&[&key]);
    let scene = Scene::of(provider, |trust| trust.name_claim = ClaimPath::new("preferred_username").unwrap());
    assert_eq!(scene.check(&key.token(&scene.claims())).await.unwrap().name, "oidc:ada");
}
