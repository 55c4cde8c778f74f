//! Sends the request of a step and compares its answer.
//!
//! The surprise: a password that was sent may not come back, and a refusal repeats nothing at all, whatever the
//! transcript expects.

use std::io;
use std::net::SocketAddr;

use serde_json::Value;

use super::parse::{Exchange, Expected};
use super::secrets::{passwords, tokens, values};
use super::{Captured, Run, fill, matching};
use crate::http::{self, Answer};

/// The media type that JSON has unless the transcript says otherwise.
const JSON: &str = "application/json; charset=utf-8";

/// Runs one exchange and answers what is wrong with it.
pub(super) fn exchange(run: &mut Run, exchange: &Exchange) -> Vec<String> {
    let request = match request(exchange, run.server.address, &run.captured) {
        Ok(request) => request,
        Err(fault) => return vec![fault],
    };
    let answer = match http::exchange(run.server.address, &request.bytes) {
        Ok(answer) => answer,
        Err(error) => return vec![format!("no answer to {}: {error}", exchange.line)],
    };
    let mut faults = compare(&exchange.expected, &answer, &mut run.captured);
    let body = answer.text();
    // A refusal repeats nothing of what it refuses; a success may show a name, and never a password.
    let refused = if answer.status >= 400 {
        request.values.as_slice()
    } else {
        &[]
    };
    let mut silent = request.passwords.iter().chain(refused);
    if let Some(repeated) = silent.find(|value| body.contains(value.as_str())) {
        faults.push(format!("the answer repeats {repeated:?}"));
    }
    run.secrets.extend(request.passwords);
    let outcome = &exchange.expected.outcome;
    match answer.header("x-request-id") {
        Some(id) if !outcome.is_empty() => {
            run.outcomes
                .insert(id.to_owned(), (exchange.line.clone(), outcome.clone()));
        }
        None if !outcome.is_empty() => faults.push("the answer has no x-request-id".to_owned()),
        _ => {}
    }
    if let Ok(json) = serde_json::from_slice(&answer.body) {
        tokens(&json, &mut run.secrets);
    }
    if !faults.is_empty() {
        let heads: Vec<String> = answer
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        faults.push(format!("the answer was {answer}\n    [{}]", heads.join("] [")));
    }
    faults
}

/// A request as it goes over the wire.
struct Wire {
    bytes: Vec<u8>,
    passwords: Vec<String>,
    /// Every text in the body.
    values: Vec<String>,
}

fn request(exchange: &Exchange, to: SocketAddr, captured: &Captured) -> Result<Wire, String> {
    let mut bytes = fill::bytes(&exchange.line, captured)?;
    bytes.extend_from_slice(b" HTTP/1.1\r\n");
    let has = |name: &str| exchange.headers.iter().any(|(is, _)| is.eq_ignore_ascii_case(name));
    let mut line = |name: &str, value: &[u8]| {
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value);
        bytes.extend_from_slice(b"\r\n");
    };
    if !has("Host") {
        line("Host", to.to_string().as_bytes());
    }
    for (name, value) in exchange.headers.iter().filter(|(_, value)| value != "-") {
        line(name, &fill::bytes(value, captured)?);
    }
    let body = exchange
        .body
        .as_ref()
        .map(|body| fill::bytes(body, captured))
        .transpose()?;
    let is_chunked = has("Transfer-Encoding");
    if let Some(body) = &body {
        if !has("Content-Type") {
            line("Content-Type", b"application/json");
        }
        if !has("Content-Length") && !is_chunked {
            line("Content-Length", body.len().to_string().as_bytes());
        }
    }
    if !has("Connection") {
        line("Connection", b"close");
    }
    bytes.extend_from_slice(b"\r\n");
    let body = body.unwrap_or_default();
    let passwords = passwords(&exchange.headers, &body);
    let values = values(&body);
    if is_chunked {
        chunks(&body, &mut bytes).map_err(|error| error.to_string())?;
    } else {
        bytes.extend(body);
    }
    Ok(Wire {
        bytes,
        passwords,
        values,
    })
}

/// The body in chunks of a few bytes (RFC 9112 section 7.1).
fn chunks(body: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    use std::io::Write;
    // Many small ones for a small body, so that no field comes in one piece.
    for chunk in body.chunks(body.len().div_ceil(50).max(1)) {
        write!(out, "{:x}\r\n", chunk.len())?;
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"0\r\n\r\n");
    Ok(())
}

fn compare(expected: &Expected, answer: &Answer, captured: &mut Captured) -> Vec<String> {
    let mut faults = Vec::new();
    if answer.status != expected.status {
        faults.push(format!("expected status {}, got {}", expected.status, answer.status));
    }
    for (name, value) in &expected.headers {
        faults.extend(header(name, value, answer, captured).err());
    }
    for name in &expected.absent {
        if let Some(value) = answer.header(name) {
            faults.push(format!("expected no {name}, got {value:?}"));
        }
    }
    let body = expected.body.as_deref().unwrap_or_default();
    let is_json = body.starts_with(['{', '[', '"']) && !body.starts_with("{{");
    let names_type = expected
        .headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    if is_json && !names_type && answer.header("content-type") != Some(JSON) {
        faults.push(format!(
            "expected Content-Type {JSON}, got {:?}",
            answer.header("content-type")
        ));
    }
    faults.extend(compare_body(expected, body, is_json, answer, captured).err());
    faults
}

