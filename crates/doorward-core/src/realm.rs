//! Realms: populations of accounts. Identifiers are unique within one; a token of one means nothing in another.

/// The number of a realm in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RealmId(pub i64);

/// A population of accounts. Its name is the audience (`aud`) of its tokens.
#[derive(Clone, Debug)]
pub struct Realm {
    /// The number in the store.
    pub id: RealmId,
    /// The name in contracts and tokens.
    pub name: String,
}

/// The realm of every contract that does not say otherwise.
pub const DEFAULT_REALM: &str = "main";
