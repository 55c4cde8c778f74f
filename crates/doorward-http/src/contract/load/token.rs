//! Reads `[token]` and `[cookie.…]`.

use std::time::Duration;

use axum::http::HeaderName;
use doorward_core::auth::RefreshGrant;
use doorward_core::token::REGISTERED_CLAIMS;
use serde_json::Value;
use toml::de::DeValue;

use super::super::hole::{Group, Scope};
use super::super::keys;
use super::super::section::{Result, Section, Source, Text};
use super::super::template::member_name;
use super::super::{Cookie, SameSite, TokenRules, TokenSource, has_prefix};
use super::answer::COOKIES_HOLD;
use super::{Loader, json};

/// The longest life of anything, in days. Browsers keep no cookie longer than 400.
const MAX_DAYS: u64 = 400;
/// For how long a refresh token may be used twice, at the longest.
const MAX_GRACE: Duration = Duration::from_secs(60);

pub(super) fn rules<'s>(loader: &Loader<'s>, section: &Section<'s>) -> Result<TokenRules> {
    let lifetime = life(section, "lifetime", "24h")?;
    let refresh = match section.value("refresh") {
        Some(value) => {
            let of_refresh = Section::of(loader.source, "[token.refresh]", value)?.with(&keys::REFRESH);
            let grant = refresh(&of_refresh)?;
            outlives_no_refresh(section, lifetime, &of_refresh, grant)?;
            Some(grant)
        }
        None => None,
    };
    let mut sources = Vec::new();
    for from in section.texts("from")? {
        let source = token_source(loader.source, &from)?;
        if let TokenSource::Cookie(name) = &source {
            if !loader.cookies.iter().any(|cookie| cookie.name == *name) {
                let hint = format!("declare it: `[cookie.{name}]`");
                return Err(loader
                    .source
                    .fault(from.span, format!("there is no cookie `{name}`"), hint));
            }
            loader.used_cookies.borrow_mut().insert(name.clone());
        }
        sources.push(source);
    }
    if sources.is_empty() {
        return Err(section.missing("from", "[\"bearer\"]"));
    }
    let Some(value) = section.value("claims") else {
        return Err(section.missing("claims", "'{\"id\": \"{account.number}\"}'"));
    };
    let DeValue::String(text) = value.get_ref() else {
        return Err(section.wrong_type("claims", value, "JSON in quotes"));
    };
    let claims = json(loader.source, value, text)?;
    let Value::Object(members) = &claims else {
        return Err(loader
            .source
            .fault(value.span(), "the claims are no JSON object", "write '{\"name\": …}'"));
    };
    if let Some(taken) = members.keys().find(|key| REGISTERED_CLAIMS.contains(&key.as_str())) {
        let hint = format!("call it something else than: {}", REGISTERED_CLAIMS.join(", "));
        return Err(loader
            .source
            .fault(value.span(), format!("the claim `{taken}` is the server's own"), hint));
    }
    let scope = Scope::of(&[Group::Account]);
    let claim_names = members
        .keys()
        .map(|key| member_name(key))
        .collect::<std::result::Result<_, _>>()
        .map_err(|fault| loader.source.in_template(value.span(), fault))?;
    let claims = loader
        .compiler(&scope)
        .json(&claims)
        .map_err(|fault| loader.source.in_template(value.span(), fault))?;
    section.finish()?;
    Ok(TokenRules {
        lifetime,
        refresh,
        claims,
        claim_names,
        sources,
    })
}

fn refresh(section: &Section<'_>) -> Result<RefreshGrant> {
    let grant = RefreshGrant {
        idle: life(section, "idle", "30d")?,
        lifetime: life(section, "lifetime", "90d")?,
        grace: life(section, "grace", "10s")?,
    };
    section.finish()?;
    if grant.grace > MAX_GRACE {
        let what = format!(
            "a grace of more than {} s lets a stolen refresh token work",
            MAX_GRACE.as_secs()
        );
        return Err(section
            .source
            .fault(section.span.clone(), what, "write `grace = \"10s\"`"));
    }
    Ok(grant)
}

/// Refuses access tokens that still work when nothing refreshes their session any more: `idle` and the `lifetime` of
/// [token.refresh] would not be the limits that they are written down as.
fn outlives_no_refresh(
    section: &Section<'_>,
    lifetime: Duration,
    of_refresh: &Section<'_>,
    grant: RefreshGrant,
) -> Result<()> {
    for (key, longest, whom) in [
        ("idle", grant.idle, "a refresh token that is not used (`idle`)"),
        ("lifetime", grant.lifetime, "a session (`lifetime` of [token.refresh])"),
    ] {
        let texts = (section.text("lifetime")?, of_refresh.text(key)?);
        if let (Some(own), Some(other)) = texts
            && lifetime > longest
        {
            let what = format!("an access token of `{}` lives longer than {whom}", own.text);
            let hint = format!("write `{}` or less here, or as much there", other.text);
            return Err(section.source.fault(own.span, what, hint));
        }
    }
    Ok(())
}

