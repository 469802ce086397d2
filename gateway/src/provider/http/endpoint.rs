//! Where a provider account is called, and with which key.

use http::{
    HeaderMap, HeaderValue,
    header::{ACCEPT, CONTENT_TYPE, HeaderName},
};
use reqwest::Url;
use secrecy::{ExposeSecret as _, SecretString};
use std::fmt;

/// One URL together with the key for it: no other URL ever sees the key.
pub(in crate::provider) struct Endpoint {
    url: Url,
    headers: HeaderMap,
}

impl Endpoint {
    /// The endpoint at `path` below `base_url`.
    pub(in crate::provider) fn new(base_url: &str, path: &str) -> Result<Self, BadAccount> {
        let mut url = Url::parse(base_url.trim()).map_err(|_| BadAccount::NotAUrl)?;
        if !matches!(url.scheme(), "https" | "http") || !url.has_host() {
            return Err(BadAccount::NotHttp);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BadAccount::CredentialInUrl);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(BadAccount::NotABase);
        }
        url.path_segments_mut()
            .map_err(|()| BadAccount::NotABase)?
            .pop_if_empty()
            .extend(path.split('/'));
        let json = HeaderValue::from_static("application/json");
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, json.clone()), (ACCEPT, json)]);
        Ok(Self { url, headers })
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// With a header that every call carries.
    pub(in crate::provider) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// With the key in a header, after `prefix`. The value is marked as sensitive, which keeps it
    /// out of debug output and of HTTP/2's header tables.
    pub(in crate::provider) fn with_key(
        self,
        name: HeaderName,
        prefix: &str,
        key: &SecretString,
    ) -> Result<Self, BadAccount> {
        let key = key.expose_secret().trim();
        if key.is_empty() {
            return Err(BadAccount::BadKey);
        }
        let mut value =
            HeaderValue::try_from(format!("{prefix}{key}")).map_err(|_| BadAccount::BadKey)?;
        value.set_sensitive(true);
        Ok(self.with_header(name, value))
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("url", &self.url.as_str())
            .finish_non_exhaustive()
    }
}

/// Why an account can't be used. Quotes neither the URL, which may hold a password, nor the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAccount {
    /// It does not parse.
    #[error("base_url is not a URL")]
    NotAUrl,
    /// Another scheme, or no host.
    #[error("base_url must start with https:// or http:// and name a host")]
    NotHttp,
    /// A name or password before the host.
    #[error("base_url must not hold a name or password; the key has its own setting")]
    CredentialInUrl,
    /// A query or fragment.
    #[error("base_url must end with its path: no ? and no #")]
    NotABase,
    /// Empty, or with characters that no header can carry.
    #[error("the key is empty, or has characters that an HTTP header can't carry")]
    BadKey,
    /// The provider always wants one.
    #[error("the provider needs a key")]
    NoKey,
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::AUTHORIZATION;

    fn url(base: &str) -> String {
        Endpoint::new(base, "chat/completions")
            .expect("test URLs are valid")
            .url
            .into()
    }

    #[test]
    fn the_path_is_put_below_the_base() {
        let expected = "https://api.example.com/v1/chat/completions";
        assert_eq!(url("https://api.example.com/v1"), expected);
        assert_eq!(url("https://api.example.com/v1/"), expected);
        assert_eq!(url(" https://API.example.com:443/v1\n"), expected);
        assert_eq!(
            url("http://[::1]:11434"),
            "http://[::1]:11434/chat/completions"
        );
    }

    #[test]
    fn a_base_that_is_not_one_is_refused_without_quoting_it() {
        for (base, expected) in [
            ("", BadAccount::NotAUrl),
            ("api.example.com/v1", BadAccount::NotAUrl),
            ("file:///etc/passwd", BadAccount::NotHttp),
            ("unix:/run/x", BadAccount::NotHttp),
            (
                "https://me:hush@api.example.com",
                BadAccount::CredentialInUrl,
            ),
            ("https://hush@api.example.com", BadAccount::CredentialInUrl),
            ("https://api.example.com/v1?key=hush", BadAccount::NotABase),
            ("https://api.example.com/v1#hush", BadAccount::NotABase),
        ] {
            let error = Endpoint::new(base, "messages").expect_err("not a base");
            assert_eq!(error, expected, "{base}");
            assert!(!error.to_string().contains("hush"), "{base}");
        }
    }

    #[test]
    fn a_key_shows_up_in_its_header_and_nowhere_else() {
        let endpoint = Endpoint::new("https://api.example.com/v1", "messages")
            .and_then(|endpoint| endpoint.with_key(AUTHORIZATION, "Bearer ", &"sk-hush\n".into()))
            .expect("a valid account");
        let header = &endpoint.headers[AUTHORIZATION];
        assert_eq!(header, "Bearer sk-hush");
        assert!(header.is_sensitive());
        let shown = format!("{endpoint:?} {:?}", endpoint.headers);
        assert!(!shown.contains("sk-hush"), "{shown}");
    }

    #[test]
    fn a_key_that_no_header_can_carry_is_refused() {
        for key in ["", "  ", "sk\nx-evil: 1", "sk\u{7f}"] {
            let endpoint = Endpoint::new("https://api.example.com", "messages");
            let result = endpoint.and_then(|e| e.with_key(AUTHORIZATION, "Bearer ", &key.into()));
            assert_eq!(
                result.expect_err("a bad key"),
                BadAccount::BadKey,
                "{key:?}"
            );
        }
    }
}
