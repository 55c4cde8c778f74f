//! Tests of the policy. Passwords that a list inside the estimator knows are named where they matter.

use proptest::prelude::*;
use unicode_normalization::is_nfc;

use super::*;

fn weakness(password: &str) -> Option<Weakness> {
    PasswordPolicy::default().weakness(password, &["ann.example@mail.example", "annie", "Ann", "Example"])
}

#[test]
fn long_ones_are_good_and_short_ones_have_to_be_hard() {
    for good in [
        "correct horse battery staple",
        "mqzvkwpxtd",
        "zhF4!kq0Pw",
        "wir gehen heute schwimmen",
    ] {
        assert_eq!(weakness(good), None, "{good}");
    }
    assert_eq!(weakness(""), Some(Weakness::TooShort));
    assert_eq!(weakness("zhF4!kq"), Some(Weakness::TooShort));
    for guessable in [
        "password-1",
        "abcdefghijkl",
        "qwertyuiop12",
        "aaaaaaaaaaaaaa",
        "20261120",
    ] {
        assert_eq!(weakness(guessable), Some(Weakness::Guessable), "{guessable}");
    }
}

#[test]
fn long_ones_are_not_made_of_next_to_nothing() {
    for nothing in [
        "passwordpassword",
        "password password",
        "passwordpasswordpasswordpassword",
        "Passwordpassword!",
        "password123456789",
        "p@ssw0rdp@ssw0rd",
        "111111111111111",
        "1111111111111111111111111111111111111111111111111111111",
        "123456789012345",
        "987654321098765",
        "abcdefghijklmnopqrstuvwxyz",
        "abcabcabcabcabc",
        "iloveyouiloveyou",
        "iloveyou iloveyou iloveyou",
        "qwertyuiopasdfghjkl",
        "qwertyuiopqwertyuiop",
        "1q2w3e4r5t6y7u8i",
        "Summer2024Summer2024",
    ] {
        assert_eq!(weakness(nothing), Some(Weakness::Guessable), "{nothing}");
    }
    for good in [
        "table lamp window",
        "purple monkey dishwasher",
        "correcthorsebatterystaple",
        "kaffee tasse tisch",
        "mqzvkwpxtdmqzvkwp",
        "wir gehen heute",
        "éàüöñçøåßþéàüöñ",
        // What follows counts.
        "passwordpassword table lamp window",
        "1111111111111111 table lamp window",
        "aaaaaaaaaaaaaaamqzvkwpxtd",
    ] {
        assert_eq!(weakness(good), None, "{good}");
    }
}

#[test]
fn what_is_asked_of_a_long_one_follows_the_settings() {
    let policy = |long, min_score| PasswordPolicy {
        long,
        min_score,
        ..PasswordPolicy::default()
    };
    assert_eq!(policy(15, 0).weakness("passwordpassword", &[]), None);
    assert_eq!(policy(8, 3).weakness("mqzvkwpx", &[]), None, "nothing known is in it");
    assert_eq!(policy(8, 3).weakness("xyxyxyxy", &[]), Some(Weakness::Guessable));
}

#[test]
fn the_domain_and_the_host_are_known_to_a_guesser() {
    let policy = PasswordPolicy {
        service_host: "anmelden.kontorhaus.example".to_owned(),
        ..PasswordPolicy::default()
    };
    let context = ["ann@post.zwiebelfisch.example"];
    for (password, weakness) in [
        ("zwiebelfisch", Weakness::Common),
        ("Post.Zwiebelfisch.Example", Weakness::Common),
        ("anmelden.kontorhaus.example", Weakness::Common),
        ("Kontorhaus", Weakness::Common),
        ("zwiebelfisch1", Weakness::Guessable),
        ("zwiebelfischzwiebelfisch", Weakness::Guessable),
        ("kontorhaus2026", Weakness::Guessable),
    ] {
        assert_eq!(policy.weakness(password, &context), Some(weakness), "{password}");
    }
    assert_eq!(PasswordPolicy::default().weakness("zwiebelfisch1", &[]), None);
}

#[test]
fn length_is_counted_in_code_points_of_nfc() {
    let policy = PasswordPolicy {
        long: 10,
        min_score: 5,
        ..PasswordPolicy::default()
    };
    assert_eq!(policy.weakness("éàüöñçøåßþ", &[]), None);
    assert_eq!(policy.weakness(&"e\u{301}".repeat(7), &[]), Some(Weakness::TooShort));
    assert_eq!(policy.weakness(&"e\u{301}".repeat(9), &[]), Some(Weakness::Guessable));
    assert_eq!(policy.weakness("👍👎👏👋👌👈👉👆👇👊", &[]), None);
}