fn token_source(source: &Source<'_>, from: &Text) -> Result<TokenSource> {
    match from.text.split_once(':') {
        None if from.text == "bearer" => Ok(TokenSource::Scheme("Bearer".to_owned())),
        None if from.text == "bare" => Ok(TokenSource::Bare),
        Some(("scheme", word)) if is_word(word) => Ok(TokenSource::Scheme(word.to_owned())),
        Some(("cookie", name)) if is_word(name) => Ok(TokenSource::Cookie(name.to_owned())),
        _ => {
            let hint = "there are: bearer, scheme:WORD, bare, cookie:NAME, each of one word";
            Err(source.fault(from.span.clone(), format!("no token comes from `{}`", from.text), hint))
        }
    }
}

/// Whether this can be the name of a scheme, a cookie or a header: all of them are a `token` of RFC 9110 section 5.6.2.
fn is_word(text: &str) -> bool {
    HeaderName::from_bytes(text.as_bytes()).is_ok()
}

pub(super) fn cookies<'s>(loader: &Loader<'s>, section: &Section<'s>) -> Result<Vec<Cookie>> {
    let mut cookies = Vec::new();
    for (key, value) in section.entries() {
        if !is_word(&key.text) {
            let hint = "use letters, digits, `-`, `_` and `.`";
            return Err(loader
                .source
                .fault(key.span, format!("`{}` is no name for a cookie", key.text), hint));
        }
        let section = Section::of(loader.source, format!("[cookie.{}]", key.text), value)?.with(&keys::COOKIE);
        cookies.push(cookie(loader, key, &section)?);
        section.finish()?;
    }
    Ok(cookies)
}

fn cookie<'s>(loader: &Loader<'s>, key: Text, section: &Section<'s>) -> Result<Cookie> {
    let same_site = match section.text("same_site")? {
        None => SameSite::Lax,
        Some(text) => match text.text.as_str() {
            "Lax" => SameSite::Lax,
            "Strict" => SameSite::Strict,
            "None" => SameSite::None,
            _ => {
                let what = format!("`{}` is no SameSite", text.text);
                return Err(loader.source.fault(text.span, what, "there are: Lax, Strict, None"));
            }
        },
    };
    let held = COOKIES_HOLD.map(|(group, _)| group).into_iter();
    let always: Vec<Group> = held.filter(|group| *group != Group::Refresh).collect();
    let scope = Scope::of(&always).with_refresh(loader.has_refresh);
    let value = section
        .text("value")?
        .map_or_else(|| "{token}".to_owned(), |value| value.text);
    let value = loader
        .compiler(&scope)
        .text(&value)
        .map_err(|fault| match section.value("value") {
            Some(at) => loader.source.in_template(at.span(), fault),
            None => loader.source.fault(section.span.clone(), fault.what, fault.hint),
        })?;
    let max_age = match section.value("max_age") {
        Some(_) => Some(life(section, "max_age", "24h")?),
        None => None,
    };
    Ok(Cookie {
        path: cookie_path(&key.text, section)?,
        name: key.text,
        holds_refresh: value.shows(&|hole| hole.is_of(Group::Refresh)),
        value,
        same_site,
        http_only: !section.flag("scripts_can_read")?,
        max_age,
        clear_only_if_sent: section.flag("clear_only_if_sent")?,
    })
}

/// The path of a cookie. Browsers take another one that does not begin with `/`, and what follows a `;` is an attribute
/// (RFC 6265 section 4.1.1). A cookie `__Host-…` is one of the whole host (RFC 6265bis section 4.1.3.2); no contract gives
/// any a `Domain`.
fn cookie_path(name: &str, section: &Section<'_>) -> Result<String> {
    let Some(path) = section.text("path")? else {
        return Ok("/".to_owned());
    };
    if path.text != "/" && has_prefix(name, "__Host-") {
        let what = "a cookie `__Host-…` has the path `/`";
        let hint = "remove `path`, or call the cookie `__Secure-…`: browsers refuse another path with this name";
        return Err(section.source.fault(path.span, what, hint));
    }
    let is_plain = |b: u8| b.is_ascii_graphic() && b != b';';
    if path.text.starts_with('/') && path.text.bytes().all(is_plain) {
        return Ok(path.text);
    }
    let what = format!("`{}` is no path for a cookie", path.text);
    let hint = "begin with `/`, and use printable ASCII without `;` and spaces: \"/auth\"";
    Err(section.source.fault(path.span, what, hint))
}

/// A duration such as `10s`, `15m`, `24h` or `30d`.
fn life(section: &Section<'_>, key: &str, example: &str) -> Result<Duration> {
    let Some(text) = section.text(key)? else {
        return Err(section.missing(key, &format!("\"{example}\"")));
    };
    let digits = text.text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text.text.get(digits.len()..) {
        Some("s") => Some(1),
        Some("m") => Some(60),
        Some("h") => Some(60 * 60),
        Some("d") => Some(24 * 60 * 60),
        _ => None,
    };
    let seconds = digits
        .parse::<u64>()
        .ok()
        .zip(unit)
        .and_then(|(number, unit)| number.checked_mul(unit));
    let seconds = seconds.filter(|seconds| (1..=MAX_DAYS * 24 * 60 * 60).contains(seconds));
    seconds.map(Duration::from_secs).ok_or_else(|| {
        let hint = format!("write a number and s, m, h or d, up to {MAX_DAYS} days: \"{example}\"");
        section
            .source
            .fault(text.span, format!("`{}` is no duration", text.text), hint)
    })
}
