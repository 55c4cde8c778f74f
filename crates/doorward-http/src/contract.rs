//! Contracts: login APIs as files. What is here is a contract as it is used, checked once when it was read.
//!
//! The surprise: nothing in this crate knows the name of any contract. The built-in ones are data too.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderName, Method, StatusCode};
use doorward_core::action::{Action, Input, OutcomeKind};
use doorward_core::auth::RefreshGrant;

pub mod builtin;
mod example;
pub mod hole;
pub mod keys;
mod load;
pub mod manual;
pub mod render;
mod section;
pub mod template;
pub mod wide;
pub mod words;

pub use load::{DEFAULT_WORDS, parse};

use template::Template;
use wide::Wide;
use words::Words;

/// A login API.
#[derive(Debug)]
pub struct Contract {
    /// What it is called; served under `/<name>` unless somebody says otherwise.
    pub name: String,
    /// One line about it.
    pub about: String,
    /// Whether it is also served at the root when nobody says what to serve.
    pub root: bool,
    /// The realm of its accounts.
    pub realm: String,
    /// Where it is served if nobody says otherwise: `""` for the root, else `/…`.
    pub prefix: String,
    /// Whether `/login/` is `/login`.
    pub trailing_slash: bool,
    /// What bodies it reads.
    pub bodies: Bodies,
    /// Whether a number or a boolean is taken for text.
    pub coerce: bool,
    /// The tokens it issues and where it looks for them.
    pub token: TokenRules,
    /// The cookies it sets and clears.
    pub cookies: Vec<Cookie>,
    /// The origins whose pages may read its answers.
    pub origins: Vec<String>,
    /// How faults are told.
    pub faults: FaultRules,
    /// The switches an operator can set, with what each does.
    pub switches: BTreeMap<String, String>,
    /// The routes, in the order of the file.
    pub routes: Vec<Route>,
    /// The contract-wide answers.
    pub answers: WideAnswers,
    /// The file's own text: two mounts with one text are one contract in two places.
    pub source: String,
}

/// What bodies a contract reads.
#[derive(Clone, Copy, Debug)]
pub struct Bodies {
    /// `application/json` and `…+json`.
    pub json: bool,
    /// `application/x-www-form-urlencoded`.
    pub form: bool,
    /// The most bytes of a body.
    pub limit: usize,
}

/// The tokens of a contract.
#[derive(Debug)]
pub struct TokenRules {
    /// The life of an access token.
    pub lifetime: Duration,
    /// The refresh tokens, if it has them.
    pub refresh: Option<RefreshGrant>,
    /// The contract's own claims: a JSON object.
    pub claims: Template,
    /// What they are called.
    pub claim_names: Vec<String>,
    /// Where tokens are looked for, in this order.
    pub sources: Vec<TokenSource>,
}

/// A place to look for a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenSource {
    /// `Authorization: <scheme> <token>`, the scheme in any case.
    Scheme(String),
    /// `Authorization: <token>`.
    Bare,
    /// A cookie.
    Cookie(String),
}

/// A cookie that answers set and clear.
#[derive(Debug)]
pub struct Cookie {
    /// Its name.
    pub name: String,
    /// What it holds: plain text.
    pub value: Template,
    /// `SameSite`.
    pub same_site: SameSite,
    /// `Path`.
    pub path: String,
    /// Whether scripts are kept from it.
    pub http_only: bool,
    /// Whether it holds a refresh token.
    pub holds_refresh: bool,
    /// For how long; what is left of the token that it holds if not set.
    pub max_age: Option<Duration>,
    /// Whether it is cleared only when the request brought it.
    pub clear_only_if_sent: bool,
}

impl Cookie {
    /// Whether browsers take it only with `Secure`: with `SameSite=None`, and with either prefix of names (RFC 6265bis
    /// section 4.1.3).
    pub fn has_to_be_secure(&self) -> bool {
        self.same_site == SameSite::None || has_prefix(&self.name, "__Host-") || has_prefix(&self.name, "__Secure-")
    }
}

