//! A Prometheus over the hub: it has no samples of its own, reads the hub's and evaluates by itself.

use crate::{
    harness::{Hub, eventually, wire::Wire},
    prometheus::clients::{Running, free_address},
};
use std::{
    fs,
    process::{Command, Stdio},
};

/// A Prometheus that ends with its test.
pub struct Witness {
    _running: Running,
    /// How to speak to it.
    pub wire: Wire,
}

impl Witness {
    /// Starts one that reads this hub, and waits until it answers.
    pub fn of(hub: &Hub) -> Self {
        let (folder, address) = (hub.beside(), free_address());
        let (token, config) = (folder.join("token"), folder.join("prometheus.yml"));
        fs::write(&token, hub.token("viewer")).unwrap();
        let text = format!(
            "remote_read:\n- url: http://{}/prometheus/api/v1/read\n  read_recent: true\n  basic_auth:\n    \
             username: oracle\n    password_file: {}\n",
            hub.wire.address,
            token.display()
        );
        fs::write(&config, text).unwrap();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("prometheus").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=error")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (running, wire) = (Running(child), Wire::new(address));
        eventually("Prometheus is ready", || {
            wire.try_send("GET", "/-/ready", &[], None).ok().filter(|answer| answer.status == 200)
        });
        Self { _running: running, wire }
    }
}
