//! What is wrong with contract files, and what is said about it. Each case is one change to a file that loads.

use super::super::builtin;
use super::*;

pub(super) const GOOD: &str = r#"
[contract]
name = "mine"

[token]
lifetime = "1h"
from     = ["bearer"]
claims   = '{"id": "{account.number}"}'

[cookie.token]

[field.email]
is    = "email"
rules = [{ present = true, format = "email", else = "bad email" }]

[field.password]
is    = "password"
rules = [{ present = true, min = 6, else = "bad password" }]

[shape]
user = '{"id": "{account.number}", "name": "{account.first_name?}"}'

[answer]
any     = { json = '{"message": "{reason}"}' }
refused = { status = 401, json = '{"message": "no"}' }

[[route]]
on              = "POST /login"
action          = "login"
fields          = ["email", "password"]
ok              = { status = 200, json = '{"token": "{token}", "user": "{user}"}', set_cookies = ["token"] }
unknown_account = "refused"
wrong_password  = "refused"
disabled        = "refused"
invalid         = { status = 400, json = '{"message": "{fault.message}"}' }
"#;

pub(super) fn complaint(text: &str) -> String {
    parse("mine.toml", text).expect_err("it should not load").to_string()
}

#[test]
fn the_good_file_loads() {
    let contract = parse("mine.toml", GOOD).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(contract.name, "mine");
    assert_eq!(contract.prefix, "/mine");
    assert_eq!(contract.realm, "main");
    assert!(contract.routes[0].wants_token(&[]));
    assert!(contract.bodies.json && !contract.bodies.form);
}

#[test]
fn every_built_in_contract_loads() {
    for (name, text) in builtin::ALL {
        let contract = parse(name, text).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(contract.name, name);
        assert!(!contract.about.is_empty(), "{name} says what it is");
        let registers = contract
            .routes
            .iter()
            .any(|route| route.action.table().name == "register");
        assert!(registers, "{name}");
    }
}

