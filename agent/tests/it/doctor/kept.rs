//! What the machine itself keeps: folders, keys, settings.

use super::*;

#[test]
fn folders_that_are_open_or_closed_to_the_wrong_ones() {
    let home = tempfile::tempdir().unwrap();
    let (hub, state) = enrolled(home.path());
    let mode = |path: &Path, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    let spool = state.join("spool");
    mode(&spool, 0o500);
    assert_only_fails(&examined(&hub.url(), &state, &[]), "spool", "cannot be written to");
    mode(&spool, 0o700);
    for (path, wrong, right) in [
        (state.clone(), 0o755, 0o700),
        (state.join("identity.json"), 0o644, 0o600),
        (spool.clone(), 0o770, 0o700),
    ] {
        mode(&path, wrong);
        assert_only_fails(&examined(&hub.url(), &state, &[]), "permissions", &format!("{wrong:04o}"));
        mode(&path, right);
    }
    std::fs::write(spool.join("stream.json"), "{").unwrap();
    assert_only_fails(&examined(&hub.url(), &state, &[]), "spool", "damaged");
    std::fs::remove_dir_all(&spool).unwrap();
    assert_well(&examined(&hub.url(), &state, &[]));
    std::fs::write(&spool, "").unwrap();
    mode(&spool, 0o600);
    assert_only_fails(&examined(&hub.url(), &state, &[]), "spool", "no folder");
}

#[test]
fn keys_that_are_missing_damaged_or_anothers() {
    let home = tempfile::tempdir().unwrap();
    let (hub, state) = enrolled(home.path());
    let file = state.join("identity.json");
    let good = std::fs::read_to_string(&file).unwrap();
    let other = pingup_protocol::keys::Secret::new([9; 32]).to_base64();
    let (up, down) = {
        let hub = hub.state.lock();
        (hub.up.to_base64(), hub.down.to_base64())
    };
    for (bad, name, about) in [
        ("\"pjt_secret\"".to_owned(), "key", "damaged"),
        (good.replace(&up, "short"), "key", "no keys"),
        (good.replace(&up, &other), "key at hub", "signature-invalid"),
        (good.replace(&down, &other), "key at hub", "not the hub's"),
    ] {
        std::fs::write(&file, &bad).unwrap();
        let found = examined(&hub.url(), &state, &[]);
        assert_only_fails(&found, name, about);
        assert!([&up, &down, &other, "secret"].iter().all(|secret| !found.1.to_string().contains(*secret)));
    }
    hub.state.change(|hub| hub.complaints.clear());
    std::fs::remove_file(&file).unwrap();
    assert_only_fails(&examined(&hub.url(), &state, &[]), "key", "not enrolled");
    std::fs::write(state.join("join-token"), hub.state.lock().token.to_text()).unwrap();
    std::fs::set_permissions(state.join("join-token"), PermissionsExt::from_mode(0o600)).unwrap();
    let found = examined(&hub.url(), &state, &[]);
    assert_well(&found);
    assert_eq!(check(&found.1, "key")["outcome"], "warn", "a token waits");
}

#[test]
fn settings_that_run_would_refuse_do_not_stop_the_examination() {
    let home = tempfile::tempdir().unwrap();
    let (hub, state) = enrolled(home.path());
    assert_only_fails(&examined(&hub.url(), &state, &["--interval", "soon"]), "settings", "interval");
    assert_only_fails(
        &examined(&hub.url(), &state, &["--config", "/nowhere/at-all"]),
        "settings",
        "/nowhere/at-all",
    );
    let file = home.path().join("agent.toml");
    std::fs::write(&file, "hubb = 1\n").unwrap();
    let (_, report) = examined(&hub.url(), &state, &["--config", file.to_str().unwrap()]);
    assert!(check(&report, "settings")["detail"].as_str().unwrap().contains("hubb"));
    let token = hub.state.lock().token.to_text();
    std::fs::write(&file, format!("join_token = \"{token}\"\n")).unwrap();
    let found = examined(&hub.url(), &state, &["--config", file.to_str().unwrap()]);
    assert_well(&found);
    assert_eq!(check(&found.1, "permissions")["outcome"], "warn", "a token for all to read");
    assert!(!found.1.to_string().contains(&token));
}
