//! The store's methods, each one line: a write handed to the writer or a read made here.
//!
//! The surprise: the reads await nothing, and what any method does stands in the file of its noun.

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

use super::{Sqlite, account, client, forgotten, key, probe, realm, refresh, session, status_list};

#[async_trait]
impl Store for Sqlite {
    async fn ensure_realm(&self, name: &str) -> Result<Realm> {
        let name = name.to_owned();
        self.writer.write(move |db| realm::ensure(db, &name)).await
    }

    async fn list_realms(&self, limit: usize) -> Result<Vec<Realm>> {
        self.readers.read(|db| realm::list(db, limit))
    }

    async fn create_account(&self, new: NewAccount, session: Option<NewSession>) -> Result<Written> {
        self.writer
            .write(move |db| account::create(db, new, session.as_ref()))
            .await
    }

    async fn account(&self, id: AccountId) -> Result<Option<Account>> {
        self.readers.read(|db| account::find(db, &self.rowids, id))
    }

    async fn account_with_password(&self, id: AccountId) -> Result<Option<(Account, PasswordHash)>> {
        self.readers.read(|db| account::find_with_password(db, id))
    }

    async fn account_by_identifier(
        &self,
        realm: RealmId,
        identifier: &Canonical,
    ) -> Result<Option<(Account, PasswordHash)>> {
        self.readers
            .read(|db| account::find_by_identifier(db, realm, identifier))
    }

    async fn list_accounts(&self, realm: RealmId, after: i64, limit: usize) -> Result<Vec<Account>> {
        self.readers.read(|db| account::list(db, realm, after, limit))
    }

    async fn update_account(
        &self,
        id: AccountId,
        change: ProfileChange,
        confirmed: Option<Confirmation>,
        at: Timestamp,
    ) -> Result<(Written, Vec<EndedSession>)> {
        self.writer
            .write(move |db| account::update(db, id, change, confirmed, at))
            .await
    }

    async fn replace_password(
        &self,
        id: AccountId,
        expected: Option<&PasswordHash>,
        new: PasswordHash,
        keep: Option<SessionId>,
    ) -> Result<Option<Vec<EndedSession>>> {
        let expected = expected.cloned();
        self.writer
            .write(move |db| account::replace_password(db, id, expected.as_ref(), &new, keep))
            .await
    }

    async fn upgrade_password_hash(&self, id: AccountId, expected: &PasswordHash, new: PasswordHash) -> Result<()> {
        let expected = expected.clone();
        self.writer
            .write(move |db| account::replace_hash(db, id, Some(&expected), &new).map(drop))
            .await
    }

    async fn disable_account(&self, id: AccountId, at: Timestamp) -> Result<Option<Vec<EndedSession>>> {
        self.writer.write(move |db| account::disable(db, id, at)).await
    }

    async fn enable_account(&self, id: AccountId) -> Result<bool> {
        self.writer.write(move |db| account::enable(db, id)).await
    }

    async fn delete_account(
        &self,
        id: AccountId,
        expected: Option<&PasswordHash>,
    ) -> Result<Option<Vec<EndedSession>>> {
        let expected = expected.cloned();
        self.writer
            .write(move |db| account::delete(db, id, expected.as_ref()))
            .await
    }

    async fn open_session(&self, new: NewSession, password_hash: &PasswordHash, limit: usize) -> Result<Opened> {
        let password_hash = password_hash.clone();
        self.writer
            .write_plain(move |db| session::open(db, &new, &password_hash, limit))
            .await
    }

    async fn session_lives(&self, id: SessionId, now: Timestamp) -> Result<bool> {
        self.readers.read(|db| session::lives(db, id, now))
    }

    async fn list_sessions(&self, account: AccountId, now: Timestamp, limit: usize) -> Result<Vec<Session>> {
        self.readers.read(|db| session::list(db, account, now, limit))
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
        self.writer
            .write(move |db| session::extend(db, id, until, lifetime, now))
            .await
    }

    async fn end_session(&self, id: SessionId, account: AccountId, at: Timestamp) -> Result<Option<EndedSession>> {
        self.writer
            .write_plain(move |db| session::end(db, id, account, at))
            .await
    }

    async fn end_sessions(&self, account: AccountId, keep: Option<SessionId>) -> Result<Vec<EndedSession>> {
        self.writer.write(move |db| session::end_all(db, account, keep)).await
    }

    async fn end_excess_sessions(
        &self,
        account: AccountId,
        newest: SessionId,
        limit: usize,
        at: Timestamp,
    ) -> Result<Vec<EndedSession>> {
        self.writer
            .write(move |db| session::end_excess(db, account, newest, limit, at))
            .await
    }

