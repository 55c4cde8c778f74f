//! What means nothing, or would mislead whoever calls: each case is one change to a file that loads.

use super::parse;
use super::tests::{Case, GOOD, complaint, every_case_is_told};

#[rustfmt::skip]
const NO_BODY: &[Case] = &[
    ("status = 401, json", "status = 204, json", "mine.toml:25:34", "an answer with status 204 has no body", "remove `json`, or answer with another status"),
    ("status = 401, json", "status = 205, json", "mine.toml:25:34", "an answer with status 205 has no body", "remove `json`"),
    ("status = 401, json", "status = 304, json", "mine.toml:25:34", "an answer with status 304 has no body", "remove `json`"),
    ("status = 401, json = '{\"message\": \"no\"}'", "status = 204, text = ''", "mine.toml:25:34", "an answer with status 204 has no body", "remove `text`"),
    ("status = 401, json", "status = 204, content_type = 'a/b', json", "mine.toml:25:", "an answer with status 204 has no body", "remove `json`"),
];

#[test]
fn what_has_no_body_is_given_none() {
    every_case_is_told(NO_BODY);
    let empty = GOOD.replace("status = 401, json = '{\"message\": \"no\"}'", "status = 204");
    parse("mine.toml", &empty).unwrap_or_else(|e| panic!("{e}"));
}

#[test]
fn no_header_breaks_the_message() {
    for (name, hint) in [
        ("Content-Encoding", "remove it"),
        ("Upgrade", "remove it"),
        ("Keep-Alive", "remove it"),
        ("Trailer", "remove it"),
        ("TE", "remove it"),
        ("Proxy-Connection", "remove it"),
        ("Proxy-Authenticate", "remove it"),
        ("Date", "remove it"),
        ("Set-Cookie", "declare `[cookie.NAME]`"),
    ] {
        let told = complaint(&GOOD.replace(
            "status = 401,",
            &format!("status = 401, headers = {{ {name} = \"a\" }},"),
        ));
        let what = format!("the header `{}` is written by the server", name.to_lowercase());
        assert!(told.contains(&what) && told.contains("mine.toml:25:39"), "{told}");
        assert!(told.contains(&format!("hint: {hint}")), "{told}");
    }
}