fn compare_body(
    expected: &Expected,
    body: &str,
    is_json: bool,
    answer: &Answer,
    captured: &mut Captured,
) -> Result<(), String> {
    if !is_json {
        return matching::text(body, &answer.text(), "body", captured);
    }
    let members: Value = serde_json::from_str(body).map_err(|error| format!("no JSON expected: {error}: {body}"))?;
    let got: Value = serde_json::from_slice(&answer.body).map_err(|error| format!("no JSON: {error}"))?;
    matching::json(&members, &got, "body", captured)?;
    if expected.exact {
        return matching::text(&matching::captured(body), &answer.text(), "body", captured);
    }
    Ok(())
}

/// A header that has to be there. Of several with one name, one has to match.
fn header(name: &str, expected: &str, answer: &Answer, captured: &mut Captured) -> Result<(), String> {
    let mut faults = Vec::new();
    for got in answer.all(name) {
        let compared = if name.eq_ignore_ascii_case("set-cookie") {
            cookie(expected, got, captured)
        } else {
            matching::text(expected, got, name, captured)
        };
        match compared {
            Ok(()) => return Ok(()),
            Err(fault) => faults.push(fault),
        }
    }
    if faults.is_empty() {
        return Err(format!("expected {name}: {expected}, got none"));
    }
    Err(faults.join("; "))
}

/// A cookie: its name, its value, and its attributes in any order, no more and no fewer.
fn cookie(expected: &str, got: &str, captured: &mut Captured) -> Result<(), String> {
    let (expected_pair, expected_attributes) = split_cookie(expected);
    let (pair, attributes) = split_cookie(got);
    if expected_attributes != attributes {
        return Err(format!(
            "expected the cookie attributes {expected_attributes:?}, got {attributes:?}"
        ));
    }
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    let (expected_name, expected_value) = expected_pair.split_once('=').unwrap_or((expected_pair, ""));
    if name != expected_name {
        return Err(format!("expected the cookie {expected_name}, got {name}"));
    }
    matching::text(expected_value, value, "the cookie", captured)
}

fn split_cookie(cookie: &str) -> (&str, Vec<&str>) {
    let mut parts = cookie.split(';').map(str::trim);
    let pair = parts.next().unwrap_or_default();
    let mut attributes: Vec<&str> = parts.collect();
    attributes.sort_unstable();
    (pair, attributes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> Answer {
        let headers = [
            ("Content-Type", JSON),
            ("Set-Cookie", "t=x; Path=/; HttpOnly"),
            ("Vary", "Origin"),
        ];
        Answer {
            status: 200,
            headers: headers
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
            body: br#"{"a": 1}"#.to_vec(),
        }
    }

    fn expected() -> Expected {
        Expected {
            status: 200,
            headers: vec![
                ("set-cookie".into(), "t=<text>; HttpOnly; Path=/".into()),
                ("vary".into(), "Origin".into()),
            ],
            absent: vec!["Location".into()],
            body: Some(r#"{"a": 1}"#.into()),
            ..Expected::default()
        }
    }

    fn faults(change: impl Fn(&mut Expected, &mut Answer)) -> usize {
        let (mut expected, mut answer) = (expected(), answer());
        change(&mut expected, &mut answer);
        compare(&expected, &answer, &mut Captured::new()).len()
    }

    #[test]
    fn every_difference_is_a_fault() {
        assert_eq!(faults(|_, _| {}), 0);
        assert_eq!(faults(|expected, _| expected.status = 201), 1);
        assert_eq!(faults(|expected, _| expected.body = None), 1);
        assert_eq!(faults(|expected, _| expected.body = Some(r#"{"a": "1"}"#.into())), 1);
        assert_eq!(faults(|expected, _| expected.exact = true), 0);
        assert_eq!(faults(|_, answer| answer.body = br#"{"a":1}"#.to_vec()), 0);
        for (exact, got, count) in [
            (r#"{"a":1}"#, r#"{"a": 1}"#, 1),
            (r#"{"b":"{{b=<text>}}","a":1}"#, r#"{"b":"x","a":1}"#, 0),
            (r#"{"b":"{{b=<text>}}","a":1}"#, r#"{"a":1,"b":"x"}"#, 1),
            (r#"{"b":"{{b=<text>}}","a":1}"#, r#"{"b":"","a":1}"#, 1),
        ] {
            let found = faults(|expected, answer| {
                (expected.exact, expected.body, answer.body) = (true, Some(exact.into()), got.into());
            });
            assert_eq!(found, count, "{exact} {got}");
        }
        assert_eq!(faults(|_, answer| answer.headers[0].1 = "application/json".into()), 1);
        assert_eq!(faults(|_, answer| answer.headers[1].1 = "t=x; Path=/".into()), 1);
        assert_eq!(
            faults(|_, answer| answer.headers[1].1 = "t=x; Path=/; HttpOnly; Secure".into()),
            1
        );
        assert_eq!(
            faults(|_, answer| answer.headers[1].1 = "u=x; Path=/; HttpOnly".into()),
            1
        );
        assert_eq!(
            faults(|_, answer| answer.headers[1].1 = "t=; Path=/; HttpOnly".into()),
            1
        );
        assert_eq!(faults(|_, answer| answer.headers[2].1 = "Accept".into()), 1);
        assert_eq!(
            faults(|_, answer| answer.headers.push(("location".into(), "/".into()))),
            1
        );
    }
}
