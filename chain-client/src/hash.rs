//! SHA-256 over named parts.

use sha2::{Digest, Sha256};

/// The digest of the parts as lower-case hex. Each part is preceded by its length, so that no two
/// lists of parts run together to the same bytes.
pub(crate) fn of_parts(parts: &[&[u8]]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        digest.update(part);
    }
    hex(&digest.finalize())
}

/// The digest of one text as lower-case hex, as `sha256sum` prints it.
pub(crate) fn of_text(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_together() {
        assert_ne!(of_parts(&[b"ab", b"c"]), of_parts(&[b"a", b"bc"]));
        assert!(of_text("").starts_with("e3b0c44298fc1c14"));
    }
}
