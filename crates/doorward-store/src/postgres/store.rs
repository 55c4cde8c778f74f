//! The store's methods, each one line: a read on a shared connection, a write on one of its own, or a transaction.
//!
//! The surprise: what is copied is copied because a transaction may have to be run again, after PostgreSQL has
//! taken it back for the sake of another.

use std::future::pending;
use std::time::Duration;

use async_trait::async_trait;
use doorward_core::account::{Account, AccountId, ProfileChange};
use doorward_core::client::{Client, ClientId};
use doorward_core::identifier::Canonical;
use doorward_core::introspection::Refreshable;
use doorward_core::key::{KeyId, StoredKey};
use doorward_core::realm::{Realm, RealmId};
use doorward_core::refresh::{Rotation, RotationOutcome};
use doorward_core::secret::PasswordHash;
use doorward_core::session::{EndedSession, NewSession, Session, SessionId};
use doorward_core::status_list::StatusIndex;
use doorward_core::store::{Confirmation, NewAccount, Opened, Store, Told, Written};
use doorward_core::{Result, Timestamp, random};

use super::endings::Wanted;
use super::{Postgres, account, client, forgotten, key, probe, realm, refresh, session, status_list};

#[async_trait]
impl Store for Postgres {
    async fn ensure_realm(&self, name: &str) -> Result<Realm> {
        self.write(|link| async move { realm::ensure(&link, name).await }).await
    }

    async fn list_realms(&self, limit: usize) -> Result<Vec<Realm>> {
        realm::list(&self.readers, limit).await
    }

    async fn create_account(&self, new: NewAccount, session: Option<NewSession>) -> Result<Written> {
        let (new, session) = (&new, session.as_ref());
        self.transaction(|link| async move { account::create(&link, new, session).await })
            .await
    }

    async fn account(&self, id: AccountId) -> Result<Option<Account>> {
        let found = self.lookups.account(id).await?;
        Ok(found.map(|(account, _)| account))
    }

    async fn account_with_password(&self, id: AccountId) -> Result<Option<(Account, PasswordHash)>> {
        self.lookups.account(id).await
    }

    async fn account_by_identifier(
        &self,
        realm: RealmId,
        identifier: &Canonical,
    ) -> Result<Option<(Account, PasswordHash)>> {
        account::find_by_identifier(&self.readers, realm, identifier).await
    }

    async fn list_accounts(&self, realm: RealmId, after: i64, limit: usize) -> Result<Vec<Account>> {
        account::list(&self.readers, realm, after, limit).await
    }

    async fn update_account(
        &self,
        id: AccountId,
        change: ProfileChange,
        confirmed: Option<Confirmation>,
        at: Timestamp,
    ) -> Result<(Written, Vec<EndedSession>)> {
        let (change, confirmed) = (&change, confirmed.as_ref());
        let (written, ended) = self
            .transaction(|link| async move { account::update(&link, id, change.clone(), confirmed, at).await })
            .await?;
        self.tell_if(!ended.is_empty()).await;
        Ok((written, ended))
    }

    async fn replace_password(
        &self,
        id: AccountId,
        expected: Option<&PasswordHash>,
        new: PasswordHash,
        keep: Option<SessionId>,
    ) -> Result<Option<Vec<EndedSession>>> {
        let new = &new;
        let ended = self
            .transaction(|link| async move { Ok(account::replace_password(&link, id, expected, new, keep).await?) })
            .await?;
        self.tell_if(has_any(ended.as_deref())).await;
        Ok(ended)
    }

    async fn upgrade_password_hash(&self, id: AccountId, expected: &PasswordHash, new: PasswordHash) -> Result<()> {
        let new = &new;
        self.write(|link| async move { account::replace_hash(&link, id, Some(expected), new).await.map(drop) })
            .await
    }

    async fn disable_account(&self, id: AccountId, at: Timestamp) -> Result<Option<Vec<EndedSession>>> {
        let ended = self
            .transaction(|link| async move { Ok(account::disable(&link, id, at).await?) })
            .await?;
        self.tell_if(has_any(ended.as_deref())).await;
        Ok(ended)
    }

    async fn enable_account(&self, id: AccountId) -> Result<bool> {
        self.write(|link| async move { account::enable(&link, id).await }).await
    }

    async fn delete_account(
        &self,
        id: AccountId,
        expected: Option<&PasswordHash>,
    ) -> Result<Option<Vec<EndedSession>>> {
        let ended = self
            .transaction(|link| async move { Ok(account::delete(&link, id, expected).await?) })
            .await?;
        self.tell_if(has_any(ended.as_deref())).await;
        Ok(ended)
    }

    async fn open_session(&self, new: NewSession, password_hash: &PasswordHash, limit: usize) -> Result<Opened> {
        let new = &new;
        self.write(|link| async move { session::open(&link, new, password_hash, limit).await })
            .await
    }

    async fn session_lives(&self, id: SessionId, now: Timestamp) -> Result<bool> {
        session::lives(&self.readers, id, now).await
    }

    async fn list_sessions(&self, account: AccountId, now: Timestamp, limit: usize) -> Result<Vec<Session>> {
        session::list(&self.readers, account, now, limit).await
    }

    async fn extend_session(
        &self,
        id: SessionId,
        expires_at: Timestamp,
        access_until: Timestamp,
        lifetime: Duration,
        now: Timestamp,
    ) -> Result<Option<Session>> {
        let until = (expires_at, access_until);
        self.write(|link| async move { session::extend(&link, id, until, lifetime, now).await })
            .await
    }

