//! The format of Server-Sent Events (WHATWG HTML, section 9.2.6), byte by byte as they come.
//!
//! The surprise: it is not lenient about size. A stream with a line or an event that is too long is at its end,
//! because whoever skips something has missed an ending. What is no UTF-8 ends it, too.

/// The most bytes of a line. Those of doorward have 100.
pub(crate) const MAX_LINE: usize = 4 * 1024;
/// The most bytes of an event's data, from all its lines.
pub(crate) const MAX_DATA: usize = 16 * 1024;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// The last `id` of the stream, of this event or an earlier one.
    pub(crate) id: Option<String>,
    /// Its `event`; empty when it has none.
    pub(crate) name: String,
    /// Its `data`.
    pub(crate) data: String,
}

/// What makes a stream unreadable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// A line of more than [`MAX_LINE`] bytes.
    Line,
    /// An event of more than [`MAX_DATA`] bytes.
    Data,
    /// Bytes that are no UTF-8.
    Encoding,
}

/// Takes bytes and gives events.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    /// The line that has not ended yet.
    line: Vec<u8>,
    /// A line feed that follows is the second half of a line end.
    after_return: bool,
    /// The first line is over: only before it may be a byte order mark.
    begun: bool,
    id: Option<String>,
    name: String,
    data: Option<String>,
}

impl Parser {
    /// The events that are complete with these bytes.
    ///
    /// # Errors
    /// When the stream cannot be read on.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<Vec<Event>, Unreadable> {
        let mut events = Vec::new();
        for piece in bytes.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
            let (text, end) = match piece.split_last() {
                Some((end @ (b'\n' | b'\r'), text)) => (text, Some(*end)),
                _ => (piece, None),
            };
            let second_half = self.after_return && text.is_empty() && end == Some(b'\n');
            self.after_return = end == Some(b'\r');
            if second_half {
                continue;
            }
            if self.line.len() + text.len() > MAX_LINE {
                return Err(Unreadable::Line);
            }
            self.line.extend_from_slice(text);
            if end.is_some() {
                let line = std::mem::take(&mut self.line);
                events.extend(self.line_ends(&line)?);
                // Kept, so that a line costs no allocation.
                self.line = line;
                self.line.clear();
            }
        }
        Ok(events)
    }

    fn line_ends(&mut self, line: &[u8]) -> Result<Option<Event>, Unreadable> {
        let line = if self.begun {
            line
        } else {
            self.begun = true;
            line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line)
        };
        let line = std::str::from_utf8(line).map_err(|_| Unreadable::Encoding)?;
        if line.is_empty() {
            return Ok(self.event_ends());
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "id" if !value.contains('\0') => self.id = Some(value.to_owned()),
            "data" => self.append(value)?,
            // A comment, `retry`, which is our own business, or what is not known yet.
            _ => (),
        }
        Ok(None)
    }

    fn append(&mut self, value: &str) -> Result<(), Unreadable> {
        if let Some(data) = &mut self.data {
            data.push('\n');
            data.push_str(value);
        } else {
            self.data = Some(value.to_owned());
        }
        if self.data.as_ref().is_some_and(|data| data.len() > MAX_DATA) {
            return Err(Unreadable::Data);
        }
        Ok(())
    }

    fn event_ends(&mut self) -> Option<Event> {
        let name = std::mem::take(&mut self.name);
        // An event without data is none.
        let data = self.data.take().filter(|data| !data.is_empty())?;
        Some(Event {
            id: self.id.clone(),
            name,
            data,
        })
    }
}

#[cfg(test)]
#[path = "sse_tests.rs"]
mod tests;
