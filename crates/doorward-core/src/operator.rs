//! What an operator does to accounts and clients, from the command line.
//!
//! The surprise: no password of the account is asked for. Who runs these commands can read the database anyway.

use uuid::Uuid;

use crate::account::{Account, AccountId, Profile};
use crate::audit::{Event, record, record_all, record_client};
use crate::client::{Client, ClientId, ClientSecret};
use crate::identifier::Canonical;
use crate::presence::Presence;
use crate::realm::Realm;
use crate::secret::PasswordHash;
use crate::secret::Secret;
use crate::session::{EndedSession, SessionId};
use crate::store::{NewAccount, Written};
use crate::{Auth, Result, random};

/// What the operator goes by in the line before the hash threads.
const OPERATOR: &str = "operator";

/// How many sessions of everybody are ended by one transaction: some ten milliseconds, for which other writes wait.
const PORTION: usize = 1_000;

impl Auth {
    async fn hash_for_operator(&self, password: &Secret) -> Result<PasswordHash> {
        let caller = self.hasher.caller(None, OPERATOR, &Presence::ALWAYS);
        self.hasher.hash(&caller, password).await
    }

    /// Makes an account. `None` when an identifier belongs to another one.
    ///
    /// # Errors
    /// When the store cannot answer or the hash pool is full.
    pub async fn add_account(&self, realm: &Realm, profile: Profile, password: &Secret) -> Result<Option<Account>> {
        let password_hash = self.hash_for_operator(password).await?;
        let created_at = self.clock.now();
        let new = NewAccount {
            id: AccountId(random::uuid(created_at)?),
            realm: realm.id,
            profile,
            password_hash,
            created_at,
        };
        match self.store.create_account(new, None).await? {
            Written::Done(account) => {
                record(Event::Registered, Some(account.id), None, None);
                Ok(Some(account))
            }
            Written::Taken(_) | Written::Gone => Ok(None),
        }
    }

