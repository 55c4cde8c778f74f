//! Identifiers: what a person types to say who they are. Kept as typed, unique by their canonical form.
//!
//! The surprise: e-mail addresses and usernames share one namespace per realm. Otherwise somebody could take
//! `ann@example.com` as a username and be found where Ann types her e-mail address.

use email_address::{EmailAddress, Options};
use unicode_normalization::UnicodeNormalization;

/// The most code points of an e-mail address (RFC 5321 section 4.5.3.1.3 allows a path of 256 octets with
/// its brackets) and of a username.
pub const MAX_IDENTIFIER: usize = 254;

/// Which identifier of an account is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentifierKind {
    /// The e-mail address.
    Email,
    /// The username.
    Username,
}

/// The form by which identifiers are compared: NFC, every letter in lower case, final sigma as sigma.
///
/// Letter by letter and not by `str::to_lowercase`, whose result depends on the neighbours.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Canonical(String);

impl Canonical {
    /// The canonical form of what somebody typed.
    pub fn of(typed: &str) -> Self {
        // All that the rest does to ASCII, of which nearly every identifier is.
        if typed.is_ascii() {
            return Self(typed.to_ascii_lowercase());
        }
        let lower = typed.nfc().flat_map(char::to_lowercase);
        Self(lower.map(|c| if c == 'ς' { 'σ' } else { c }).nfc().collect())
    }

    /// The form as text, for the store's index.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether this is an e-mail address: `local@domain.tld`, no display name, no address literal.
///
/// Names of hosts are of letters, digits and hyphens (RFC 5321 section 4.1.2); letters may be of any script (RFC 6531
/// section 3.3) with the marks that belong to them. The library takes whatever a local part may have.
pub fn is_email(text: &str) -> bool {
    let options = Options::default()
        .without_display_text()
        .without_domain_literal()
        .with_required_tld();
    let of_a_host = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    text.chars().count() <= MAX_IDENTIFIER
        && EmailAddress::parse_with_options(text, options).is_ok_and(|address| address.domain().chars().all(of_a_host))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn letter_case_and_composition_do_not_matter() {
        assert_eq!(Canonical::of("Ann@Example.COM"), Canonical::of("ann@example.com"));
        assert_eq!(Canonical::of("Rene\u{301}"), Canonical::of("REN\u{c9}"));
        assert_eq!(Canonical::of("ΟΔΟΣ"), Canonical::of("οδος"));
        // The sign of Kelvin is no ASCII, and its small letter is.
        assert_eq!(Canonical::of("\u{212a}im"), Canonical::of("KIM"));
        assert_ne!(Canonical::of("ann"), Canonical::of("ann "));
    }

    #[test]
    fn tells_addresses_from_other_text() {
        for good in [
            "a@b.co",
            "john.doe@example.com",
            "a+b@x-y.example",
            "é@example.com",
            "a/b_#@bücher.example",
        ] {
            assert!(is_email(good), "{good}");
        }
        for bad in [
            "",
            "a",
            "a@",
            "@b.co",
            "a@b",
            "a b@c.de",
            "Ann <a@b.co>",
            "a@[127.0.0.1]",
            "a@@b.co",
            " a@b.co",
            "a@exam#ple.com",
            "a@b/c.com",
            "a@my_host.com",
            "a@b.c'o",
        ] {
            assert!(!is_email(bad), "{bad}");
        }
        assert!(!is_email(&format!("{}@example.com", "a".repeat(300))));
    }

    proptest! {
        #[test]
        fn canonical_twice_is_canonical_once(text in "\\PC{0,40}") {
            let once = Canonical::of(&text);
            prop_assert_eq!(Canonical::of(once.as_str()), once);
        }
    }
}
