//! The keys of a contract file, by section. One list: the loader refuses what is not in it, and the reference shows it.

use doorward_core::action::Action;

use super::wide::Wide;

/// The keys of one kind of table.
pub struct Keys {
    /// How the table is written.
    pub section: &'static str,
    /// Each key, what it is if nothing is said, and what it says.
    pub keys: &'static [(&'static str, &'static str, &'static str)],
    /// The keys that other tables tell.
    pub(super) more: Option<More>,
}

/// Keys that are told elsewhere.
pub(super) struct More {
    /// Where, and what they say.
    pub(super) says: &'static str,
    is: fn(&str) -> bool,
}

/// What has no value unless the file says so.
const REQUIRED: &str = "required";
const NONE: &str = "none";
const OFF: &str = "`false`";

/// The tables of a file.
pub const FILE: Keys = Keys {
    section: "The file",
    keys: &[
        ("contract", REQUIRED, "what the contract is"),
        ("token", REQUIRED, "its tokens"),
        ("cookie", NONE, "`[cookie.NAME]`: its cookies"),
        ("faults", NONE, "how faults are told"),
        (
            "words",
            NONE,
            "what is said of limits of the server, see [Words](#words)",
        ),
        ("shape", NONE, "pieces of JSON: `NAME = '…'` is shown by `\"{NAME}\"`"),
        ("field", NONE, "`[field.NAME]`: values of a request"),
        ("switch", NONE, "`[switch.NAME]`: what an operator can turn on"),
        ("cors", NONE, "whose pages may read answers"),
        (
            "answer",
            REQUIRED,
            "answers by name, and [contract-wide answers](#contract-wide-answers)",
        ),
        ("route", REQUIRED, "`[[route]]`: the routes"),
    ],
    more: None,
};

/// `[contract]`.
pub const CONTRACT: Keys = Keys {
    section: "`[contract]`",
    keys: &[
        ("name", REQUIRED, "lower-case letters, digits and `-`"),
        ("about", "empty", "one line about it"),
        ("prefix", "`/NAME`", "where it is served if nobody says otherwise"),
        (
            "realm",
            "`main`",
            "the name of its accounts: 1 to 128 characters, no control characters",
        ),
        (
            "root",
            OFF,
            "a built-in contract is served at the root as well by default",
        ),
        ("bodies", "`[\"json\"]`", "what bodies it reads: `json`, `form`"),
        ("body_limit", "`1048576`", "the most bytes of a body, up to 16 MiB"),
        ("trailing_slash", OFF, "`/login/` is `/login`"),
        (
            "coerce",
            OFF,
            "in the body a number, true and false are taken for text, and null for the empty text; of numbers, a password \
             takes only one that is kept as it was typed",
        ),
    ],
    more: None,
};

/// `[token]`.
pub const TOKEN: Keys = Keys {
    section: "`[token]`",
    keys: &[
        ("lifetime", REQUIRED, "the life of an access token: `15m`, `24h`, …"),
        (
            "from",
            REQUIRED,
            "where it is looked for: `bearer`, `scheme:WORD`, `bare`, `cookie:NAME`",
        ),
        ("claims", REQUIRED, "a JSON object: claims beside the server's own"),
        ("refresh", NONE, "`[token.refresh]`: logins carry a refresh token"),
    ],
    more: None,
};

/// `[token.refresh]`.
pub const REFRESH: Keys = Keys {
    section: "`[token.refresh]`",
    keys: &[
        ("idle", REQUIRED, "the life of a refresh token that is not used"),
        (
            "lifetime",
            REQUIRED,
            "the longest life of a session, counted from its login",
        ),
        (
            "grace",
            REQUIRED,
            "for how long its client may use one again, up to 60 s",
        ),
    ],
    more: None,
};

/// `[cookie.NAME]`.
pub const COOKIE: Keys = Keys {
    section: "`[cookie.NAME]`",
    keys: &[
        ("value", "`{token}`", "what it holds: words with holes"),
        ("same_site", "`Lax`", "`Lax`, `Strict` or `None`"),
        ("path", "`/`", "the paths that it is sent to"),
        (
            "max_age",
            "what is left of the token it holds",
            "for how long browsers keep it",
        ),
        ("scripts_can_read", OFF, "it is not `HttpOnly`"),
        (
            "clear_only_if_sent",
            OFF,
            "`clear_cookies` clears it only if the request brought it",
        ),
    ],
    more: None,
};

