//! What an account is found by: the same in every engine.
//!
//! The surprise: no engine asks whether an identifier is free. It inserts what is wanted, and the index says
//! what it got; here is only in which order the rest is named.

use std::collections::BTreeSet;

use doorward_core::account::Profile;
use doorward_core::identifier::{Canonical, IdentifierKind};

/// Each once, with the kind to name when it is taken.
pub(crate) fn identifiers(profile: &Profile) -> impl Iterator<Item = (Canonical, IdentifierKind)> {
    let email = profile.email.as_deref().map(Canonical::of);
    // An account may use its e-mail address as its username; that is one identifier.
    let username = profile
        .username
        .as_deref()
        .map(Canonical::of)
        .filter(|username| email.as_ref() != Some(username));
    let email = email.map(|canonical| (canonical, IdentifierKind::Email));
    let username = username.map(|canonical| (canonical, IdentifierKind::Username));
    email.into_iter().chain(username)
}

/// The canonical forms, in their order.
pub(crate) fn canonicals(profile: &Profile) -> BTreeSet<Canonical> {
    identifiers(profile).map(|(canonical, _)| canonical).collect()
}

/// The first identifier that is not held.
pub(crate) fn first_taken(profile: &Profile, holds: impl Fn(&Canonical) -> bool) -> Option<IdentifierKind> {
    identifiers(profile)
        .find(|(canonical, _)| !holds(canonical))
        .map(|(_, kind)| kind)
}
