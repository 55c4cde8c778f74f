//! What means nothing, or would mislead whoever calls: each case is one change to a file that loads.

use doorward_core::action::OutcomeKind;

use super::super::Body;
use super::super::render::Filling;
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

#[test]
fn each_part_of_the_server_sees_the_same_field() {
    let field =
        |name: &str, is: &str| format!("[field.{name}]\nis = \"{is}\"\nrules = [{{ filled = true, else = \"x\" }}]\n");
    let register = "action = \"register\"\ncreated = \"refused\"\ntaken = \"refused\"\ninvalid = \"refused\"\n";
    let with = |is: [&str; 2], listed: &str| {
        let declared = format!("{}{}[shape]", field("one", is[0]), field("other", is[1]));
        let text = GOOD.replace("[shape]", &declared);
        format!("{text}\n[[route]]\non = \"POST /join\"\n{register}fields = [\"email\", \"password\", {listed}]\n")
    };
    for (is, listed, place, what, hint) in [
        (
            ["username", "first_name"],
            "\"one\", \"other\", \"one\"",
            "49:48",
            "`one` is listed twice",
            "remove one",
        ),
        (
            ["password", "username"],
            "\"one\", \"other\"",
            "49:32",
            "`password` and `one` are both the password of this route",
            "for a value that is typed again write `is = \"none\"` and a rule with `same_as = \"password\"`",
        ),
        (
            ["attribute.a", "attribute.a"],
            "\"one\", \"other\"",
            "49:39",
            "`one` and `other` are both the attribute.a of this route",
            "same_as = \"one\"",
        ),
    ] {
        let told = complaint(&with(is, listed));
        assert!(told.contains(&format!("mine.toml:{place}")), "{told}");
        assert!(
            told.contains(what) && told.contains("hint: ") && told.contains(hint),
            "{told}"
        );
    }
    let apart = with(["attribute.a", "attribute.b"], "\"one\", \"other\"");
    parse("mine.toml", &apart).unwrap_or_else(|e| panic!("{e}"));
}

#[rustfmt::skip]
const NOT_FILLED: &[Case] = &[
    ("else = \"bad email\"", "else = \"bad {field}\"", "mine.toml:14:59", "an `else` has no holes", "`{{`"),
    ("else = \"bad email\"", "else = \"bad {\"", "mine.toml:14:58", "a brace without its partner", "`{{`"),
    ("[shape]", "[words]\ntoo_long = \"{feld} is long\"\n[shape]", "mine.toml:21:14", "the hole `{feld}` names nothing", "did you mean `field`?"),
    ("[shape]", "[words]\ntoo_long = \"{field?} is long\"\n[shape]", "mine.toml:21:14", "the hole `{field?}` names nothing", "did you mean `field`?"),
    ("[shape]", "[words]\ncommon = \"{limit}\"\n[shape]", "mine.toml:21:12", "the hole `{limit}` names nothing", "there are: field"),
    ("[shape]", "[words]\ntaken = \"{field\"\n[shape]", "mine.toml:21:10", "a brace without its partner", "`{{`"),
    ("'{\"message\": \"no\"}'", "'{\"{account.id}\": \"no\"}'", "mine.toml:25:38", "a hole cannot be the name of a member", "`{{`"),
    ("user = '{\"id\"", "user = '{\"{user}\"", "mine.toml:21:12", "a hole cannot be the name of a member", "`{{`"),
];

#[test]
fn no_hole_is_shown_as_it_is() {
    every_case_is_told(NOT_FILLED);
}

