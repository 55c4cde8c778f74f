//! Fills the holes of a template. Copies the literal bytes and writes the values between them.

use std::borrow::Cow;

use axum::http::StatusCode;
use doorward_core::account::Account;
use doorward_core::action::{Carried, IssuedToken};
use doorward_core::secret::Secret;
use doorward_core::session::Session;
use serde::Serialize;
use serde_json::Value;

use super::hole::Hole;
use super::template::{Member, Piece, Template};
use super::wide::Wide;
use crate::engine::RequestFacts;

/// A broken rule in the contract's words.
#[derive(Clone, Debug)]
pub struct WordedFault {
    /// The field as the contract calls it.
    pub field: String,
    /// The words.
    pub message: String,
}

/// What holes can be filled with.
#[derive(Clone, Copy, Default)]
pub struct Filling<'f> {
    /// The request.
    pub request: Option<&'f RequestFacts>,
    /// What the outcome carries.
    pub carried: Option<&'f Carried>,
    /// The account, where there is no outcome (token claims).
    pub account: Option<&'f Account>,
    /// The faults, worded.
    pub faults: &'f [WordedFault],
    /// Why there is no outcome, with the sentence for `{reason}`.
    pub problem: Option<(Wide, StatusCode, &'f str)>,
    /// Seconds until another try makes sense.
    pub retry_after: Option<u64>,
    /// The session at hand, inside the shape `session`.
    pub session: Option<&'f Session>,
    /// The fault at hand, inside the shape `fault`.
    pub fault: Option<&'f WordedFault>,
}

enum Shown<'f> {
    Nothing,
    Text(Cow<'f, str>),
    Number(i64),
    Flag(bool),
    Json(&'f Value),
}

impl<'f, T: Into<Cow<'f, str>>> From<Option<T>> for Shown<'f> {
    fn from(text: Option<T>) -> Self {
        text.map_or(Self::Nothing, |text| Self::Text(text.into()))
    }
}

impl Template {
    /// Writes the template with its holes filled.
    pub fn render(&self, filling: &Filling<'_>, out: &mut Vec<u8>) {
        for piece in &self.pieces {
            match piece {
                Piece::Bytes(bytes) => out.extend_from_slice(bytes),
                Piece::Value(hole) => filling.shown(hole).write_json(out),
                Piece::InString(hole) => filling.shown(hole).write_escaped(out),
                Piece::Plain(hole) => out.extend_from_slice(filling.shown(hole).plain().as_bytes()),
                Piece::Members(members) => render_members(members, filling, out),
                Piece::Faults(Some(each)) => {
                    let faults = filling.faults.iter().map(|fault| Filling {
                        fault: Some(fault),
                        ..*filling
                    });
                    render_list(each, faults, out);
                }
                Piece::Faults(None) => render_by_field(filling.faults, out),
                Piece::Sessions(each) => {
                    let sessions = filling.carried.map_or(&[][..], |carried| &carried.sessions);
                    let sessions = sessions.iter().map(|session| Filling {
                        session: Some(session),
                        ..*filling
                    });
                    render_list(each, sessions, out);
                }
            }
        }
    }

    /// The rendered template as text.
    pub fn rendered(&self, filling: &Filling<'_>) -> String {
        let mut out = Vec::new();
        self.render(filling, &mut out);
        String::from_utf8(out).unwrap_or_default()
    }
}

fn render_members(members: &[Member], filling: &Filling<'_>, out: &mut Vec<u8>) {
    out.push(b'{');
    let mut first = true;
    for member in members {
        let vanishes = member.vanishes_without.as_ref();
        if vanishes.is_some_and(|hole| matches!(filling.shown(hole), Shown::Nothing)) {
            continue;
        }
        if !first {
            out.push(b',');
        }
        first = false;
        out.extend_from_slice(&member.key);
        member.value.render(filling, out);
    }
    out.push(b'}');
}