/// What is changed and into what, where the complaint points, what it says, and its hint.
pub(super) type Case = (&'static str, &'static str, &'static str, &'static str, &'static str);

#[rustfmt::skip]
const BROKEN: &[Case] = &[
    ("disabled        = \"refused\"\n", "", "mine.toml:27:1", "the outcome `disabled` of `login` has no answer", "add `disabled = "),
    ("disabled        = \"refused\"", "disabled = \"refused\"\nnot_found = { status = 404 }", "mine.toml:35:1", "this route takes no `not_found`", "there are"),
    ("disabled        = \"refused\"", "disabled = \"refused\"\nmethod_not_allowed = { status = 404 }", "mine.toml:35:1", "this route takes no `method_not_allowed`", "there are"),
    ("disabled        = \"refused\"", "disabeld = \"refused\"", "mine.toml:34:1", "this route takes no `disabeld`", "did you mean `disabled`?"),
    ("{account.number}\"}'\n\n[cookie", "{acount.number}\"}'\n\n[cookie", "mine.toml:8:22", "names nothing", "did you mean `account.number`?"),
    ("{user}", "{usr}", "mine.toml:31:74", "the hole `{usr}` names nothing", "did you mean `user`?"),
    ("{fault.message}", "{token}", "mine.toml:35:57", "has nothing to show here", "here there are:"),
    ("\"message\": \"no\"", "\"message\": \"{account.email}\"", "mine.toml:25:", "has nothing to show here", "here there are:"),
    ("action          = \"login\"", "action = \"signin\"", "mine.toml:29:10", "there is no action `signin`", "there are: register, login"),
    ("\"email\", \"password\"]", "\"email\"]", "mine.toml:27:1", "`login` needs password", "fields"),
    ("\"email\", \"password\"]", "\"password\"]", "mine.toml:27:1", "`login` needs email or username or identifier", "fields"),
    ("\"email\", \"password\"]", "\"email\", \"pasword\"]", "mine.toml:30:29", "there is no field `pasword`", "did you mean `password`?"),
    ("is    = \"password\"", "is = \"first_name\"", "mine.toml:30:29", "`login` does not take the first_name", "it takes:"),
    ("is    = \"password\"", "is = \"passwort\"", "mine.toml:17:6", "a field cannot be `passwort`", "did you mean `password`?"),
    ("present = true, min = 6", "min = 6", "mine.toml:27:1", "`login` needs password", "present"),
    ("is    = \"password\"", "is = \"password\"\nat = \"query:password\"", "mine.toml:18:6", "`query:password` is part of a URL, and a password is a secret", "in the body or in a header"),
    ("is    = \"password\"", "is = \"refresh_token\"\nat = \"path:token\"", "mine.toml:18:6", "`path:token` is part of a URL, and a refresh_token is a secret", "in the body or in a header"),
    ("[field.password]", "[field.\"query:password\"]", "mine.toml:16:8", "`query:password` is part of a URL, and a password is a secret", "in the body or in a header"),
    ("min = 6", "min = 0", "mine.toml:18:34", "`min` of a rule has to be a number from 1", "write a number"),
    ("min = 6", "mim = 6", "mine.toml:18:", "a rule takes no `mim`", "did you mean `min`?"),
    ("on              = \"POST /login\"", "on = \"POST login\"", "mine.toml:28:6", "`login` is no path", "POST /users/login"),
    ("on              = \"POST /login\"", "on = \"POST /a/../login\"", "mine.toml:28:6", "`/a/../login` is no path", "POST /users/login"),
    ("on              = \"POST /login\"", "on = \"POST /of/{id}/logins/{id}\"", "mine.toml:28:6", "`/of/{id}/logins/{id}` has two variables `id`", "call one of them something else"),
    ("on              = \"POST /login\"", "on = \"BREW /login\"", "mine.toml:28:6", "cannot answer the method `BREW`", "DELETE"),
    ("status = 400,", "", "mine.toml:35:19", "the answer to `invalid` has no status", "add `status"),
    ("status = 400,", "status = 99,", "mine.toml:35:", "a number from 200 to 599", "status"),
    ("status = 400,", "staus = 400,", "mine.toml:35:", "takes no `staus`", "did you mean `status`?"),
    ("= { json = '{\"message\": \"{reason}\"}' }", "= { json = '{\"message\": }' }", "mine.toml:24:20", "this is not JSON", "holes stand in strings"),
    ("{reason}", "{reason", "mine.toml:24:34", "a brace without its partner", "`{{`"),
    ("any     =", "malformed =", "mine.toml:23:1", "no answer for `media_type`", "any"),
    ("wrong_password  = \"refused\"", "wrong_password = \"refusd\"", "mine.toml:33:18", "there is no answer `refusd`", "did you mean `refused`?"),
    ("refused = {", "not_fund = { json = '{}' }\nrefused = {", "mine.toml:25:1", "no route uses the answer `not_fund`", "did you mean `not_found`?"),
    ("[field.password]", "[field.nick]\nis = \"username\"\nrules = [{ filled = true, else = \"x\" }]\n\n[field.password]", "mine.toml:16:", "no route reads the field `nick`", "fields"),
    ("set_cookies = [\"token\"]", "set_cookies = [\"tokn\"]", "mine.toml:31:", "there is no cookie `tokn`", "declare it"),
    ("json = '{\"message\": \"no\"}'", "json = '{}', set_cookies = [\"token\"]", "mine.toml:25:", "holds a token, and there is none here", "carries a token"),
    ("'{\"id\": \"{account.number}\"}'\n\n[cookie", "'{\"sub\": \"me\"}'\n\n[cookie", "mine.toml:8:12", "the claim `sub` is the server's own", "call it something else"),
    ("status = 401, json", "status = 401, headers = { Content-Type = \"a/b\" }, json", "mine.toml:25:", "`content-type` is written by the server", "content_type"),
    ("status = 401, json", "status = 401, headers = { content-length = \"7\" }, json", "mine.toml:25:", "`content-length` is written by the server", "remove"),
    ("status = 401, json", "status = 401, headers = { Transfer-Encoding = \"chunked\" }, json", "mine.toml:25:", "`transfer-encoding` is written by the server", "remove"),
    ("status = 401, json", "status = 401, headers = { X-Request-Id = \"7\" }, json", "mine.toml:25:", "`x-request-id` is written by the server", "{request.id}"),
    ("status = 401, json", "status = 401, headers = { Retry-After = \"a\" }, json", "mine.toml:25:", "`retry-after` is written by the server", "{retry_after}"),
    ("status = 401, json", "status = 401, headers = { Allow = \"a\" }, json", "mine.toml:25:", "`allow` is written by the server", "remove it"),
    ("status = 401, json", "status = 401, headers = { Access-Control-Allow-Origin = \"a\" }, json", "mine.toml:25:", "`access-control-allow-origin` is written by the server", "[cors] origins"),
    ("status = 401, json", "status = 401, headers = { Access-Control-Allow-Credentials = \"a\" }, json", "mine.toml:25:", "`access-control-allow-credentials` is written by the server", "[cors] origins"),
    ("status = 401, json = '{\"message\": \"no\"}'", "status = 401, headers = { Content-Type = \"a/b\" }, text = 'no'", "mine.toml:25:", "`content-type` is written by the server", "remove it: text is"),
    ("status = 401, json = '{\"message\": \"no\"}'", "status = 401, headers = { Content-Type = \"a/b\" }", "mine.toml:25:", "`content-type` is written by the server", "remove it: text is"),
    ("status = 401, json", "status = 401, content_type = \"a/b\\nc\", json", "mine.toml:25:42", "this is no media type", "application/problem+json"),
    ("status = 401, json", "status = 401, content_type = \"json\", json", "mine.toml:25:42", "this is no media type", "application/problem+json"),
    ("status = 401, json = '{\"message\": \"no\"}'", "status = 401, content_type = \"text/html\", text = 'no'", "mine.toml:25:42", "only an answer with `json` has a `content_type`", "text/plain"),
    ("status = 401, json = '{\"message\": \"no\"}'", "status = 401, content_type = \"text/html\"", "mine.toml:25:42", "only an answer with `json` has a `content_type`", "text/plain"),
    ("[cookie.token]", "[cookie.token]\npath = \"auth\"", "mine.toml:11:8", "`auth` is no path for a cookie", "begin with `/`"),
    ("[cookie.token]", "[cookie.token]\npath = \"/é\"", "mine.toml:11:8", "`/é` is no path for a cookie", "begin with `/`"),
    ("[cookie.token]", "[cookie.token]\npath = \"/; Domain=x\"", "mine.toml:11:8", "`/; Domain=x` is no path for a cookie", "begin with `/`"),
    ("[cookie.token]", "[cookie.__Host-a]\npath = \"/auth\"\n[cookie.token]", "mine.toml:11:8", "a cookie `__Host-…` has the path `/`", "remove `path`"),
    ("[cookie.token]", "[cookie.__host-a]\npath = \"/auth\"\n[cookie.token]", "mine.toml:11:8", "a cookie `__Host-…` has the path `/`", "remove `path`"),
    ("[cookie.token]", "[cookie.__Host-a]\ndomain = \"example.com\"\n[cookie.token]", "mine.toml:11:1", "takes no `domain`", "path"),
    ("[cookie.token]", "[cookie.\"\"]\n[cookie.token]", "mine.toml:10:9", "`` is no name for a cookie", "letters"),
    ("lifetime = \"1h\"", "lifetime = \"1y\"", "mine.toml:6:12", "`1y` is no duration", "write a number and s, m, h or d"),
    ("lifetime = \"1h\"", "lifetime = \"9999d\"", "mine.toml:6:12", "`9999d` is no duration", "up to 400 days"),
    ("from     = [\"bearer\"]", "from = [\"barer\"]", "mine.toml:7:9", "no token comes from `barer`", "there are: bearer"),
    ("from     = [\"bearer\"]", "from = [\"scheme:two words\"]", "mine.toml:7:9", "no token comes from `scheme:two words`", "of one word"),
    ("from     = [\"bearer\"]", "from = [\"cookie:a;b\"]", "mine.toml:7:9", "no token comes from `cookie:a;b`", "of one word"),
    ("name = \"mine\"", "name = \"My API\"", "mine.toml:3:8", "no name for a contract", "lower-case"),
    ("name = \"mine\"", "name = \"mine\"\nprefix = \"api\"", "mine.toml:4:10", "`api` is no prefix", "/api"),
    ("name = \"mine\"", "name = \"mine\"\nprefix = \"/:shop\"", "mine.toml:4:10", "`/:shop` is no prefix", "/api"),
    ("name = \"mine\"", "name = \"mine\"\nprefix = \"/{tenant}\"", "mine.toml:4:10", "`/{tenant}` is no prefix", "/api"),
    ("name = \"mine\"", "name = \"mine\"\nprefix = \"/{a\"", "mine.toml:4:10", "`/{a` is no prefix", "/api"),
    ("name = \"mine\"", "name = \"mine\"\nprefix = \"/a b\"", "mine.toml:4:10", "`/a b` is no prefix", "/api"),
    ("name = \"mine\"", "name = \"mine\"\nprefix = \"/a//\"", "mine.toml:4:10", "`/a//` is no prefix", "/api"),
    ("name = \"mine\"", "name = \"mine\"\nprefix = \"/a/../b\"", "mine.toml:4:10", "`/a/../b` is no prefix", "/api"),
    ("[token]\n", "[cors]\norigins = [\"https://a.example\", \"app.example.com\"]\n\n[token]\n", "mine.toml:6:33", "`app.example.com` is no origin", "https://app.example.com"),
    ("[token]\n", "[cors]\norigins = [\"https://a.example/\"]\n\n[token]\n", "mine.toml:6:12", "`https://a.example/` is no origin", "loopback"),
    ("[token]\n", "[cors]\norigins = [\"https://ann@a.example\"]\n\n[token]\n", "mine.toml:6:12", "`https://ann@a.example` is no origin", "with a port only if it is not the usual one"),
    ("[token]\n", "[cors]\norigins = [\"https://*.a.example\"]\n\n[token]\n", "mine.toml:6:12", "`https://*.a.example` is no origin", "with a port only if it is not the usual one"),
    ("[token]\n", "[cors]\norigins = [\"https://a.example#b\"]\n\n[token]\n", "mine.toml:6:12", "`https://a.example#b` is no origin", "with a port only if it is not the usual one"),
    ("[token]\n", "[cors]\norigins = [\"https://a.example:443\"]\n\n[token]\n", "mine.toml:6:12", "`https://a.example:443` is no origin", "with a port only if it is not the usual one"),
    ("[contract]", "[contact]", "mine.toml:1:1", "there is no [contract]", "begin with"),
    ("[shape]", "[shapes]", "mine.toml:31:74", "the hole `{user}` names nothing", "there are:"),
    ("[cookie.token]\n", "[cookie.token]\n[colour]\nred = 1\n", "mine.toml:11:2", "the contract takes no `colour`", "there are: answer, contract"),
    ("{account.first_name?}", "{user}", "mine.toml:31:74", "names itself", "break the circle"),
    ("name = \"mine\"", "name = \"mine\"\nname = \"mine\"", "mine.toml:4:1", "this is not TOML: duplicate key", "toml.io"),
    ("[answer]\n", "[answer\n", "mine.toml:23:", "this is not TOML", "toml.io"),
];

#[test]
fn every_fault_is_told_with_its_place_and_a_hint() {
    every_case_is_told(BROKEN);
}

/// Tells of all cases that are not told as they should be.
pub(super) fn every_case_is_told(cases: &[Case]) {
    let mut wrong = String::new();
    for (from, to, place, message, hint) in cases {
        assert!(GOOD.contains(from), "the case changes nothing: {from}");
        let told = match parse("mine.toml", &GOOD.replacen(from, to, 1)) {
            Ok(_) => "nothing".to_owned(),
            Err(told) => told.to_string(),
        };
        let (head, tail) = told.split_once("\nhint: ").unwrap_or((&told, ""));
        let is_underlined = head.contains(" | ") && head.contains('^');
        if !(head.contains(message) && head.contains(place) && tail.contains(hint) && is_underlined) {
            wrong += &format!("\nexpected {place}: {message} (hint: {hint}), and was told:\n{told}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// The good file with a switch, and what its route answers with it.
fn switched(answers: &str) -> String {
    let switch = "[switch.quiet]\nabout = \"says less\"\n";
    format!("{switch}{GOOD}\n[route.with.quiet]\n{answers}\n")
}

#[test]
fn an_answer_with_a_switch_needs_a_status_too() {
    let told = complaint(&switched("ok = { json = '{}' }"));
    assert!(told.contains("the answer to `ok` has no status"), "{told}");
    assert!(told.contains("mine.toml:40:6"), "{told}");
}

#[test]
fn the_answer_of_the_switch_decides_whether_there_is_a_token() {
    let on = ["quiet".to_owned()];
    let wants = |text: &str| {
        let contract = parse("mine.toml", text).unwrap_or_else(|e| panic!("{e}"));
        [&[][..], &on].map(|switches| contract.routes[0].wants_token(switches))
    };
    assert_eq!(wants(&switched("ok = { status = 200 }")), [true, false]);
    let without = switched("ok = { status = 200, text = 'Your token: {token}' }");
    let without = without.replace(
        r#"json = '{"token": "{token}", "user": "{user}"}', set_cookies = ["token"]"#,
        r#"json = '{"user": "{user}"}', clear_cookies = ["token"]"#,
    );
    assert_eq!(wants(&without), [false, true]);
    let cookie = without.replace("text = 'Your token: {token}'", "set_cookies = [\"token\"]");
    assert_eq!(wants(&cookie), [false, true]);
    assert_eq!(wants(&switched("disabled = \"refused\"")), [true, true]);
}

/// The good file with refresh tokens, a cookie that holds them, and one more route.
fn with_refresh(route: &str) -> String {
    let refresh = "[token.refresh]\nidle = \"1h\"\nlifetime = \"2h\"\ngrace = \"1s\"\n\n\
                   [cookie.refresh]\nvalue = \"{refresh_token}\"\n\n[cookie.token]";
    let refused = "no_token = \"refused\"\nbad_token = \"refused\"\n";
    let text = GOOD.replace("[cookie.token]", refresh);
    let text = text.replace("[\"token\"]", "[\"token\", \"refresh\"]");
    format!(
        "{text}\n[[route]]\non = \"POST /more\"\n{}",
        route.replace("REFUSED", refused)
    )
}

#[test]
fn no_access_token_lives_longer_than_what_renews_it() {
    let lives = |access: &str, idle: &str, session: &str| {
        let refresh = format!("[token.refresh]\nidle = \"{idle}\"\nlifetime = \"{session}\"\ngrace = \"1s\"\n");
        let text = GOOD.replace("lifetime = \"1h\"", &format!("lifetime = \"{access}\""));
        text.replace("[cookie.token]", &format!("{refresh}\n[cookie.token]"))
    };
    for (access, idle, session, what) in [
        (
            "24h",
            "1h",
            "30d",
            "lives longer than a refresh token that is not used (`idle`)",
        ),
        (
            "24h",
            "30d",
            "1h",
            "lives longer than a session (`lifetime` of [token.refresh])",
        ),
    ] {
        let told = complaint(&lives(access, idle, session));
        assert!(told.contains(what), "{told}");
        assert!(
            told.contains("mine.toml:6:12") && told.contains("hint: write `1h`"),
            "{told}"
        );
    }
    for (access, idle, session) in [("15m", "1h", "2h"), ("1h", "1h", "1h"), ("1h", "60m", "1d")] {
        parse("mine.toml", &lives(access, idle, session)).unwrap_or_else(|e| panic!("{e}"));
    }
}

#[test]
fn renewing_makes_no_refresh_token() {
    let renew = |ok: &str| with_refresh(&format!("action = \"renew\"\nok = {ok}\ngone = \"refused\"\nREFUSED"));
    let told = complaint(&renew(r#"{ status = 200, json = '{"r": "{refresh_token}"}' }"#));
    assert!(told.contains("`{refresh_token}` has nothing to show here"), "{told}");
    let told = complaint(&renew(r#"{ status = 200, set_cookies = ["refresh"] }"#));
    let what = "`refresh` holds a new refresh token, and there is none here";
    assert!(told.contains(what), "{told}");
    let good = renew(r#"{ status = 200, text = "{token} {token.expires_in}", set_cookies = ["token"] }"#);
    parse("mine.toml", &good).unwrap_or_else(|e| panic!("{e}"));
}

#[test]
fn a_cookie_is_set_where_there_is_what_it_holds() {
    let logout = |value: &str| {
        let text = with_refresh("action = \"logout\"\nok = { status = 200, set_cookies = [\"refresh\"] }\nREFUSED");
        text.replace("\"{refresh_token}\"", &format!("\"{value}\""))
    };
    for (value, held) in [
        ("{token.expires_at}", "a token"),
        ("{account.email|token}", "a token"),
        ("{refresh_token}", "a new refresh token"),
        ("{account.attribute.colour}", "the account"),
    ] {
        let told = complaint(&logout(value));
        assert!(
            told.contains(&format!("`refresh` holds {held}, and there is none here")),
            "{told}"
        );
    }
    parse("mine.toml", &logout("{request.id}")).unwrap_or_else(|e| panic!("{e}"));
}

#[test]
fn whatever_is_told_of_a_token_needs_one() {
    let register = "action = \"register\"\nfields = [\"email\", \"password\"]\ntaken = \"refused\"\n\
                    invalid = \"refused\"\n";
    for shown in [
        "text = '{token}'",
        "text = 'until {token.expires_at}'",
        "json = '{\"r\": \"{refresh_token}\"}'",
        "json = '{\"r\": \"{account.username|token}\"}'",
        "headers = { X-Expires = '{refresh_token.expires_in}' }",
        "set_cookies = [\"refresh\"]",
    ] {
        let text = with_refresh(&format!("{register}created = {{ status = 201, {shown} }}\n"));
        let contract = parse("mine.toml", &text).unwrap_or_else(|e| panic!("{e}"));
        assert!(contract.routes[1].wants_token(&[]), "{shown}");
    }
}

#[test]
fn what_is_of_refresh_tokens_needs_their_rules() {
    let cookie = GOOD.replace(
        "[cookie.token]",
        "[cookie.again]\nvalue = \"{refresh_token}\"\n[cookie.token]",
    );
    for text in [
        cookie.replace("[\"token\"]", "[\"token\", \"again\"]"),
        cookie.replace("{refresh_token}", "{request.id|refresh_token.expires_in}"),
        GOOD.replace("\"user\": \"{user}\"", "\"again\": \"{refresh_token}\""),
    ] {
        let told = complaint(&text);
        assert!(told.contains("has nothing to show here"), "{told}");
        assert!(told.contains("hint: add `[token.refresh]` with"), "{told}");
    }
}
