//! Other people's programs that ask the hub, where they are installed: CI has them.

use super::Scene;
use crate::harness::{clients::is_there, eventually, wire::Wire};
use serde_json::{Value, json};
use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
};

/// A program that may be missing: its tests are then not run, and say so.
pub fn installed(program: &str) -> bool {
    is_there(program, Command::new(program).arg("--version"))
}

/// Runs `promtool` with arguments, and gives what it printed.
#[track_caller]
fn promtool(arguments: &[&str]) -> String {
    let output = Command::new("promtool").args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "promtool {arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// The hub as `promtool` finds it: the token is the password.
fn server(scene: &Scene) -> String {
    format!("http://promtool:{}@{}/prometheus", scene.viewer.token(), scene.hub.wire.address)
}

#[test]
fn promtool_asks_instant_and_range_queries() {
    if !installed("promtool") {
        return;
    }
    let scene = Scene::set();
    let (server, begin) = (server(&scene), scene.begin);
    let at = (begin + 600).to_string();
    assert_eq!(
        promtool(&["query", "instant", "--time", &at, &server, "pingup_cpu_percent{agent_id=\"A\"}"]).trim(),
        format!("pingup_cpu_percent{{agent_id=\"A\", instance=\"A\", job=\"pingup\"}} => 20 @[{at}]")
    );
    assert_eq!(
        promtool(&["query", "instant", "--time", &at, &server, "sum(pingup_cpu_percent)"]).trim(),
        format!("{{}} => 100 @[{at}]")
    );
    let (start, end) = (begin.to_string(), (begin + 60).to_string());
    let range = ["query", "range", "--start", &start, "--end", &end, "--step", "30s"];
    let printed = promtool(&[&range[..], &[&server, "pingup_cpu_percent{agent_id=\"B\"}"]].concat());
    let points: Vec<_> = printed.lines().skip(1).collect();
    let wanted = [(0, 100), (30, 99), (60, 98)].map(|(after, value)| format!("{value} @[{}]", begin + after));
    assert_eq!(points, wanted, "{printed}");

    let bearer = format!("Authorization: Bearer {}", scene.viewer.token());
    let open = format!("http://{}/prometheus", scene.hub.wire.address);
    let by_header = promtool(&[&range[..], &["--header", &bearer, &open, "vector(7)"]].concat());
    assert_eq!(by_header.lines().count(), 4, "{by_header}");
}

#[test]
fn promtool_finds_series_and_labels() {
    if !installed("promtool") {
        return;
    }
    let scene = Scene::set();
    let server = server(&scene);
    assert_eq!(
        promtool(&["query", "series", "--match", "pingup_cpu_percent{agent_id=~\"A|C\"}", &server]).trim(),
        "{__name__=\"pingup_cpu_percent\", agent_id=\"A\", instance=\"A\", job=\"pingup\"}"
    );
    assert_eq!(promtool(&["query", "labels", &server, "agent_id"]).lines().collect::<Vec<_>>(), ["A", "B"]);
    assert_eq!(promtool(&["query", "labels", &server, "zone"]).trim(), "");
}

#[test]
fn promtool_shows_what_was_wrong() {
    if !installed("promtool") {
        return;
    }
    let scene = Scene::set();
    let refused = |server: &str, query: &str| {
        let output = Command::new("promtool").args(["query", "instant", server, query]).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let said = refused(&server(&scene), "sum(pingup_cpu_percent) + on(");
    assert!(said.contains("bad_data: invalid parameter \"query\""), "{said}");
    let said = refused(&format!("http://{}/prometheus", scene.hub.wire.address), "1");
    assert!(said.contains("401"), "{said}");
}

/// A program that is ended with its test.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An address that nobody listens on yet.
pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// VictoriaMetrics' alerts over the hub's series: its rules are asked as instant queries.
#[test]
fn vmalert_finds_the_agent_that_is_busy() {
    if !installed("vmalert") {
        return;
    }
    let scene = Scene::set();
    let rules = scene.hub.beside().join("rules.yml");
    let text = "groups:\n- name: pingup\n  rules:\n  - alert: Busy\n    \
                expr: last_over_time(pingup_cpu_percent[2h]) >= 80\n";
    fs::write(&rules, text).unwrap();
    let password = scene.hub.beside().join("token");
    fs::write(&password, scene.viewer.token()).unwrap();
    let address = free_address();
    let child = Command::new("vmalert")
        .arg(format!("-rule={}", rules.display()))
        .arg(format!("-datasource.url=http://{}/prometheus", scene.hub.wire.address))
        .arg("-datasource.basicAuth.username=vmalert")
        .arg(format!("-datasource.basicAuth.passwordFile={}", password.display()))
        .arg(format!("-httpListenAddr={address}"))
        .args(["-notifier.url=http://127.0.0.1:9", "-evaluationInterval=1s"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _running = Running(child);
    let vmalert = Wire::new(address);
    let alert = eventually("vmalert's rule fires", || {
        let answer = vmalert.try_send("GET", "/api/v1/alerts", &[], None).ok()?.json();
        answer["data"]["alerts"].as_array()?.first().cloned()
    });
    assert_eq!((&alert["state"], &alert["labels"]["agent_id"]), (&"firing".into(), &"B".into()), "{alert}");
    assert_eq!(alert["value"], "80");
}

/// The editor of Prometheus's own web page, by its own client (npm's `@prometheus-io/codemirror-promql`, found by
/// `NODE_PATH`).
#[test]
fn the_editors_client_finds_what_it_completes_with() {
    let package = "@prometheus-io/codemirror-promql";
    if !is_there(package, Command::new("node").args(["-e", &format!("require('{package}')")])) {
        return;
    }
    let scene = Scene::set();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/prometheus/editor.cjs");
    let output = Command::new("node")
        .arg(script)
        .env("HUB", format!("http://{}", scene.hub.wire.address))
        .env("TOKEN", scene.viewer.token())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["failures"], json!([]));
    for method in ["POST", "GET"] {
        let told = &answer["told"][method];
        let metrics = told["metrics"].as_array().unwrap();
        assert!(metrics.contains(&json!("pingup_cpu_percent")), "{metrics:?}");
        assert_eq!(told["labels"], json!(["__name__", "agent_id", "instance", "job"]));
        assert_eq!(told["agents"], json!(["A", "B"]));
        let of_a =
            json!({"__name__": "pingup_cpu_percent", "agent_id": "A", "instance": "A", "job": "pingup"});
        assert!(told["series"].as_array().unwrap().contains(&of_a), "{told}");
        assert_eq!(told["metadata"][0]["type"], "gauge");
        assert_eq!(told["flags"], json!({}));
    }
}

/// Scripts that ask with PyPI's `prometheus-api-client`, found by `PYTHONPATH`.
#[test]
fn scripts_read_what_they_ask_for() {
    let import = "import prometheus_api_client";
    if !is_there("prometheus-api-client", Command::new("python3").args(["-c", import])) {
        return;
    }
    let scene = Scene::set();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/prometheus/client.py");
    let output = Command::new("python3")
        .arg("-B")
        .arg(script)
        .env("HUB", format!("http://{}", scene.hub.wire.address))
        .env("TOKEN", scene.viewer.token())
        .env("BEGIN", scene.begin.to_string())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let at = |after: i64, value: &str| json!([scene.begin + after, value]);
    for method in ["GET", "POST"] {
        let told = &answer[method];
        assert!(told["metrics"].as_array().unwrap().contains(&json!("pingup_cpu_percent")), "{told}");
        assert_eq!(told["labels"], json!(["__name__", "agent_id", "instance", "job"]));
        assert_eq!(told["agents"], json!(["A", "B"]));
        assert_eq!(told["series"].as_array().unwrap().len(), 4, "{told}");
        assert_eq!(told["value"], json!([{"metric": {}, "value": at(60, "100")}]));
        let steps = json!([{"metric": {}, "values": [at(0, "100"), at(30, "99"), at(60, "98")]}]);
        assert_eq!(told["steps"], steps);
        assert_eq!(told["samples"][0]["values"], json!([at(30, "1"), at(60, "2")]));
        assert_eq!(told["metadata"][0]["unit"], "percent");
    }
}
