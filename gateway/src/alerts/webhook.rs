//! The webhook: an HTTP address that takes JSON, such as a Slack incoming webhook.
//!
//! Beside `provider/http.rs` this is the only place with an HTTP client.

use super::{Post, Posted};
use futures_util::future::BoxFuture;
use reqwest::{Client, StatusCode, header, redirect::Policy};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use std::time::Duration;

/// How long one post may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A webhook. Its address is a credential, so nothing shows it.
pub struct Webhook {
    client: Client,
    url: SecretString,
}

impl Webhook {
    /// A webhook at this address.
    ///
    /// # Errors
    /// If no HTTP client can be made.
    pub fn new(url: SecretString) -> std::io::Result<Self> {
        let client = Client::builder()
            .timeout(TIMEOUT)
            .redirect(Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| std::io::Error::other(error.without_url()))?;
        Ok(Self { client, url })
    }

    async fn post_once(&self, body: &Value) -> Posted {
        let request = self
            .client
            .post(self.url.expose_secret())
            .header(header::CONTENT_TYPE, "application/json")
            .body(body.to_string());
        let Ok(response) = request.send().await else {
            return Posted::Later(None);
        };
        let status = response.status();
        if status.is_success() {
            return Posted::Taken;
        }
        if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
            let told = response.headers().get(header::RETRY_AFTER);
            let seconds: Option<u64> = told.and_then(|value| value.to_str().ok()?.parse().ok());
            return Posted::Later(seconds.map(|seconds| seconds.min(3_600) * 1_000));
        }
        Posted::Refused
    }
}

impl Post for Webhook {
    fn post<'a>(&'a self, body: &'a Value) -> BoxFuture<'a, Posted> {
        Box::pin(self.post_once(body))
    }
}

#[cfg(test)]
mod tests;
