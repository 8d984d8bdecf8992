//! Where nothing can be sent nobody looked: it does not count as a place where nobody is.

use super::{Bed, Wanted, by_number};
use crate::harness::PATIENCE;
use std::{thread, time::Duration};

const NOWHERE: &str = "203.0.113.0/28";

fn bed() -> Option<Bed> {
    Bed::build(&Wanted { hosts: (10, 11), open: vec![(10, 80)], ..Wanted::default() })
}

/// Has the agent scan what it cannot, and takes its word that it did not.
fn fails(bed: &Bed, place: &str) {
    let output = bed.call(&["scan", "--json", place, "--ports", "80"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{place}: {said}");
    assert!(said.contains("nothing could be sent") && output.stdout.is_empty(), "{place}: {said}");
}

#[test]
fn of_several_networks_only_those_that_were_reached_count() {
    let Some(bed) = bed() else { return };
    let output = bed.call(&["scan", "--json", "198.18.77.0/28", NOWHERE, "--ports", "80"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("14 of 28 addresses"), "{said}");
    let scan = serde_json::from_slice(&output.stdout).unwrap();
    assert!(by_number(&scan).keys().copied().eq([1, 10, 11]), "{scan:?}");
    assert_eq!(scan.networks.iter().map(ToString::to_string).collect::<Vec<_>>(), ["198.18.77.0/28"]);
}

#[test]
fn where_a_route_of_this_machine_ends_nothing_is_sent() {
    let Some(bed) = bed() else { return };
    fails(&bed, NOWHERE);
    for end in ["unreachable", "prohibit", "blackhole", "throw"] {
        assert_eq!(bed.near(&format!("ip route replace {end} {NOWHERE} && echo done")), "done\n");
        fails(&bed, NOWHERE);
    }
}

#[test]
fn while_the_cable_is_out_a_scan_fails_though_the_machine_answers_itself() {
    let Some(mut bed) = bed() else { return };
    let until = |bed: &Bed, is_out: bool| {
        let began = std::time::Instant::now();
        while bed.near("ip link show lan0").contains("NO-CARRIER") != is_out {
            assert!(began.elapsed() < PATIENCE, "the cable is not as it was put");
            thread::sleep(Duration::from_millis(20));
        }
    };
    bed.far("ip link set far0 down");
    until(&bed, true);
    fails(&bed, "198.18.77.0/28");
    fails(&bed, "lan0");
    bed.far("ip link set far0 up");
    until(&bed, false);
    let scan = bed.scan(&["198.18.77.0/28", "--ports", "80"]);
    assert!(by_number(&scan).keys().copied().eq([1, 10, 11]), "{scan:?}");
}

/// All but two addresses are led elsewhere by a rule, past the network that they seem to be on.
#[test]
fn whom_the_kernel_does_not_even_ask_for_nothing_is_sent_to() {
    let Some(bed) = bed() else { return };
    let elsewhere = "
        ip route add default via 198.18.77.10 dev lan0 table 60
        ip rule add to 198.18.77.10/31 lookup main prio 10
        ip rule add to 198.18.77.0/28 lookup 60 prio 20 && echo done";
    assert_eq!(bed.near(elsewhere), "done\n");
    // Its own, and whom it asked for. A program that stands still for a second cannot tell, and takes the rest for asked.
    let asked_for = ["198.18.77.0/31", "198.18.77.10/31"];
    let mut told = Vec::new();
    for _ in 0..8 {
        let scan = bed.scan(&["198.18.77.0/28", "--ports", "80"]);
        assert!(by_number(&scan).keys().copied().eq([1, 10, 11]), "{scan:?}");
        told.push(scan.networks.iter().map(ToString::to_string).collect::<Vec<_>>());
        if told.last().is_some_and(|networks| *networks == asked_for) {
            return;
        }
    }
    panic!("{told:?}");
}
