//! Anthropic's messages.
//!
//! Reference: <https://platform.claude.com/docs/en/api/messages/create>. An option that the API
//! does not have is refused before anything is sent, never ignored.

use super::{
    Answer, Ask, Failure, Provider,
    http::{BadAccount, Endpoint, Reply, Transport},
};
use futures_util::future::BoxFuture;
use http::{HeaderName, HeaderValue, StatusCode};
use secrecy::SecretString;
use std::sync::Arc;
use tollgate_core::Timestamp;

mod request;
mod response;
mod support;

/// The version of the API that is spoken here.
const VERSION: &str = "2023-06-01";

/// An account at Anthropic.
#[derive(Clone, Debug)]
pub struct Anthropic {
    account: Arc<Account>,
}

#[derive(Debug)]
struct Account {
    endpoint: Endpoint,
    transport: Transport,
}

impl Anthropic {
    /// An account. `base_url` is what stands before `/messages`, such as
    /// `https://api.anthropic.com/v1`.
    ///
    /// # Errors
    ///
    /// When the URL or the key can't be used.
    pub fn new(
        base_url: &str,
        key: &SecretString,
        transport: Transport,
    ) -> Result<Self, BadAccount> {
        let endpoint = Endpoint::new(base_url, "messages")?
            .with_header(
                HeaderName::from_static("anthropic-version"),
                HeaderValue::from_static(VERSION),
            )
            .with_key(HeaderName::from_static("x-api-key"), "", key)?;
        let account = Account {
            endpoint,
            transport,
        };
        Ok(Self {
            account: Arc::new(account),
        })
    }
}

impl Provider for Anthropic {
    fn complete(&self, ask: Ask) -> BoxFuture<'static, Result<Answer, Failure>> {
        let account = Arc::clone(&self.account);
        Box::pin(async move {
            let body = request::body(&ask)?;
            let (to, trace) = (&account.endpoint, ask.call.trace);
            let reply = account.transport.post(to, body, trace).await?;
            read(&reply, account.transport.now())
        })
    }
}

/// The answer or failure that a complete response holds.
fn read(reply: &Reply, now: Timestamp) -> Result<Answer, Failure> {
    let quota = response::quota(&reply.headers);
    if reply.status == StatusCode::OK {
        response::answer(&reply.body, quota)
    } else {
        Err(super::http::failure(reply, quota, now))
    }
}

#[cfg(test)]
mod tests;
