//! Contracts in their places: what a mounted contract needs to run.

use std::collections::BTreeSet;
use std::sync::Arc;

use doorward_core::SetupError;
use doorward_core::auth::Grant;
use doorward_core::realm::Realm;

use super::origin::Origins;
use super::table::Table;
use crate::contract::render::Filling;
use crate::contract::{self, Contract, PREFIX_HINT};
use crate::settings::Settings;

/// A contract and where it is served.
#[derive(Clone)]
pub struct Mount {
    /// The contract.
    pub contract: Arc<Contract>,
    /// `""` for the root, else `/…`.
    pub prefix: String,
}

impl Mount {
    /// Judges whether the contract can be served there, when it is alone.
    ///
    /// # Errors
    /// When a route is the server's own, or cannot be told apart from another.
    pub fn check(&self) -> Result<(), SetupError> {
        Table::new(&[self]).map(drop)
    }
}

/// A mounted contract with what it needs to run.
pub(crate) struct Mounted {
    pub(crate) contract: Arc<Contract>,
    pub(crate) prefix: String,
    pub(crate) realm: Realm,
    pub(super) grant: Grant,
    pub(crate) origins: Origins,
    /// The switches that are on.
    pub(crate) switches: Vec<String>,
}

/// A contract whose place is one, and what is known of it without a database.
pub(super) struct Placed {
    pub(super) mount: Mount,
    origins: Origins,
}

impl Placed {
    pub(super) fn new(mount: Mount, settings: &Settings) -> Result<Self, SetupError> {
        let Mount { contract, prefix } = mount;
        // Who embeds the server writes it without a parser.
        let prefix = contract::prefix(&prefix)
            .ok_or_else(|| SetupError::new(format!("contracts: `{prefix}` is no prefix"), PREFIX_HINT))?
            .to_owned();
        Ok(Self {
            origins: Origins::new(contract.origins.iter().chain(&settings.origins))?,
            mount: Mount { contract, prefix },
        })
    }
}

impl Mounted {
    pub(super) fn new(placed: Placed, realm: Realm, settings: &Settings) -> Self {
        let Placed { mount, origins } = placed;
        let Mount { contract, prefix } = mount;
        let claims = Arc::clone(&contract);
        let grant = Grant {
            lifetime: contract.token.lifetime,
            refresh: contract.token.refresh,
            claims: Box::new(move |account| {
                let filling = Filling {
                    account: Some(account),
                    ..Filling::default()
                };
                serde_json::from_str(&claims.token.claims.rendered(&filling)).unwrap_or_default()
            }),
        };
        Self {
            switches: contract.switches_on(&settings.switches),
            contract,
            prefix,
            realm,
            grant,
            origins,
        }
    }
}

/// Refuses switches that no mounted contract has.
pub(super) fn check_switches(mounts: &[Mount], settings: &Settings) -> Result<(), SetupError> {
    let known: BTreeSet<String> = mounts
        .iter()
        .flat_map(|mount| {
            mount
                .contract
                .switches
                .keys()
                .map(|switch| format!("{}.{switch}", mount.contract.name))
        })
        .collect();
    match settings.switches.iter().find(|switch| !known.contains(*switch)) {
        None => Ok(()),
        Some(unknown) => {
            let hint = format!(
                "the contracts that are served have: {}",
                Vec::from_iter(known).join(", ")
            );
            Err(SetupError::new(format!("switches: there is no `{unknown}`"), hint))
        }
    }
}
