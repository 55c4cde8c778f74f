//! Hostile tokens. Each case is one change to a token that verifies.

#![expect(clippy::string_slice, reason = "what is cut here is ASCII")]

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::key::StoredKey;
use crate::realm::RealmId;

const NOW: Timestamp = Timestamp(1_800_000_000_000);

fn realm(name: &str) -> Realm {
    Realm {
        id: RealmId(1),
        name: name.into(),
    }
}

fn es256() -> (Tokens, StoredKey) {
    let key = StoredKey::generate(NOW).unwrap();
    let ring = KeyRing::es256(std::slice::from_ref(&key)).unwrap();
    (Tokens::new("doorward".into(), ring), key)
}

/// A token as any process may meet it: not remembered.
fn token(tokens: &Tokens) -> Secret {
    let token = signed_here(tokens, json!({"id": 7, "email": "ann@example.com"}));
    tokens.remembered.clear();
    token
}

fn signed_here(tokens: &Tokens, claims: Value) -> Secret {
    sign(tokens, claims).unwrap()
}

fn sign(tokens: &Tokens, claims: Value) -> Result<Secret> {
    tokens.sign(NewToken {
        realm: &realm("main"),
        account: AccountId(Uuid::from_bytes([1; 16])),
        session: SessionId(Uuid::from_bytes([2; 16])),
        at: NOW,
        lifetime: Duration::from_secs(60),
        claims: claims.as_object().unwrap().clone(),
    })
}

fn segment(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// A token with this header and these claims, properly signed by the ring's first key.
fn forge(tokens: &Tokens, header: &str, claims: &str) -> Secret {
    let ring = tokens.ring();
    let key = ring.signer(NOW).unwrap();
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(key.sign(message.as_bytes()).unwrap());
    Secret::new(format!("{message}.{signature}"))
}

fn accepted(tokens: &Tokens, token: &Secret) -> bool {
    tokens
        .verify(token, NOW)
        .is_some_and(|verified| verified.realm() == "main")
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "reads a list as a service does that has the public key"
)]
fn a_status_list_is_signed_and_is_no_access_token() {
    let (tokens, _) = es256();
    let list = tokens.sign_status_list("https://login.example.com/v1/status-lists/7", "eNo", NOW);
    let list = list.unwrap();
    assert_eq!(
        segment(list.expose(), 1),
        json!({
            "iss": "doorward", "sub": "https://login.example.com/v1/status-lists/7", "iat": NOW.seconds(),
            "exp": NOW.seconds() + 30, "ttl": 5, "status_list": {"bits": 1, "lst": "eNo"},
        })
    );
    assert_eq!(segment(list.expose(), 0)["typ"], "statuslist+jwt");
    let mut validation = Validation::new(Algorithm::ES256);
    validation.validate_exp = false;
    let ring = tokens.ring();
    let key = &ring.signer(NOW).unwrap().verify;
    assert!(jsonwebtoken::decode::<Value>(list.expose(), key, &validation).is_ok());
    assert!(!accepted(&tokens, &list));
}

#[test]
fn a_token_verifies_in_its_realm_until_it_expires() {
    let (tokens, _) = es256();
    let token = token(&tokens);
    let verified = tokens.verify(&token, NOW).unwrap();
    assert_eq!(verified.account, AccountId(Uuid::from_bytes([1; 16])));
    assert_eq!(verified.session, SessionId(Uuid::from_bytes([2; 16])));
    assert_eq!(verified.realm(), "main");
    assert!(tokens.verify(&token, NOW.plus(Duration::from_secs(59))).is_some());
    let expired = NOW.plus(Duration::from_secs(60));
    assert!(tokens.verify(&token, expired).is_none(), "expired, though remembered");
    let fresh = Tokens::new("doorward".into(), KeyRing::es256(&[es256().1]).unwrap());
    assert!(!accepted(&fresh, &token), "another server's key");
}

#[test]
fn a_token_signed_here_is_known_without_its_signature_until_it_expires() {
    let (tokens, _) = es256();
    let token = signed_here(&tokens, json!({}));
    // Nothing verifies any more, and nothing is forgotten.
    tokens.ring.store(es256().0.ring());
    assert!(accepted(&tokens, &token));
    assert_eq!(tokens.remembered(), 1);
    assert!(tokens.verify(&token, NOW.plus(Duration::from_secs(60))).is_none());
    let (header, rest) = token.expose().split_once('.').unwrap();
    let (claims, _) = rest.split_once('.').unwrap();
    let other = format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode([1; 64]));
    assert!(!accepted(&tokens, &Secret::new(other)), "known with its signature only");
}

