//! Secrets: named in the file, never written in it.

use super::reader::Reader;
use secrecy::{ExposeSecret as _, SecretString};
use std::{
    fmt, fs,
    io::Read as _,
    path::{Path, PathBuf},
};

/// A secret and where it came from. Shows the latter only.
#[derive(Clone)]
pub struct Secret {
    origin: Origin,
    value: SecretString,
}

/// Where a secret came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// An environment variable.
    Variable(String),
    /// A file.
    File(PathBuf),
}

impl Secret {
    /// The secret itself.
    #[must_use]
    pub const fn value(&self) -> &SecretString {
        &self.value
    }

    /// Where it came from.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The key and value that name it in the file.
    pub(super) fn reference(&self, stem: &str) -> (String, String) {
        match &self.origin {
            Origin::Variable(name) => (format!("{stem}_env"), name.clone()),
            Origin::File(path) => (format!("{stem}_file"), path.display().to_string()),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({:?}, [redacted])", self.origin)
    }
}

/// What the key of a secret names.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// The key without `_env` or `_file`.
    pub(super) stem: &'a str,
    /// The variable that is read when neither key is there.
    pub(super) default_variable: Option<&'a str>,
}

/// Reads the secret that `<stem>_env` or `<stem>_file` names, and checks it with `check`, whose
/// message must not show it.
pub(super) fn read<T>(
    reader: &mut Reader<'_>,
    wanted: Wanted<'_>,
    check: impl FnOnce(&str) -> Result<T, String>,
) -> Option<(Secret, T)> {
    let stem = wanted.stem;
    let (env_key, file_key) = (format!("{stem}_env"), format!("{stem}_file"));
    reader.refuse(
        stem,
        format!(
            "a secret does not belong in this file; name the variable that holds it with \
             {env_key}, or the file with {file_key}"
        ),
    );
    let variable = reader.text(&env_key, variable_name);
    let path = reader.text(&file_key, file_name);
    if reader.has(&env_key) && reader.has(&file_key) {
        reader.report(
            &file_key,
            format!("{env_key} is given too; keep one of them"),
        );
        return None;
    }
    let default = || {
        let name = wanted.default_variable.filter(|_| !reader.has(&env_key));
        name.map(str::to_owned)
    };
    let (key, origin) = match path {
        Some(path) => (&file_key, Origin::File(path)),
        None if reader.has(&file_key) => return None,
        None => (&env_key, Origin::Variable(variable.or_else(default)?)),
    };
    let checked = fetch(reader, &origin).and_then(|value| {
        let made = check(value.expose_secret())?;
        Ok((Secret { origin, value }, made))
    });
    checked.map_err(|message| reader.report(key, message)).ok()
}

fn fetch(reader: &Reader<'_>, origin: &Origin) -> Result<SecretString, String> {
    let value = match origin {
        Origin::Variable(name) => reader.environment().variable(name),
        Origin::File(path) => Some(read_file(path)?),
    };
    match value.map(|value| value.trim().to_owned()) {
        Some(value) if !value.is_empty() => Ok(SecretString::from(value)),
        _ => Err(match origin {
            Origin::Variable(name) => {
                format!("the environment variable {name} is not set; export it")
            }
            Origin::File(_) => "this file is empty".to_owned(),
        }),
    }
}

/// Reads a file. Its name is not shown in messages: it may be the secret, pasted here by mistake.
fn read_file(path: &Path) -> Result<String, String> {
    // Far more than any key, and little enough to be read by mistake.
    const LONGEST: u64 = 64 << 10;
    let mut text = String::new();
    fs::File::open(path)
        .and_then(|file| file.take(LONGEST).read_to_string(&mut text))
        .map_err(|error| format!("can't read this file: {error}"))?;
    Ok(text)
}

/// Checks the name of a variable. What is no name may be the secret itself, so it is not shown.
fn variable_name(text: &str) -> Result<String, String> {
    let first = |b: u8| b.is_ascii_uppercase() || b == b'_';
    let later = |b: u8| first(b) || b.is_ascii_digit();
    let fits = text.len() <= 64
        && text.bytes().next().is_some_and(first)
        && text.bytes().skip(1).all(later);
    if fits {
        return Ok(text.to_owned());
    }
    Err(
        "is not the name of an environment variable: upper-case letters, digits and \"_\"; if it \
         is the secret itself, revoke it and put it into a variable"
            .to_owned(),
    )
}

fn file_name(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() || text.contains('\0') {
        return Err("is not a file name".to_owned());
    }
    Ok(PathBuf::from(text))
}
