//! API keys: `tg_<key id>_<32 random bytes, base 62>_<checksum>`.
//!
//! The checksum is the CRC-32 of all that stands before its underscore, in base 62. With the
//! prefix it lets secret scanners find leaked keys, and the gateway refuse garbage before it looks
//! anything up. It is no protection: that is in the 256 random bits. The gateway keeps
//! HMAC-SHA-256 of the whole key under a pepper; a slow hash would add nothing to so many bits,
//! and would let anybody keep the gateway busy.

mod base62;

use crate::catalog::Key;
use ring::{
    hmac,
    rand::{SecureRandom, SystemRandom},
};
use secrecy::{ExposeSecret as _, SecretString};
use std::{collections::BTreeMap, fmt, sync::Arc};

/// What every key begins with.
pub const PREFIX: &str = "tg_";

/// 62^43 is just above 2^256.
const SECRET_DIGITS: usize = 43;

/// 62^6 is above 2^32.
const CHECKSUM_DIGITS: usize = 6;

const LONGEST_ID: usize = 32;

/// The longest key; longer texts are refused unread.
const LONGEST: usize = PREFIX.len() + LONGEST_ID + 1 + SECRET_DIGITS + 1 + CHECKSUM_DIGITS;

/// A key in full. Exists only where it is made, and is shown once. Never displays itself.
pub struct ApiKey {
    id: String,
    text: SecretString,
}

/// Why there is no new key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoKey {
    /// The id is not one.
    Id(NotAnId),
    /// The system gave no randomness.
    Randomness,
}

impl fmt::Display for NoKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(not_an_id) => write!(f, "{not_an_id}"),
            Self::Randomness => f.write_str("the system gave no random bytes"),
        }
    }
}

impl std::error::Error for NoKey {}

/// A text that is not the id of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnId;

impl fmt::Display for NotAnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "is not the id of a key: 1 to {LONGEST_ID} lower-case letters, digits and \"-\""
        )
    }
}

impl std::error::Error for NotAnId {}

/// Checks the id of a key.
///
/// # Errors
/// If it is not 1 to 32 lower-case letters, digits and `-`.
pub fn check_id(id: &str) -> Result<(), NotAnId> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(plain) {
        return Ok(());
    }
    Err(NotAnId)
}

impl ApiKey {
    /// A new key.
    ///
    /// # Errors
    /// If the id is not one, or the system gives no randomness.
    pub fn generate(id: &str) -> Result<Self, NoKey> {
        check_id(id).map_err(NoKey::Id)?;
        let mut secret = [0; 32];
        SystemRandom::new()
            .fill(&mut secret)
            .map_err(|_| NoKey::Randomness)?;
        Ok(Self::assemble(id, secret))
    }

    fn assemble(id: &str, secret: [u8; 32]) -> Self {
        let before = format!("{PREFIX}{id}_{}", base62::of_bytes(secret, SECRET_DIGITS));
        let checksum = checksum(&before);
        Self {
            id: id.to_owned(),
            text: SecretString::from(format!("{before}_{checksum}")),
        }
    }

    /// The id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The key itself, to be shown once.
    #[must_use]
    pub const fn text(&self) -> &SecretString {
        &self.text
    }

    /// What the gateway keeps: HMAC-SHA-256 of the key under the pepper.
    #[must_use]
    pub fn hmac(&self, pepper: &SecretString) -> [u8; 32] {
        let tag = hmac::sign(&pepper_key(pepper), self.text.expose_secret().as_bytes());
        tag.as_ref().try_into().expect("SHA-256 has 32 bytes")
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey({}, [redacted])", self.id)
    }
}

/// A well-formed key that somebody presents. Never displays itself.
#[derive(Clone, Copy)]
pub struct Presented<'a> {
    id: &'a str,
    text: &'a str,
}

/// A text that can't be a key. Says no more: it may be a key with a typing error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this is not an API key")
    }
}

impl std::error::Error for Malformed {}

impl<'a> Presented<'a> {
    /// Takes a text apart.
    ///
    /// # Errors
    /// If the text is too long, or is not of the form of a key, or its checksum is wrong.
    pub fn parse(text: &'a str) -> Result<Self, Malformed> {
        if text.len() > LONGEST {
            return Err(Malformed);
        }
        let (before, check) = text.rsplit_once('_').ok_or(Malformed)?;
        let (id, secret) = before
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split_once('_'))
            .ok_or(Malformed)?;
        check_id(id).map_err(|NotAnId| Malformed)?;
        let is_secret = secret.len() == SECRET_DIGITS && base62::is_digits(secret);
        if !is_secret || checksum(before) != check {
            return Err(Malformed);
        }
        Ok(Self { id, text })
    }

    /// The id that it claims.
    #[must_use]
    pub const fn id(&self) -> &'a str {
        self.id
    }
}

impl fmt::Debug for Presented<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Presented({}, [redacted])", self.id)
    }
}

/// Nobody: the key is missing, malformed, unknown or wrong. Does not say which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unauthenticated;

/// All keys that are in force.
pub struct Keyring {
    pepper: hmac::Key,
    keys: BTreeMap<Arc<str>, Key>,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.keys.keys()).finish()
    }
}

impl Keyring {
    /// The keys of a catalog, under the pepper that their HMACs were made with.
    #[must_use]
    pub fn new(keys: &BTreeMap<Arc<str>, Key>, pepper: &SecretString) -> Self {
        Self {
            pepper: pepper_key(pepper),
            keys: keys.clone(),
        }
    }

    /// The team of a caller, by the value of its `authorization` metadata: `Bearer <key>`.
    ///
    /// Unknown ids take as long as wrong secrets, so that ids can't be found out by timing.
    ///
    /// # Errors
    /// If the caller is nobody.
    pub fn authenticate(&self, authorization: Option<&str>) -> Result<&Arc<str>, Unauthenticated> {
        const NOBODYS: [u8; 32] = [0; 32];
        let presented = authorization
            .and_then(bearer)
            .and_then(|text| Presented::parse(text).ok())
            .ok_or(Unauthenticated)?;
        let known = self.keys.get(presented.id);
        let expected = known.map_or(&NOBODYS, |key| &key.hmac);
        // Compares in constant time.
        let matches = hmac::verify(&self.pepper, presented.text.as_bytes(), expected).is_ok();
        match known {
            Some(key) if matches => Ok(&key.team),
            _ => Err(Unauthenticated),
        }
    }
}

/// The credential of the bearer scheme, whose name has no case (RFC 9110, 11.1).
fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, credential) = authorization.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(credential.trim_matches(' '))
}

fn pepper_key(pepper: &SecretString) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, pepper.expose_secret().as_bytes())
}

/// A new pepper: 32 random bytes in base 62.
///
/// # Errors
/// If the system gives no randomness.
pub fn generate_pepper() -> Result<SecretString, NoKey> {
    let mut bytes = [0; 32];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| NoKey::Randomness)?;
    Ok(SecretString::from(base62::of_bytes(bytes, SECRET_DIGITS)))
}

/// An HMAC as 64 hexadecimal digits.
#[must_use]
pub fn hmac_text(hmac: &[u8; 32]) -> String {
    hmac.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads 64 hexadecimal digits.
#[must_use]
pub fn parse_hmac(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let mut hmac = [0; 32];
    for (byte, at) in hmac.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(&text[at..at + 2], 16).ok()?;
    }
    Some(hmac)
}

fn checksum(text: &str) -> String {
    base62::of_bytes(
        crc32fast::hash(text.as_bytes()).to_be_bytes(),
        CHECKSUM_DIGITS,
    )
}

#[cfg(test)]
mod tests;
