use super::*;
use rcgen::{CertificateParams, CertifiedKey, KeyPair, date_time_ymd, generate_simple_self_signed};
use tempfile::TempDir;

fn pair() -> (String, String) {
    let names = vec!["localhost".to_owned()];
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).expect("a pair");
    (cert.pem(), signing_key.serialize_pem())
}

/// A pair that ends on the first day of that year.
fn ending(year: i32) -> (String, String) {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("names");
    params.not_after = date_time_ymd(year, 1, 1);
    let certificate = params.self_signed(&key).expect("a certificate");
    (certificate.pem(), key.serialize_pem())
}

fn files(dir: &TempDir, (certificate, key): &(String, String)) -> Files {
    let files = Files {
        cert_file: dir.path().join("cert.pem"),
        key_file: dir.path().join("key.pem"),
    };
    fs::write(&files.cert_file, certificate).expect("written");
    fs::write(&files.key_file, key).expect("written");
    files
}

fn keys(problems: &[Problem]) -> Vec<&str> {
    problems.iter().map(|problem| problem.key).collect()
}

#[test]
fn a_new_pair_is_shown_and_an_unchanged_one_is_left_alone() {
    let dir = TempDir::new().expect("a directory");
    let identity = Identity::load(files(&dir, &pair())).expect("good");
    let first = identity.shown();
    assert_eq!(identity.renew(), Renewal::None);
    assert!(Arc::ptr_eq(&first, &identity.shown()));
    files(&dir, &pair());
    assert_eq!(identity.renew(), Renewal::New);
    assert!(!Arc::ptr_eq(&first, &identity.shown()));
    assert_eq!(identity.shown().alpn_protocols, [b"h2"]);
}

#[test]
fn the_end_is_that_of_the_first_to_end_in_the_chain_that_is_shown() {
    let (in_2030, in_2031, in_2040) = (1_893_456_000, 1_924_992_000, 2_208_988_800);
    let dir = TempDir::new().expect("a directory");
    let (certificate, key) = ending(2040);
    let identity = Identity::load(files(&dir, &(certificate.clone(), key.clone())));
    let identity = identity.expect("good");
    assert_eq!(identity.ends_at(), in_2040);
    // Its authority ends before it does.
    files(&dir, &(certificate + &ending(2030).0, key));
    assert_eq!(identity.renew(), Renewal::New);
    assert_eq!(identity.ends_at(), in_2030);
    // What can't be shown ends nothing.
    files(&dir, &(ending(2020).0, ending(2020).1));
    assert!(matches!(identity.renew(), Renewal::Bad(_)));
    assert_eq!(identity.ends_at(), in_2030);
    files(&dir, &ending(2031));
    assert_eq!(identity.renew(), Renewal::New);
    assert_eq!(identity.ends_at(), in_2031);
}

#[test]
fn a_bad_pair_leaves_the_old_one_and_is_said_once() {
    let dir = TempDir::new().expect("a directory");
    let good = pair();
    let identity = Identity::load(files(&dir, &good)).expect("good");
    let first = identity.shown();
    // Another certificate with the old key, as while somebody copies.
    files(&dir, &(pair().0, good.1.clone()));
    let Renewal::Bad(problems) = identity.renew() else {
        panic!("it does not match");
    };
    assert_eq!(keys(&problems), ["key_file"]);
    assert_eq!(identity.renew(), Renewal::None);
    assert!(Arc::ptr_eq(&first, &identity.shown()));
    fs::remove_file(dir.path().join("key.pem")).expect("removed");
    assert!(matches!(identity.renew(), Renewal::Bad(_)));
    assert_eq!(identity.renew(), Renewal::None);
    files(&dir, &good);
    assert_eq!(identity.renew(), Renewal::New);
}

#[test]
fn everything_that_is_wrong_is_told_at_once_and_no_key_with_it() {
    let dir = TempDir::new().expect("a directory");
    let (certificate, key) = pair();
    let secret = key.lines().nth(1).expect("a line of the key").to_owned();
    // In each other's place.
    let swapped = files(&dir, &(key, certificate)).check();
    let problems = swapped.expect_err("swapped");
    assert_eq!(keys(&problems), ["cert_file", "key_file"]);
    assert!(!format!("{problems:?}").contains(&secret));
    let missing = Files {
        cert_file: dir.path().join("none"),
        key_file: dir.path().join("nothing"),
    };
    let problems = missing.check().expect_err("missing");
    assert_eq!(keys(&problems), ["cert_file", "key_file"]);
}
