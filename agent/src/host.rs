//! What the machine says of itself, at enrolment and with the first heartbeat after each start.

use crate::{collect::disk, interfaces, settings::SshAccess};
use pingup_protocol::{enrol::HostInfo, labels::Labels};
use sha2::{Digest, Sha256};
use std::{fmt::Write, time::Duration};
use sysinfo::System;
use tokio::{task::spawn_blocking, time::timeout};

/// Where Linux keeps what stays the same when the machine restarts.
const MACHINE_ID_FILES: [&str; 2] = ["/etc/machine-id", "/var/lib/dbus/machine-id"];
/// Sets the digest apart from every other use of the machine's id, which is not to be told to anyone.
const MACHINE_ID_LABEL: &[u8] = b"pingup-machine/1\0";

/// How long the disks may take to say how large they are: one of them may hang for ever.
const DISKS_WITHIN: Duration = Duration::from_secs(3);

/// Looks around.
pub async fn info(ssh: &SshAccess, labels: &Labels) -> HostInfo {
    let disks = timeout(DISKS_WITHIN, spawn_blocking(disk::total_bytes)).await;
    let mut system = System::new().ok();
    if let Some(system) = &mut system {
        system.refresh_memory();
        system.refresh_cpu_list(sysinfo::CpuRefreshKind::nothing());
    }
    HostInfo {
        hostname: System::host_name().ok(),
        ip_address: interfaces::own_networks().first().map(|(address, _)| address.to_string()),
        os: System::long_os_version().or_else(|_| System::name()).ok(),
        arch: Some(System::cpu_arch()),
        kernel: System::kernel_version().ok(),
        agent_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        cpu_cores: system.as_ref().map(|system| system.cpus().len() as u64).filter(|&count| count > 0),
        memory_mb: system.as_ref().map(|system| system.total_memory() >> 20).filter(|&size| size > 0),
        disk_gb: disks.ok().and_then(Result::ok).flatten().map(|bytes| bytes >> 30),
        ssh_host: ssh.host.clone(),
        ssh_port: ssh.port,
        ssh_user: ssh.user.clone(),
        lima_vm_name: std::env::var("LIMA_VM_NAME").ok().filter(|name| !name.is_empty()),
        labels: labels.clone(),
    }
}

/// What tells this machine from others and stays when it restarts: a digest, so that the id itself, which
/// other programs rely on being confidential, stays here. `salt` tells a cloned disk, which has the id of the original, from
/// that. `None` on machines that have none.
pub fn machine_id(salt: Option<&str>) -> Option<String> {
    let read = |path| std::fs::read_to_string(path).ok();
    let id = MACHINE_ID_FILES.into_iter().filter_map(read).find(|text| is_machine_id(text.trim()))?;
    Some(digest(id.trim(), salt))
}

/// 32 hexadecimal digits; an image that was not started yet says `uninitialized`.
fn is_machine_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// An id has one length, so what follows it is salt.
fn digest(id: &str, salt: Option<&str>) -> String {
    let digest =
        Sha256::new().chain_update(MACHINE_ID_LABEL).chain_update(id).chain_update(salt.unwrap_or_default());
    digest.finalize().iter().fold(String::new(), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machines_id_does_not_leave_it() {
        let id = "0123456789abcdef0123456789abcdef";
        let told = digest(id, None);
        assert!(told.len() == 64 && !told.contains(id));
        assert_eq!(told, digest(id, None));
        let cloned = [digest(id, Some("0a")), digest(id, Some("0b"))];
        assert!(cloned[0] != cloned[1] && !cloned.contains(&told));
        assert!(is_machine_id(id) && !is_machine_id("uninitialized") && !is_machine_id(""));
    }

    #[tokio::test]
    async fn a_machine_knows_its_name_and_size() {
        let ssh = SshAccess { host: Some("10.0.0.1".into()), port: Some(2222), user: None };
        let info = info(&ssh, &Labels::one("role", "web")).await;
        assert_eq!(info.labels, Labels::one("role", "web"));
        assert!(info.hostname.is_some() && info.memory_mb > Some(0) && info.cpu_cores > Some(0));
        assert_eq!((info.ssh_host.as_deref(), info.ssh_port), (Some("10.0.0.1"), Some(2222)));
    }
}