    async fn end_next_sessions(
        &self,
        after: Option<SessionId>,
        realm: Option<RealmId>,
        limit: usize,
    ) -> Result<(Vec<EndedSession>, Option<SessionId>)> {
        self.writer
            .write(move |db| session::end_next(db, after, realm, limit))
            .await
    }

    async fn ended_sessions(&self, sequence: i64, limit: usize) -> Result<Vec<EndedSession>> {
        self.readers.read(|db| session::ended(db, sequence, limit))
    }

    async fn rotate_refresh_token(&self, rotation: Rotation) -> Result<RotationOutcome> {
        self.writer.write_plain(move |db| refresh::rotate(db, &rotation)).await
    }

    async fn refreshable(&self, id: SessionId, now: Timestamp) -> Result<Option<Refreshable>> {
        self.readers.read(|db| refresh::refreshable(db, id, now))
    }

    async fn forget_until(&self, until: Timestamp) -> Result<()> {
        self.writer.write(move |db| forgotten::raise(db, until)).await
    }

    async fn forgotten_until(&self) -> Result<Timestamp> {
        self.readers.read(forgotten::until)
    }

    async fn purge_sessions(&self, now: Timestamp, limit: usize) -> Result<usize> {
        let from = *self.sessions_walk.lock();
        let walk = self.walk_on(from, limit, |db, after, most| session::expired(db, after, now, most));
        let (expired, next) = walk.await?;
        let purged = self.writer.write(move |db| session::purge(db, &expired, now)).await?;
        *self.sessions_walk.lock() = next;
        Ok(purged)
    }

    async fn purge_ended_sessions(&self, now: Timestamp, below: i64, limit: usize) -> Result<usize> {
        let from = *self.endings_walk.lock();
        let walk = self.walk_on(from, limit, |db, after, most| {
            session::expired_endings(db, after, now, most)
        });
        let (mut expired, next) = walk.await?;
        // The walk comes by again.
        expired.retain(|sequence| *sequence < below);
        let purged = self.writer.write(move |db| session::purge_ended(db, &expired)).await?;
        *self.endings_walk.lock() = next;
        Ok(purged)
    }

    async fn reserve_status_indices(&self, count: i64) -> Result<i64> {
        self.writer.write(move |db| status_list::reserve(db, count)).await
    }

    async fn reserved_status_indices(&self) -> Result<i64> {
        self.readers.read(status_list::reserved)
    }

    async fn ended_status_indices(&self, from: i64, to: i64) -> Result<Vec<StatusIndex>> {
        self.readers.read(|db| status_list::ended(db, from, to))
    }

    async fn signing_keys(&self) -> Result<Vec<StoredKey>> {
        self.readers.read(key::list)
    }

    async fn add_signing_key(&self, key: StoredKey, newest: Option<&KeyId>) -> Result<bool> {
        let newest = newest.cloned();
        self.writer.write(move |db| key::add(db, &key, newest.as_ref())).await
    }

    async fn remove_signing_key(&self, id: &KeyId, added_by: Timestamp) -> Result<bool> {
        let id = id.clone();
        self.writer.write(move |db| key::remove(db, &id, added_by)).await
    }

    async fn purge_signing_keys(&self, superseded_before: Timestamp) -> Result<usize> {
        self.writer.write(move |db| key::purge(db, superseded_before)).await
    }

    async fn server_secret(&self, name: &str, candidate: [u8; 32]) -> Result<[u8; 32]> {
        let name = name.to_owned();
        self.writer.write(move |db| key::secret(db, &name, candidate)).await
    }

    async fn add_client(&self, new: Client) -> Result<()> {
        self.writer.write(move |db| client::add(db, &new)).await
    }

    async fn client(&self, id: ClientId) -> Result<Option<Client>> {
        self.readers.read(|db| client::find(db, id))
    }

    async fn list_clients(&self, after: Option<ClientId>, limit: usize) -> Result<Vec<Client>> {
        self.readers.read(|db| client::list(db, after, limit))
    }

    async fn remove_client(&self, id: ClientId) -> Result<bool> {
        self.writer.write(move |db| client::remove(db, id)).await
    }

    async fn ready(&self) -> Result<()> {
        self.readers
            .read(|db| db.prepare_cached("SELECT 1")?.query_row([], |_| Ok(())))?;
        let value = random::bytes()?;
        self.writer.write_plain(move |db| probe::write(db, value)).await
    }

    fn told(&self) -> Told {
        Box::pin(pending())
    }
}
