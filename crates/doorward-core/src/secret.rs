//! Values that nothing may print or compare with `==`.

use std::fmt;

use zeroize::Zeroizing;

/// A secret text: a password, a token, a signing secret. Prints as `(..)`, has no `PartialEq`, and is wiped
/// when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text over.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text itself. Every call is a place to look at twice.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(..)")
    }
}

/// A stored password hash in PHC or modular crypt format. Not a password, but worth as much to a thief.
#[derive(Clone)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Takes a hash as it is stored.
    pub fn new(phc: String) -> Self {
        Self(phc)
    }

    /// The stored form, for the store and the hasher.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_print_nothing() {
        let secret = Secret::new("hunter2".into());
        assert_eq!(format!("{secret:?}"), "(..)");
        assert_eq!(format!("{:?}", PasswordHash::new("$argon2id$".into())), "(..)");
        assert_eq!(secret.expose(), "hunter2");
    }
}
