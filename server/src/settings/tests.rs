//! Settings from every source, and what is refused.

use super::*;
use std::{io::Write, path::Path};

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn from_file(text: &str) -> Result<Settings, SettingsError> {
    Settings::resolve(Layer::default(), Some(file(text).path()))
}

fn refusal(text: &str) -> String {
    let line = from_file(text).unwrap_err().to_string();
    assert!(!line.contains('\n'), "one line: {line}");
    line
}

#[test]
fn nothing_said_is_enough() {
    let settings = Settings::resolve(Layer::default(), None).unwrap();
    assert_eq!(settings.data_dir, Path::new("./data"));
    assert_eq!(settings.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(settings.retention_raw, Duration::from_secs(30 * DAY));
    assert_eq!(settings.retention_commands, Duration::from_secs(90 * DAY));
    assert_eq!(settings.key_rotation, Some(Duration::from_secs(90 * DAY)));
    assert_eq!(from_file("key_rotation = 'off'").unwrap().key_rotation, None);
    assert_eq!((settings.duckdb_memory.as_str(), settings.log.as_str()), ("64MB", "info"));
    assert_eq!(settings, from_file("").unwrap());
}

#[test]
fn the_file_can_say_everything() {
    let settings = from_file(
        r#"
        data_dir = "/srv/pingup"
        listen = "0.0.0.0:80"
        insecure_http = true
        tls_cert = "/etc/pingup/hub.pem"
        tls_key = "/etc/pingup/hub.key"
        tls_self_signed = false
        public_url = "https://hub.example:8443/"
        retention_raw = "7d"
        retention_minute = "30d"
        retention_hour = "365d"
        retention_commands = "10d"
        queue_jobs = 100
        queue_bytes = "8MiB"
        duckdb_memory = "1GB"
        sql_time_max = "1m"
        disk_reserve_bytes = 1000
        connections_max = 10
        events_kept = 1000
        series_max_per_sender = 70
        series_bytes_max = "2MiB"
        enrolments_per_minute = 100
        bad_tokens_per_minute = 20
        master_key_file = "/etc/pingup/master.key"
        master_passphrase_file = "/run/pingup/passphrase"
        key_rotation = "30d"
        log = "warn,pingup_server=debug"
        [limits]
        agent_requests_per_second = 1
        agent_refusals_per_second = 5
        stranger_requests_per_second = 2
        address_connections_max = 3
        address_connections_per_second = 4
        "#,
    );
    let expected = Settings {
        data_dir: "/srv/pingup".into(),
        listen: "0.0.0.0:80".parse().unwrap(),
        insecure_http: true,
        certificate: Some(Certificate::Files {
            certificate: "/etc/pingup/hub.pem".into(),
            key: "/etc/pingup/hub.key".into(),
        }),
        public_url: Address::parse("https://hub.example:8443").ok(),
        retention_raw: Duration::from_secs(7 * DAY),
        retention_minute: Duration::from_secs(30 * DAY),
        retention_hour: Duration::from_secs(365 * DAY),
        retention_commands: Duration::from_secs(10 * DAY),
        queue_jobs: 100,
        queue_bytes: 8 * 1024 * 1024,
        duckdb_memory: "1GB".to_owned(),
        sql_time_max: Duration::from_secs(60),
        disk_reserve_bytes: 1_000,
        connections_max: 10,
        events_kept: 1_000,
        series_max_per_sender: 70,
        series_bytes_max: 2 * 1024 * 1024,
        enrolments_per_minute: 100,
        bad_tokens_per_minute: 20,
        master: MasterPlace {
            file: Some("/etc/pingup/master.key".into()),
            passphrase_file: Some("/run/pingup/passphrase".into()),
        },
        key_rotation: Some(Duration::from_secs(30 * DAY)),
        limits: Limits {
            agent_requests_per_second: 1,
            agent_refusals_per_second: 5,
            stranger_requests_per_second: 2,
            address_connections_max: Some(3),
            address_connections_per_second: Some(4),
        },
        log: "warn,pingup_server=debug".to_owned(),
        oidc: None,
    };
    assert_eq!(settings, Ok(expected));
}

#[test]
fn a_provider_of_tokens_is_a_section_of_the_file() {
    assert_eq!(from_file("").unwrap().oidc, None);
    let least = "[oidc]\nissuer = 'https://sso.example/realms/ops'\naudience = 'pingup'";
    let trust = from_file(least).unwrap().oidc.unwrap();
    assert_eq!(
        (trust.issuer.as_str(), trust.audience.as_str()),
        ("https://sso.example/realms/ops", "pingup")
    );
    assert_eq!((trust.role_claim.to_string(), trust.name_claim.to_string()), ("roles".into(), "sub".into()));
    assert_eq!((trust.roles, trust.authorities, trust.insecure_http), (None, None, false));

    let more = "role_claim = 'realm_access.roles'\nname_claim = 'preferred_username'\nroles = { 'pingup-admins' = 'admin' }";
    let trust = from_file(&format!("{least}\n{more}")).unwrap().oidc.unwrap();
    assert_eq!(trust.role_claim.to_string(), "realm_access.roles");
    assert_eq!(trust.roles.unwrap().get("pingup-admins"), Some(&crate::auth::Role::Admin));
    let camel = from_file(&format!("{least}\nroleClaim = 'realm_access.roles'")).unwrap().oidc.unwrap();
    assert_eq!(camel.role_claim, trust.role_claim);
}

#[test]
fn a_provider_that_cannot_be_trusted_is_refused_by_name() {
    let broken = file("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let (broken, empty) = (broken.path().display().to_string(), file(""));
    let empty = empty.path().display().to_string();
    for (issuer, more, told) in [
        ("http://sso.example", "", "[oidc] issuer: plain HTTP to another machine"),
        ("sso.example", "", "[oidc] issuer: https://HOST/PATH expected"),
        ("https://a/?b", "", "[oidc] issuer: a URL without a query"),
        ("https://a", "role_claim = ''", "[oidc] role_claim: "),
        ("https://a", "name_claim = 'a.b.c.d.e.f.g.h.i'", "[oidc] name_claim: "),
        (
            "https://a",
            "roles = { a = 'god' }",
            "[oidc] roles: one of scrape, writer, viewer, operator, admin expected",
        ),
        ("https://a", "roles = {}", "[oidc] roles: 1 to 256"),
        ("https://a", "ca_file = '/no/such/file'", "[oidc] ca_file: /no/such/file cannot be read"),
        ("https://a", &format!("ca_file = '{broken}'"), "holds a certificate that cannot be used"),
        ("https://a", &format!("ca_file = '{empty}'"), "holds no certificate"),
        ("https://a", "client_id = 'b'", "line 4: unknown field `client_id`"),
    ] {
        let line = refusal(&format!("[oidc]\nissuer = '{issuer}'\naudience = 'pingup'\n{more}"));
        assert!(line.contains(told), "{issuer} {more}: {line}");
    }
    assert!(refusal("[oidc]\nissuer = 'https://a'").contains("missing field `audience`"));
    for audience in [String::new(), "a".repeat(257)] {
        let line = refusal(&format!("[oidc]\nissuer = 'https://a'\naudience = '{audience}'"));
        assert!(line.starts_with("[oidc] audience: "), "{line}");
    }
    let many: String = (0..257).map(|n| format!("a{n} = 'admin'\n")).collect();
    let line = refusal(&format!("[oidc]\nissuer = 'https://a'\naudience = 'a'\n[oidc.roles]\n{many}"));
    assert!(line.starts_with("[oidc] roles: 1 to 256"), "{line}");
    from_file("insecure_http = true\n[oidc]\nissuer = 'http://sso.example'\naudience = 'pingup'").unwrap();
}

#[test]
fn flags_win_over_the_file() {
    let flags = Layer { listen: "127.0.0.1:1".parse().ok(), queue_jobs: Some(5), ..Layer::default() };
    let below = file("listen = '127.0.0.1:2'\nlog = 'debug'");
    let settings = Settings::resolve(flags, Some(below.path())).unwrap();
    assert_eq!((settings.listen.port(), settings.queue_jobs, settings.log.as_str()), (1, 5, "debug"));
}

#[test]
fn what_the_file_gets_wrong_is_told_with_its_line() {
    let told = refusal("log = 'info'\nlisten_on = '127.0.0.1:1'");
    assert!(told.contains("line 2: unknown field `listen_on`"), "{told}");
    for (text, reason) in [
        ("listen = 'here'", "line 1: invalid socket address syntax"),
        ("retention_raw = 30", "line 1: "),
        ("retention_raw = 'a month'", "a time such as"),
        ("queue_bytes = 'much'", "line 1: "),
        ("= 7", "line 1: "),
    ] {
        let told = refusal(text);
        assert!(told.contains(reason), "{text}: {told}");
    }
    let missing =
        Settings::resolve(Layer::default(), Some(Path::new("/no/such/file"))).unwrap_err().to_string();
    assert!(missing.starts_with("cannot read the settings in /no/such/file: "), "{missing}");
}

#[test]
fn values_out_of_their_range_are_refused_by_name() {
    for (text, name) in [
        ("retention_raw = '59m'", "retention_raw"),
        ("retention_commands = '59m'", "retention_commands"),
        ("queue_jobs = 0", "queue_jobs"),
        ("queue_bytes = '1MiB'", "queue_bytes"),
        ("connections_max = 0", "connections_max"),
        ("events_kept = 0", "events_kept"),
        ("series_max_per_sender = 200001", "series_max_per_sender"),
        ("series_bytes_max = '1023KiB'", "series_bytes_max"),
        ("sql_time_max = '11m'", "sql_time_max"),
        ("enrolments_per_minute = 0", "enrolments_per_minute"),
        ("bad_tokens_per_minute = 1000001", "bad_tokens_per_minute"),
        ("key_rotation = '23h'", "key_rotation"),
        ("[limits]\nagent_requests_per_second = 0", "agent_requests_per_second"),
        ("[limits]\nagent_refusals_per_second = 0", "agent_refusals_per_second"),
        ("[limits]\nstranger_requests_per_second = 1000001", "stranger_requests_per_second"),
        ("[limits]\naddress_connections_max = 0", "address_connections_max"),
        ("[limits]\naddress_connections_per_second = 0", "address_connections_per_second"),
        ("log = 'pingup=loud'", "log"),
        ("data_dir = ''", "data_dir"),
    ] {
        let told = refusal(text);
        assert!(told.starts_with(&format!("{name}: ")), "{text}: {told}");
    }
}

#[test]
fn plain_http_stays_at_home_unless_told() {
    for elsewhere in ["0.0.0.0:80", "192.168.1.1:80", "[::]:80"] {
        assert!(refusal(&format!("listen = '{elsewhere}'")).contains("--insecure-http"), "{elsewhere}");
        from_file(&format!("listen = '{elsewhere}'\ninsecure_http = true")).unwrap();
    }
    let own = from_file("listen = '0.0.0.0:443'\ntls_self_signed = true").unwrap();
    assert_eq!(own.certificate, Some(Certificate::Own));
    for home in ["127.0.0.1:80", "127.1.2.3:80", "[::1]:80"] {
        from_file(&format!("listen = '{home}'")).unwrap();
    }
}

#[test]
fn half_a_certificate_and_two_are_refused() {
    for (text, name, reason) in [
        ("tls_cert = 'a'", "tls_key", "--tls-cert"),
        ("tls_key = 'a'", "tls_cert", "--tls-key"),
        ("tls_cert = 'a'\ntls_key = 'b'\ntls_self_signed = true", "tls_self_signed", "not both"),
        ("tls_self_signed = true\npublic_url = 'http://hub.example'", "public_url", "https://"),
        ("public_url = 'hub.example'", "public_url", "http://HOST:PORT"),
        ("public_url = 'https://a:b@hub.example'", "public_url", "password"),
    ] {
        let told = refusal(text);
        assert!(told.starts_with(&format!("{name}: ")) && told.contains(reason), "{text}: {told}");
    }
    // Somebody speaks TLS for a hub that does not.
    from_file("public_url = 'https://hub.example'").unwrap();
}
