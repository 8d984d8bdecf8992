//! `pingup-server grafana export`: the files as they are written.

use super::{
    dashboards::{deploy, list},
    yaml,
};
use crate::harness::program;
use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

fn export(folder: &Path, more: &[&str]) -> Output {
    program()
        .args(["grafana", "export"])
        .arg(folder)
        .args(["--url", "http://hub.example:8080/"])
        .args(more)
        .output()
        .unwrap()
}

fn read(folder: &Path, path: &str) -> Value {
    yaml::read(&fs::read_to_string(folder.join(path)).unwrap())
}

/// Every file below `folder`, by its path from there.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        match entry.path().is_dir() {
            true => found.extend(files(&entry.path()).into_iter().map(|below| format!("{name}/{below}"))),
            false => found.push(name),
        }
    }
    found.sort();
    found
}

#[test]
fn a_grafana_is_told_all_it_needs() {
    let place = tempfile::tempdir().unwrap();
    let (folder, token) = (place.path().join("grafana"), place.path().join("token"));
    fs::write(&token, "aaa.bbb.ccc\n").unwrap();
    let more = ["--interval", "1m", "--mounted-at", "/etc/grafana", "--token-file", token.to_str().unwrap()];
    let output = export(&folder, &more);
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success() && !said.contains("aaa.bbb.ccc"), "{said}");

    let source = read(&folder, "provisioning/datasources/pingup.yaml")["datasources"][0].clone();
    for (pointer, wanted) in [
        ("/type", "prometheus"),
        ("/access", "proxy"),
        ("/url", "http://hub.example:8080/prometheus"),
        ("/secureJsonData/basicAuthPassword", "aaa.bbb.ccc"),
        ("/jsonData/timeInterval", "60s"),
        ("/jsonData/httpMethod", "POST"),
        ("/jsonData/prometheusType", "Prometheus"),
        ("/jsonData/incrementalQueryOverlapWindow", "10m"),
    ] {
        assert_eq!(source.pointer(pointer), Some(&Value::from(wanted)), "{pointer}");
    }
    let provider = read(&folder, "provisioning/dashboards/pingup.yaml");
    assert_eq!(provider["providers"][0]["options"]["path"], "/etc/grafana/dashboards");
    let scrape = read(&folder, "prometheus/scrape.yml")["scrape_configs"][0].clone();
    assert_eq!(scrape["static_configs"][0]["targets"][0], "hub.example:8080");
    assert_eq!((&scrape["metrics_path"], &scrape["scheme"]), (&"/metrics".into(), &"http".into()));
    assert_eq!(list(&read(&folder, "provisioning/alerting/pingup.yaml")["groups"]).len(), 2);
    assert_eq!(list(&read(&folder, "prometheus/rules.yml")["groups"]).len(), 2);
}

#[test]
fn everything_in_deploy_is_written_and_its_checksums_beside() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("grafana");
    assert!(export(&folder, &[]).status.success());
    let mut delivered = files(&deploy().join("grafana"));
    delivered
        .extend(files(&deploy().join("prometheus")).into_iter().map(|name| format!("prometheus/{name}")));
    delivered.push("pingup.sha256".to_owned());
    delivered.sort();
    assert_eq!(files(&folder), delivered);
    for path in delivered.iter().filter(|path| path.starts_with("dashboards/")) {
        let same =
            fs::read(folder.join(path)).unwrap() == fs::read(deploy().join("grafana").join(path)).unwrap();
        assert!(same, "{path}");
    }
    let checked =
        Command::new("sha256sum").args(["--check", "--quiet", "pingup.sha256"]).current_dir(&folder).status();
    assert!(checked.unwrap().success());
}

#[test]
fn what_somebody_changed_is_not_overwritten() {
    let place = tempfile::tempdir().unwrap();
    assert!(export(place.path(), &[]).status.success());
    assert!(export(place.path(), &["--interval", "1m"]).status.success(), "what was written here may change");
    let board = place.path().join("dashboards/pingup-hub.json");
    fs::write(&board, "{}").unwrap();
    let again = export(place.path(), &["--interval", "5m"]);
    let said = String::from_utf8(again.stdout).unwrap();
    let line = said.lines().find(|line| line.contains("left alone")).unwrap();
    assert!(line.contains("dashboards/pingup-hub.json") && line.contains("--force"), "{said}");
    let source = fs::read_to_string(place.path().join("provisioning/datasources/pingup.yaml")).unwrap();
    assert!(source.contains("5m") || source.contains("300s"), "the others are written: {source}");
    assert_eq!(fs::read_to_string(&board).unwrap(), "{}");
    assert!(export(place.path(), &["--force"]).status.success());
    assert_ne!(fs::read_to_string(&board).unwrap(), "{}");
}
