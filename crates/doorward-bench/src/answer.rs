//! Reads an HTTP/1.1 answer (RFC 9112) out of the bytes that have come so far.
//!
//! The surprise: it is asked again from the start when more bytes come. Answers are small and nearly always complete
//! at the first look, so remembering where it stopped would cost more than it saves.

use std::borrow::Cow;

/// The most bytes of an answer; the largest that is asked for is far below.
pub(crate) const MAX_ANSWER: usize = 1 << 20;

/// A whole answer.
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) body: Cow<'a, [u8]>,
    /// How many bytes it took on the wire.
    pub(crate) length: usize,
}

/// What the bytes so far are.
pub(crate) enum Parsed<'a> {
    Whole(Answer<'a>),
    /// More has to come.
    Part,
    /// No answer that this reader knows.
    Nonsense,
}

impl Answer<'_> {
    /// The text of a member of a JSON body, unless it has escapes, which tokens and ids never have.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let body = std::str::from_utf8(&self.body).ok()?;
        let (_, rest) = body.split_once(&format!("\"{name}\""))?;
        let rest = rest.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
        rest.split_once('"').map(|(text, _)| text)
    }
}

/// Reads the answer at the start of the bytes.
pub(crate) fn parse(bytes: &[u8]) -> Parsed<'_> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Parsed::Part;
    };
    let (head, rest) = bytes.split_at(end + 4);
    let status = head
        .get(9..12)
        .and_then(|code| std::str::from_utf8(code).ok()?.parse().ok());
    let Some(status) = status.filter(|_| head.starts_with(b"HTTP/1.1 ")) else {
        return Parsed::Nonsense;
    };
    let whole = |body, length| {
        Parsed::Whole(Answer {
            status,
            body,
            length: head.len() + length,
        })
    };
    if let Some(length) = header(head, "content-length") {
        let Ok(length) = length.parse::<usize>() else {
            return Parsed::Nonsense;
        };
        return rest
            .get(..length)
            .map_or(Parsed::Part, |body| whole(Cow::Borrowed(body), length));
    }
    if header(head, "transfer-encoding").is_some() {
        return match chunks(rest) {
            Some((body, length)) => whole(Cow::Owned(body), length),
            None => Parsed::Part,
        };
    }
    if status == 204 || status == 304 {
        return whole(Cow::Borrowed(&[]), 0);
    }
    Parsed::Nonsense
}

/// The value of a header of the head.
fn header<'a>(head: &'a [u8], name: &str) -> Option<&'a str> {
    let mut lines = head.split(|byte| *byte == b'\n');
    lines.find_map(|line| value_of(std::str::from_utf8(line).ok()?, name))
}

/// The value of a line, if it is this header.
fn value_of<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (is, value) = line.split_at_checked(name.len())?;
    is.eq_ignore_ascii_case(name)
        .then(|| value.strip_prefix(':'))
        .flatten()
        .map(str::trim)
}

/// The body out of its chunks, and how many bytes these take; none when more has to come.
fn chunks(mut rest: &[u8]) -> Option<(Vec<u8>, usize)> {
    let before = rest.len();
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|two| two == b"\r\n")?;
        let size = std::str::from_utf8(rest.get(..line)?).ok()?;
        let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
        let chunk = rest.get(line + 2..)?;
        body.extend_from_slice(chunk.get(..size)?);
        // The end of the chunk, or of the trailers, of which there are none here.
        rest = chunk.get(size + 2..)?;
        if size == 0 {
            return Some((body, before - rest.len()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> (u16, String, usize) {
        match parse(text.as_bytes()) {
            Parsed::Whole(answer) => (
                answer.status,
                String::from_utf8(answer.body.into_owned()).unwrap(),
                answer.length,
            ),
            Parsed::Part => panic!("a part"),
            Parsed::Nonsense => panic!("nonsense"),
        }
    }

    #[test]
    fn answers_with_a_length_in_chunks_and_without_a_body() {
        let sized = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP";
        assert_eq!(whole(sized), (200, "hello".into(), sized.len() - 4));
        let chunked = "HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n";
        assert_eq!(whole(chunked), (201, "abcde".into(), chunked.len()));
        let empty = "HTTP/1.1 204 No Content\r\nx: y\r\n\r\n";
        assert_eq!(whole(empty), (204, String::new(), empty.len()));
    }

    #[test]
    fn every_beginning_is_a_part() {
        for text in [
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        ] {
            for length in 0..text.len() {
                let part = parse(text.get(..length).unwrap().as_bytes());
                assert!(matches!(part, Parsed::Part), "{length}");
            }
        }
        assert!(matches!(parse(b"SSH-2.0\r\n\r\n"), Parsed::Nonsense));
    }

    #[test]
    fn members_of_a_body() {
        let text = "HTTP/1.1 200 OK\r\ncontent-length: 32\r\n\r\n{\"token\" : \"x.y.z\", \"other\": 12}";
        let Parsed::Whole(answer) = parse(text.as_bytes()) else {
            panic!("an answer")
        };
        assert_eq!(answer.text("token"), Some("x.y.z"));
        assert_eq!(answer.text("other"), None);
    }
}
