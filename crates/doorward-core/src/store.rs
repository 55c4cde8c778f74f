//! What has to be remembered, as intentions.
//!
//! Each method is one whole transaction: it happened durably or it did not happen. The surprise: nothing
//! here checks first and writes after; a unique index or a condition in the write decides, and the answer
//! says how.

use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;

use crate::account::{Account, AccountId, Profile, ProfileChange};
use crate::client::{Client, ClientId};
use crate::identifier::{Canonical, IdentifierKind};
use crate::introspection::Refreshable;
use crate::key::{KeyId, StoredKey};
use crate::realm::{Realm, RealmId};
use crate::refresh::{Rotation, RotationOutcome};
use crate::secret::PasswordHash;
use crate::session::{EndedSession, NewSession, Session, SessionId};
use crate::status_list::StatusIndex;
use crate::{Result, Timestamp};

/// An account to create. The store assigns the number.
#[derive(Debug)]
pub struct NewAccount {
    /// The id; the creation time is `created_at`.
    pub id: AccountId,
    /// The realm.
    pub realm: RealmId,
    /// Identifiers, names, attributes. At least one identifier.
    pub profile: Profile,
    /// The hash of the password.
    pub password_hash: PasswordHash,
    /// When.
    pub created_at: Timestamp,
}

/// What became of an account that was to be written.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every one is `Done`: a box would cost more than it saves"
)]
pub enum Written {
    /// It is stored.
    Done(Account),
    /// An identifier belongs to another account of the realm; nothing is stored.
    Taken(IdentifierKind),
    /// There is no such account (any more), or its password is not the one that the change was based on.
    Gone,
}

/// What became of a session that was to be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// It is open.
    Done,
    /// It is open, and the account has more sessions now than it may have.
    OverLimit,
    /// The account is gone or disabled, or its password is not the one that was checked; nothing is stored.
    Refused,
}

/// The password that an account had before a change, verified or, where a contract does not ask for it, only read:
/// nothing is changed unless it still is the account's.
#[derive(Debug)]
pub struct Confirmation {
    /// Its hash.
    pub hash: PasswordHash,
    /// What takes its place, if anything does.
    pub replacement: Option<PasswordChange>,
}

/// A new password.
#[derive(Debug)]
pub struct PasswordChange {
    /// The hash to keep from now on.
    pub new: PasswordHash,
    /// The session that goes on; all others end.
    pub keep: SessionId,
}

/// The most sessions that [`Store::end_excess_sessions`] ends: whoever has more by far loses them over several logins, so
/// that none of these holds up the writer.
pub const MAX_EXCESS: usize = 1_000;

