//! Accounts: people in a realm.

use std::fmt;

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::Timestamp;
use crate::realm::RealmId;

/// The id of an account: a UUIDv7, the `sub` of its tokens. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId(pub Uuid);

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The account's id in the manner of MongoDB: 12 bytes, shown as 24 hex digits, the first four bytes the
/// creation time in seconds. Stored once, so that people who arrive with one keep it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectId(pub [u8; 12]);

impl ObjectId {
    /// The object id of an account made at `at`: the time, then the random tail of its UUID.
    pub fn new(id: AccountId, at: Timestamp) -> Self {
        let mut bytes = [0; 12];
        let seconds = u32::try_from(at.seconds()).unwrap_or(u32::MAX);
        bytes[..4].copy_from_slice(&seconds.to_be_bytes());
        bytes[4..].copy_from_slice(&id.0.as_bytes()[8..]);
        Self(bytes)
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What an account says about its person, all optional. Also what a registration brings.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// The e-mail address as typed.
    pub email: Option<String>,
    /// The username as typed.
    pub username: Option<String>,
    /// The first name.
    pub first_name: Option<String>,
    /// The last name.
    pub last_name: Option<String>,
    /// Free attributes that contracts declare (`bio`, `image`, …).
    pub attributes: Map<String, Value>,
}

/// A change of a profile. What is not named stays.
#[derive(Clone, Debug, Default)]
pub struct ProfileChange {
    /// A new e-mail address; it can be replaced, not removed.
    pub email: Option<String>,
    /// A new username; it can be replaced, not removed.
    pub username: Option<String>,
    /// A new first name, or none any more.
    pub first_name: Option<Option<String>>,
    /// A new last name, or none any more.
    pub last_name: Option<Option<String>>,
    /// Attributes to set; `null` removes one.
    pub attributes: Map<String, Value>,
}

impl ProfileChange {
    /// Changes `profile`.
    pub fn apply(self, profile: &mut Profile) {
        if self.email.is_some() {
            profile.email = self.email;
        }
        if self.username.is_some() {
            profile.username = self.username;
        }
        if let Some(first_name) = self.first_name {
            profile.first_name = first_name;
        }
        if let Some(last_name) = self.last_name {
            profile.last_name = last_name;
        }
        for (name, value) in self.attributes {
            if value.is_null() {
                profile.attributes.shift_remove(&name);
            } else {
                profile.attributes.insert(name, value);
            }
        }
    }
}

/// A person in a realm.
#[derive(Clone, Debug)]
pub struct Account {
    /// The UUIDv7.
    pub id: AccountId,
    /// The realm it lives in.
    pub realm: RealmId,
    /// 1, 2, … within the realm, in the order of registration, never reused.
    pub number: i64,
    /// The 24-hex id.
    pub object_id: ObjectId,
    /// Identifiers, names, attributes.
    pub profile: Profile,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When identifiers, names or attributes last changed.
    pub updated_at: Timestamp,
    /// Since when it may not sign in.
    pub disabled_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_id_begins_with_the_time() {
        let id = AccountId(Uuid::from_bytes([0xab; 16]));
        let shown = ObjectId::new(id, Timestamp(1_719_130_791_000)).to_string();
        assert_eq!(shown.len(), 24);
        assert_eq!(shown, format!("{:08x}abababababababab", 1_719_130_791_u32));
    }

    #[test]
    fn a_change_leaves_alone_what_it_does_not_name() {
        let mut profile = Profile {
            email: Some("a@b.co".into()),
            first_name: Some("Ann".into()),
            last_name: Some("Lee".into()),
            ..Profile::default()
        };
        profile.attributes.insert("bio".into(), "x".into());
        let mut change = ProfileChange {
            last_name: Some(None),
            ..ProfileChange::default()
        };
        change.attributes.insert("bio".into(), Value::Null);
        change.attributes.insert("image".into(), "y".into());
        change.apply(&mut profile);
        assert_eq!(profile.email.as_deref(), Some("a@b.co"));
        assert_eq!(profile.first_name.as_deref(), Some("Ann"));
        assert_eq!(profile.last_name, None);
        assert_eq!(Value::Object(profile.attributes), serde_json::json!({"image": "y"}));
    }
}
