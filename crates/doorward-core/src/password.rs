//! What a new password must be (NIST SP 800-63B-4 section 3.1.1.2), and how a typed one becomes a secret.
//!
//! The surprise: no rule asks for digits or signs. Length counts, and not being what an attacker tries first; a long
//! one can be that as well, if it is a short one several times.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;
use zxcvbn::matching::patterns::MatchPattern;
use zxcvbn::{Entropy, zxcvbn};

use crate::SetupError;
use crate::secret::Secret;

#[cfg(test)]
mod tests;

/// The most code points of a password. NIST asks for 64 at least; these are 4 KiB, which hash no slower.
/// More of them, and NUL, are refused where inputs are read.
pub const MAX_PASSWORD_CODE_POINTS: usize = 1024;

/// The most bytes of a blocklist. NIST sees little use in very long ones, because attempts are throttled.
const MAX_BLOCKLIST: u64 = 64 << 20;

/// The most code points that the estimate looks at. It tries every way to read signs as letters, so three milliseconds
/// at 15 code points are 40 at 20 and most of a second at 100; and it costs the caller one request.
const MAX_ESTIMATED: usize = 20;

/// The same for a long password. It has to be more, since half a word behind a whole one is nothing known; a third of a
/// millisecond is usual, and the worst that was found a tenth of a second.
const MAX_LONG_ESTIMATED: usize = 32;

/// The decimal digits of the guesses that a long password has to take at least. Repeats, sequences, walks over
/// the keyboard and a common password twice take one to eight digits; three words in a row take eleven.
const LONG_DIGITS: f64 = 9.0;

/// The same for each code point, where `password_long` is set so low that a password has not the digits above: the
/// estimate says one digit of a code point that is part of nothing known.
const LONG_DIGITS_EACH: f64 = 0.6;

/// The most context words that a password is compared with. More come from long domains only: all else has an input of
/// its own.
const MAX_CONTEXT: usize = 32;

/// The fewest code points of a part of a domain that counts as a word: `co` and `de` are in half of all words.
const MIN_LABEL: usize = 3;

/// A typed password as it is hashed and verified: in NFC (Unicode Standard Annex #15), and otherwise untouched.
///
/// This is the only place that normalises passwords. Keyboards differ in how they compose `é`, and the same key
/// has to open the door everywhere.
pub fn typed(text: &str) -> Secret {
    // ASCII is in NFC.
    if text.is_ascii() {
        return Secret::new(text.to_owned());
    }
    // Of the right size from the start: growing would leave copies behind that nobody wipes.
    let mut normal = String::with_capacity(text.nfc().map(char::len_utf8).sum());
    normal.extend(text.nfc());
    Secret::new(normal)
}

/// What a new password must be.
#[derive(Clone, Debug)]
pub struct PasswordPolicy {
    /// Code points from which on a password is good, unless it is blocked or made of next to nothing.
    pub long: usize,
    /// Code points that a password must have at least; below `long` it must also be hard to guess.
    pub short: usize,
    /// The least zxcvbn score, 0 to 4, of a password below `long`. 3 takes 10⁸ guesses at least. With 0 nothing is
    /// estimated of long ones, either.
    pub min_score: u8,
    /// The name of the service, which is no password for it.
    pub service_name: String,
    /// The host that the service is reached at, which is none, either; empty if nobody knows.
    pub service_host: String,
    /// What else is no password.
    pub blocklist: Blocklist,
}

impl Default for PasswordPolicy {
    fn default() -> Self {
        Self {
            long: 15,
            short: 8,
            min_score: 3,
            service_name: "doorward".to_owned(),
            service_host: String::new(),
            blocklist: Blocklist::default(),
        }
    }
}

/// Why a password will not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weakness {
    /// It has fewer than `short` code points.
    TooShort,
    /// As a whole it is on a list: the blocklist, the names around it, or well-known passwords and words.
    Common,
    /// It is made of parts that are tried early.
    Guessable,
}

impl PasswordPolicy {
    /// What is wrong with a new password, if anything. `context` are the words that a guesser knows of its owner:
    /// e-mail address (its local part and its domain count, too), username, first and last name.
    ///
    /// Takes less than a millisecond for most, and a tenth of a second at worst, for one that is all signs.
    pub fn weakness(&self, password: &str, context: &[&str]) -> Option<Weakness> {
        let password = typed(password);
        let password = password.expose();
        let length = password.chars().count();
        if length < self.short {
            return Some(Weakness::TooShort);
        }
        let words = self.words(context);
        let folded = fold(password);
        if self.blocklist.contains(&folded) || words.iter().any(|word| fold(word) == folded) {
            return Some(Weakness::Common);
        }
        if length >= self.long {
            return self.weakness_of_long(password, length, &words);
        }
        let entropy = zxcvbn(first(password, MAX_ESTIMATED), &words);
        if length <= MAX_ESTIMATED && is_one_word(&entropy) {
            Some(Weakness::Common)
        } else if u8::from(entropy.score()) < self.min_score {
            Some(Weakness::Guessable)
        } else {
            None
        }
    }

