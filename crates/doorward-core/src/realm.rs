//! Realms: populations of accounts. Identifiers are unique within one; a token of one means nothing in another.

use crate::SetupError;

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

/// The most code points of a realm's name: it stands in every token.
pub const MAX_REALM_NAME: usize = 128;

/// Refuses what no realm is called.
///
/// # Errors
/// When the name is empty, too long or has a control character.
pub fn check_name(name: &str) -> Result<(), SetupError> {
    if (1..=MAX_REALM_NAME).contains(&name.chars().count()) && !name.contains(char::is_control) {
        return Ok(());
    }
    Err(SetupError::new(
        format!("`{}` is no name for a realm", name.escape_debug()),
        format!("a realm's name has 1 to {MAX_REALM_NAME} characters, and no control characters"),
    ))
}
