//! What an installation writes of it, and an agent that was installed reads.

use crate::{
    harness::{Agent, Authority, Hub, Shows},
    install::{CONFIG, HUB, STATE, called, done, install, refused, text, tree},
};

const AUTHORITIES: &str = "etc/pingup-agent/hub-ca.pem";

#[test]
fn what_the_hub_is_known_by_is_written_and_taken_away_again() {
    let home = tempfile::tempdir().unwrap();
    let root = home.path().join("root");
    std::fs::create_dir(&root).unwrap();
    let (authority, shows) = (Authority::new(), Shows::by_itself(|_| {}));
    let file = authority.file(home.path(), "ca.pem");
    let all = ["--hub", "https://hub.example", "--hub-pin", &shows.pin, "--hub-ca", file.to_str().unwrap()];
    let said = install(&root, &all);
    assert!(said.contains("made         /etc/pingup-agent/hub-ca.pem (0644)"), "{said}");
    assert_eq!(text(&root, AUTHORITIES), std::fs::read_to_string(&file).unwrap());
    let settings = text(&root, CONFIG);
    let pin = format!("hub_pin = [\"{}\"]", shows.pin);
    for words in ["hub = \"https://hub.example\"", &pin, "hub_ca = \"/etc/pingup-agent/hub-ca.pem\""] {
        assert!(settings.contains(words), "{words:?} in {settings}");
    }
    let before = tree(&root);
    install(&root, &[]);
    assert!(tree(&root) == before, "what is not named stays");
    // A change of keys: both are pinned for a while.
    let both = format!("{},{}", shows.pin, Shows::by_itself(|_| {}).pin);
    install(&root, &["--hub-pin", &both]);
    assert_eq!(text(&root, CONFIG).matches("sha256//").count(), 2);
    let line = refused(&root, &["install", "--init", "systemd", HUB[0], HUB[1]], "");
    assert!(line.contains("hub-pin: proves nothing of http://127.0.0.1:1"), "{line}");
    done(&root, &["uninstall"]);
    assert!(!root.join(AUTHORITIES).exists());
}

/// As a service does it: from the file alone.
#[test]
fn an_installed_agent_knows_its_hub() {
    let authority = Authority::new();
    let shows = authority.certify(|_| {});
    let hub = Hub::start_tls(&shows);
    let home = tempfile::tempdir().unwrap();
    let root = home.path();
    let file = authority.file(root, "ca.pem");
    let arguments =
        ["install", "--init", "openrc", "--hub", &hub.url(), "--hub-pin", &shows.pin, "--join-token", "-"];
    let token = hub.state.lock().token.to_text();
    assert!(called(root, &arguments, &token).status.success());
    // Below another folder the file is not where it will be.
    let settings = text(root, CONFIG) + &format!("hub_ca = {:?}\n", file.to_str().unwrap());
    std::fs::write(root.join(CONFIG), settings).unwrap();
    let agent = Agent::installed(&root.join(CONFIG), &root.join(STATE));
    hub.until("a heartbeat", |hub| !hub.beats.is_empty());
    assert!(agent.terminate().0.success());
}
