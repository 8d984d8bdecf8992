//! What writes nothing: a dry run, and what cannot be.

use super::*;

#[test]
fn a_dry_run_says_everything_and_writes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let root = home.path();
    for init in ["systemd", "openrc", "launchd"] {
        let all = ["install", "--dry-run", "--init", init, "--join-token", "-", HUB[0], HUB[1]];
        let output = called(root, &all, &some_token());
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && said.contains("nothing was changed"), "{said}");
        assert!(
            said.contains("would make   /etc/pingup-agent/agent.toml") && said.contains("    hub = "),
            "{said}"
        );
        assert!(said.contains("/join-token (0600)") && !said.contains("pjt_"), "{said}");
        assert!(tree(root).is_empty(), "{init}");
    }
    install(root, &HUB);
    let before = tree(root);
    let said = done(root, &["uninstall", "--dry-run", "--purge"]);
    assert!(said.contains("would remove /var/lib/pingup-agent"), "{said}");
    assert!(tree(root) == before);
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_written() {
    let home = tempfile::tempdir().unwrap();
    let root = home.path();
    let literal = some_token();
    let large = "x".repeat(1 << 20);
    for (arguments, stdin, about) in [
        (&["--init", "runit"][..], "", "init"),
        (&[], "", "no service manager"),
        (&["--init", "systemd"], "", "hub: where is it?"),
        (&["--init", "systemd", "--hub", "https://hub.example", "--hub-pin", "x"], "", "hub-pin"),
        (
            &["--init", "systemd", "--hub", "https://hub.example", "--hub-ca", "/nowhere/ca"],
            "",
            "/nowhere/ca",
        ),
        (&["--init", "systemd", "--hub", "http://192.0.2.1"], "", "--insecure-http"),
        (&["--init", "systemd", HUB[0], HUB[1], "--interval", "soon"], "", "interval"),
        (&["--init", "systemd", HUB[0], HUB[1], "--allow", "rm"], "", "rm"),
        (&["--init", "systemd", HUB[0], HUB[1], "--insecure-http=perhaps"], "", "insecure-http"),
        (&["--init", "systemd", HUB[0], HUB[1], "--actions-as-root=perhaps"], "", "actions-as-root"),
        (&["--init", "systemd", HUB[0], HUB[1], "--join-token", &literal], "", "others can see"),
        (&["--init", "systemd", HUB[0], HUB[1], "--join-token", "-"], "", "no join token"),
        (&["--init", "systemd", HUB[0], HUB[1], "--join-token", "-"], "secret", "no join token"),
        (&["--init", "systemd", HUB[0], HUB[1], "--join-token", "-"], &large, "no join token"),
        (&["--init", "systemd", HUB[0], HUB[1], "--join-token", "/nowhere/at-all"], "", "/nowhere/at-all"),
    ] {
        let all: Vec<&str> = ["install"].iter().chain(arguments).copied().collect();
        let line = refused(root, &all, stdin);
        assert!(
            line.contains(about) && !line.contains("secret") && !line.contains(&literal),
            "{about}: {line}"
        );
    }
    assert!(tree(root).is_empty());
    assert!(refused(&root.join("nowhere"), &["install", HUB[0], HUB[1]], "").contains("no folder"));
    std::fs::create_dir_all(root.join("etc/pingup-agent")).unwrap();
    std::fs::write(root.join(CONFIG), "hubb = 1\n").unwrap();
    assert!(refused(root, &["install", "--init", "systemd", HUB[0], HUB[1]], "").contains("hubb"));
    assert!(!root.join(UNIT).exists());
}
