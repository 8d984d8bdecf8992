//! A real Prometheus in front of the hub: it reads the hub's series (`remote_read`) and evaluates queries itself. What
//! it answers, the hub must answer too.
//!
//! Debian's Prometheus is of version 2, whose windows include their start. So samples lie three milliseconds behind the
//! second, where no window of a whole second begins; subqueries, whose steps lie on whole seconds, are shifted.

use super::{
    clients::{Running, free_address, installed},
    encode,
};
use crate::harness::{Hub, agent::now, eventually, wire::Wire};
use pingup_protocol::time::Timestamp;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    process::{Command, Stdio},
};

/// How far two numbers may lie apart that were added up in another order.
const TOLERANCE: f64 = 1e-9;

const QUERIES: &[&str] = &[
    "pingup_cpu_percent",
    "pingup_cpu_percent{agent_id=~\"A|C\"}",
    "pingup_cpu_percent{agent_id!~\"A.*\",zone=\"\"}",
    "{__name__=~\"pingup_(cpu|load).*\",agent_id=\"A\"}",
    "nothing_there",
    "sum(pingup_cpu_percent)",
    "sum(pingup_cpu_percent) by (job)",
    "avg without (agent_id, instance) (pingup_cpu_percent)",
    "count({job=\"pingup\",__name__=\"pingup_load1\"})",
    "min(pingup_cpu_percent) - max(pingup_load1)",
    "stddev(pingup_cpu_percent) + stdvar(pingup_cpu_percent)",
    "topk(1, pingup_cpu_percent)",
    "bottomk(1, pingup_load1) by (job)",
    "quantile(0.9, pingup_cpu_percent)",
    "count_values(\"value\", floor(pingup_load1))",
    "group by (agent_id) (pingup_cpu_percent)",
    "avg_over_time(pingup_cpu_percent[5m])",
    "min_over_time(pingup_cpu_percent[90s])",
    "max_over_time(pingup_cpu_percent[10m])",
    "sum_over_time(pingup_load1[7m])",
    "count_over_time(pingup_load1[2m])",
    "last_over_time(pingup_cpu_percent[15m])",
    "present_over_time(pingup_cpu_percent[1m])",
    "stddev_over_time(pingup_cpu_percent[5m])",
    "stdvar_over_time(pingup_cpu_percent[5m])",
    "quantile_over_time(0.25, pingup_cpu_percent[5m])",
    "rate(pingup_count_total[5m])",
    "irate(pingup_count_total[5m])",
    "increase(pingup_count_total[10m])",
    "resets(pingup_count_total[20m])",
    "sum by (job) (rate(pingup_count_total[2m]))",
    "delta(pingup_cpu_percent[5m])",
    "idelta(pingup_cpu_percent[5m])",
    "deriv(pingup_cpu_percent[5m])",
    "predict_linear(pingup_cpu_percent[10m], 600)",
    "changes(pingup_load1[10m])",
    "absent(nothing_there{job=\"x\"})",
    "absent_over_time(pingup_cpu_percent{agent_id=\"B\"}[2m])",
    "time()",
    "scalar(pingup_cpu_percent{agent_id=\"A\"}) * 2",
    "vector(time()) % 7",
    "pingup_cpu_percent > 50",
    "pingup_cpu_percent > bool 50",
    "pingup_cpu_percent * on (agent_id) group_left pingup_load1",
    "pingup_cpu_percent / ignoring (instance) pingup_load1",
    "pingup_cpu_percent and on (agent_id) pingup_load1 > 2",
    "pingup_cpu_percent > 60 or pingup_load1",
    "pingup_load1 unless on (agent_id) pingup_cpu_percent > 60",
    "-pingup_cpu_percent ^ 2",
    "pingup_cpu_percent offset 10m",
    "pingup_cpu_percent offset -1m",
    "pingup_cpu_percent @ end()",
    "rate(pingup_count_total[5m] @ start())",
    "max_over_time(rate(pingup_count_total[2m])[10m:1m] offset 1ms)",
    "avg_over_time(pingup_cpu_percent[10m:30s] offset 1m1ms)",
    "label_replace(pingup_cpu_percent, \"short\", \"<$1>\", \"agent_id\", \"(.).*\")",
    "label_join(pingup_cpu_percent, \"both\", \"/\", \"job\", \"agent_id\")",
    "round(pingup_cpu_percent / 3, 0.1)",
    "clamp(pingup_cpu_percent, 20, 60)",
    "ln(pingup_cpu_percent + 1) + sqrt(abs(pingup_cpu_percent)) - exp(pingup_load1)",
    "timestamp(pingup_cpu_percent)",
    "minute() + hour(timestamp(pingup_cpu_percent))",
    "sgn(pingup_load1 - 2)",
];

