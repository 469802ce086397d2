use super::*;
use proptest::prelude::*;

const ID: &str = "k1";

fn pepper() -> SecretString {
    SecretString::from("a pepper for tests, long enough to be one")
}

fn keyring(keys: &[&ApiKey]) -> Keyring {
    let keys = keys.iter().map(|key| {
        let team: Arc<str> = format!("team-of-{}", key.id()).into();
        let hmac = key.hmac(&pepper());
        (Arc::from(key.id()), Key { team, hmac })
    });
    Keyring::new(&keys.collect(), &pepper())
}

fn key() -> ApiKey {
    ApiKey::assemble(ID, [7; 32])
}

fn authenticate<'a>(keyring: &'a Keyring, key: &str) -> Option<&'a str> {
    let authorization = format!("Bearer {key}");
    let team = keyring.authenticate(Some(&authorization));
    team.ok().map(AsRef::as_ref)
}

#[test]
fn a_new_key_opens_the_door_of_its_team() {
    let (one, other) = (
        ApiKey::generate("one").expect("a key"),
        ApiKey::generate("other").expect("a key"),
    );
    let ring = keyring(&[&one, &other]);
    for (key, team) in [(&one, "team-of-one"), (&other, "team-of-other")] {
        assert_eq!(authenticate(&ring, key.text().expose_secret()), Some(team));
    }
}

#[test]
fn keys_do_not_repeat() {
    let keys = [ApiKey::generate(ID), ApiKey::generate(ID)];
    let [one, other] = keys.map(|key| key.expect("a key").text().expose_secret().to_owned());
    assert_ne!(one, other);
}

#[test]
fn the_form_of_a_key_is_fixed() {
    let key = key();
    let text = key.text().expose_secret();
    assert_eq!(text.len(), "tg_k1_".len() + 43 + 1 + 6);
    assert_eq!(
        text,
        "tg_k1_1fJjkkpe9PiTw9KSulA8Ghct30vZz4HpdQ5c5b9cPF1_1qCOR5"
    );
    assert_eq!(Presented::parse(text).map(|key| key.id()), Ok(ID));
}

#[test]
fn the_checksum_is_the_common_crc_32() {
    assert_eq!(crc32fast::hash(b"123456789"), 0xcbf4_3926);
}

#[test]
fn another_pepper_is_another_lock() {
    let key = key();
    let keys = BTreeMap::from([(
        Arc::from(ID),
        Key {
            team: "news".into(),
            hmac: key.hmac(&pepper()),
        },
    )]);
    let ring = Keyring::new(&keys, &SecretString::from("another pepper"));
    assert_eq!(authenticate(&ring, key.text().expose_secret()), None);
}

#[test]
fn nobody_gets_in_without_a_bearer_key() {
    let key = key();
    let ring = keyring(&[&key]);
    let text = key.text().expose_secret();
    for authorization in [
        None,
        Some(String::new()),
        Some("Bearer".to_owned()),
        Some("Bearer ".to_owned()),
        Some(text.to_owned()),
        Some(format!("Basic {text}")),
        Some(format!("Bearer {text} {text}")),
        Some(format!("Bearer {text}\n")),
    ] {
        let answer = ring.authenticate(authorization.as_deref());
        assert_eq!(answer, Err(Unauthenticated));
    }
    for scheme in ["Bearer", "bearer", "BEARER"] {
        assert!(ring.authenticate(Some(&format!("{scheme} {text}"))).is_ok());
    }
}

#[test]
fn an_unknown_id_and_a_wrong_secret_are_refused_alike() {
    let ring = keyring(&[&key()]);
    let wrong = ApiKey::assemble(ID, [8; 32]);
    let unknown = ApiKey::assemble("k2", [7; 32]);
    for key in [wrong, unknown] {
        assert_eq!(authenticate(&ring, key.text().expose_secret()), None);
    }
}

#[test]
fn ids_are_plain_and_short() {
    let longest = "a".repeat(32);
    for id in ["k1", "a", "ci-2026", &longest] {
        let key = ApiKey::generate(id).expect("a key");
        let parsed = Presented::parse(key.text().expose_secret()).expect("well-formed");
        assert_eq!(parsed.id(), id);
    }
    let too_long = "a".repeat(33);
    for id in ["", "K1", "a_b", "a b", "ä", &too_long] {
        assert_eq!(ApiKey::generate(id).err(), Some(NoKey::Id(NotAnId)), "{id}");
    }
}

#[test]
fn keys_do_not_show_themselves() {
    let key = key();
    let text = key.text().expose_secret();
    let presented = Presented::parse(text).expect("well-formed");
    let ring = keyring(&[&key]);
    let shown = format!("{key:?} {presented:?} {ring:?} {:?}", key.text());
    assert!(!shown.contains("1fJjkkpe"), "{shown}");
    assert!(!shown.contains(&hmac_text(&key.hmac(&pepper()))), "{shown}");
}

#[test]
fn hmacs_are_written_as_they_are_read() {
    let hmac = key().hmac(&pepper());
    assert_eq!(parse_hmac(&hmac_text(&hmac)), Some(hmac));
    assert_eq!(parse_hmac(&hmac_text(&hmac).to_uppercase()), Some(hmac));
    for text in ["", "abc", &"g".repeat(64), &"é".repeat(32), &"0".repeat(65)] {
        assert_eq!(parse_hmac(text), None);
    }
}

proptest! {
    #[test]
    fn no_text_panics_or_gets_in(text in any::<String>()) {
        let ring = keyring(&[&key()]);
        prop_assert!(Presented::parse(&text).is_err());
        prop_assert_eq!(ring.authenticate(Some(&text)), Err(Unauthenticated));
        prop_assert_eq!(authenticate(&ring, &text), None);
        prop_assert_eq!(parse_hmac(&text).is_some(), false);
    }

    #[test]
    fn a_key_with_one_wrong_byte_is_malformed(at in 0..56usize, byte in 0x20..0x7fu8) {
        let key = key();
        let mut bytes = key.text().expose_secret().as_bytes().to_vec();
        prop_assume!(bytes[at] != byte);
        bytes[at] = byte;
        let text = String::from_utf8(bytes).expect("ASCII");
        prop_assert!(Presented::parse(&text).is_err());
        let ring = keyring(&[&key]);
        prop_assert_eq!(authenticate(&ring, &text), None);
    }

    #[test]
    fn only_the_exact_secret_gets_in(secret in any::<[u8; 32]>()) {
        let ring = keyring(&[&key()]);
        let other = ApiKey::assemble(ID, secret);
        let gets_in = authenticate(&ring, other.text().expose_secret()).is_some();
        prop_assert_eq!(gets_in, secret == [7; 32]);
    }
}