#[test]
fn doubled_braces_are_braces_wherever_words_are_written() {
    let text = GOOD
        .replace("else = \"bad email\"", "else = \"{{bad}} email\"")
        .replace(
            "[shape]",
            "[words]\ntoo_long = \"{{field}}: {field}, {limit}\"\n[shape]",
        )
        .replace("'{\"message\": \"no\"}'", "'{\"{{no}}\": \"{{}}\"}'")
        .replace("claims   = '{\"id\"", "claims   = '{\"{{id}}\"");
    let contract = parse("mine.toml", &text).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(contract.routes[0].fields[0].rules[0].words, "{bad} email");
    let words = &contract.faults.words["too_long"];
    assert_eq!(words.say("{limit}", 7), "{field}: {limit}, 7");
    assert_eq!(contract.token.claim_names, ["{id}"]);
    let refused = contract.routes[0].answer(OutcomeKind::WrongPassword, &[]).unwrap();
    let Body::Json(_, template) = &refused.body else {
        panic!("it has a body");
    };
    assert_eq!(template.rendered(&Filling::default()), r#"{"{no}":"{}"}"#);
}

#[rustfmt::skip]
const UNUSED: &[Case] = &[
    ("[shape]\n", "[shape]\nother = '{}'\n", "mine.toml:21:1", "no answer shows the shape `other`", "remove it"),
    ("[shape]\n", "[shape]\nfault = '\"{fault.message}\"'\n", "mine.toml:21:1", "no answer shows the shape `fault`", "`{faults}`"),
    ("[cookie.token]", "[cookie.other]\n[cookie.token]", "mine.toml:10:9", "nobody sets, clears or reads the cookie `other`", "`set_cookies`"),
    ("[answer]\n", "[switch.quiet]\nabout = \"says less\"\n[answer]\n", "mine.toml:23:9", "no route uses the switch `quiet`", "[route.with.quiet]"),
    ("[\"bearer\"]", "[\"bearer\", \"cookie:tokn\"]", "mine.toml:7:23", "there is no cookie `tokn`", "declare it: `[cookie.tokn]`"),
    ("present = true, min = 6", "present = true, min = 6, max = 5", "mine.toml:18:34", "no text has at least 6 and at most 5 characters", "`min`"),
    ("present = true, min = 6, else = \"bad password\" }", "present = true, min = 6, else = \"bad\" }, { max = 5, else = \"x\" }", "mine.toml:18:34", "no text has at least 6 and at most 5 characters", "`min`"),
    ("present = true, format", "present = true, min = 255, format", "mine.toml:14:34", "no `email` has at least 255 characters", "254"),
    ("action          = \"login\"", "action = \"login\"\ntrust_session = true", "mine.toml:30:17", "`trust_session` changes nothing for `login`", "remove `trust_session`"),
    ("'{\"message\": \"no\"}'", "'{\"message\": \"no\", \"message\": 1}'", "mine.toml:25:34", "this is not JSON: a member comes twice", "name each member once"),
    ("'{\"id\": \"{account.number}\"}'\n\n[cookie", "'{\"id\": 1, \"id\": 2}'\n\n[cookie", "mine.toml:8:12", "a member comes twice", "name each member once"),
];

#[test]
fn what_is_declared_is_used_and_can_be() {
    every_case_is_told(UNUSED);
}

#[rustfmt::skip]
const NO_REALM: &[Case] = &[
    ("name = \"mine\"", "name = \"mine\"\nrealm = \"\"", "mine.toml:4:9", "`` is no name for a realm", "1 to 128 characters"),
    ("name = \"mine\"", "name = \"mine\"\nrealm = \"a\\tb\"", "mine.toml:4:9", "is no name for a realm", "no control characters"),
];

#[test]
fn a_realm_has_a_name() {
    every_case_is_told(NO_REALM);
    let long = |letters: usize| {
        GOOD.replace(
            "name = \"mine\"",
            &format!("name = \"mine\"\nrealm = \"{}\"", "é".repeat(letters)),
        )
    };
    parse("mine.toml", &long(128)).unwrap_or_else(|e| panic!("{e}"));
    assert!(complaint(&long(129)).contains("hint: a realm's name has 1 to 128 characters"));
}

#[rustfmt::skip]
const MISLED: &[Case] = &[
    ("\"user\": \"{user}\"", "\"user\": \"my {user}\"", "mine.toml:31:", "a shape is a value of its own: `{user}` stands alone", "write \"{user}\" in `json` and nothing else"),
    ("\"user\": \"{user}\"", "\"user\": \"{user?}\"", "mine.toml:31:", "a shape is a value of its own: `{user}` stands alone", "write \"{user}\" in `json` and nothing else"),
    ("\"user\": \"{user}\"", "\"user\": \"{user|account.id}\"", "mine.toml:31:", "a shape is a value of its own: `{user}` stands alone", "write \"{user}\" in `json` and nothing else"),
    ("json = '{\"message\": \"{fault.message}\"}'", "text = '{faults}'", "mine.toml:35:44", "a list is a value of its own: `{faults}` stands alone", "write \"{faults}\" in `json` and nothing else"),
    ("json = '{\"message\": \"{fault.message}\"}'", "json = '{\"m\": \"{faults?}\"}'", "mine.toml:35:51", "a list is a value of its own: `{faults}` stands alone", "write \"{faults}\" in `json` and nothing else"),
    ("\"message\": \"no\"", "\"message\": \"{faults}\"", "mine.toml:25:", "the hole `{faults}` has nothing to show here", "here there are:"),
    ("\"message\": \"no\"", "\"message\": \"{sessions}\"", "mine.toml:25:", "the hole `{sessions}` has nothing to show here", "here there are:"),
    ("\"POST /login\"", "\"POST /login/\"", "mine.toml:28:", "`/login/` ends in a slash", "`trailing_slash = true`"),
];

#[test]
fn a_hint_leads_to_what_works() {
    every_case_is_told(MISLED);
    let (without, _) = GOOD.split_once("[[route]]").unwrap();
    for text in [without.to_owned(), format!("route = []\n{without}")] {
        let told = complaint(&text);
        assert!(told.contains("the contract has no routes"), "{told}");
        assert!(
            told.contains("hint: add a `[[route]]` with `on` and `action`"),
            "{told}"
        );
    }
}