/// Resolves when another process may have changed something: see [`Store::told`].
pub type Told = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Remembers. One implementation per engine, and one story that all of them pass.
///
/// # Errors
/// Every method fails with [`crate::Error::Unavailable`] when the engine cannot answer now and with
/// [`crate::Error::Internal`] when it answered nonsense; in both cases nothing was written, but for one: when the
/// engine is another machine and the way there breaks before its answer, nobody knows (`Unavailable`).
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// The realm of this name, made if it is new.
    async fn ensure_realm(&self, name: &str) -> Result<Realm>;
    /// Up to `limit` realms, in the order in which they were made.
    async fn list_realms(&self, limit: usize) -> Result<Vec<Realm>>;

    /// Creates an account and, in the same transaction, its first session. Never answers [`Written::Gone`].
    async fn create_account(&self, new: NewAccount, session: Option<NewSession>) -> Result<Written>;
    /// The account, if it exists.
    async fn account(&self, id: AccountId) -> Result<Option<Account>>;
    /// The account and its password hash.
    async fn account_with_password(&self, id: AccountId) -> Result<Option<(Account, PasswordHash)>>;
    /// The account that this identifier, e-mail address or username, belongs to, and its password hash.
    async fn account_by_identifier(
        &self,
        realm: RealmId,
        identifier: &Canonical,
    ) -> Result<Option<(Account, PasswordHash)>>;
    /// Up to `limit` accounts of a realm with numbers above `after`, in the order of numbers.
    async fn list_accounts(&self, realm: RealmId, after: i64, limit: usize) -> Result<Vec<Account>>;
    /// Applies the change to the account's profile ([`ProfileChange::apply`]) and replaces the password, if one
    /// comes along: both or neither. [`Written::Gone`] also when the password is not the one that was confirmed.
    /// Answers the sessions that ended, too.
    async fn update_account(
        &self,
        id: AccountId,
        change: ProfileChange,
        confirmed: Option<Confirmation>,
        at: Timestamp,
    ) -> Result<(Written, Vec<EndedSession>)>;
    /// Replaces the password if it still is `expected` (if given) and ends every session but `keep`.
    /// `None` when the account is gone or its password is another one by now.
    async fn replace_password(
        &self,
        id: AccountId,
        expected: Option<&PasswordHash>,
        new: PasswordHash,
        keep: Option<SessionId>,
    ) -> Result<Option<Vec<EndedSession>>>;
    /// Replaces the hash of the same password by a stronger one, if it still is `expected`.
    async fn upgrade_password_hash(&self, id: AccountId, expected: &PasswordHash, new: PasswordHash) -> Result<()>;
    /// Disables the account and ends its sessions. `None` when there is no such account.
    async fn disable_account(&self, id: AccountId, at: Timestamp) -> Result<Option<Vec<EndedSession>>>;
    /// Enables the account. False when there is no such account.
    async fn enable_account(&self, id: AccountId) -> Result<bool>;
    /// Deletes the account, if its password still is `expected` (if given), and everything of it but the memory of
    /// its ended sessions. `None` when the account is gone or its password is another one by now.
    async fn delete_account(&self, id: AccountId, expected: Option<&PasswordHash>)
    -> Result<Option<Vec<EndedSession>>>;

    /// Opens a session, if the account is enabled and its password still is `password_hash`: a login must not
    /// outrun the change that was to shut it out. Says whether the account has more than `limit` sessions then, those
    /// among them that have expired and are not forgotten yet; logins at the same time may not see each other.
    async fn open_session(&self, new: NewSession, password_hash: &PasswordHash, limit: usize) -> Result<Opened>;
    /// Whether a session lives: it has neither ended nor expired. For those who cannot ask memory.
    async fn session_lives(&self, id: SessionId, now: Timestamp) -> Result<bool>;
    /// Up to `limit` living sessions of an account, the one used last first.
    async fn list_sessions(&self, account: AccountId, now: Timestamp, limit: usize) -> Result<Vec<Session>>;
    /// Lets a living session live until `expires_at`, but no longer than `lifetime` from its opening, and its access
    /// tokens until `access_until`, if that is later, and answers it as it is then. `None` when it has ended or
    /// expired, or was opened that long ago.
    async fn extend_session(
        &self,
        id: SessionId,
        expires_at: Timestamp,
        access_until: Timestamp,
        lifetime: Duration,
        now: Timestamp,
    ) -> Result<Option<Session>>;
    /// Ends one session of an account, if it lives. `None` when it does not (or is somebody else's).
    async fn end_session(&self, id: SessionId, account: AccountId, at: Timestamp) -> Result<Option<EndedSession>>;
    /// Ends every session of an account but `keep`, those that have expired among them: by another clock they may live.
    async fn end_sessions(&self, account: AccountId, keep: Option<SessionId>) -> Result<Vec<EndedSession>>;
    /// Ends sessions of an account until it has `limit`, `newest` among them: first those that have expired, then those
    /// that were used last the longest ago; not more than [`MAX_EXCESS`] at a time.
    /// One that somebody uses in this moment may stay, or end all the same.
    async fn end_excess_sessions(
        &self,
        account: AccountId,
        newest: SessionId,
        limit: usize,
        at: Timestamp,
    ) -> Result<Vec<EndedSession>>;
    /// Ends sessions of all accounts, or of those of a realm, among the next `limit` after `after` in the order of ids,
    /// which is that of their opening, and those that have expired among them. Answers after which to go on as well; `None`
    /// when there are no more.
    async fn end_next_sessions(
        &self,
        after: Option<SessionId>,
        realm: Option<RealmId>,
        limit: usize,
    ) -> Result<(Vec<EndedSession>, Option<SessionId>)>;
    /// Up to `limit` endings after `sequence`, in order.
    async fn ended_sessions(&self, sequence: i64, limit: usize) -> Result<Vec<EndedSession>>;
    /// Takes a presented refresh token for its successor.
    async fn rotate_refresh_token(&self, rotation: Rotation) -> Result<RotationOutcome>;
    /// The living session of that id, if it has refresh tokens.
    async fn refreshable(&self, id: SessionId, now: Timestamp) -> Result<Option<Refreshable>>;
    /// Remembers that from now on what is dead by age at `until` may be forgotten, if no later moment is remembered. It
    /// has to be, before anything is forgotten.
    async fn forget_until(&self, until: Timestamp) -> Result<()>;
    /// The latest moment for which anybody has asked that: what was dead by age then, by a clock that may have been
    /// ahead, may be forgotten. The beginning of time if nobody has.
    async fn forgotten_until(&self) -> Result<Timestamp>;
    /// Forgets sessions whose every token is dead by age at `now`, at most `limit`. Answers how many.
    async fn purge_sessions(&self, now: Timestamp, limit: usize) -> Result<usize>;
    /// Forgets endings of sessions whose every access token is dead by age at `now`, at most `limit`, of those with a
    /// sequence below `below`. The last ending is kept all the same, so that whoever has read it finds it again. Answers
    /// how many.
    async fn purge_ended_sessions(&self, now: Timestamp, below: i64, limit: usize) -> Result<usize>;

    /// Reserves so many places in the status lists and answers the first of them. Nobody is given one twice.
    async fn reserve_status_indices(&self, count: i64) -> Result<i64>;
    /// The place after the last that is reserved.
    async fn reserved_status_indices(&self) -> Result<i64>;
    /// The places from `from` up to `to`, without it, whose sessions have ended; at most one for each.
    async fn ended_status_indices(&self, from: i64, to: i64) -> Result<Vec<StatusIndex>>;

    /// All signing keys, the newest first.
    async fn signing_keys(&self) -> Result<Vec<StoredKey>>;
    /// Adds a key, if the newest key still is `newest`; otherwise somebody else was
    /// first and false is answered.
    async fn add_signing_key(&self, key: StoredKey, newest: Option<&KeyId>) -> Result<bool>;
    /// Forgets a key, if a newer one was added at `added_by` or before. So the newest key is never forgotten. False
    /// when there is none of this id as well.
    async fn remove_signing_key(&self, id: &KeyId, added_by: Timestamp) -> Result<bool>;
    /// Forgets keys whose successor was added before `superseded_before`: no token of theirs can be alive.
    async fn purge_signing_keys(&self, superseded_before: Timestamp) -> Result<usize>;
    /// The server's secret of this name: `candidate` if there was none yet.
    async fn server_secret(&self, name: &str, candidate: [u8; 32]) -> Result<[u8; 32]>;

    /// Adds a client. Its id is new.
    async fn add_client(&self, client: Client) -> Result<()>;
    /// The client, if there is one.
    async fn client(&self, id: ClientId) -> Result<Option<Client>>;
    /// Up to `limit` clients with ids after `after`, in the order of ids, which is that of their making.
    async fn list_clients(&self, after: Option<ClientId>, limit: usize) -> Result<Vec<Client>>;
    /// Forgets a client. False when there is none.
    async fn remove_client(&self, id: ClientId) -> Result<bool>;

    /// Answers when the store can, having read and written.
    async fn ready(&self) -> Result<()>;

    /// Waits until another process may have ended a session, or added or removed a key: it said so, or could have said
    /// so unheard. What is said while nobody waits is remembered for the next who does; one at a time may wait. Holds
    /// nothing of the store, and never resolves where processes cannot tell each other, so whoever waits looks from
    /// time to time as well. Has to be called within a Tokio runtime.
    fn told(&self) -> Told;
}