/// As after an hour in which many logged in and were asked about: tokens that nobody uses any more do not keep out those
/// that were signed just now.
#[test]
fn a_new_token_is_remembered_though_the_memory_is_full_of_used_ones() {
    let (places, new) = (8_000, 2_000);
    let memory = memory(places);
    let (tokens, _) = es256();
    let verified = tokens.verify(&signed_here(&tokens, json!({})), NOW).unwrap();
    let name = |number: usize| fingerprint(&number.to_string());
    for number in 0..4 * places {
        memory.insert(name(number), Arc::clone(&verified));
        assert!(memory.get(&name(number)).is_some());
    }
    let new: Vec<_> = (4 * places..4 * places + new).map(name).collect();
    for token in &new {
        memory.insert(*token, Arc::clone(&verified));
    }
    let known = new.iter().filter(|token| memory.get(*token).is_some()).count();
    // All, but for what the parts of the memory have got unequal shares of.
    assert!(known >= new.len() * 9 / 10, "{known}");
    assert!(memory.len() <= places);
}

#[test]
fn what_is_remembered_of_a_token_signed_here_is_what_its_signature_proves() {
    let (tokens, _) = es256();
    let names = REGISTERED_CLAIMS.map(|name| (name.to_owned(), json!("a contract's own")));
    for claims in [json!({}), Value::Object(names.into_iter().collect())] {
        let token = signed_here(&tokens, claims);
        let remembered = tokens.verify(&token, NOW).unwrap();
        tokens.remembered.clear();
        let proven = tokens.verify(&token, NOW).unwrap();
        assert_eq!(format!("{remembered:?}"), format!("{proven:?}"));
        assert!(segment(token.expose(), 1).get("nbf").is_none());
    }
}

#[test]
fn a_token_too_long_to_be_read_is_not_issued() {
    let (tokens, _) = es256();
    let with = |length| sign(&tokens, json!({"long": "x".repeat(length)}));
    let longest = (1..MAX_TOKEN).rev().find_map(|length| with(length).ok()).unwrap();
    assert!((MAX_TOKEN - 1..=MAX_TOKEN).contains(&longest.expose().len()));
    tokens.remembered.clear();
    assert!(accepted(&tokens, &longest));
    let refused = with(MAX_TOKEN).unwrap_err();
    assert!(matches!(refused, Error::Internal(_)), "{refused:?}");
    // Nor is one read that somebody else has made with our key.
    let mut claims = segment(longest.expose(), 1);
    claims["long"] = "x".repeat(MAX_TOKEN).into();
    let longer = signed(&tokens.ring(), TYP, claims.as_object().unwrap(), NOW).unwrap();
    assert!(!accepted(&tokens, &longer));
}

#[test]
fn what_another_ring_has_signed_is_not_remembered_after_it() {
    let (tokens, _) = es256();
    let token = signed_here(&tokens, json!({}));
    let (ring, verified) = (tokens.ring(), tokens.verify(&token, NOW).unwrap());
    tokens.replace_ring(KeyRing::es256(&[es256().1]).unwrap());
    assert_eq!(tokens.remembered(), 0);
    // Whoever was signing or verifying meanwhile comes back late.
    tokens.remember(fingerprint(token.expose()), &verified, &ring);
    assert_eq!(tokens.remembered(), 0);
    assert!(!accepted(&tokens, &token));
}

#[test]
fn two_tokens_of_one_moment_differ() {
    let (tokens, _) = es256();
    assert_ne!(token(&tokens).expose(), token(&tokens).expose());
}

#[test]
fn header_and_claims_are_as_documented() {
    let (tokens, key) = es256();
    let token = token(&tokens);
    let header = segment(token.expose(), 0);
    assert_eq!(header, json!({"typ": "at+jwt", "alg": "ES256", "kid": key.id.0}));
    let claims = segment(token.expose(), 1);
    assert_eq!(claims["iss"], "doorward");
    assert_eq!(claims["aud"], "main");
    assert_eq!(claims["id"], 7);
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 60);
}

#[test]
fn headers_that_are_not_ours_are_refused() {
    let (tokens, _) = es256();
    let good = token(&tokens);
    let (header, claims) = (segment(good.expose(), 0), segment(good.expose(), 1).to_string());
    assert!(
        accepted(&tokens, &forge(&tokens, &header.to_string(), &claims)),
        "the forge itself works"
    );
    for (name, value) in [
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("jwk", json!({"kty": "EC"})),
        ("jku", json!("https://evil.example/keys")),
        ("x5u", json!("https://evil.example/cert")),
        ("x5c", json!(["MII"])),
        ("b64", json!(false)),
        ("typ", json!("JWT")),
        ("typ", json!("application/at+jwt")),
        ("typ", json!(null)),
        ("alg", json!("none")),
        ("alg", json!("HS256")),
        ("alg", json!("ES384")),
        ("kid", json!("other")),
        ("kid", json!(7)),
    ] {
        let mut hostile = header.clone();
        hostile[name] = value.clone();
        assert!(
            !accepted(&tokens, &forge(&tokens, &hostile.to_string(), &claims)),
            "{name}: {value}"
        );
    }
    for missing in ["typ", "kid", "alg"] {
        let mut hostile = header.clone();
        hostile.as_object_mut().unwrap().shift_remove(missing);
        assert!(
            !accepted(&tokens, &forge(&tokens, &hostile.to_string(), &claims)),
            "without {missing}"
        );
    }
}

