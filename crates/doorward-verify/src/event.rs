//! What the events of the feed mean.
//!
//! The surprise: an event of an unknown name is passed over, but one of a known name that cannot be read ends the
//! stream: an ending might be in it.

use serde::Deserialize;
use uuid::Uuid;

use crate::sse::Event;

/// The longest cursor that is remembered and sent back, in bytes. Those of doorward have 36 at most.
const MAX_CURSOR: usize = 64;

/// What an event says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// The stream begins; what the node's clock says, in milliseconds.
    Hello(u64),
    /// A session has ended; its last token dies at `exp`, in seconds since the epoch.
    Ended { sid: Uuid, exp: i64 },
    /// Everything is told that had ended when the node's clock said this, in milliseconds.
    Fresh(u64),
    /// The cursor was of another database: everything comes again from the beginning.
    Reset,
    /// Something that later versions may say.
    Unknown,
}

/// Where to go on after a break, as the server gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cursor(pub(crate) String);

/// An event of a known name that says nothing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Nonsense;

#[derive(Deserialize)]
struct Hello {
    now: u64,
}

#[derive(Deserialize)]
struct Ended {
    sid: Uuid,
    exp: i64,
}

#[derive(Deserialize)]
struct Fresh {
    asked: u64,
}

impl Said {
    pub(crate) fn read(event: &Event) -> Result<Self, Nonsense> {
        let data = event.data.as_str();
        let said = match event.name.as_str() {
            "hello" => serde_json::from_str(data).map(|Hello { now }| Self::Hello(now)),
            "ended" => serde_json::from_str(data).map(|Ended { sid, exp }| Self::Ended { sid, exp }),
            "fresh" => serde_json::from_str(data).map(|Fresh { asked }| Self::Fresh(asked)),
            "reset" => Ok(Self::Reset),
            _ => Ok(Self::Unknown),
        };
        said.map_err(|_| Nonsense)
    }
}

impl Cursor {
    /// The event's, if it can be sent back in a header.
    pub(crate) fn of(event: &Event) -> Option<Self> {
        let id = event.id.as_deref()?;
        let fits = !id.is_empty() && id.len() <= MAX_CURSOR && id.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(id.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str, data: &str) -> Event {
        Event {
            id: None,
            name: name.to_owned(),
            data: data.to_owned(),
        }
    }

    #[test]
    fn what_a_node_says_is_understood() {
        let read = |name, data| Said::read(&event(name, data));
        assert_eq!(read("hello", r#"{"now":5000}"#), Ok(Said::Hello(5000)));
        assert_eq!(read("fresh", r#"{"asked":5230,"new":1}"#), Ok(Said::Fresh(5230)));
        let sid = Uuid::from_bytes([7; 16]);
        let data = format!(r#"{{"sid":"{sid}","exp":1767225600}}"#);
        assert_eq!(
            read("ended", &data),
            Ok(Said::Ended {
                sid,
                exp: 1_767_225_600
            })
        );
        assert_eq!(read("reset", "{}"), Ok(Said::Reset));
        assert_eq!(read("news", "nothing"), Ok(Said::Unknown));
    }

    #[test]
    fn nonsense_of_a_known_name_is_not_passed_over() {
        for (name, data) in [
            ("hello", "{}"),
            ("hello", r#"{"now":-1}"#),
            ("fresh", r#"{"asked":"5"}"#),
            ("fresh", r#"{"asked":5,"asked":6}"#),
            ("ended", r#"{"sid":"x","exp":1}"#),
            ("ended", r#"{"sid":"07070707-0707-0707-0707-070707070707"}"#),
            ("ended", "<html>"),
        ] {
            assert_eq!(Said::read(&event(name, data)), Err(Nonsense), "{name} {data}");
        }
    }

    #[test]
    fn a_cursor_is_sent_back_only_if_it_is_harmless() {
        let cursor = |id: &str| {
            Cursor::of(&Event {
                id: Some(id.to_owned()),
                ..event("", "")
            })
        };
        assert_eq!(cursor("124"), Some(Cursor("124".to_owned())));
        for id in ["", "1 2", "1\t", "é", &"1".repeat(MAX_CURSOR + 1)] {
            assert_eq!(cursor(id), None, "{id}");
        }
    }
}