/// Whether the name of a cookie begins like this. To browsers the case of a prefix makes no difference (RFC 6265bis
/// section 5.4).
fn has_prefix(name: &str, prefix: &str) -> bool {
    let start = name.get(..prefix.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// The `SameSite` attribute of a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// Not with requests from other sites, but with links from them.
    Lax,
    /// Never with requests from other sites.
    Strict,
    /// With all requests; needs `Secure`.
    None,
}

/// How faults are told.
#[derive(Debug)]
pub struct FaultRules {
    /// Whether all faults are told, one per field, or only the first.
    pub all: bool,
    /// Whether every missing field comes before any other fault.
    pub presence_first: bool,
    /// The words for the limits that hold whatever a contract says.
    pub words: BTreeMap<&'static str, Words>,
}

/// A route: methods and paths that run one action.
#[derive(Debug)]
pub struct Route {
    /// Its places.
    pub places: Vec<Place>,
    /// What it runs.
    pub action: Action,
    /// Places in the request that must hold a value for the route to be meant.
    pub when: Vec<(Location, String)>,
    /// The fields it reads, in the order in which their rules are tried.
    pub fields: Vec<Arc<Field>>,
    /// Whether changing identifiers or the password takes the current password.
    pub reauthenticate: bool,
    /// An answer for each outcome of the action, unless a switch replaces it: ask [`Route::answer`].
    answers: BTreeMap<OutcomeKind, Arc<Answer>>,
    /// Contract-wide answers that this route words differently.
    pub wide: Vec<(Wide, Arc<Answer>)>,
    /// Answers that a switch replaces.
    pub switched: Vec<(String, OutcomeKind, Arc<Answer>)>,
}

/// A method and path of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The method.
    pub method: Method,
    /// The path within the contract, `/…`, with `{name}` for a variable segment.
    pub path: String,
    /// Whether it yields when a route of another contract has the same place.
    pub alias: bool,
}

/// A field of a request.
#[derive(Debug)]
pub struct Field {
    /// What the file calls it.
    pub name: String,
    /// What it is called in faults.
    pub label: String,
    /// Where it stands.
    pub at: Location,
    /// What it is to the action; nothing, if only its rules are tried.
    pub input: Option<Input>,
    /// The name of the free attribute, if it is one.
    pub attribute: String,
    /// Whether the empty text counts as absent.
    pub empty_is_absent: bool,
    /// Whether an attribute may be any JSON, not only text.
    pub json: bool,
    /// Whether a new password has to please the password policy.
    pub strong: bool,
    /// Its rules, in the order in which they are tried.
    pub rules: Vec<Rule>,
}

/// Where a value stands in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A member of the body, by its path.
    Body(Vec<String>),
    /// A parameter of the query.
    Query(String),
    /// A header.
    Header(HeaderName),
    /// A variable segment of the path.
    Path(String),
}

/// A rule of a field: what must hold, else these words.
#[derive(Debug)]
pub struct Rule {
    /// All of it must hold.
    pub conditions: Vec<Condition>,
    /// What is said otherwise.
    pub words: String,
}

/// What a value must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// There, and not null.
    Present,
    /// A text of at least one code point.
    Filled,
    /// Text.
    Text,
    /// At least this many code points.
    Min(usize),
    /// At most this many code points.
    Max(usize),
    /// An e-mail address.
    Email,
    /// The same as another field of the route, by its name.
    SameAs(String),
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The status; a contract-wide answer without one has its kind's.
    pub status: Option<StatusCode>,
    /// More headers.
    pub headers: Vec<(HeaderName, Template)>,
    /// The body.
    pub body: Body,
    /// Indices of cookies to set.
    pub set_cookies: Vec<usize>,
    /// Indices of cookies to clear.
    pub clear_cookies: Vec<usize>,
    /// Whether it shows a token, itself or in a cookie.
    pub shows_token: bool,
}

