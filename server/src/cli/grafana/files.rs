//! The files, as they stand in `deploy/`, and what is filled in.

use crate::cli::address::Address;
use std::time::Duration;
use zeroize::Zeroizing;

/// The data source; the one file that may hold a token.
pub(super) const DATA_SOURCE: &str = "provisioning/datasources/pingup.yaml";
/// Where Grafana is told where the dashboards are.
const PROVIDER: &str = "provisioning/dashboards/pingup.yaml";
/// How a Prometheus scrapes the hub's own figures.
const SCRAPE: &str = "prometheus/scrape.yml";
/// The dashboard of all agents.
const FLEET: &str = "dashboards/pingup-fleet.json";
/// The alert rules, in Grafana's form and in Prometheus's.
const RULES: [&str; 2] = ["provisioning/alerting/pingup.yaml", "prometheus/rules.yml"];
/// The folder of the dashboards.
pub(super) const DASHBOARDS: &str = "dashboards";

/// Where each is written, and what it says.
const FILES: [(&str, &str); 9] = [
    (DATA_SOURCE, include_str!("../../../../deploy/grafana/provisioning/datasources/pingup.yaml")),
    (PROVIDER, include_str!("../../../../deploy/grafana/provisioning/dashboards/pingup.yaml")),
    (RULES[0], include_str!("../../../../deploy/grafana/provisioning/alerting/pingup.yaml")),
    (FLEET, include_str!("../../../../deploy/grafana/dashboards/pingup-fleet.json")),
    ("dashboards/pingup-agent.json", include_str!("../../../../deploy/grafana/dashboards/pingup-agent.json")),
    (
        "dashboards/pingup-discovery.json",
        include_str!("../../../../deploy/grafana/dashboards/pingup-discovery.json"),
    ),
    ("dashboards/pingup-hub.json", include_str!("../../../../deploy/grafana/dashboards/pingup-hub.json")),
    (RULES[1], include_str!("../../../../deploy/prometheus/rules.yml")),
    (SCRAPE, include_str!("../../../../deploy/prometheus/scrape.yml")),
];

/// A series has a value for so long after its sample, in seconds, unless it is asked for otherwise.
const LOOKBACK_SECONDS: u64 = 5 * 60;

/// A file to be written.
pub(super) struct Outgoing {
    /// Where, below the folder.
    pub(super) path: &'static str,
    /// What it says.
    pub(super) text: Zeroizing<String>,
    /// It is for its owner alone.
    pub(super) is_secret: bool,
}

/// What the files are filled in with.
pub(super) struct Filling<'a> {
    /// The hub's address.
    pub(super) address: &'a Address,
    /// Seconds between an agent's samples.
    pub(super) interval_seconds: u64,
    /// The folder of the dashboards, as Grafana sees it.
    pub(super) dashboards: String,
    /// The token, if it is to stand in the data source.
    pub(super) token: Option<&'a str>,
}

impl Filling<'_> {
    /// All files, filled in.
    pub(super) fn files(&self) -> Vec<Outgoing> {
        let outgoing = |&(path, text): &(&'static str, &str)| {
            let mut filled = Zeroizing::new(text.to_owned());
            for (place, value) in self.values(path) {
                filled = Zeroizing::new(filled.replacen(place, &value, 1));
            }
            for (place, value) in self.widened(path) {
                filled = Zeroizing::new(filled.replace(place, &value));
            }
            Outgoing { path, text: filled, is_secret: path == DATA_SOURCE && self.token.is_some() }
        };
        FILES.iter().map(outgoing).collect()
    }

    /// After how many seconds without a sample an agent counts as silent, if that is longer than is usual: one sample may
    /// be late.
    pub(super) fn silent_after(&self) -> Option<u64> {
        Some(self.interval_seconds * 2).filter(|seconds| *seconds > LOOKBACK_SECONDS)
    }

    /// What asks who is heard, wherever it stands in the file at `path`, for agents that measure that seldom.
    fn widened(&self, path: &str) -> Vec<(&'static str, String)> {
        const HEARD: &str = r#"pingup_agent_up{job=~\"$job\", instance=~\"$instance\"}"#;
        let Some(seconds) = self.silent_after() else { return Vec::new() };
        let time = humantime::format_duration(Duration::from_secs(seconds));
        match path {
            FLEET => vec![(HEARD, format!("last_over_time({HEARD}[{seconds}s])"))],
            path if RULES.contains(&path) => vec![
                (" pingup_agent_up\"", format!(" last_over_time(pingup_agent_up[{seconds}s])\"")),
                ("for five minutes", format!("for {time}")),
            ],
            _ => Vec::new(),
        }
    }

    /// What stands in the file at `path` to be replaced, and by what. Each stands there once; a test sees to it.
    fn values(&self, path: &str) -> Vec<(&'static str, Zeroizing<String>)> {
        let Address { scheme, authority, path: prefix } = self.address;
        let mut values = match path {
            DATA_SOURCE => vec![
                (
                    "url: $PINGUP_URL/prometheus",
                    format!("url: {}", literal(&format!("{}/prometheus", self.address))),
                ),
                ("timeInterval: 30s", format!("timeInterval: {}s", self.interval_seconds)),
            ],
            PROVIDER => {
                vec![("path: /etc/grafana/dashboards", format!("path: {}", literal(&self.dashboards)))]
            }
            SCRAPE => vec![
                ("metrics_path: /metrics", format!("metrics_path: {}", quoted(&format!("{prefix}/metrics")))),
                ("scheme: http", format!("scheme: {scheme}")),
                ("[\"127.0.0.1:8080\"]", format!("[{}]", quoted(authority))),
            ],
            _ => Vec::new(),
        };
        if let (DATA_SOURCE, Some(token)) = (path, self.token) {
            values.push((
                "basicAuthPassword: $PINGUP_GRAFANA_TOKEN",
                format!("basicAuthPassword: {}", literal(token)),
            ));
        }
        values.into_iter().map(|(place, value)| (place, Zeroizing::new(value))).collect()
    }
}