fn render_list<'f>(each: &Template, fillings: impl Iterator<Item = Filling<'f>>, out: &mut Vec<u8>) {
    out.push(b'[');
    for (index, filling) in fillings.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        each.render(&filling, out);
    }
    out.push(b']');
}

/// `{"field": ["words", …], …}`, the fields in the order of their first fault.
fn render_by_field(faults: &[WordedFault], out: &mut Vec<u8>) {
    let mut fields = serde_json::Map::new();
    for fault in faults {
        let words = fields
            .entry(fault.field.as_str())
            .or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(words) = words {
            words.push(fault.message.as_str().into());
        }
    }
    json(&fields, out);
}

impl<'f> Filling<'f> {
    fn shown(&self, hole: &Hole) -> Shown<'f> {
        match hole {
            Hole::RequestMethod => self.request.map(|request| request.method.as_str()).into(),
            Hole::RequestPath => self.request.map(|request| request.path.as_str()).into(),
            Hole::RequestContentType => self.request.map(|request| &*request.content_type).into(),
            Hole::RequestId => self.request.map(|request| request.id.as_str()).into(),
            Hole::Reason => self.problem.map(|(_, _, reason)| reason).into(),
            Hole::Problem => self.problem.map(|(wide, ..)| wide.row().1.replace('_', "-")).into(),
            Hole::Title => self.problem.and_then(|(_, status, _)| status.canonical_reason()).into(),
            Hole::Status => self
                .problem
                .map_or(Shown::Nothing, |(_, status, _)| Shown::Number(status.as_u16().into())),
            Hole::RetryAfter => seconds(self.retry_after),
            Hole::FirstOf(holes) => {
                let mut shown = holes.iter().map(|hole| self.shown(hole));
                shown
                    .find(|shown| !matches!(shown, Shown::Nothing))
                    .unwrap_or(Shown::Nothing)
            }
            Hole::FaultMessage => self.first_fault().map(|fault| fault.message.as_str()).into(),
            Hole::FaultField => self.first_fault().map(|fault| fault.field.as_str()).into(),
            Hole::Token
            | Hole::TokenExpiresIn
            | Hole::TokenExpiresAt
            | Hole::RefreshToken
            | Hole::RefreshTokenExpiresIn => self
                .carried
                .and_then(|carried| carried.token.as_ref())
                .map_or(Shown::Nothing, |token| shown_of_token(token, hole)),
            Hole::SessionId
            | Hole::SessionCurrent
            | Hole::SessionCreatedAt
            | Hole::SessionUsedAt
            | Hole::SessionExpiresAt
            | Hole::SessionAddress
            | Hole::SessionUserAgent => self.session.map_or(Shown::Nothing, |session| {
                let current = self.carried.is_some_and(|carried| carried.current == Some(session.id));
                shown_of_session(session, current, hole)
            }),
            _ => {
                let account = self.account.or_else(|| self.carried?.account.as_ref());
                account.map_or(Shown::Nothing, |account| shown_of_account(account, hole))
            }
        }
    }

    fn first_fault(&self) -> Option<&'f WordedFault> {
        self.fault.or_else(|| self.faults.first())
    }
}

fn shown_of_account<'f>(account: &'f Account, hole: &Hole) -> Shown<'f> {
    let profile = &account.profile;
    match hole {
        Hole::AccountId => Some(account.id.to_string()).into(),
        Hole::AccountNumber => Shown::Number(account.number),
        Hole::AccountObjectId => Some(account.object_id.to_string()).into(),
        Hole::AccountEmail => profile.email.as_deref().into(),
        Hole::AccountUsername => profile.username.as_deref().into(),
        Hole::AccountFirstName => profile.first_name.as_deref().into(),
        Hole::AccountLastName => profile.last_name.as_deref().into(),
        Hole::AccountCreatedAt => Some(account.created_at.to_string()).into(),
        Hole::AccountUpdatedAt => Some(account.updated_at.to_string()).into(),
        Hole::AccountAttribute(name) => profile.attributes.get(name).map_or(Shown::Nothing, Shown::Json),
        _ => Shown::Nothing,
    }
}

