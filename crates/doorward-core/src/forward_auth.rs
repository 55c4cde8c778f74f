//! Forward authentication: who sent the request that a proxy asks about.
//!
//! The surprise: the account is looked up on each check, though the token alone proves who it is. An application
//! behind a proxy is told the identifiers of today and not those of the day of the login.

use crate::account::Account;
use crate::auth::Authentication;
use crate::realm::Realm;
use crate::session::SessionId;
use crate::token::Presented;
use crate::{Auth, Result};

/// Who sends a request.
#[derive(Debug)]
pub enum Caller {
    /// A token is good, and its session lives.
    Known(Box<Account>, SessionId),
    /// There was no token.
    Anonymous,
    /// There were tokens and none of them is good.
    Refused,
}

impl Auth {
    /// Who these tokens belong to.
    ///
    /// # Errors
    /// When nobody can say whether the session lives, or whose it is: then the request must not pass.
    pub async fn caller(&self, realm: &Realm, presented: &Presented) -> Result<Caller> {
        let (verified, _) = match self.authenticate(realm, presented).await? {
            Authentication::None => return Ok(Caller::Anonymous),
            Authentication::Bad | Authentication::Ended(_) => return Ok(Caller::Refused),
            Authentication::Living(verified, token) => (verified, token),
        };
        // Deleting an account ends its sessions; between the two looks it may have gone.
        Ok(match self.store.account(verified.account).await? {
            Some(account) => Caller::Known(Box::new(account), verified.session),
            None => Caller::Refused,
        })
    }
}
