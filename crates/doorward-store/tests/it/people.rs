//! Who the tests are about: accounts, their sessions and clients, and the times they live in.

use std::time::Duration;

use doorward_core::account::{Account, AccountId, Profile};
use doorward_core::identifier::Canonical;
use doorward_core::realm::Realm;
use doorward_core::secret::PasswordHash;
use doorward_core::session::{Client, EndedSession, NewSession, Session, SessionId};
use doorward_core::store::{NewAccount, Opened, Store, Written};
use doorward_core::{Timestamp, random};

/// When everything happens, unless a test says otherwise.
pub const NOW: Timestamp = Timestamp(1_800_000_000_000);

/// How long a session of these people lives, in milliseconds.
pub const HOUR: i64 = 3_600_000;

/// A minute of it.
pub const MINUTE: i64 = 60_000;

/// Longer than any session lives here.
pub const AGES: Duration = Duration::from_hours(365 * 24);

/// More sessions than anybody here has.
pub const MANY: usize = 1_000;

/// So many milliseconds after [`NOW`].
pub fn later(milliseconds: i64) -> Timestamp {
    Timestamp(NOW.0 + milliseconds)
}

pub fn hash(text: &str) -> PasswordHash {
    PasswordHash::new(text.to_owned())
}

/// The hash of everybody's first password.
pub fn first_hash() -> PasswordHash {
    hash("$argon2id$first")
}

/// A client, different for each number.
pub fn client(number: u8) -> Client {
    Client {
        address: Some([192, 0, 2, number].into()),
        user_agent: "Mozilla/5.0".into(),
    }
}

/// Somebody with an e-mail address and nothing else.
pub fn person(realm: &Realm, email: &str) -> NewAccount {
    NewAccount {
        id: AccountId(random::uuid(NOW).unwrap()),
        realm: realm.id,
        profile: Profile {
            email: Some(email.to_owned()),
            ..Profile::default()
        },
        password_hash: first_hash(),
        created_at: NOW,
    }
}

/// A session from [`NOW`] for an [`HOUR`], and so its access token, without refresh tokens.
pub fn session(account: AccountId) -> NewSession {
    let session = Session {
        id: SessionId(random::uuid(NOW).unwrap()),
        account,
        client: client(1),
        created_at: NOW,
        used_at: NOW,
        expires_at: later(HOUR),
        access_until: later(HOUR),
        status_index: None,
    };
    NewSession {
        session,
        refresh_hash: None,
    }
}

/// Registers somebody who must be free to register.
pub async fn register(store: &dyn Store, realm: &Realm, email: &str) -> Account {
    done(store.create_account(person(realm, email), None).await.unwrap())
}

/// Opens a session that must be allowed; its id.
pub async fn sign_in(store: &dyn Store, account: AccountId) -> SessionId {
    let new = session(account);
    let id = new.session.id;
    assert!(open(store, new, &first_hash()).await);
    id
}

/// Whether a session may be opened; it is, if it may. There may be many.
pub async fn open(store: &dyn Store, new: NewSession, hash: &PasswordHash) -> bool {
    store.open_session(new, hash, MANY).await.unwrap() != Opened::Refused
}

pub async fn find(store: &dyn Store, realm: &Realm, identifier: &str) -> Option<Account> {
    let found = store
        .account_by_identifier(realm.id, &Canonical::of(identifier))
        .await
        .unwrap();
    found.map(|(account, _)| account)
}

/// The ids of the sessions that live at [`NOW`], the one used last first.
pub async fn living(store: &dyn Store, account: AccountId) -> Vec<SessionId> {
    store
        .list_sessions(account, NOW, 1000)
        .await
        .unwrap()
        .iter()
        .map(|session| session.id)
        .collect()
}

/// Which sessions these are, in an order of their own.
pub fn sorted(ended: &[EndedSession]) -> Vec<SessionId> {
    let mut ids: Vec<_> = ended.iter().map(|ended| ended.session).collect();
    ids.sort_by_key(|id| id.0);
    ids
}

pub fn done(written: Written) -> Account {
    match written {
        Written::Done(account) => account,
        other => panic!("not done: {other:?}"),
    }
}