#[test]
fn claims_of_a_wrong_type_are_refused() {
    let (tokens, _) = es256();
    let good = token(&tokens);
    let (header, claims) = (segment(good.expose(), 0).to_string(), segment(good.expose(), 1));
    let wrong = [
        json!("1"),
        json!(1.5),
        json!(true),
        json!(null),
        json!([1]),
        json!({}),
        json!(1e300),
        json!(-1),
    ];
    for name in ["iss", "aud", "sub", "sid", "exp"] {
        for value in &wrong {
            let mut hostile = claims.clone();
            hostile[name] = value.clone();
            assert!(
                !accepted(&tokens, &forge(&tokens, &header, &hostile.to_string())),
                "{name}: {value}"
            );
        }
    }
    for name in ["iss", "aud", "sub", "sid", "jti", "iat", "exp"] {
        let mut hostile = claims.clone();
        hostile.as_object_mut().unwrap().shift_remove(name);
        assert!(
            !accepted(&tokens, &forge(&tokens, &header, &hostile.to_string())),
            "without {name}"
        );
    }
    let mut later = claims.clone();
    later["nbf"] = json!(NOW.seconds() + 1);
    assert!(
        !accepted(&tokens, &forge(&tokens, &header, &later.to_string())),
        "not yet"
    );
    let twice = claims.to_string().replacen('{', "{\"exp\":99999999999,", 1);
    assert!(!accepted(&tokens, &forge(&tokens, &header, &twice)), "a claim twice");
    let mut list = claims;
    list["aud"] = json!(["main"]);
    assert!(
        !accepted(&tokens, &forge(&tokens, &header, &list.to_string())),
        "an audience list"
    );
}

#[test]
fn a_public_key_is_no_shared_secret() {
    let (tokens, key) = es256();
    let good = token(&tokens);
    let header = segment(good.expose(), 0).to_string().replace("ES256", "HS256");
    let message = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        good.expose().split('.').nth(1).unwrap()
    );
    let ring = tokens.ring();
    let public = &ring.public()[0];
    for secret in [
        public.x.as_bytes(),
        key.pkcs8.as_slice(),
        format!("{}{}", public.x, public.y).as_bytes(),
    ] {
        let signing = jsonwebtoken::EncodingKey::from_secret(secret);
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &signing, Algorithm::HS256).unwrap();
        assert!(!accepted(&tokens, &Secret::new(format!("{message}.{signature}"))));
    }
}

#[test]
fn a_shared_secret_signs_and_verifies() {
    let ring = KeyRing::hs256(&Secret::new("0123456789abcdef0123456789abcdef".into())).unwrap();
    let tokens = Tokens::new("doorward".into(), ring);
    let token = token(&tokens);
    assert_eq!(segment(token.expose(), 0)["alg"], "HS256");
    assert!(accepted(&tokens, &token));
    assert!(tokens.ring().public().is_empty(), "a shared secret is never published");
}

#[test]
fn an_older_key_verifies_until_it_leaves_the_ring() {
    let (tokens, old) = es256();
    let token = token(&tokens);
    let new = StoredKey::generate(NOW).unwrap();
    tokens.replace_ring(KeyRing::es256(&[new.clone(), old]).unwrap());
    assert!(accepted(&tokens, &token));
    tokens.replace_ring(KeyRing::es256(&[new]).unwrap());
    assert!(!accepted(&tokens, &token), "though it was remembered");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_other_text_is_refused(at in 0_usize..400, to in "[A-Za-z0-9_.=-]") {
        let (tokens, _) = es256();
        let good = token(&tokens).expose().to_owned();
        let at = at % good.len();
        let mut changed = good.clone();
        changed.replace_range(at..=at, &to);
        if changed != good {
            prop_assert!(!accepted(&tokens, &Secret::new(changed)));
        }
        prop_assert!(!accepted(&tokens, &Secret::new(good[..at].to_owned())));
        let longer = format!("{good}{to}");
        prop_assert!(!accepted(&tokens, &Secret::new(longer)));
    }
}
