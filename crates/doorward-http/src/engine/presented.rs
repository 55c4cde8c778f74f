//! Collects the tokens of a request, in the order in which the contract looks for them.

use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, COOKIE};
use doorward_core::secret::Secret;
use doorward_core::token::{MAX_PRESENTED, Presented};

use super::Mounted;
use crate::contract::{Contract, TokenSource};

/// The tokens that came. Without `cookies`, cookies do not count: the request comes from a page of another
/// site, which can send the browser's cookies but cannot know them.
pub(super) fn tokens(contract: &Contract, headers: &HeaderMap, cookies_count: bool, wanted: bool) -> Presented {
    let sources = contract.token.sources.iter().filter(|_| wanted);
    found(sources.filter(|source| cookies_count || !is_cookie(source)), headers)
}

/// The tokens in the places where any of the mounted contracts of a realm looks, and in `Authorization: Bearer`.
/// The cookies of a contract do not count where it would not count them itself: on a request of `unsafe_method` from
/// a page of another site.
pub(crate) fn tokens_of_realm<'m>(
    mounts: impl Iterator<Item = &'m Mounted>,
    headers: &HeaderMap,
    unsafe_method: bool,
    over_tls: bool,
) -> Presented {
    let bearer = TokenSource::Scheme("Bearer".to_owned());
    let mut sources = vec![&bearer];
    for mounted in mounts {
        let cookies_count = !unsafe_method || !mounted.origins.is_foreign(headers, over_tls);
        for source in &mounted.contract.token.sources {
            if (cookies_count || !is_cookie(source)) && !sources.contains(&source) {
                sources.push(source);
            }
        }
    }
    found(sources.into_iter(), headers)
}

fn is_cookie(source: &TokenSource) -> bool {
    matches!(source, TokenSource::Cookie(_))
}

fn found<'s>(sources: impl Iterator<Item = &'s TokenSource>, headers: &HeaderMap) -> Presented {
    let mut presented = Presented::default();
    for source in sources {
        match source {
            TokenSource::Scheme(word) => presented.0.extend(authorization(headers).filter_map(|value| {
                let (scheme, token) = value.split_once(' ')?;
                scheme
                    .eq_ignore_ascii_case(word)
                    .then_some(token.trim())
                    .and_then(token_text)
            })),
            TokenSource::Bare => presented.0.extend(authorization(headers).filter_map(|value| {
                let bare = !value.contains(' ');
                bare.then_some(value).and_then(token_text)
            })),
            TokenSource::Cookie(name) => {
                presented.0.extend(
                    cookies(headers)
                        .filter(|(is, _)| is == name)
                        .filter_map(|(_, v)| token_text(v)),
                );
            }
        }
    }
    presented.0.truncate(MAX_PRESENTED);
    presented
}

/// A token, unless it is what scripts write when they have none.
fn token_text(text: &str) -> Option<Secret> {
    let none = matches!(text, "" | "null" | "undefined");
    (!none).then(|| Secret::new(text.to_owned()))
}

fn authorization(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers
        .get_all(AUTHORIZATION)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .map(str::trim)
}

/// The cookies of a request, each with its value as it came (RFC 6265 section 5.4).
pub(super) fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let values = headers
        .get_all(COOKIE)
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(';')).filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        Some((name.trim(), value.trim().trim_matches('"')))
    })
}
