//! One request as it came in, and the frame of every response to it.

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use serde_json::Value;

use super::Api;
use super::body::{self, Body};
use super::faults::RetryAfter;
use super::headers::{self, Throttled};
use super::rejection::Rejection;

/// One request as it came in.
pub(crate) struct Incoming {
    pub(crate) api: Api,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// One request, read as far as it can be read.
pub(crate) struct Request {
    pub(crate) number: u64,
    pub(crate) model: String,
    pub(crate) json: Result<Value, String>,
    pub(crate) incoming: Incoming,
}

impl Request {
    pub(crate) fn id(&self) -> String {
        format!("req_sim_{:08}", self.number)
    }

    /// A response with the provider's headers.
    pub(crate) fn respond(
        &self,
        status: StatusCode,
        content: &'static str,
        body: Body,
    ) -> Response<Body> {
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers::headers(
            self.incoming.api,
            &self.id(),
            RetryAfter::Absent,
            Throttled::No,
        );
        let content = http::HeaderValue::from_static(content);
        response
            .headers_mut()
            .insert(http::header::CONTENT_TYPE, content);
        response
    }

    /// An error response.
    pub(crate) fn reject(&self, rejection: &Rejection) -> Response<Body> {
        reject(self.incoming.api, &self.id(), rejection)
    }
}

/// An error response in the form of `api`.
pub(crate) fn reject(api: Api, id: &str, rejection: &Rejection) -> Response<Body> {
    let throttled = if rejection.status == 429 {
        Throttled::Yes
    } else {
        Throttled::No
    };
    let (content, bytes) = if rejection.status == 502 {
        (
            "text/html",
            "<html><body><h1>502 Bad Gateway</h1></body></html>".to_owned(),
        )
    } else {
        ("application/json", rejection.body(api, id).to_string())
    };
    let mut response = Response::new(body::whole(bytes));
    *response.status_mut() = rejection.status();
    *response.headers_mut() = headers::headers(api, id, rejection.retry_after, throttled);
    let content = http::HeaderValue::from_static(content);
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, content);
    response
}

/// Whether a key is there; any key will do.
pub(crate) fn authorize(request: &Request) -> Result<(), Rejection> {
    let headers = &request.incoming.headers;
    let text = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::trim)
    };
    match request.incoming.api {
        Api::OpenAi => {
            let key = text("authorization").and_then(|value| value.strip_prefix("Bearer"));
            if key.is_some_and(|key| !key.trim().is_empty()) {
                return Ok(());
            }
            let message = "You didn't provide an API key. You need to provide your API key in an \
                Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).";
            Err(Rejection::new(401, "invalid_request_error", message))
        }
        Api::Anthropic => {
            if text("x-api-key").is_some_and(|key| !key.is_empty()) {
                return Ok(());
            }
            Err(Rejection::new(
                401,
                "authentication_error",
                "x-api-key header is required",
            ))
        }
    }
}