/// `[faults]`.
pub const FAULTS: Keys = Keys {
    section: "`[faults]`",
    keys: &[
        ("answer", "`first`", "`all`: every broken field is told; `first`: one"),
        (
            "order",
            "`fields`",
            "`presence`: missing fields come before other faults",
        ),
        (
            "by_field",
            OFF,
            "`{faults}` is an object of lists, and no list of shapes",
        ),
    ],
    more: None,
};

/// `[field.NAME]`.
pub const FIELD: Keys = Keys {
    section: "`[field.NAME]`",
    keys: &[
        ("is", REQUIRED, "what it is to the action, see [Inputs](#inputs)"),
        (
            "at",
            "`NAME`, in the body",
            "where it stands: `name.member`, `query:name`, `header:name`, `path:name`",
        ),
        ("label", "`at` without its place", "what faults call it"),
        (
            "rules",
            "required without `json`",
            "a list of rules, tried in their order",
        ),
        ("empty_is_absent", OFF, "the empty text counts as no value"),
        ("strong", OFF, "a new password has to please the password policy"),
        (
            "json",
            OFF,
            "an attribute may be any JSON and not only text (with `coerce`, numbers, true, false and null are text here, too)",
        ),
    ],
    more: None,
};

/// A rule of a field.
pub const RULE: Keys = Keys {
    section: "A rule",
    keys: &[
        ("present", OFF, "the value is there and not null"),
        ("filled", OFF, "it is text of at least one character"),
        ("string", OFF, "it is text"),
        ("min", NONE, "it is text of at least so many code points"),
        ("max", NONE, "it is text of at most so many code points"),
        ("format", NONE, "`email`: it is an e-mail address"),
        ("same_as", NONE, "it equals the field of this name"),
        ("else", REQUIRED, "what is said otherwise"),
    ],
    more: None,
};

/// `[switch.NAME]`.
pub const SWITCH: Keys = Keys {
    section: "`[switch.NAME]`",
    keys: &[("about", REQUIRED, "one line about it")],
    more: None,
};

/// `[cors]`.
pub const CORS: Keys = Keys {
    section: "`[cors]`",
    keys: &[("origins", NONE, "origins whose pages may read answers, or `loopback`")],
    more: None,
};

/// `[[route]]`.
pub const ROUTE: Keys = Keys {
    section: "`[[route]]`",
    keys: &[
        ("on", REQUIRED, "its places: a method and a path each"),
        ("alias", NONE, "places that yield to a route of another contract"),
        ("action", REQUIRED, "what it runs, see [Actions](#actions)"),
        (
            "when",
            NONE,
            "values of the request that tell it apart: `{ \"query:do\" = \"renew\" }`",
        ),
        ("fields", NONE, "the fields that it reads, by name"),
        (
            "trust_session",
            OFF,
            "no current password is asked for, where the action could ask for it",
        ),
        (
            "with",
            NONE,
            "`[route.with.SWITCH]`: answers to outcomes that a switch replaces",
        ),
    ],
    more: Some(More {
        says: "And an answer, or the name of one in `[answer]`, for each outcome of the action (`invalid` only where there are \
               fields),\nand for [contract-wide answers](#contract-wide-answers) that the route says differently.",
        is: is_answered,
    }),
};

/// An answer.
pub const ANSWER: Keys = Keys {
    section: "An answer",
    keys: &[
        ("status", "required, but for contract-wide answers", "200 to 599"),
        ("headers", NONE, "`{ X-Name = \"value\" }`, with holes"),
        ("set_cookies", NONE, "cookies that are set, by name"),
        ("clear_cookies", NONE, "cookies that are cleared, by name"),
        ("json", NONE, "the body: JSON with holes in its strings"),
        (
            "content_type",
            "`application/json; charset=utf-8`",
            "the media type of `json`",
        ),
        ("text", NONE, "the body: plain words with holes"),
    ],
    more: None,
};

/// All of them, in the order in which the reference shows them.
pub const SECTIONS: [&Keys; 12] = [
    &FILE, &CONTRACT, &TOKEN, &REFRESH, &COOKIE, &FAULTS, &FIELD, &RULE, &SWITCH, &CORS, &ROUTE, &ANSWER,
];

/// Whether a route answers it under this name.
fn is_answered(name: &str) -> bool {
    let outcomes = Action::ALL.iter().flat_map(|action| action.table().outcomes);
    Wide::named(name).is_some() || { outcomes }.any(|outcome| outcome.kind.name() == name)
}

impl Keys {
    /// Whether a table of this kind has such a key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.keys.iter().any(|(known, ..)| *known == key) || self.more.as_ref().is_some_and(|more| (more.is)(key))
    }
}
