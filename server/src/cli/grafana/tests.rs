//! What is asked for, and what is refused before anything is written.

use super::*;
use std::fs;

fn arguments(folder: &Path) -> ExportArguments {
    ExportArguments {
        folder: folder.to_owned(),
        url: "http://hub.example:8080".to_owned(),
        token_file: None,
        ca_file: None,
        interval: 30,
        mounted_at: None,
        force: false,
    }
}

/// Not one of a hub; PEM is all that is looked at.
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
const KEY: &str = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";

fn over_tls(folder: &Path) -> ExportArguments {
    ExportArguments { url: "https://hub.example:8443".to_owned(), ..arguments(folder) }
}

#[test]
fn a_hub_of_its_own_authority_is_known_by_its_file() {
    let place = tempfile::tempdir().unwrap();
    let (ca_file, folder) = (place.path().join("ca.pem"), place.path().join("grafana"));
    fs::write(&ca_file, CERTIFICATE).unwrap();
    let said = export(&ExportArguments { ca_file: Some(ca_file), ..over_tls(&folder) }).unwrap();
    assert!(said.contains("as /etc/prometheus/pingup-ca.pem\n"), "{said}");
    let written = fs::read_to_string(folder.join(DATA_SOURCE)).unwrap();
    assert!(written.contains("tlsCACert: \"-----BEGIN CERTIFICATE-----\\nAAAA"), "{written}");
}

#[test]
fn intervals_are_those_that_agents_keep() {
    assert_eq!((interval("1s"), interval("1m"), interval("24h")), (Ok(1), Ok(60), Ok(86_400)));
    for bad in ["0s", "1500ms", "25h", "soon", ""] {
        assert!(interval(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn a_token_is_written_and_never_printed() {
    let place = tempfile::tempdir().unwrap();
    let (token, folder) = (place.path().join("token"), place.path().join("grafana"));
    fs::write(&token, "aaa.bbb.ccc\n").unwrap();
    let said = export(&ExportArguments { token_file: Some(token), ..arguments(&folder) }).unwrap();
    assert!(!said.contains("aaa.bbb.ccc") && said.contains("chmod 640"), "{said}");
    let written = fs::read_to_string(folder.join(DATA_SOURCE)).unwrap();
    assert!(written.contains("basicAuthPassword: \"aaa.bbb.ccc\"\n"));
}

#[test]
fn nothing_is_written_when_something_is_wrong() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("grafana");
    let token = |name: &str, text: &[u8]| {
        let path = place.path().join(name);
        fs::write(&path, text).unwrap();
        Some(path)
    };
    let over_long = vec![b'x'; usize::try_from(TOKEN_BYTES_MAX).unwrap() + 1];
    let wrong = [
        ExportArguments { url: "hub:8080".to_owned(), ..arguments(&folder) },
        ExportArguments { url: "http://ada:secret@hub".to_owned(), ..arguments(&folder) },
        ExportArguments { mounted_at: Some(PathBuf::from("grafana")), ..arguments(&folder) },
        ExportArguments { token_file: Some(place.path().join("missing")), ..arguments(&folder) },
        ExportArguments { token_file: token("empty", b"\n"), ..arguments(&folder) },
        ExportArguments { token_file: token("two", b"secret words"), ..arguments(&folder) },
        ExportArguments { token_file: token("long", &over_long), ..arguments(&folder) },
        ExportArguments { token_file: token("bytes", b"\xff"), ..arguments(&folder) },
        ExportArguments { ca_file: token("ca.pem", CERTIFICATE.as_bytes()), ..arguments(&folder) },
        ExportArguments { ca_file: Some(place.path().join("missing")), ..over_tls(&folder) },
        ExportArguments { ca_file: token("none", b"secret"), ..over_tls(&folder) },
        ExportArguments {
            ca_file: token("both", format!("{CERTIFICATE}{KEY}").as_bytes()),
            ..over_tls(&folder)
        },
    ];
    for arguments in &wrong {
        let refused = export(arguments).unwrap_err().to_string();
        assert!(!refused.contains("secret") && !refused.contains('\n'), "{refused}");
        assert!(!folder.exists(), "{refused}");
    }
    fs::write(place.path().join("long"), &over_long[1..]).unwrap();
    assert!(read_token(&place.path().join("long")).is_ok(), "as long as it may be");
}

#[test]
fn dashboards_are_named_where_grafana_sees_them() {
    let folder = Path::new("/srv/grafana");
    assert_eq!(seen_at(folder, None).unwrap(), "/srv/grafana/dashboards");
    assert_eq!(seen_at(folder, Some(Path::new("/in/there"))).unwrap(), "/in/there/dashboards");
    assert!(seen_at(Path::new("here"), None).unwrap().ends_with("/here/dashboards"));
}
