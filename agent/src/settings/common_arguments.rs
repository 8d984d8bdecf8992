//! What `run` and `install` may both be told, in the same words: which hub it is, and whose orders count.

use clap::Args;

/// As it comes: texts, not checked yet.
#[derive(Args, Clone, Default)]
pub(super) struct CommonArguments {
    /// The hub, e.g. https://hub.example:8443
    #[arg(long, env = "PINGUP_HUB", value_name = "URL")]
    pub(super) hub: Option<String>,
    /// The hub's key over https, as the hub prints it: sha256//…; may be said more than once
    #[arg(long, env = "PINGUP_HUB_PIN", value_name = "PIN", value_delimiter = ',')]
    pub(super) hub_pin: Option<Vec<String>>,
    /// A name for people, given at enrolment
    #[arg(long, env = "PINGUP_NAME")]
    pub(super) name: Option<String>,
    /// Speak plain HTTP to a hub that is not on this machine
    #[arg(
        long, env = "PINGUP_INSECURE_HTTP", value_name = "BOOL",
        num_args = 0..=1, require_equals = true, default_missing_value = "true"
    )]
    pub(super) insecure_http: Option<String>,
    /// An operator's public key, pok_… and perhaps a name: then restart_service and exec run only by an order that it signed.
    /// One flag for each; in the file, the list operator_keys
    #[arg(long = "operator-key", env = "PINGUP_OPERATOR_KEYS", value_name = "KEY", value_delimiter = ',')]
    pub(super) operator_keys: Option<Vec<String>>,
    /// What else runs only by a signed order; needs an operator key
    #[arg(long, env = "PINGUP_SIGNED_ACTIONS", value_name = "ACTION,…", value_delimiter = ',')]
    pub(super) signed_actions: Option<Vec<String>>,
}

impl CommonArguments {
    /// These, and where they are silent, `other`.
    pub(super) fn or(self, other: Self) -> Self {
        let said = super::values::given;
        // Lists that guard the machine are taken as they are: an empty word in one is refused, not passed over.
        Self {
            hub: said(self.hub).or(other.hub),
            hub_pin: self.hub_pin.or(other.hub_pin),
            name: said(self.name).or(other.name),
            insecure_http: said(self.insecure_http).or(other.insecure_http),
            operator_keys: self.operator_keys.or(other.operator_keys),
            signed_actions: self.signed_actions.or(other.signed_actions),
        }
    }
}