    /// What makes a long one bad is that it is a short one, written twice or behind another: `passwordpassword`.
    fn weakness_of_long(&self, password: &str, length: usize, words: &[&str]) -> Option<Weakness> {
        let least = match (self.min_score, u32::try_from(length)) {
            (0, _) => 0.0,
            (_, Ok(length)) => LONG_DIGITS.min(f64::from(length) * LONG_DIGITS_EACH),
            (_, Err(_)) => LONG_DIGITS,
        };
        let entropy = zxcvbn(first(password, MAX_LONG_ESTIMATED), words);
        if length <= MAX_LONG_ESTIMATED && is_one_word(&entropy) {
            Some(Weakness::Common)
        } else if entropy.guesses_log10() < least {
            Some(Weakness::Guessable)
        } else {
            None
        }
    }

    /// The service's name and host, the context, and both sides of the addresses in it.
    fn words<'a>(&'a self, context: &[&'a str]) -> Vec<&'a str> {
        let addresses = context.iter().filter_map(|word| word.rsplit_once('@'));
        let sides = addresses.flat_map(|(local, domain)| std::iter::once(local).chain(host_words(domain)));
        let all = std::iter::once(self.service_name.as_str())
            .chain(host_words(&self.service_host))
            .chain(context.iter().copied())
            .chain(sides);
        all.filter(|word| !word.is_empty()).take(MAX_CONTEXT).collect()
    }
}

/// Whether the estimate sees the whole password as one entry of its lists of passwords, words and names: written
/// backwards or with `4` for `a`, it still is.
fn is_one_word(entropy: &Entropy) -> bool {
    matches!(entropy.sequence(), [only] if matches!(only.pattern, MatchPattern::Dictionary(_)))
}

/// A host and its labels; the last one is the same for half the world.
fn host_words(host: &str) -> impl Iterator<Item = &str> {
    let labels = host.rsplit('.').skip(1);
    std::iter::once(host).chain(labels.filter(|label| label.chars().count() >= MIN_LABEL))
}

/// The first `count` code points.
fn first(text: &str, count: usize) -> &str {
    text.char_indices()
        .nth(count)
        .and_then(|(end, _)| text.get(..end))
        .unwrap_or(text)
}

/// The form by which passwords are compared with words: in NFC, every letter in lower case.
fn fold(text: &str) -> Zeroizing<String> {
    // Lower case is at most half as long again as upper case.
    let mut folded = Zeroizing::new(String::with_capacity(text.len() * 2));
    folded.extend(text.nfc().flat_map(char::to_lowercase).nfc());
    folded
}

/// Passwords that are refused as a whole, whatever the case of their letters.
#[derive(Clone, Default)]
pub struct Blocklist {
    /// The folded entries one after the other.
    text: String,
    /// Where in `text` each entry is, in the order of the entries. Half the memory of as many strings.
    entries: Vec<(u32, u32)>,
}

impl Blocklist {
    /// Reads a file of passwords, one on each line, in UTF-8. Lines that are empty or in another encoding are left
    /// out: lists of leaked passwords have some.
    ///
    /// # Errors
    /// When the file cannot be read or has more than 64 MiB.
    pub fn read(path: &Path) -> Result<Self, SetupError> {
        let unreadable = |error| {
            SetupError::new(
                format!("password blocklist {}: {error}", path.display()),
                "name a readable file of passwords, one on each line, or none at all",
            )
        };
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(unreadable)?;
        file.take(MAX_BLOCKLIST + 1)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        if bytes.len() as u64 > MAX_BLOCKLIST {
            return Err(SetupError::new(
                format!(
                    "password blocklist {}: it has more than {} MiB",
                    path.display(),
                    MAX_BLOCKLIST >> 20
                ),
                "keep the most common passwords; attempts are throttled, so rare ones cannot be tried anyway",
            ));
        }
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
        let lines = bytes
            .split(|byte| *byte == b'\n')
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        Ok(Self::new(lines.filter_map(|line| str::from_utf8(line).ok())))
    }

    /// A list of these passwords.
    pub fn new<'a>(passwords: impl IntoIterator<Item = &'a str>) -> Self {
        let mut list = Self::default();
        for password in passwords.into_iter().filter(|password| !password.is_empty()) {
            let start = list.text.len();
            list.text.push_str(&fold(password));
            // 4 GiB of passwords are far beyond what can be read.
            if let (Ok(start), Ok(end)) = (u32::try_from(start), u32::try_from(list.text.len())) {
                list.entries.push((start, end));
            }
        }
        let Self { text, entries } = &mut list;
        entries.sort_unstable_by_key(|entry| slice(text, *entry));
        entries.dedup_by_key(|entry| slice(text, *entry));
        list
    }

    /// How many passwords it has.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn contains(&self, folded: &str) -> bool {
        self.entries
            .binary_search_by_key(&folded, |entry| slice(&self.text, *entry))
            .is_ok()
    }
}

fn slice(text: &str, (start, end): (u32, u32)) -> &str {
    text.get(start as usize..end as usize).unwrap_or_default()
}

impl fmt::Debug for Blocklist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blocklist({} passwords)", self.entries.len())
    }
}
