//! OpenAI's chat completions, and the many servers that speak the same language.
//!
//! Reference: <https://platform.openai.com/docs/api-reference/chat/create>. Options that a model
//! does not take are sent all the same: the provider answers 400, and the caller learns that
//! instead of getting an answer that was sampled in another way than asked for.

use super::{
    Answer, Ask, Failure, Provider,
    http::{BadAccount, Endpoint, Reply, Transport},
};
use futures_util::future::BoxFuture;
use http::{StatusCode, header::AUTHORIZATION};
use secrecy::SecretString;
use std::sync::Arc;
use tollgate_core::Timestamp;

mod request;
mod response;
mod support;

/// An account at OpenAI, or at a compatible server.
#[derive(Clone, Debug)]
pub struct OpenAi {
    account: Arc<Account>,
}

/// Which dialect the server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// OpenAI itself: needs a key, caps by `max_completion_tokens`, always reports usage.
    OpenAi,
    /// Ollama, llama.cpp, vLLM and others: the key is optional, the cap is `max_tokens`, which all
    /// of them know, and usage may be missing.
    Compatible,
}

#[derive(Debug)]
struct Account {
    endpoint: Endpoint,
    flavour: Flavour,
    transport: Transport,
}

impl OpenAi {
    /// An account. `base_url` is what stands before `/chat/completions`, such as
    /// `https://api.openai.com/v1` or `http://127.0.0.1:11434/v1`.
    ///
    /// # Errors
    ///
    /// When the URL or the key can't be used, or OpenAI itself has no key.
    pub fn new(
        base_url: &str,
        key: Option<SecretString>,
        flavour: Flavour,
        transport: Transport,
    ) -> Result<Self, BadAccount> {
        let mut endpoint = Endpoint::new(base_url, "chat/completions")?;
        match (key, flavour) {
            (Some(key), _) => endpoint = endpoint.with_key(AUTHORIZATION, "Bearer ", &key)?,
            (None, Flavour::Compatible) => {}
            (None, Flavour::OpenAi) => return Err(BadAccount::NoKey),
        }
        let account = Account {
            endpoint,
            flavour,
            transport,
        };
        Ok(Self {
            account: Arc::new(account),
        })
    }
}

impl Provider for OpenAi {
    fn complete(&self, ask: Ask) -> BoxFuture<'static, Result<Answer, Failure>> {
        let account = Arc::clone(&self.account);
        Box::pin(async move {
            let body = request::body(&ask, account.flavour);
            let (to, trace) = (&account.endpoint, ask.call.trace);
            let reply = account.transport.post(to, body, trace).await?;
            read(&reply, account.flavour, account.transport.now())
        })
    }
}

/// The answer or failure that a complete response holds.
fn read(reply: &Reply, flavour: Flavour, now: Timestamp) -> Result<Answer, Failure> {
    let quota = response::quota(&reply.headers);
    if reply.status == StatusCode::OK {
        response::answer(&reply.body, flavour, quota)
    } else {
        Err(super::http::failure(reply, quota, now))
    }
}

#[cfg(test)]
mod tests;
