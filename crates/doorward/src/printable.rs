//! Text from outside, made harmless for a terminal and for whoever reads a log by lines.
//!
//! The surprise: control characters are not all there is. Some letters of no width turn the direction of the
//! text around them, and a line can be made to read as another one.

use std::borrow::Cow;
use std::fmt::Write;
use std::path::Path;

/// Whether a character moves the cursor, ends the line or changes how its neighbours are shown.
pub(crate) fn is_plain(c: char) -> bool {
    // Line and paragraph separators; marks, embeddings, overrides and isolates of direction (Unicode Standard
    // Annex #9); the byte order mark.
    let moves = matches!(
        c,
        '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{feff}'
    ) || ('\u{202a}'..='\u{202e}').contains(&c)
        || ('\u{2066}'..='\u{2069}').contains(&c);
    !c.is_control() && !moves
}

/// Whether all of it is plain at a glance: nearly every line of a log is.
pub(crate) fn is_plain_ascii(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// The text with everything that is not plain as `\u{…}`.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if is_plain_ascii(text) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_plain(c) {
            shown.push(c);
        } else {
            // Writing to a `String` cannot fail.
            let _ = write!(shown, "{}", c.escape_default());
        }
    }
    shown.into()
}

/// A path, as far as it can be shown.
pub(crate) fn shown(path: &Path) -> String {
    printable(&path.to_string_lossy()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_that_acts() {
        assert_eq!(printable("a\n\u{1b}[2J\u{7f}\u{9b}b"), "a\\n\\u{1b}[2J\\u{7f}\\u{9b}b");
        assert_eq!(printable("\u{202e}txt.exe\u{2028}"), "\\u{202e}txt.exe\\u{2028}");
        assert!(!is_plain_ascii("a\n") && !is_plain_ascii("\u{7f}") && is_plain_ascii(" ~"));
        assert_eq!(printable("plain"), "plain");
        assert_eq!(printable("Zoë Müller 世界 <a@b.co>"), "Zoë Müller 世界 <a@b.co>");
    }
}
