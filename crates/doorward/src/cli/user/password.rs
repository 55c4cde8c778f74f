//! The password of an account that an operator makes or resets.
//!
//! The surprise: it is never an argument, where every other user of the machine would see it. It comes from a
//! file or standard input, or is made here and printed once.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use doorward_core::account::Profile;
use doorward_core::action::MAX_PASSWORD;
use doorward_core::hasher::{Hasher, PasswordLimit};
use doorward_core::secret::Secret;
use doorward_core::{SetupError, password, random};

use super::super::Failure;
use crate::Config;
use crate::config::layers::one_line;
use crate::printable::shown;

/// Letters and digits of a password that is made here: 32 of them, none easily taken for another one.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// How many of them it has, in groups of five: 100 random bits.
const MADE_LENGTH: usize = 20;

/// The most bytes that are read for a password: as many code points as it may have, of four bytes each, a byte order
/// mark, the end of the line, and a byte that shows that there is more.
const MAX_BYTES: u64 = 4 * MAX_PASSWORD as u64 + 6;

#[derive(Args)]
pub(super) struct PasswordArgs {
    /// File with the password, `-` for standard input [default: one is made and printed]
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// A password to set.
pub(super) struct Chosen {
    /// As it is hashed.
    pub(super) secret: Secret,
    made: bool,
}

impl PasswordArgs {
    /// The password that is named, or one that is made. Warns of one that is easy to guess.
    pub(super) fn choose(&self, config: &Config, hasher: &Hasher, profile: &Profile) -> Result<Chosen, Failure> {
        let Some(path) = &self.password_file else {
            let secret = password::typed(&make()?);
            return Ok(Chosen { secret, made: true });
        };
        let text = read(path).map_err(Failure::usage)?;
        let secret = password::typed(&text);
        let refused = |what: String, hint: &str| Failure::usage(SetupError::new(what, hint));
        if text.is_empty() || text.contains('\0') || text.chars().count() > MAX_PASSWORD {
            let what = format!("a password has 1 to {MAX_PASSWORD} characters, and no NUL");
            return Err(refused(what, "write it into the first line of the file"));
        }
        match hasher.refuses(&secret) {
            Some(PasswordLimit::TooLong { bytes }) => {
                return Err(refused(
                    format!("bcrypt takes no password over {bytes} bytes"),
                    "choose a shorter one",
                ));
            }
            Some(PasswordLimit::Empty | PasswordLimit::Nul) => {
                return Err(refused("bcrypt takes no such password".into(), "choose another one"));
            }
            None => {}
        }
        let known = [
            &profile.email,
            &profile.username,
            &profile.first_name,
            &profile.last_name,
        ];
        let known: Vec<&str> = known.into_iter().filter_map(Option::as_deref).collect();
        let policy = config.passwords().map_err(Failure::usage)?;
        if policy.weakness(&text, &known).is_some() {
            // The operator decides: it can be a trial account, or one that comes from somewhere else.
            let _ = writeln!(io::stderr(), "warning: this password is easy to guess");
        }
        Ok(Chosen { secret, made: false })
    }
}

impl Chosen {
    /// A password that nobody knows yet.
    pub(super) fn to_show(&self) -> Option<&str> {
        self.made.then(|| self.secret.expose())
    }
}

/// The one line of a file or of standard input.
fn read(path: &Path) -> Result<String, SetupError> {
    let mut text = String::new();
    let read = if path.as_os_str() == "-" {
        io::stdin().lock().take(MAX_BYTES).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(MAX_BYTES).read_to_string(&mut text))
    };
    read.map_err(|error| {
        SetupError::new(
            format!("the password file {} cannot be read: {error}", shown(path)),
            "name a file of text in UTF-8, or `-` for standard input",
        )
    })?;
    one_line(&text, path, "password file")
}

/// A password that nobody guesses and everybody can type.
fn make() -> Result<String, Failure> {
    let bytes = random::bytes::<MADE_LENGTH>()?;
    // 256 is a multiple of 32, so each letter is as likely as any other.
    let letters = bytes.iter().filter_map(|byte| ALPHABET.get(usize::from(byte % 32)));
    let mut text = String::with_capacity(MADE_LENGTH + MADE_LENGTH / 5);
    for (position, letter) in letters.enumerate() {
        if position > 0 && position % 5 == 0 {
            text.push('-');
        }
        text.push(char::from(*letter));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use doorward_core::password::PasswordPolicy;

    use super::*;

    #[test]
    fn a_made_password_is_strong_and_never_the_same() {
        let made = |_| make().unwrap_or_else(|_| panic!("no random bytes"));
        let some: BTreeSet<String> = (0..50).map(made).collect();
        assert_eq!(some.len(), 50);
        for password in some {
            assert_eq!(password.len(), 23, "{password}");
            assert_eq!(password.split('-').count(), 4);
            assert_eq!(PasswordPolicy::default().weakness(&password, &[]), None);
        }
    }

    #[test]
    fn a_password_file_is_one_line() {
        let folder = crate::tests::Folder::new("password");
        let path = folder.join("password");
        for (text, password) in [
            ("pass word\n", Some("pass word")),
            ("p\r\n", Some("p")),
            (" p ", Some(" p ")),
            ("\u{feff}p\r\n", Some("p")),
            ("a\nb", None),
            ("p\n\n", None),
            ("p\r", None),
            ("a\rb\n", None),
        ] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(read(&path).ok().as_deref(), password, "{text:?}");
        }
        std::fs::remove_file(&path).unwrap();
        assert!(read(&path).is_err());
    }
}
