//! Whom a hub asks for keys over TLS, and what becomes of those who are in when a key is withdrawn.

use super::{
    LOG, claims, hub,
    provider::{KEYS, Provider, SigningKey, certified},
    serve_command,
};
use crate::harness::{Hub, PATIENCE, eventually_within, refused, stream::Stream};
use serde_json::json;
use std::fs;

const ASKED: &str = "/api/v1/agents";

#[test]
fn over_tls_a_provider_is_asked_whose_authority_a_file_or_the_system_names_and_no_other() {
    let ((authority, config), (stranger, _)) = (certified(), certified());
    let (provider, key) = (Provider::start_tls(config), SigningKey::ec("e"));
    provider.publish(&[&key]);
    let token = key.token(&claims(&provider, &json!("viewer")));
    for (by_file, by_system, is_trusted) in [
        (Some(&authority), None, true),
        (None, Some(&authority), true),
        // What the file says takes the place of the system's.
        (Some(&stranger), Some(&authority), false),
        (None, Some(&stranger), false),
    ] {
        let mut hub = Hub::prepare(&[LOG]);
        let put = |name: &str, pem: &str| {
            let file = hub.beside().join(name);
            fs::write(&file, pem).unwrap();
            file
        };
        let more =
            by_file.map(|pem| format!("ca_file = '{}'", put("ca.pem", pem).display())).unwrap_or_default();
        let mut command = serve_command(&hub, &provider.issuer, &format!("role_claim = 'groups'\n{more}"));
        // Where the system's are, as far as this hub is told.
        let system = by_system.map(|pem| put("system.pem", pem));
        command.env_remove("SSL_CERT_DIR").envs(system.map(|file| ("SSL_CERT_FILE", file)));
        let asked = provider.asked(KEYS);
        hub.restart_as(command);
        let answer = hub.wire.with_token(&token).get(ASKED);
        match is_trusted {
            true => drop(answer.expect(200)),
            false => drop(refused(&answer, 503, "overloaded")),
        }
        assert_eq!(provider.asked(KEYS), asked + usize::from(is_trusted));
        let log = hub.stop();
        assert_eq!(log.contains("the provider's keys were not had"), !is_trusted, "{log}");
    }
}

#[test]
fn a_file_that_names_no_authority_ends_the_start_with_one_plain_line() {
    let hub = Hub::prepare(&[]);
    let file = hub.beside().join("ca.pem");
    for text in ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        fs::write(&file, text).unwrap();
        let more = format!("ca_file = '{}'", file.display());
        let output = serve_command(&hub, "https://sso.example", &more).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), said.lines().count()), (Some(64), 1), "{said}");
        assert!(said.contains("[oidc] ca_file") && said.contains("ca.pem"), "{said}");
    }
}

/// Keys are fetched again half a minute after they were at the earliest, so this takes as long.
#[test]
fn a_stream_of_events_ends_when_the_key_behind_its_token_is_withdrawn() {
    let (provider, old, new) = (Provider::start(), SigningKey::ec("old"), SigningKey::ed("new"));
    provider.publish(&[&old]);
    let hub = hub(&provider.issuer, "role_claim = 'groups'");
    let [leaver, comer] =
        [&old, &new].map(|key| hub.wire.with_token(&key.token(&claims(&provider, &json!("viewer")))));
    let mut stream = Stream::open(&leaver, "", None);
    assert_eq!(stream.told(1), ["ready"]);
    provider.publish(&[&new]);
    // Somebody comes with a key that nobody knows yet.
    eventually_within(PATIENCE * 4, "the hub has heard of it", || {
        (comer.get(ASKED).status == 200).then_some(())
    });
    assert_eq!(stream.next().unwrap().short(), "end:token-revoked");
    assert!(stream.next().is_none());
    refused(&leaver.get(ASKED), 401, "token-invalid");
    Stream::open(&comer, "", None);
}
