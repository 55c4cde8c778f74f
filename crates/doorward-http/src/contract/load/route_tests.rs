//! What is wrong with routes, and what is said about it.

use super::super::parse;
use super::super::tests::{GOOD, complaint};

#[test]
fn two_routes_cannot_be_one() {
    let route = GOOD.split_once("[[route]]").map(|(_, route)| route).unwrap_or_default();
    let told = complaint(&format!("{GOOD}\n[[route]]{route}"));
    assert!(told.contains("two routes are `POST /login`"), "{told}");
    let named = |name: &str| {
        format!(
            "[[route]]{}",
            route.replace("POST /login", &format!("POST /of/{{{name}}}/login"))
        )
    };
    let told = complaint(&format!("{GOOD}\n{}\n{}", named("whom"), named("whose")));
    assert!(told.contains("two routes are `POST /of/{whose}/login`"), "{told}");
    let twice = GOOD.replace("\"POST /login\"", "[\"POST /of/{whom}\", \"POST /of/{whose}\"]");
    let told = complaint(&twice);
    assert!(told.contains("two routes are `POST /of/{whose}`"), "{told}");
    let apart = format!("{GOOD}\n[[route]]{route}when = {{ \"query:v\" = \"2\" }}\n");
    assert!(parse("mine.toml", &apart).is_ok());
}

#[test]
fn a_field_is_the_same_as_another_by_its_name() {
    let again =
        "[field.again]\nis = \"none\"\nrules = [{ present = true, same_as = \"OTHER\", else = \"not the same\" }]\n";
    let text = GOOD.replace(
        "is    = \"password\"",
        "is = \"password\"\nat = \"deep.secret\"\nlabel = \"the password\"",
    );
    let text = text.replace("\"email\", \"password\"]", "\"email\", \"password\", \"again\"]");
    let with = |other: &str| text.replace("[shape]", &format!("{}\n[shape]", again.replace("OTHER", other)));
    parse("mine.toml", &with("password")).unwrap_or_else(|e| panic!("{e}"));
    let unread = "[field.nick]\nis = \"username\"\nrules = [{ filled = true, else = \"x\" }]\n\n[shape]";
    let text = text.replace("[shape]", unread);
    let with = |other: &str| text.replace("[shape]", &format!("{}\n[shape]", again.replace("OTHER", other)));
    for (other, hint) in [
        ("the password", "it is called `password` in this file"),
        ("pasword", "did you mean `password`?"),
        ("deep.secret", "there are: again, email, nick, password"),
        ("nick", "add the field to `fields`"),
    ] {
        let told = complaint(&with(other));
        assert!(
            told.contains(&format!("`same_as` names `{other}`, which this route does not read")),
            "{told}"
        );
        assert!(told.contains(&format!("hint: {hint}")), "{told}");
    }
}

#[test]
fn a_variable_that_is_read_is_in_every_path() {
    let by_path = GOOD.replace("is    = \"email\"", "is = \"email\"\nat = \"path:whom\"");
    let at = |places: &str| by_path.replace("\"POST /login\"", places);
    for places in [
        "\"POST /login\"",
        "\"POST /login/{who}\"",
        "[\"POST /login/{whom}\", \"POST /login\"]",
        "\"POST /login/{whom}\"\nalias = \"POST /whom\"",
    ] {
        let told = complaint(&at(places));
        assert!(told.contains("`email` is `{whom}` of the path, and `"), "{told}");
        assert!(told.contains("write `{whom}` into every path"), "{told}");
    }
    let good = at("[\"POST /login/{whom}\", \"POST /{realm}/{whom}\"]");
    parse("mine.toml", &good).unwrap_or_else(|e| panic!("{e}"));
    let condition = format!("{GOOD}when = {{ \"path:do\" = \"renew\" }}\n");
    let told = complaint(&condition);
    assert!(told.contains("`path:do` is `{do}` of the path"), "{told}");
}

/// The good file with one more route.
fn with_route(route: &str) -> String {
    format!("{GOOD}\n[[route]]\n{route}\nno_token = \"refused\"\nbad_token = \"refused\"\n")
}

#[test]
fn an_answer_that_no_request_gets_is_refused() {
    let logout = "on = \"POST /out\"\naction = \"logout\"\nok = \"refused\"";
    for name in [
        "malformed",
        "empty_body",
        "not_object",
        "media_type",
        "too_large",
        "timeout",
        "forbidden",
    ] {
        let told = complaint(&with_route(&format!("{logout}\n{name} = {{ status = 400 }}")));
        assert!(
            told.contains(&format!(
                "no request gets the answer `{name}`: this route reads no body"
            )),
            "{told}"
        );
        assert!(told.contains("mine.toml:41:1") && told.contains("hint: "), "{told}");
    }
    let unavailable = with_route(&format!("{logout}\nunavailable = {{ status = 503 }}"));
    parse("mine.toml", &unavailable).unwrap_or_else(|e| panic!("{e}"));
}

#[test]
fn whoever_shares_a_place_with_one_that_reads_the_body_can_be_refused_for_it() {
    let renew = |on: &str| {
        let route = format!(
            "on = \"{on}\"\nwhen = {{ \"query:do\" = \"renew\" }}\naction = \"renew\"\nok = \"refused\"\ngone = \"refused\"\n\
             malformed = {{ status = 400 }}"
        );
        with_route(&route)
    };
    parse("mine.toml", &renew("POST /login")).unwrap_or_else(|e| panic!("{e}"));
    let told = complaint(&renew("PUT /login"));
    assert!(told.contains("no request gets the answer `malformed`"), "{told}");
}

#[test]
fn without_an_answer_of_the_contract_a_body_that_is_no_object_has_no_members() {
    let own = GOOD.replace("disabled        =", "not_object = { status = 400 }\ndisabled =");
    let told = complaint(&own);
    assert!(told.contains("no request gets the answer `not_object`"), "{told}");
    assert!(told.contains("hint: add `not_object = { … }` to [answer]"), "{told}");
    let both = own.replace("[answer]", "[answer]\nnot_object = { status = 400 }");
    parse("mine.toml", &both).unwrap_or_else(|e| panic!("{e}"));
}
