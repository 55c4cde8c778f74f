//! Reads answers: `{ status = 201, json = '…', set_cookies = ["token"] }`, or the name of one in `[answer]`.

use std::sync::Arc;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use doorward_core::error::did_you_mean;
use toml::Spanned;
use toml::de::DeValue;

use super::super::hole::{Group, Hole, Scope};
use super::super::keys;
use super::super::section::{Result, Section};
use super::super::template::Template;
use super::super::{Answer, Body, Cookie};
use super::{Loader, json};

/// The media type of JSON answers unless one says otherwise.
const JSON: &str = "application/json; charset=utf-8";

/// What to do with the media type of an answer that is no JSON.
const NO_JSON: &str = "remove it: text is `text/plain; charset=utf-8`, and nothing is of no type";

/// Headers that an answer cannot have of its own: one of the two would be dropped, or would lie about the message.
const NOT_HERE: [(HeaderName, &str); 18] = [
    (header::CONTENT_TYPE, "write `content_type` beside `json`"),
    (
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        "list the origins in `[cors] origins`, or in the setting `origins`",
    ),
    (
        header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
        "remove it: pages of `[cors] origins` send credentials along",
    ),
    (
        header::RETRY_AFTER,
        "remove it: it stands wherever there is a time to wait, and `{retry_after}` shows that in a body",
    ),
    (header::ALLOW, "remove it: it has the methods of the path"),
    (
        header::SET_COOKIE,
        "declare `[cookie.NAME]`, and name it in `set_cookies`",
    ),
    (header::CONTENT_LENGTH, "remove it"),
    (header::CONTENT_ENCODING, "remove it: bodies are sent as they are"),
    (header::DATE, "remove it: it has the time of the answer"),
    // Those of one connection (RFC 9110 section 7.6.1): proxies obey them, or pass them on to who obeys them.
    (header::TRANSFER_ENCODING, "remove it"),
    (header::CONNECTION, "remove it"),
    (HeaderName::from_static("keep-alive"), "remove it"),
    (HeaderName::from_static("proxy-connection"), "remove it"),
    (header::PROXY_AUTHENTICATE, "remove it: it is for proxies"),
    (header::TE, "remove it"),
    (header::TRAILER, "remove it"),
    (header::UPGRADE, "remove it"),
    (
        HeaderName::from_static("x-request-id"),
        "show `{request.id}` in another header",
    ),
];

/// Statuses whose answers end with their headers: a body, and be it empty, would have a length (RFC 9110 section 8.6).
const NO_BODY: [StatusCode; 3] = [
    StatusCode::NO_CONTENT,
    StatusCode::RESET_CONTENT,
    StatusCode::NOT_MODIFIED,
];

/// What cookies can hold, each where it is carried.
pub(super) const COOKIES_HOLD: [(Group, &str); 3] = [
    (Group::Token, "a token"),
    (Group::Refresh, "a new refresh token"),
    (Group::Account, "the account"),
];

impl<'s> Loader<'s> {
    /// An answer written in place, or one of `[answer]` by its name.
    pub(super) fn answer(&self, value: &'s Spanned<DeValue<'s>>, what: &str, scope: &Scope) -> Result<Arc<Answer>> {
        let DeValue::String(name) = value.get_ref() else {
            return self.answer_of(value, what, scope);
        };
        let Some((_, answer)) = self.answers.get(name.as_ref()) else {
            let hint = did_you_mean(name, self.answers.keys().map(String::as_str));
            return Err(self
                .source
                .fault(value.span(), format!("there is no answer `{name}` in [answer]"), hint));
        };
        self.used_answers.borrow_mut().insert(name.to_string());
        self.answer_of(answer, &format!("[answer] {name}"), scope)
    }

    /// An answer written in place.
    pub(super) fn answer_of(&self, value: &'s Spanned<DeValue<'s>>, what: &str, scope: &Scope) -> Result<Arc<Answer>> {
        let section = Section::of(self.source, what, value)?.with(&keys::ANSWER);
        let mut answer = Answer {
            status: self.status(&section)?,
            headers: self.headers(&section, scope)?,
            body: self.body(&section, scope)?,
            set_cookies: self.cookie_list(&section, "set_cookies", Some(scope))?,
            clear_cookies: self.cookie_list(&section, "clear_cookies", None)?,
            shows_token: false,
        };
        self.has_room_for_body(&section, answer.status)?;
        answer.shows_token = self.shows_token(&answer);
        section.finish()?;
        Ok(Arc::new(answer))
    }

    fn shows_token(&self, answer: &Answer) -> bool {
        let body = match &answer.body {
            Body::Json(_, template) | Body::Text(template) => Some(template),
            Body::Empty => None,
        };
        let headers = answer.headers.iter().map(|(_, template)| template);
        let cookies = answer.set_cookies.iter().filter_map(|index| self.cookies.get(*index));
        let mut templates = body
            .into_iter()
            .chain(headers)
            .chain(cookies.map(|cookie| &cookie.value));
        let of_token = |hole: &Hole| hole.is_of(Group::Token) || hole.is_of(Group::Refresh);
        templates.any(|template| template.shows(&of_token))
    }

