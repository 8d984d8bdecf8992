//! Who has to sign what this machine is to do, and what whoever rules the hub can have it do without.

use super::Check;
use crate::settings::Settings;

const NAME: &str = "orders";

/// Examines whose orders count under `settings`.
pub(super) fn check(settings: &Settings) -> Check {
    let open = settings.signers.left_open(&settings.allow);
    match open.is_empty() {
        true => Check::ok(NAME, settings.signers.to_string()),
        false => Check::warn(
            NAME,
            format!("whoever rules the hub rules this machine: {} run by its word alone", open.join(", ")),
            "`pingup-server operator-key create` on your own machine, and the public key in operator_keys here; or take them \
             off the allow-list",
        ),
    }
}
