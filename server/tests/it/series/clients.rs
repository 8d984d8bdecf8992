//! Other people's senders, where they are installed: CI has them.

use super::{now_ms, samples};
use crate::{
    harness::{Hub, clients::is_there, eventually, wire::Wire},
    prometheus::{
        clients::{Running, free_address, installed},
        encode,
    },
};
use serde_json::{Value, json};
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// A file beside the hub's folder.
fn file(hub: &Hub, name: &str, text: &str) -> PathBuf {
    let path = hub.beside().join(name);
    fs::write(&path, text).unwrap();
    path
}

fn start(command: &mut Command) -> Running {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Running(quiet.spawn().unwrap())
}

/// A configuration that has a Prometheus scrape itself every second.
fn scraping(address: SocketAddr) -> String {
    format!(
        "global:\n  scrape_interval: 1s\nscrape_configs:\n- job_name: itself\n  static_configs:\n  \
         - targets: ['{address}']\n"
    )
}

/// What a range of a series holds, as an instant query answers it: by series, in order.
fn ranges(wire: &Wire, prefix: &str, selector: &str, at: f64) -> Vec<Value> {
    let path = format!("{prefix}/api/v1/query?query={}&time={at}", encode(selector));
    let mut found = wire.get(&path).expect(200)["data"]["result"].as_array().unwrap().clone();
    found.sort_by_key(|series| series["metric"].to_string());
    found
}

/// A real Prometheus writes what it scrapes into the hub; what both then answer must be the same, to the last digit.
#[test]
fn prometheus_writes_what_is_read_back_equal() {
    if !installed("prometheus") {
        return;
    }
    let hub = Hub::start();
    let address = free_address();
    let token = file(&hub, "token", &hub.token("writer"));
    let remote = format!(
        "remote_write:\n- url: http://{}/prometheus/api/v1/write\n  metadata_config:\n    send_interval: 1s\n  basic_auth:\n    username: prometheus\n    \
         password_file: {}\n",
        hub.wire.address,
        token.display()
    );
    let config = file(&hub, "prometheus.yml", &(scraping(address) + &remote));
    let _running = start(
        Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", hub.beside().join("prometheus").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=error"),
    );
    let (theirs, ours) = (Wire::new(address), hub.operator("viewer"));
    let newest = |wire: &Wire, prefix: &str| {
        let path = format!("{prefix}/api/v1/query?query={}", encode("timestamp(up{job=\"itself\"})"));
        let answer = wire.try_send("GET", &path, &[], None).ok().filter(|answer| answer.status == 200)?;
        let value = answer.json()["data"]["result"][0]["value"][1].as_str()?.parse::<f64>().ok()?;
        Some(value)
    };
    // A few scrapes of its own, and the hub has all of them.
    let first = eventually("Prometheus scraped itself", || newest(&theirs, ""));
    // Half a second from any scrape, so that none lies on a window's edge, which versions 2 and 3 see differently.
    let at = ((first + 3.5) * 1_000.0).round() / 1_000.0;
    eventually("it scraped itself again", || newest(&theirs, "").filter(|newest| *newest > at));
    eventually("the hub has it", || newest(&ours, "/prometheus").filter(|newest| *newest > at));
    let selector = "{job=\"itself\"}[3s]";
    let (wanted, found) = (ranges(&theirs, "", selector, at), ranges(&ours, "/prometheus", selector, at));
    assert!(wanted.len() > 100, "{} series", wanted.len());
    assert_eq!(found, wanted);

    let metadata = |wire: &Wire, prefix: &str| {
        let path = format!("{prefix}/api/v1/metadata?metric=process_cpu_seconds_total");
        wire.get(&path).expect(200)["data"]["process_cpu_seconds_total"].clone()
    };
    let wanted = metadata(&theirs, "");
    assert_eq!(wanted[0]["type"], "counter");
    eventually("the hub was told what its metrics are", || {
        (metadata(&ours, "/prometheus") == wanted).then_some(())
    });
}

/// VictoriaMetrics' agent, which tries a protocol of its own first and does not sort labels.
#[test]
fn vmagent_writes_what_it_scrapes() {
    if !installed("vmagent") {
        return;
    }
    let hub = Hub::start();
    let address = free_address();
    let token = file(&hub, "token", &hub.token("writer"));
    let config = file(&hub, "scrape.yml", &scraping(address));
    let _running = start(
        Command::new("vmagent")
            .arg(format!("-promscrape.config={}", config.display()))
            .arg(format!("-httpListenAddr={address}"))
            .arg(format!("-remoteWrite.url=http://{}/prometheus/api/v1/write", hub.wire.address))
            .arg("-remoteWrite.basicAuth.username=vmagent")
            .arg(format!("-remoteWrite.basicAuth.passwordFile={}", token.display()))
            .arg(format!("-remoteWrite.tmpDataPath={}", hub.beside().join("vmagent").display())),
    );
    let metric = json!({"__name__": "up", "job": "itself", "instance": address.to_string()});
    eventually("its scrapes are read back", || {
        let found = samples(&hub, "up{job=\"itself\"}", now_ms() + 60_000);
        let (labels, points) = found.first()?;
        assert_eq!(labels, &metric);
        points.as_array().filter(|points| points.len() >= 3).map(|_| ())
    });
}

/// A program with OpenTelemetry's own SDK, found by `PYTHONPATH`.
#[test]
fn an_sdk_sends_and_its_points_are_read_back() {
    let import = "import opentelemetry.exporter.otlp.proto.http";
    if !is_there("opentelemetry-exporter-otlp-proto-http", Command::new("python3").args(["-c", import])) {
        return;
    }
    let hub = Hub::start();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/series/client.py");
    let output = Command::new("python3")
        .arg("-B")
        .arg(script)
        .env("HUB", format!("http://{}", hub.wire.address))
        .env("TOKEN", hub.token("writer"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let at = now_ms() + 1_000;
    for job in ["plain", "packed"] {
        for (selector, further, value) in [
            ("orders_total", json!({"shop_area": "eu"}), "7"),
            ("carts", json!({}), "-2"),
            ("checkout_duration_seconds_count", json!({}), "1"),
            ("checkout_duration_seconds_sum", json!({}), "0.3"),
            ("stock_fill_ratio", json!({}), "0.75"),
        ] {
            let mut metric = further;
            for (name, value) in [("__name__", selector), ("job", job), ("instance", "i-1")] {
                metric[name] = value.into();
            }
            let found = samples(&hub, &format!("{selector}{{job=\"{job}\"}}"), at);
            assert_eq!(found.len(), 1, "{found:?}");
            assert_eq!((&found[0].0, &found[0].1[0][1]), (&metric, &json!(value)));
        }
        let info = samples(&hub, &format!("target_info{{job=\"{job}\"}}"), at);
        assert_eq!(info[0].0["deployment_environment"], "test");
    }
    let told = hub.operator("viewer").get("/prometheus/api/v1/metadata?metric=orders_total").expect(200);
    assert_eq!(told["data"]["orders_total"][0]["help"], "Orders that were placed.");
}