    fn status(&self, section: &Section<'s>) -> Result<Option<StatusCode>> {
        let number = section.number("status", 200..=599)?;
        Ok(number.and_then(|number| StatusCode::from_u16(u16::try_from(number).ok()?).ok()))
    }

    /// Refuses a body where the status has none.
    fn has_room_for_body(&self, section: &Section<'s>, status: Option<StatusCode>) -> Result<()> {
        let Some(status) = status.filter(|status| NO_BODY.contains(status)) else {
            return Ok(());
        };
        for key in ["json", "text"] {
            if let Some(value) = section.value(key) {
                let what = format!("an answer with status {} has no body", status.as_u16());
                let hint = format!("remove `{key}`, or answer with another status, such as 200");
                return Err(self.source.fault(value.span(), what, hint));
            }
        }
        Ok(())
    }

    fn headers(&self, section: &Section<'s>, scope: &Scope) -> Result<Vec<(HeaderName, Template)>> {
        let mut headers = Vec::new();
        for (key, value) in section.section("headers")?.entries() {
            let (Ok(name), DeValue::String(text)) = (HeaderName::try_from(&key.text), value.get_ref()) else {
                let hint = "write `headers = { X-Name = \"value\" }`";
                return Err(self
                    .source
                    .fault(key.span, format!("`{}` is no header with a text", key.text), hint));
            };
            if let Some((_, instead)) = NOT_HERE.into_iter().find(|(own, _)| *own == name) {
                let is_type = name == header::CONTENT_TYPE && section.value("json").is_none();
                let instead = if is_type { NO_JSON } else { instead };
                let what = format!("the header `{name}` is written by the server");
                return Err(self.source.fault(key.span, what, instead));
            }
            if HeaderValue::from_str(text).is_err() {
                let hint = "use printable characters only";
                return Err(self
                    .source
                    .fault(value.span(), "this cannot be the value of a header", hint));
            }
            let template = self
                .compiler(scope)
                .text(text)
                .map_err(|fault| self.source.in_template(value.span(), fault))?;
            headers.push((name, template));
        }
        Ok(headers)
    }

    fn media_type(&self, section: &Section<'s>) -> Result<String> {
        let Some(own) = section.text("content_type")? else {
            return Ok(JSON.to_owned());
        };
        if section.value("json").is_none() {
            let what = "only an answer with `json` has a `content_type`";
            return Err(self.source.fault(own.span, what, NO_JSON));
        }
        let is_one = own.text.is_ascii() && own.text.contains('/') && HeaderValue::from_str(&own.text).is_ok();
        is_one.then_some(own.text).ok_or_else(|| {
            let hint = "write one such as \"application/problem+json\"";
            self.source.fault(own.span, "this is no media type", hint)
        })
    }

    fn body(&self, section: &Section<'s>, scope: &Scope) -> Result<Body> {
        let media_type = self.media_type(section)?;
        match (section.value("json"), section.value("text")) {
            (Some(_), Some(text)) => {
                let hint = "keep one of the two";
                Err(self
                    .source
                    .fault(text.span(), "an answer has `json` or `text`, not both", hint))
            }
            (Some(value), None) => {
                let DeValue::String(text) = value.get_ref() else {
                    return Err(section.wrong_type("json", value, "JSON in quotes"));
                };
                let parsed = json(self.source, value, text)?;
                let template = self
                    .compiler(scope)
                    .json(&parsed)
                    .map_err(|fault| self.source.in_template(value.span(), fault))?;
                Ok(Body::Json(media_type, template))
            }
            (None, Some(value)) => {
                let DeValue::String(text) = value.get_ref() else {
                    return Err(section.wrong_type("text", value, "text in quotes"));
                };
                let template = self
                    .compiler(scope)
                    .text(text)
                    .map_err(|fault| self.source.in_template(value.span(), fault))?;
                Ok(Body::Text(template))
            }
            (None, None) => Ok(Body::Empty),
        }
    }

    fn cookie_list(&self, section: &Section<'s>, key: &str, scope: Option<&Scope>) -> Result<Vec<usize>> {
        let mut indices = Vec::new();
        for name in section.texts(key)? {
            let Some(index) = self.cookies.iter().position(|cookie| cookie.name == name.text) else {
                let hint = format!("declare it: `[cookie.{}]`", name.text);
                return Err(self
                    .source
                    .fault(name.span, format!("there is no cookie `{}`", name.text), hint));
            };
            for (group, held) in COOKIES_HOLD {
                let holds = |cookie: &Cookie| cookie.value.shows(&|hole| hole.is_of(group));
                if scope.is_some_and(|scope| !scope.has(group)) && self.cookies.get(index).is_some_and(holds) {
                    let what = format!("the cookie `{}` holds {held}, and there is none here", name.text);
                    let hint = format!("set it where an outcome carries {held}");
                    return Err(self.source.fault(name.span, what, hint));
                }
            }
            self.used_cookies.borrow_mut().insert(name.text);
            indices.push(index);
        }
        Ok(indices)
    }
}
