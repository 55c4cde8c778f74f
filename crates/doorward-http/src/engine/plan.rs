//! What is to be served, judged before there is a database: a server that cannot serve leaves everything as it is.
//!
//! The surprise: the realms of its contracts are missing. Their numbers are in the database.

use std::sync::Arc;

use doorward_core::{Auth, Policy, SetupError};

use super::body::Bodies;
use super::mount::{self, Mount, Mounted, Placed};
use super::request::{RequestIds, Unlisted};
use super::table::Table;
use super::{Engine, SignInPages};
use crate::metrics::Metrics;
use crate::settings::{Network, Settings};
use crate::status_list;

/// Contracts in their places, and settings that fit them.
pub struct Plan {
    placed: Vec<Placed>,
    table: Table,
    sign_in: SignInPages,
    proxies: Vec<Network>,
    settings: Settings,
}

impl Plan {
    /// Judges what an operator has written.
    ///
    /// # Errors
    /// When two contracts claim one route, or a setting makes no sense.
    pub fn new(mounts: Vec<Mount>, settings: Settings, policy: &Policy) -> Result<Self, SetupError> {
        let proxies = settings.trusted_proxies.iter().map(|text| Network::parse(text));
        let proxies = proxies.collect::<Result<_, _>>()?;
        mount::check_switches(&mounts, &settings)?;
        let mut placed = Vec::new();
        for mount in mounts {
            if policy.status_lists.as_ref().is_some_and(|lists| lists.in_tokens) {
                status_list::check(&mount.contract)?;
            }
            placed.push(Placed::new(mount, &settings)?);
        }
        let in_place: Vec<&Mount> = placed.iter().map(|placed| &placed.mount).collect();
        Ok(Self {
            table: Table::new(&in_place)?,
            sign_in: SignInPages::new(&settings.sign_in)?,
            placed,
            proxies,
            settings,
        })
    }

    /// The proxies that are believed.
    pub fn trusted_proxies(&self) -> &[Network] {
        &self.proxies
    }

    /// Serves it, with the realms of its contracts, which are made if need be.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub(crate) async fn engine(self, auth: Arc<Auth>) -> Result<Engine, SetupError> {
        let mut mounts = Vec::new();
        for placed in self.placed {
            let realm = auth.realm(&placed.mount.contract.realm).await;
            let realm = realm.map_err(|e| SetupError::new(e.to_string(), "check that the database can be reached"))?;
            mounts.push(Arc::new(Mounted::new(placed, realm, &self.settings)));
        }
        Ok(Engine {
            metrics: Metrics::new(mounts.iter().map(|mounted| mounted.contract.name.as_str())),
            mounts,
            table: self.table,
            sign_in: self.sign_in,
            bodies: Bodies::new(self.settings.body_timeout),
            auth,
            settings: self.settings,
            proxies: self.proxies,
            ids: RequestIds::default(),
            unlisted: Unlisted::default(),
        })
    }
}
