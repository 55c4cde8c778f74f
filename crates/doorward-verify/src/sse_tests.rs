//! The parser of Server-Sent Events, against examples of the specification and against itself.
//!
//! The surprise: most of it is one property, that the places where a network cuts a stream change nothing.

use proptest::prelude::*;

use super::*;

fn event(id: Option<&str>, name: &str, data: &str) -> Event {
    Event {
        id: id.map(str::to_owned),
        name: name.to_owned(),
        data: data.to_owned(),
    }
}

fn parse(text: &str) -> Vec<Event> {
    Parser::default().push(text.as_bytes()).unwrap()
}

#[test]
fn the_examples_of_the_specification() {
    assert_eq!(
        parse("data: YHOO\ndata: +2\ndata: 10\n\n"),
        [event(None, "", "YHOO\n+2\n10")]
    );
    let text = ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n";
    assert_eq!(
        parse(text),
        [
            event(Some("1"), "", "first event"),
            event(Some(""), "", "second event"),
            event(Some(""), "", " third event"),
        ]
    );
    assert_eq!(parse("data\n\ndata\ndata\n\ndata:"), [event(None, "", "\n")]);
    assert_eq!(parse("data:test\n\ndata: test\n\n").len(), 2);
}

#[test]
fn every_way_to_end_a_line() {
    for end in ["\n", "\r", "\r\n"] {
        let text = ["event: ended", "id: 7", "data: x", "", "data: y", "", ""].join(end);
        assert_eq!(
            parse(&text),
            [event(Some("7"), "ended", "x"), event(Some("7"), "", "y")]
        );
    }
}

#[test]
fn a_byte_order_mark_counts_only_at_the_start() {
    assert_eq!(parse("\u{feff}data: a\n\n\u{feff}data: b\n\n"), [event(None, "", "a")]);
}

#[test]
fn an_id_with_nul_is_none() {
    assert_eq!(parse("id: 1\nid: a\0b\ndata: x\n\n"), [event(Some("1"), "", "x")]);
}

#[test]
fn what_does_not_end_does_not_fill_memory() {
    let mut parser = Parser::default();
    let mut pushes = 0;
    while parser.push(&[b'x'; 1000]).is_ok() {
        pushes += 1;
        assert!(pushes <= MAX_LINE / 1000, "a line without an end is taken");
    }
    let line = format!("data: {}\n", "x".repeat(1000));
    let mut parser = Parser::default();
    let lines = (0..1000).find(|_| parser.push(line.as_bytes()).is_err()).unwrap();
    assert!(lines <= MAX_DATA / 1000 + 1);
    assert_eq!(Parser::default().push(b"data: \xff\n"), Err(Unreadable::Encoding));
}

/// Text as it may stand in a line.
fn text() -> impl Strategy<Value = String> {
    proptest::string::string_regex("[^\r\n\0]{1,40}").unwrap()
}

proptest! {
    #[test]
    fn what_is_written_is_read_wherever_it_is_cut(
        events in prop::collection::vec((prop::option::of(text()), text(), prop::collection::vec(text(), 1..4)), 0..8),
        end in prop::sample::select(vec!["\n", "\r", "\r\n"]),
        cut in 1..60_usize,
    ) {
        let mut stream = String::new();
        let mut expected = Vec::new();
        let mut last = None;
        for (id, name, data) in &events {
            last = id.clone().or(last);
            expected.push(event(last.as_deref(), name, &data.join("\n")));
            stream.push_str(&format!(": comment{end}event: {name}{end}"));
            if let Some(id) = id {
                stream.push_str(&format!("id: {id}{end}"));
            }
            for line in data {
                stream.push_str(&format!("data: {line}{end}"));
            }
            stream.push_str(end);
        }
        let mut parser = Parser::default();
        let mut found = Vec::new();
        for piece in stream.as_bytes().chunks(cut) {
            found.extend(parser.push(piece).unwrap());
        }
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn no_bytes_make_it_fail_otherwise_than_it_says(
        bytes in prop::collection::vec(prop::sample::select(b"data:ien v\r\n\x00\xEF\xBB\xBF\xff".to_vec()), 0..600),
        cut in 1..60_usize,
    ) {
        let whole = Parser::default().push(&bytes);
        let mut parser = Parser::default();
        let pieces: Result<Vec<Vec<Event>>, Unreadable> = bytes.chunks(cut).map(|piece| parser.push(piece)).collect();
        prop_assert_eq!(whole, pieces.map(|events| events.concat()));
    }
}