#[test]
fn the_whole_password_is_looked_up_whatever_its_case() {
    let blocklist = Blocklist::new(["Zulu Quebec Kilo 9", "straße nach süden", ""]);
    assert_eq!(blocklist.len(), 2);
    let policy = PasswordPolicy {
        blocklist,
        ..PasswordPolicy::default()
    };
    for blocked in [
        "Zulu Quebec Kilo 9",
        "zulu quebec kilo 9",
        "ZULU QUEBEC KILO 9",
        "Straße nach Su\u{308}den",
    ] {
        assert_eq!(policy.weakness(blocked, &[]), Some(Weakness::Common), "{blocked}");
    }
    for other in ["Zulu Quebec Kilo 9!", "zulu quebec kilo", "the Zulu Quebec Kilo 9"] {
        assert_eq!(policy.weakness(other, &[]), None, "{other}");
    }
}

#[test]
fn names_around_the_account_are_no_passwords() {
    let policy = PasswordPolicy {
        service_name: "Kontor Nord 1".to_owned(),
        ..PasswordPolicy::default()
    };
    let context = [
        "annabel.winterbottom@mail.example",
        "annabel-w-1984",
        "Annabel",
        "Winterbottom-Smythe",
    ];
    for named in [
        "annabel.winterbottom@mail.example",
        "Annabel.Winterbottom",
        "ANNABEL-W-1984",
        "winterbottom-smythe",
        "kontor nord 1",
    ] {
        assert_eq!(policy.weakness(named, &context), Some(Weakness::Common), "{named}");
    }
    assert_eq!(policy.weakness("annabel1984", &context), Some(Weakness::Guessable));
    assert_eq!(policy.weakness("no annabel in this one", &context), None);
}

#[test]
fn one_well_known_word_is_common_at_any_length() {
    for known in [
        "password",
        "Password",
        "p4ssw0rd",
        "drowssap",
        "characteristics",
        "responsibilities",
        "1qaz2wsx3edc4rfv",
    ] {
        assert_eq!(weakness(known), Some(Weakness::Common), "{known}");
    }
}

#[test]
fn longer_than_anything_estimated_is_fine() {
    let words = "long password ".repeat(70);
    assert_eq!(weakness(&words), None);
    let policy = PasswordPolicy {
        long: 2000,
        ..PasswordPolicy::default()
    };
    assert_eq!(policy.weakness(&"zhF4!kq0Pw".repeat(90), &[]), None);
    assert_eq!(policy.weakness(&"a".repeat(1000), &[]), Some(Weakness::Guessable));
}

fn file(bytes: &[u8], name: &str) -> std::path::PathBuf {
    let path = std::env::temp_dir().join(format!("doorward-{}-{name}", std::process::id()));
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn a_blocklist_is_read_line_by_line() {
    let path = file("\u{feff}first entry\r\nsecond  \n\nThird\nthird\n".as_bytes(), "lines");
    let list = Blocklist::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(list.len(), 3);
    for entry in ["first entry", "second  ", "third"] {
        assert!(list.contains(entry), "{entry}");
    }
    assert!(!list.contains("") && !list.contains("second"));
    assert_eq!(format!("{list:?}"), "Blocklist(3 passwords)");
}

#[test]
fn lines_in_another_encoding_are_left_out() {
    let path = file(b"caf\xe9\nsecond", "encoding");
    let list = Blocklist::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(list.len(), 1);
    assert!(list.contains("second"));
}

#[test]
fn a_blocklist_that_cannot_be_read_says_so() {
    let error = Blocklist::read(Path::new("/nowhere/at/all")).unwrap_err().to_string();
    assert!(
        error.contains("/nowhere/at/all") && error.contains("\nhint: "),
        "{error}"
    );
    let path = file(b"", "large");
    File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(MAX_BLOCKLIST + 1)
        .unwrap();
    let error = Blocklist::read(&path).unwrap_err().to_string();
    std::fs::remove_file(&path).unwrap();
    assert!(error.contains("64 MiB") && error.contains("\nhint: "), "{error}");
}

proptest! {
    #[test]
    fn typing_is_nfc_and_nothing_else(text in "\\PC{0,60}") {
        let once = typed(&text);
        prop_assert!(is_nfc(once.expose()));
        let twice = typed(once.expose());
        prop_assert_eq!(twice.expose(), once.expose());
        prop_assert!(text.nfd().eq(once.expose().nfd()), "canonically the same text");
    }

    #[test]
    fn ascii_stays_as_typed(text in "[\\x00-\\x7f]{0,60}") {
        let secret = typed(&text);
        prop_assert_eq!(secret.expose(), text.as_str());
    }

    #[test]
    fn every_entry_is_found_and_nothing_else(entries in prop::collection::btree_set("[a-z]{1,3}", 0..40), other in "[a-z]{1,3}") {
        let list = Blocklist::new(entries.iter().map(String::as_str));
        prop_assert!(entries.iter().all(|entry| list.contains(entry)));
        prop_assert_eq!(list.contains(&other), entries.contains(&other));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_has_an_answer(text in "\\PC{0,30}", context in "\\PC{0,12}@?\\PC{0,12}") {
        let answer = PasswordPolicy::default().weakness(&text, &[&context]);
        prop_assert_eq!(answer == Some(Weakness::TooShort), typed(&text).expose().chars().count() < 8);
    }
}
