//! What other machines may reach, and how.

use super::*;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use std::fs;

const OPEN: &str = "[server]\nlisten = \"0.0.0.0:50051\"\n";
const ADMIN: &str = "[admin]\nkeys = [{ id = \"ops\", hmac_env = \"TOLLGATE_NEWS_KEY\" }]\n";

/// The line of a good pair, as long as its directory is kept.
fn tls() -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().expect("a directory");
    let names = ["localhost".to_owned()];
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).expect("a pair");
    fs::write(dir.path().join("cert"), cert.pem()).expect("written");
    fs::write(dir.path().join("key"), signing_key.serialize_pem()).expect("written");
    let at = dir.path().display();
    let line = format!("tls = {{ cert_file = \"{at}/cert\", key_file = \"{at}/key\" }}\n");
    (dir, line)
}

#[test]
fn beyond_this_machine_a_certificate_is_needed_or_plaintext_is_said() {
    let said = &wrong(OPEN)[0];
    assert!(said.contains("[server.tls]"), "{said}");
    assert!(said.contains("plaintext = true"), "{said}");
    good(&format!("{OPEN}plaintext = true\n"));
    let (_dir, line) = tls();
    let config = good(&format!("{OPEN}{line}"));
    assert_eq!(good(&config.redacted()).server.tls, config.server.tls);
    let both = wrong(&format!("{OPEN}{line}plaintext = true\n"));
    assert!(both[0].contains("server.plaintext: is true"), "{both:?}");
}

#[test]
fn operators_need_a_key_an_address_of_their_own_and_a_certificate_beyond_this_machine() {
    let (_dir, line) = tls();
    let config = good(&format!("{ADMIN}listen = \"127.0.0.1:50052\"\n"));
    assert_eq!(good(&config.redacted()).admin.listen, config.admin.listen);
    assert_eq!(config.admin.keys.len(), 1);
    good(&format!(
        "[server]\n{line}{ADMIN}listen = \"0.0.0.0:50052\"\n"
    ));
    let open = wrong(&format!("{ADMIN}listen = \"0.0.0.0:50052\"\n"));
    assert!(
        open[0].contains("admin.listen: 0.0.0.0:50052 can be"),
        "{open:?}"
    );
    let taken = wrong(&format!("{ADMIN}listen = \"127.0.0.1:50051\"\n"));
    assert!(taken[0].contains("is taken by [server]"), "{taken:?}");
    let nobody = wrong("[admin]\nlisten = \"127.0.0.1:50052\"\n");
    assert!(nobody[0].contains("admin.keys: is missing"), "{nobody:?}");
    let nowhere = wrong(ADMIN);
    assert!(
        nowhere[0].contains("admin.listen: is missing"),
        "{nowhere:?}"
    );
}
