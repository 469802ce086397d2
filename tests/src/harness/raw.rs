//! A caller without a gRPC library: one HTTP/2 request, as it is written here.
//!
//! A library has a timer of its own, which may be the first to tell, and sends only what it was
//! generated for.

use super::Refused;
use prost::Message;
use reqwest::{Client, RequestBuilder};
use tonic::Status;

/// One RPC that is about to be sent.
pub struct RawCall {
    request: RequestBuilder,
    /// Of the message's frame: whether it is compressed.
    flag: u8,
}

impl RawCall {
    pub(super) fn new(base: &str, path: &str, key: &str) -> Self {
        tollgate::provider::http::install_tls();
        let client = Client::builder().http2_prior_knowledge().build();
        let request = client
            .expect("a client")
            .post(format!("{base}{path}"))
            .bearer_auth(key)
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        Self { request, flag: 0 }
    }

    /// With one header more.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    /// Says in its frame that the message is compressed.
    #[must_use]
    pub const fn compressed(mut self) -> Self {
        self.flag = 1;
        self
    }

    /// Sends a message, and says how it was refused.
    ///
    /// # Panics
    /// If it is not refused.
    pub async fn refused(self, message: &impl Message) -> Refused {
        let message = message.encode_to_vec();
        let length = u32::try_from(message.len()).expect("a short message");
        let frame = [&[self.flag][..], &length.to_be_bytes()[..], &message[..]].concat();
        let answered = self.request.body(frame).send().await.expect("an answer");
        // An error has no message, and so its trailers are its headers.
        let status = Status::from_header_map(answered.headers());
        Refused::from(status.expect("an error"))
    }
}