/// The body of an answer.
#[derive(Debug)]
pub enum Body {
    /// None.
    Empty,
    /// JSON, with its media type.
    Json(String, Template),
    /// Plain text.
    Text(Template),
}

/// The contract-wide answers.
#[derive(Debug, Default)]
pub struct WideAnswers {
    /// The answers that are named.
    pub named: Vec<(Wide, Arc<Answer>)>,
    /// The one that stands for all others.
    pub any: Option<Arc<Answer>>,
}

impl Contract {
    /// Those of its switches that are on, by their own names. An operator names them as `contract.switch`.
    pub fn switches_on(&self, on: &[String]) -> Vec<String> {
        let of_this = |switch: &String| Some(switch.strip_prefix(&self.name)?.strip_prefix('.')?.to_owned());
        on.iter().filter_map(of_this).collect()
    }
}

impl Place {
    /// The names of the path's variables, from left to right.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.path.split('/').filter_map(variable)
    }
}

/// The name of a segment that is a variable.
fn variable(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// The path with its variables numbered: `/a/{id}` and `/a/{name}` are one path, whatever a file calls them.
pub(crate) fn numbered(path: &str) -> String {
    let segments = path
        .split('/')
        .enumerate()
        .map(|(index, segment)| match variable(segment) {
            Some(_) => format!("{{v{index}}}"),
            None => segment.to_owned(),
        });
    segments.collect::<Vec<_>>().join("/")
}

/// What a prefix looks like, for messages.
pub const PREFIX_HINT: &str = "a prefix is `/`, or letters, digits, `-`, `.`, `_` and `~` between single slashes, as in \
                               `/api/v2`";

/// A prefix without the slash at its end; `None` if it is no valid prefix.
pub fn prefix(text: &str) -> Option<&str> {
    let prefix = text.strip_suffix('/').unwrap_or(text);
    let is_one = prefix.is_empty() || prefix.starts_with('/');
    (is_one && prefix.split('/').skip(1).all(is_segment)).then_some(prefix)
}

/// Whether a segment of a path comes as it is written: nobody encodes it, and nobody resolves it.
fn is_segment(text: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
    !matches!(text, "" | "." | "..") && text.bytes().all(is_plain)
}

impl WideAnswers {
    /// The answer of this very kind.
    pub fn exact(&self, wide: Wide) -> Option<&Arc<Answer>> {
        self.named.iter().find(|(is, _)| *is == wide).map(|(_, answer)| answer)
    }

    /// The answer for a kind: its own, the one that stands in for it, or the one for all.
    pub fn find(&self, wide: Wide) -> Option<&Arc<Answer>> {
        let stand_in = || wide.stand_in().and_then(|other| self.exact(other));
        self.exact(wide).or_else(stand_in).or(self.any.as_ref())
    }
}

impl Route {
    /// The answer to an outcome while these switches are on.
    pub fn answer(&self, kind: OutcomeKind, switches: &[String]) -> Option<&Answer> {
        let is_meant = |switched: &&(String, OutcomeKind, _)| switched.1 == kind && switches.contains(&switched.0);
        let switched = self.switched.iter().find(is_meant).map(|(_, _, answer)| answer);
        switched.or_else(|| self.answers.get(&kind)).map(|answer| &**answer)
    }

    /// Whether a success shows a token while these switches are on.
    pub fn wants_token(&self, switches: &[String]) -> bool {
        let successes = [OutcomeKind::Ok, OutcomeKind::Created];
        let mut answers = successes.into_iter().filter_map(|kind| self.answer(kind, switches));
        answers.any(|answer| answer.shows_token)
    }

    /// Whether it has to read the body.
    pub fn reads_body(&self) -> bool {
        let fields = self.fields.iter().map(|field| &field.at);
        fields
            .chain(self.when.iter().map(|(at, _)| at))
            .any(|at| matches!(at, Location::Body(_)))
    }
}
