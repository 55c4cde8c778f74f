//! What is wrong with a contract file, for a person: where, the line itself with the place underlined, and what
//! would be right.

use std::fmt;
use std::ops::Range;

use doorward_core::SetupError;

/// A fault of a contract file.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    file: String,
    /// 1-based.
    line: usize,
    /// 1-based, in characters.
    column: usize,
    text: String,
    underlined: usize,
    message: String,
    hint: String,
}

impl Diagnostic {
    /// A fault at a span of bytes of the file's text.
    pub(crate) fn new(file: &str, source: &str, span: Range<usize>, message: String, hint: String) -> Self {
        let start = floor(source, span.start);
        let end = floor(source, span.end.max(start));
        let before = source.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let rest = source.get(line_start..).unwrap_or_default();
        let text = rest.lines().next().unwrap_or_default().to_owned();
        let line_end = line_start + text.len();
        let underlined = source.get(start..end.min(line_end)).unwrap_or_default().chars().count();
        Self {
            file: file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: source.get(line_start..start).unwrap_or_default().chars().count() + 1,
            text,
            underlined: underlined.max(1),
            message,
            hint,
        }
    }
}

/// The nearest character boundary at or before `at`.
fn floor(source: &str, at: usize) -> usize {
    let at = at.min(source.len());
    (0..=at).rev().find(|at| source.is_char_boundary(*at)).unwrap_or(0)
}

impl Diagnostic {
    /// Everything but the hint.
    fn what(&self) -> String {
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        let indent = " ".repeat(self.column.saturating_sub(1));
        let marks = "^".repeat(self.underlined);
        let Self {
            message,
            file,
            line,
            column,
            ..
        } = self;
        let text = self.text.replace('\t', " ");
        format!(
            "{message}\n{margin}--> {file}:{line}:{column}\n{margin} |\n{number} | {text}\n{margin} | {indent}{marks}"
        )
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}\nhint: {}", self.what(), self.hint)
    }
}

/// Reads the same.
impl From<Diagnostic> for SetupError {
    fn from(diagnostic: Diagnostic) -> Self {
        Self::new(diagnostic.what(), diagnostic.hint)
    }
}

impl std::error::Error for Diagnostic {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_at_the_place() {
        let source = "a = 1\nbé = \"x\"\n";
        let diagnostic = Diagnostic::new("my.toml", source, 12..15, "no".into(), "yes".into());
        let expected = "error: no\n --> my.toml:2:6\n  |\n2 | bé = \"x\"\n  |      ^^^\nhint: yes";
        assert_eq!(diagnostic.to_string(), expected);
        assert_eq!(SetupError::from(diagnostic).to_string(), expected);
    }

    #[test]
    fn survives_any_span() {
        for span in [0..0, 5..900, 900..901] {
            let text = Diagnostic::new("f", "é", span, String::new(), String::new()).to_string();
            assert!(text.contains("f:1:"), "{text}");
        }
    }
}