    /// The accounts that an operator can mean, each once. A word is read as an identifier, as a UUID and as a number:
    /// usernames are free text, and somebody may be called `7`. What begins with `email:`, `username:`, `id:` or
    /// `number:` is read in that way alone, also where somebody is called that.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn accounts_meant(&self, realm: &Realm, named: &str) -> Result<Vec<Account>> {
        let is = |profile: &Option<String>, typed: &str| {
            let ours = profile.as_deref().map(Canonical::of);
            ours.is_some_and(|ours| ours == Canonical::of(typed))
        };
        let (form, rest) = named.split_once(':').unwrap_or(("", named));
        let readings = match &*form.to_ascii_lowercase() {
            "email" => {
                let found = self.account_called(realm, rest).await?;
                [found.filter(|account| is(&account.profile.email, rest)), None, None]
            }
            "username" => {
                let found = self.account_called(realm, rest).await?;
                [found.filter(|account| is(&account.profile.username, rest)), None, None]
            }
            "id" => [self.account_with_id(realm, rest).await?, None, None],
            "number" => [self.account_numbered(realm, rest).await?, None, None],
            _ => [
                self.account_called(realm, named).await?,
                self.account_with_id(realm, named).await?,
                self.account_numbered(realm, named).await?,
            ],
        };
        let mut meant: Vec<Account> = Vec::new();
        for account in readings.into_iter().flatten() {
            if meant.iter().all(|other| other.id != account.id) {
                meant.push(account);
            }
        }
        Ok(meant)
    }

    async fn account_called(&self, realm: &Realm, typed: &str) -> Result<Option<Account>> {
        let canonical = Canonical::of(typed);
        let found = self.store.account_by_identifier(realm.id, &canonical).await?;
        Ok(found.map(|(account, _)| account))
    }

    async fn account_with_id(&self, realm: &Realm, typed: &str) -> Result<Option<Account>> {
        let Ok(id) = Uuid::parse_str(typed) else {
            return Ok(None);
        };
        let account = self.store.account(AccountId(id)).await?;
        Ok(account.filter(|account| account.realm == realm.id))
    }

    async fn account_numbered(&self, realm: &Realm, typed: &str) -> Result<Option<Account>> {
        let Some(number) = typed.parse::<i64>().ok().filter(|number| *number > 0) else {
            return Ok(None);
        };
        let next = self.store.list_accounts(realm.id, number - 1, 1).await?;
        Ok(next.into_iter().find(|account| account.number == number))
    }

    /// Keeps an account from signing in and ends its sessions. False when it does not exist.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn disable_account(&self, id: AccountId) -> Result<bool> {
        let ended = self.store.disable_account(id, self.clock.now()).await?;
        Ok(self.settle(Event::AccountDisabled, id, ended))
    }

    /// Lets an account sign in again. False when it does not exist.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn enable_account(&self, id: AccountId) -> Result<bool> {
        let ended = self.store.enable_account(id).await?.then(Vec::new);
        Ok(self.settle(Event::AccountEnabled, id, ended))
    }

    /// Sets another password and ends the account's sessions. False when it does not exist.
    ///
    /// # Errors
    /// When the store cannot answer or the hash pool is full.
    pub async fn reset_password(&self, id: AccountId, password: &Secret) -> Result<bool> {
        let hash = self.hash_for_operator(password).await?;
        let ended = self.store.replace_password(id, None, hash, None).await?;
        Ok(self.settle(Event::PasswordChanged, id, ended))
    }

    /// Ends the account's sessions. Answers how many there were.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn end_sessions(&self, id: AccountId) -> Result<usize> {
        let ended = self.store.end_sessions(id, None).await?;
        let count = ended.len();
        self.settle(Event::SessionsEnded, id, Some(ended));
        Ok(count)
    }

    /// Ends every session there is, or every one of a realm, in portions: `between` is called after each but the last
    /// with how many have ended and the session up to which all have, and whoever else wants to write gets along while
    /// it waits. Answers how many have ended. A session that is opened meanwhile may stay; who was interrupted begins
    /// anew.
    ///
    /// # Errors
    /// When the store cannot answer. What has ended by then stays so.
    pub async fn end_all_sessions(
        &self,
        realm: Option<&Realm>,
        mut between: impl AsyncFnMut(usize, SessionId),
    ) -> Result<usize> {
        let (mut after, mut count) = (None, 0);
        let id = realm.map(|realm| realm.id);
        let outcome = loop {
            let portion = self.store.end_next_sessions(after, id, PORTION);
            let (ended, next) = match portion.await {
                Ok(portion) => portion,
                Err(error) => break Err(error),
            };
            self.ended(&ended);
            count += ended.len();
            let Some(last) = next else { break Ok(count) };
            after = next;
            between(count, last).await;
        };
        // Also of those that ended before it failed.
        let event = outcome
            .as_ref()
            .map_or(Event::SessionsEnded, |_| Event::AllSessionsEnded);
        record_all(event, realm, count);
        outcome
    }

    /// Deletes an account and ends its sessions. False when it does not exist.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn delete_account(&self, id: AccountId) -> Result<bool> {
        let ended = self.store.delete_account(id, None).await?;
        Ok(self.settle(Event::AccountDeleted, id, ended))
    }

    /// Makes a client, with a secret that nobody will be able to show again.
    ///
    /// # Errors
    /// When the store cannot answer or there are no random bytes.
    pub async fn add_client(&self, name: &str) -> Result<(ClientId, ClientSecret)> {
        let secret = ClientSecret::generate()?;
        let created_at = self.clock.now();
        let id = ClientId(random::uuid(created_at)?);
        let client = Client {
            id,
            name: name.to_owned(),
            secret_hash: secret.hash(),
            created_at,
        };
        self.store.add_client(client).await?;
        record_client(Event::ClientAdded, id, None, None);
        Ok((id, secret))
    }

    /// Forgets a client. No server accepts its secret a second later. False when there is none.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn remove_client(&self, id: ClientId) -> Result<bool> {
        let removed = self.store.remove_client(id).await?;
        if removed {
            record_client(Event::ClientRemoved, id, None, None);
        }
        Ok(removed)
    }

    fn settle(&self, event: Event, id: AccountId, ended: Option<Vec<EndedSession>>) -> bool {
        let Some(ended) = ended else {
            return false;
        };
        self.ended(&ended);
        record(event, Some(id), None, None);
        true
    }
}
