//! `[oidc]`, a section of the file: whose tokens are taken beside the hub's own. Without it, nobody's.
//!
//! Keys are also taken as OpenID's own settings spell them: `roleClaim` for `role_claim`.

use super::SettingsError;
use crate::auth::{
    Role,
    oidc::{Authorities, ClaimPath, Endpoint, Trust},
};
use serde::Deserialize;
use std::{collections::BTreeMap, path::PathBuf};

/// Bytes of the audience.
const AUDIENCE_BYTES_MAX: usize = 256;
/// Values of the claim that may be given a meaning.
const ROLES_MAX: usize = 256;
/// Where the roles stand unless said otherwise.
const ROLE_CLAIM: &str = "roles";
/// Who comes, unless said otherwise: the one claim that a provider never gives to anybody else.
const NAME_CLAIM: &str = "sub";

/// `[oidc]`: the provider and what its tokens mean here.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcKeys {
    /// The provider's URL, letter by letter as its tokens have it.
    pub issuer: String,
    /// Whom its tokens must be for.
    pub audience: String,
    /// The claim with the roles, as `roles` or `realm_access.roles`.
    #[serde(default, alias = "roleClaim")]
    pub role_claim: Option<String>,
    /// The claim with the name of whoever comes.
    #[serde(default, alias = "nameClaim")]
    pub name_claim: Option<String>,
    /// What the claim's values mean; without it they are the roles' own words.
    #[serde(default)]
    pub roles: Option<BTreeMap<String, String>>,
    /// Certificates of those who may vouch for the provider, in place of the system's.
    #[serde(default, alias = "caFile")]
    pub ca_file: Option<PathBuf>,
}

impl OidcKeys {
    /// Checks everything, and reads the certificates.
    pub(super) fn resolve(self, insecure_http: bool) -> Result<Trust, SettingsError> {
        let issuer = Endpoint::parse(&self.issuer, insecure_http)
            .map_err(|error| unusable("[oidc] issuer", error.to_string()))?;
        if !issuer.is_issuer() {
            return Err(unusable("[oidc] issuer", "a URL without a query expected"));
        }
        if self.audience.is_empty() || self.audience.len() > AUDIENCE_BYTES_MAX {
            return Err(unusable("[oidc] audience", format!("1 to {AUDIENCE_BYTES_MAX} bytes expected")));
        }
        let authorities = self.ca_file.map(|path| {
            Authorities::read(&path)
                .map_err(|error| unusable("[oidc] ca_file", format!("{} {error}", path.display())))
        });
        Ok(Trust {
            issuer: self.issuer,
            audience: self.audience,
            role_claim: claim("[oidc] role_claim", self.role_claim.as_deref().unwrap_or(ROLE_CLAIM))?,
            name_claim: claim("[oidc] name_claim", self.name_claim.as_deref().unwrap_or(NAME_CLAIM))?,
            roles: self.roles.map(roles).transpose()?,
            authorities: authorities.transpose()?,
            insecure_http,
        })
    }
}

fn claim(name: &'static str, text: &str) -> Result<ClaimPath, SettingsError> {
    ClaimPath::new(text)
        .ok_or_else(|| unusable(name, "the name of a claim expected, or up to 8 names with dots between"))
}

fn roles(said: BTreeMap<String, String>) -> Result<BTreeMap<String, Role>, SettingsError> {
    if said.is_empty() || said.len() > ROLES_MAX {
        return Err(unusable("[oidc] roles", format!("1 to {ROLES_MAX} entries expected")));
    }
    let role = |word: String| {
        let words = Role::ALL.map(Role::as_str).join(", ");
        Role::from_word(&word)
            .ok_or_else(|| unusable("[oidc] roles", format!("one of {words} expected, not {word:?}")))
    };
    said.into_iter().map(|(value, word)| Ok((value, role(word)?))).collect()
}

fn unusable(name: &'static str, reason: impl Into<String>) -> SettingsError {
    SettingsError::Unusable { name, reason: reason.into() }
}
