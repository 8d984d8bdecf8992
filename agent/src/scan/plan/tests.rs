//! What is scanned, and what is refused.

use super::*;
use crate::scan::told::told;
use pingup_protocol::limits::SCAN_NETWORKS_MAX;

fn plan(networks: &[&str], ports: &[u16]) -> Result<Plan, PlanError> {
    let networks = networks.iter().map(|text| parse_network(text)).collect::<Result<_, _>>()?;
    Plan::new(networks, ports.to_vec(), false)
}

#[test]
fn every_address_is_there_once_and_every_port() {
    let plan = plan(&["10.0.0.0/30", "10.0.0.0/30", "10.0.9.1"], &[443, 80, 80]).unwrap();
    let targets: Vec<_> = plan.targets().map(|t| format!("{} of {}", t.address, t.network)).collect();
    assert_eq!(targets, ["10.0.0.1 of 0", "10.0.0.2 of 0", "10.0.9.1 of 1"]);
    assert_eq!((plan.addresses(), plan.ports()), (3, &[80, 443][..]));
    for length in 16..=32_u8 {
        let network = Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), length);
        assert_eq!(network.hosts().count(), addresses(&network), "/{length}");
    }
    assert_eq!(Plan::new(vec![], vec![], false), Err(PlanError::NoPorts));
}

#[test]
fn a_wide_network_is_scanned_only_where_somebody_insists() {
    let wide = || vec!["10.0.0.0/16".parse().unwrap()];
    assert_eq!(Plan::new(wide(), vec![22], false), Err(PlanError::NotForced(65_534)));
    assert_eq!(Plan::new(wide(), vec![22], true).unwrap().addresses(), 65_534);
    let half = plan(&["10.0.0.0/17"], &[22]).unwrap();
    assert!(half.addresses() <= SCAN_HOSTS_UNFORCED_MAX as u64);
    let both = plan(&["10.0.0.0/17", "10.1.0.0/17"], &[22]);
    assert_eq!(both, Err(PlanError::NotForced(65_532)), "together they are as many");
    assert!(PlanError::NotForced(1).to_string().contains("--force"));
}

#[test]
fn what_is_too_wide_or_no_network_is_refused_also_by_force() {
    let force = |networks: &[&str]| {
        let networks = networks.iter().map(|text| text.parse().unwrap()).collect();
        Plan::new(networks, vec![22], true)
    };
    assert!(matches!(parse_network("10.0.0.0/15"), Err(PlanError::TooWide(_))));
    assert!(matches!(force(&["10.0.0.0/16", "10.1.0.0/16"]), Err(PlanError::TooWide(_))));
    assert_eq!(force(&["10.0.0.0/16", "10.9.0.0/24"]), Err(PlanError::TooMany));
    for bad in ["", "here", "10.0.0.0/33", "::1/128", "10.0.0/24"] {
        assert!(matches!(parse_network(bad), Err(PlanError::Malformed(_))), "{bad:?}");
    }
    assert_eq!(parse_network("192.168.7.9/24").unwrap().to_string(), "192.168.7.0/24");
}

fn nearby(network: &str, link: &str, left_out: Option<&'static str>) -> Nearby {
    Nearby { network: network.parse().unwrap(), link: link.to_owned(), left_out }
}

#[test]
fn an_interface_stands_for_its_networks_also_where_it_is_left_out() {
    let here = [
        nearby("10.0.0.0/24", "eth0", None),
        nearby("10.0.1.0/24", "eth0", None),
        nearby("172.17.0.0/24", "docker0", Some("of containers")),
    ];
    let of = |text: &str| Place::parse(text).unwrap().networks(&here).map(|found| found.len());
    assert_eq!((of("eth0"), of("docker0"), of("10.7.0.0/24")), (Ok(2), Ok(1), Ok(1)));
    let missing = of("eth7").unwrap_err().to_string();
    assert!(missing.contains("there are: eth0, docker0"), "{missing}");
    for bad in ["", "10.0.0", "fe80::1", "10.0.0.0/8", "an-interface-of-a-long-name"] {
        assert!(Place::parse(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn what_is_left_out_is_said() {
    let own = nearby("10.0.0.0/24", "eth0", None);
    let guests = nearby("172.17.0.0/16", "docker0", Some("of containers"));
    let wide = nearby("10.1.0.0/16", "eth1", None);
    let all = [own, guests, wide];
    let (chosen, left_out) = own_networks(&all, false).unwrap();
    assert_eq!(chosen, [all[0].network]);
    assert!(left_out.contains("docker0") && left_out.contains("eth1"), "{left_out}");
    assert_eq!(own_networks(&all[1..], true).unwrap().0, [all[2].network]);
    let told = own_networks(&all[1..], false).unwrap_err().to_string();
    assert!(
        told.contains("172.17.0.0/16 on docker0 (of containers), 10.1.0.0/16 on eth1 (too wide)"),
        "{told}"
    );
}

#[test]
fn the_hub_is_told_of_networks_as_far_as_it_takes_them() {
    let told =
        |plan: Plan| told(plan.networks.into_iter()).iter().map(ToString::to_string).collect::<Vec<_>>();
    let both = plan(&["10.0.9.0/24", "10.0.0.7/25", "10.0.9.1"], &[22]).unwrap();
    assert_eq!(told(both), ["10.0.0.0/25", "10.0.9.0/24"]);
    // No two of them side by side, so that none are one.
    let apart =
        |count: u32| (0..count).map(|n| Ipv4Net::from(Ipv4Addr::from_bits(0x0a00_0000 + 2 * n))).collect();
    let many = |count: usize| Plan::new(apart(u32::try_from(count).unwrap()), vec![22], false).unwrap();
    assert_eq!(told(many(SCAN_NETWORKS_MAX)).len(), SCAN_NETWORKS_MAX);
    assert_eq!(told(many(SCAN_NETWORKS_MAX + 1)).len(), SCAN_NETWORKS_MAX);
}