    async fn end_session(&self, id: SessionId, account: AccountId, at: Timestamp) -> Result<Option<EndedSession>> {
        let wanted = Wanted {
            session: id,
            account,
            at,
        };
        let mut ended = self.endings.end(wanted).await?;
        if ended.is_none() {
            ended = self
                .write(|link| async move { session::end(&link, id, account, at).await })
                .await?;
        }
        self.tell_if(ended.is_some()).await;
        Ok(ended)
    }

    async fn end_sessions(&self, account: AccountId, keep: Option<SessionId>) -> Result<Vec<EndedSession>> {
        let ended = self
            .transaction(|link| async move { Ok(session::end_others(&link, account, keep).await?) })
            .await?;
        self.tell_if(!ended.is_empty()).await;
        Ok(ended)
    }

    async fn end_excess_sessions(
        &self,
        account: AccountId,
        newest: SessionId,
        limit: usize,
        at: Timestamp,
    ) -> Result<Vec<EndedSession>> {
        let ended = self
            .transaction(|link| async move { Ok(session::end_excess(&link, account, newest, limit, at).await?) })
            .await?;
        self.tell_if(!ended.is_empty()).await;
        Ok(ended)
    }

    async fn end_next_sessions(
        &self,
        after: Option<SessionId>,
        realm: Option<RealmId>,
        limit: usize,
    ) -> Result<(Vec<EndedSession>, Option<SessionId>)> {
        let (ended, next) = self
            .transaction(|link| async move { Ok(session::end_next(&link, after, realm, limit).await?) })
            .await?;
        self.tell_if(!ended.is_empty()).await;
        Ok((ended, next))
    }

    async fn ended_sessions(&self, sequence: i64, limit: usize) -> Result<Vec<EndedSession>> {
        session::ended(&self.readers, sequence, limit).await
    }

    async fn rotate_refresh_token(&self, rotation: Rotation) -> Result<RotationOutcome> {
        let rotation = &rotation;
        self.write(|link| async move { refresh::rotate(&link, rotation).await })
            .await
    }

    async fn refreshable(&self, id: SessionId, now: Timestamp) -> Result<Option<Refreshable>> {
        refresh::refreshable(&self.readers, id, now).await
    }

    async fn forget_until(&self, until: Timestamp) -> Result<()> {
        self.write(|link| async move { forgotten::raise(&link, until).await })
            .await
    }

    async fn forgotten_until(&self) -> Result<Timestamp> {
        forgotten::until(&self.readers).await
    }

    async fn purge_sessions(&self, now: Timestamp, limit: usize) -> Result<usize> {
        self.write(|link| async move { session::purge(&link, now, limit).await })
            .await
    }

    async fn purge_ended_sessions(&self, now: Timestamp, below: i64, limit: usize) -> Result<usize> {
        self.write(|link| async move { session::purge_ended(&link, now, below, limit).await })
            .await
    }

    async fn reserve_status_indices(&self, count: i64) -> Result<i64> {
        self.write(|link| async move { status_list::reserve(&link, count).await })
            .await
    }

    async fn reserved_status_indices(&self) -> Result<i64> {
        status_list::reserved(&self.readers).await
    }

    async fn ended_status_indices(&self, from: i64, to: i64) -> Result<Vec<StatusIndex>> {
        status_list::ended(&self.readers, from, to).await
    }

    async fn signing_keys(&self) -> Result<Vec<StoredKey>> {
        key::list(&self.readers).await
    }

    async fn add_signing_key(&self, key: StoredKey, newest: Option<&KeyId>) -> Result<bool> {
        let key = &key;
        let added = self
            .write(|link| async move { key::add(&link, key, newest).await })
            .await?;
        self.tell_if(added).await;
        Ok(added)
    }

    async fn remove_signing_key(&self, id: &KeyId, added_by: Timestamp) -> Result<bool> {
        let removed = self
            .write(|link| async move { key::remove(&link, id, added_by).await })
            .await?;
        self.tell_if(removed).await;
        Ok(removed)
    }

    async fn purge_signing_keys(&self, superseded_before: Timestamp) -> Result<usize> {
        self.write(|link| async move { key::purge(&link, superseded_before).await })
            .await
    }

    async fn server_secret(&self, name: &str, candidate: [u8; 32]) -> Result<[u8; 32]> {
        self.write(|link| async move { key::secret(&link, name, candidate).await })
            .await
    }

    async fn add_client(&self, new: Client) -> Result<()> {
        let new = &new;
        self.write(|link| async move { client::add(&link, new).await }).await
    }

    async fn client(&self, id: ClientId) -> Result<Option<Client>> {
        client::find(&self.readers, id).await
    }

    async fn list_clients(&self, after: Option<ClientId>, limit: usize) -> Result<Vec<Client>> {
        client::list(&self.readers, after, limit).await
    }

    async fn remove_client(&self, id: ClientId) -> Result<bool> {
        self.write(|link| async move { client::remove(&link, id).await }).await
    }

    async fn ready(&self) -> Result<()> {
        self.readers.rows("SELECT 1", &[]).await?;
        let value = random::bytes()?;
        self.write(|link| async move { probe::write(&link, value).await }).await
    }

    fn told(&self) -> Told {
        match &self.channel {
            Some(channel) => Box::pin(channel.told()),
            None => Box::pin(pending()),
        }
    }
}

impl Postgres {
    /// What others remember has changed, if something has ended, or a key was added or removed.
    async fn tell_if(&self, changed: bool) {
        if changed {
            self.tell().await;
        }
    }
}

fn has_any(ended: Option<&[EndedSession]>) -> bool {
    ended.is_some_and(|ended| !ended.is_empty())
}