fn shown_of_token<'f>(token: &'f IssuedToken, hole: &Hole) -> Shown<'f> {
    match hole {
        Hole::Token => Some(token.access.expose()).into(),
        Hole::TokenExpiresIn => seconds(Some(token.expires_in.as_secs())),
        Hole::TokenExpiresAt => Some(token.expires_at.to_string()).into(),
        Hole::RefreshToken => token.refresh.as_ref().map(Secret::expose).into(),
        Hole::RefreshTokenExpiresIn => seconds(token.refresh_expires_in.map(|life| life.as_secs())),
        _ => Shown::Nothing,
    }
}

fn shown_of_session<'f>(session: &'f Session, current: bool, hole: &Hole) -> Shown<'f> {
    match hole {
        Hole::SessionId => Some(session.id.to_string()).into(),
        Hole::SessionCurrent => Shown::Flag(current),
        Hole::SessionCreatedAt => Some(session.created_at.to_string()).into(),
        Hole::SessionUsedAt => Some(session.used_at.to_string()).into(),
        Hole::SessionExpiresAt => Some(session.expires_at.to_string()).into(),
        Hole::SessionAddress => session.client.address.map(|address| address.to_string()).into(),
        Hole::SessionUserAgent => Some(session.client.user_agent.as_str()).into(),
        _ => Shown::Nothing,
    }
}

fn seconds(seconds: Option<u64>) -> Shown<'static> {
    seconds.map_or(Shown::Nothing, |seconds| {
        Shown::Number(i64::try_from(seconds).unwrap_or(i64::MAX))
    })
}

impl Shown<'_> {
    fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Self::Nothing => out.extend_from_slice(b"null"),
            Self::Text(text) => json(text, out),
            Self::Number(number) => json(number, out),
            Self::Flag(flag) => json(flag, out),
            Self::Json(value) => json(value, out),
        }
    }

    /// As the inside of a JSON string.
    fn write_escaped(&self, out: &mut Vec<u8>) {
        let start = out.len();
        json(&self.plain(), out);
        // Without the quotes.
        out.pop();
        out.remove(start);
    }

    fn plain(&self) -> Cow<'_, str> {
        match self {
            Self::Nothing => Cow::Borrowed(""),
            Self::Text(text) => Cow::Borrowed(text),
            Self::Number(number) => Cow::Owned(number.to_string()),
            Self::Flag(flag) => Cow::Owned(flag.to_string()),
            Self::Json(Value::String(text)) => Cow::Borrowed(text),
            Self::Json(value) => Cow::Owned(value.to_string()),
        }
    }
}

/// Writes a value as JSON (RFC 8259), without a text in between.
fn json(value: &(impl Serialize + ?Sized), out: &mut Vec<u8>) {
    // No text, number, flag or JSON value can fail to be JSON, and no memory to be written to.
    let _ = serde_json::to_writer(out, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stays_what_it_is_alone_and_inside_another() {
        let template = Template {
            pieces: vec![
                Piece::Bytes(b"[".as_slice().into()),
                Piece::Value(Hole::FaultMessage),
                Piece::Bytes(b",\"a ".as_slice().into()),
                Piece::InString(Hole::FaultMessage),
                Piece::Bytes(b" b\"]".as_slice().into()),
            ],
        };
        for text in [
            "",
            "plain",
            r#""quoted" and \"#,
            "tab\tline\n\u{1}\u{7f}",
            "Zoë 世界 \u{2028}",
        ] {
            let fault = WordedFault {
                field: String::new(),
                message: text.into(),
            };
            let rendered = template.rendered(&Filling {
                fault: Some(&fault),
                ..Filling::default()
            });
            let read: Value = serde_json::from_str(&rendered).unwrap();
            assert_eq!(read, serde_json::json!([text, format!("a {text} b")]));
        }
    }
}
