//! The only reader of the environment, apart from the flags that name their variable.

use secrecy::SecretString;
use std::{fs, path::Path};

const KEY_VARIABLE: &str = "TOLLGATE_API_KEY";

/// The API key, from a file or the environment.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one reader of the environment"
)]
pub(super) fn key(path: Option<&Path>) -> Result<SecretString, String> {
    let text = match path {
        Some(path) => fs::read_to_string(path)
            .map_err(|error| format!("key file {}: {error}", path.display()))?,
        None => std::env::var(KEY_VARIABLE).map_err(|_| {
            format!("no API key: set {KEY_VARIABLE} or name a file with --key-file")
        })?,
    };
    let text = text.trim();
    if text.is_empty() {
        Err("the API key is empty".into())
    } else {
        Ok(text.into())
    }
}

/// Whether colours are unwanted, by <https://no-color.org>.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one reader of the environment"
)]
pub(crate) fn no_color() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    set("NO_COLOR") || std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}