/// A hub with forty minutes of two agents, one of which is silent for twelve of them.
fn hub(begin: i64) -> Hub {
    let hub = Hub::start();
    for (id, from) in [("A", 0_i32), ("B", 50)] {
        let agent = hub.register(id);
        let samples = (0..160).filter(|sample| id == "A" || !(60..108).contains(sample));
        let samples: Vec<_> = samples
            .map(|sample| {
                let at = Timestamp::from_micros((begin + 15 * i64::from(sample)) * 1_000_000 + 3_000);
                let noise = f64::from((sample * 7919 + from) % 101);
                let metrics = json!({
                    "cpu": noise, "load1": f64::from((sample + from) % 40) / 10.0,
                    // A counter that starts anew.
                    "count_total": f64::from((sample * 3 + from) % 200),
                });
                json!({"seq": sample + 1, "timestamp": at, "status": "online", "metrics": metrics})
            })
            .collect();
        agent.post("/api/v1/metrics", &json!({"agentId": id, "boot": 1, "samples": samples})).expect(200);
    }
    hub
}

/// A Prometheus over the hub, and how to speak to it.
fn prometheus(hub: &Hub) -> (Running, Wire) {
    let (folder, address) = (hub.beside(), free_address());
    fs::write(folder.join("token"), hub.token("viewer")).unwrap();
    let config = folder.join("prometheus.yml");
    let text = format!(
        "remote_read:\n- url: http://{}/prometheus/api/v1/read\n  read_recent: true\n  basic_auth:\n    \
         username: oracle\n    password_file: {}\n",
        hub.wire.address,
        folder.join("token").display()
    );
    fs::write(&config, text).unwrap();
    let child = Command::new("prometheus")
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", folder.join("prometheus").display()))
        .arg(format!("--web.listen-address={address}"))
        .args(["--log.level=error", "--enable-feature=promql-at-modifier,promql-negative-offset"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (running, wire) = (Running(child), Wire::new(address));
    eventually("Prometheus is ready", || {
        wire.try_send("GET", "/-/ready", &[], None).ok().filter(|answer| answer.status == 200)
    });
    (running, wire)
}

/// An answer's values by series and moment; a scalar's are those of no series.
fn values(answer: &Value) -> BTreeMap<(String, String), f64> {
    let data = &answer["data"];
    let number = |value: &Value| value.as_str().unwrap().parse::<f64>().unwrap();
    let mut found = BTreeMap::new();
    let mut put = |name: String, point: &Value| {
        found.insert((name, point[0].to_string()), number(&point[1]));
    };
    if data["resultType"] == "scalar" {
        put(String::new(), &data["result"]);
        return found;
    }
    for series in data["result"].as_array().unwrap() {
        let name = series["metric"].to_string();
        let points = series["values"].as_array().cloned().unwrap_or_else(|| vec![series["value"].clone()]);
        points.iter().for_each(|point| put(name.clone(), point));
    }
    found
}

fn same(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= TOLERANCE * a.abs().max(b.abs())
}

#[test]
fn prometheus_answers_the_same_over_the_same_series() {
    if !installed("prometheus") {
        return;
    }
    let begin = (now().as_micros() / 1_000_000 - 4_000) / 60 * 60;
    let hub = hub(begin);
    let viewer = hub.operator("viewer");
    let (_running, oracle) = prometheus(&hub);
    let mut wrong = Vec::new();
    for query in QUERIES {
        let asked = encode(query);
        for path in [
            format!("query?query={asked}&time={}", begin + 1_200),
            format!("query?query={asked}&time={}", begin + 2_460),
            format!("query_range?query={asked}&start={}&end={}&step=47", begin - 60, begin + 2_900),
        ] {
            let ours = viewer.get(&format!("/prometheus/api/v1/{path}")).expect(200);
            let theirs = oracle.get(&format!("/api/v1/{path}")).expect(200);
            let (ours, theirs) = (values(&ours), values(&theirs));
            let differs = ours.keys().ne(theirs.keys())
                || ours.iter().any(|(point, value)| !same(*value, theirs[point]));
            if differs {
                wrong.push(format!("{path}\n  {query}\n  ours {ours:?}\n  theirs {theirs:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}