/// A text as a YAML scalar: what JSON says, YAML says too.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The same where Grafana would put variables of its environment in the place of `$NAME`.
fn literal(text: &str) -> String {
    quoted(&text.replace('$', "$$"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_to_be_filled_is_there_once() {
        let address = Address::parse("https://hub.example/pingup").unwrap();
        let dashboards = "/etc/grafana/$dashboards".to_owned();
        let filling = Filling { address: &address, interval_seconds: 60, dashboards, token: Some("a.b.c") };
        for (path, text) in FILES {
            for (place, _) in filling.values(path) {
                assert_eq!(text.matches(place).count(), 1, "{place} in {path}");
            }
        }
        let text = |wanted: &str| {
            let files = filling.files();
            let file = files.into_iter().find(|file| file.path == wanted).unwrap();
            assert_eq!(file.is_secret, wanted == DATA_SOURCE);
            file.text.to_string()
        };
        for (path, line) in [
            (DATA_SOURCE, "    url: \"https://hub.example/pingup/prometheus\"\n"),
            (DATA_SOURCE, "      timeInterval: 60s\n"),
            (DATA_SOURCE, "      basicAuthPassword: \"a.b.c\"\n"),
            (PROVIDER, "      path: \"/etc/grafana/$$dashboards\"\n"),
            (SCRAPE, "    metrics_path: \"/pingup/metrics\"\n    scheme: https\n"),
            (SCRAPE, "      - targets: [\"hub.example\"]\n"),
        ] {
            assert!(text(path).contains(line), "{line} in {}", text(path));
        }
    }

    #[test]
    fn who_measures_seldom_is_silent_later() {
        let address = Address::parse("http://hub:8080").unwrap();
        let text = |interval_seconds, wanted: &str| {
            let dashboards = "/d".to_owned();
            let filling = Filling { address: &address, interval_seconds, dashboards, token: None };
            let files = filling.files();
            files.into_iter().find(|file| file.path == wanted).unwrap().text.to_string()
        };
        for path in [FLEET, RULES[0], RULES[1]] {
            let delivered = FILES.iter().find(|file| file.0 == path).unwrap().1;
            assert_eq!(text(150, path), delivered, "five minutes are two samples");
            let heard = delivered.matches("pingup_agent_up").count();
            let seldom = text(600, path);
            assert_eq!(seldom.matches("last_over_time(pingup_agent_up").count(), heard, "{path}");
            assert_eq!(seldom.matches("[1200s])").count(), heard, "{path}");
        }
        for path in RULES {
            assert!(
                text(600, path).contains("heard nothing of agent")
                    && !text(600, path).contains("five minutes,")
            );
            assert!(text(151, path).contains("for 5m 2s, or it has signed off"), "{}", text(151, path));
        }
        serde_json::from_str::<serde_json::Value>(&text(600, FLEET)).unwrap();
    }

    #[test]
    fn without_a_token_grafana_takes_it_from_its_environment() {
        let address = Address::parse("http://hub:8080").unwrap();
        let filling =
            Filling { address: &address, interval_seconds: 30, dashboards: "/d".to_owned(), token: None };
        let files = filling.files();
        assert!(files.iter().all(|file| !file.is_secret));
        assert!(files[0].text.contains("basicAuthPassword: $PINGUP_GRAFANA_TOKEN\n"));
    }
}
