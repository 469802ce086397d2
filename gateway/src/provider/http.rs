//! What providers over HTTP share: the transport, and how answers that are not a 200 are read.
//!
//! The transport upholds one rule above all: it never says that nothing was sent unless that is
//! certain. What may have reached the provider, and got no complete response, is
//! [`FailureKind::Unknown`], so that it is charged.

use crate::{
    clock::Clock,
    cores,
    provider::{Failure, FailureKind},
    trace::TraceParent,
};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use reqwest::{Request, Response, redirect};
use std::{error::Error as _, fmt, sync::Arc, time::Duration};
use tollgate_core::Timestamp;

mod endpoint;
mod failure;
mod headers;
mod instruction;
mod json;

pub use self::endpoint::BadAccount;
pub(super) use self::{
    endpoint::Endpoint,
    failure::failure,
    headers::remaining,
    instruction::schema_instruction,
    json::{First, Word, garbled, parse},
};

/// How long it may take to connect, TLS included. A provider that is up answers within one or two
/// round trips; the rest of a call's time belongs to another target.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The largest response body.
const RESPONSE_CAP: usize = 16 * 1024 * 1024;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The largest header block over HTTP/2. Over HTTP/1 hyper reads at most
/// 100 headers in about 400 KiB.
const HEADER_CAP: u32 = 64 * 1024;

/// How long an idle connection is kept: less than the 60 s after which common load balancers close
/// theirs, because a request that meets a closing connection has an unknown outcome.
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// Idle connections kept per provider. Over HTTP/1 each call in flight needs one, and a burst must
/// not pay for new handshakes.
const IDLE_CONNECTIONS: usize = 256;

/// How often, and how patiently, a busy HTTP/2 connection is probed: a silent one would hold all
/// its calls until their deadlines.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// Installs ring as the process's TLS implementation, once. [`Transport::new`] needs it.
pub fn install_tls() {
    // An error means that one is installed already, which is all that matters.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// The connections to all providers. Cheap to clone; clones share the connections.
///
/// Each of the process's [`cores`] has connections of its own, so that an answer is read where its
/// call runs.
#[derive(Clone)]
pub struct Transport {
    clients: Arc<[reqwest::Client]>,
    clock: Arc<dyn Clock>,
    response_cap: usize,
}

impl Transport {
    /// A transport that follows no redirects, uses no proxy of the environment and trusts the
    /// machine's root certificates. Call [`install_tls`] first.
    ///
    /// # Errors
    ///
    /// When TLS cannot be set up, for example because there are no root certificates.
    pub fn new(clock: Arc<dyn Clock>) -> Result<Self, NoTransport> {
        let client = || {
            reqwest::Client::builder()
                .user_agent(concat!("tollgate/", env!("CARGO_PKG_VERSION")))
                .redirect(redirect::Policy::none())
                .no_proxy()
                .referer(false)
                .connect_timeout(CONNECT_TIMEOUT)
                .tcp_nodelay(true)
                .pool_idle_timeout(IDLE_TIMEOUT)
                .pool_max_idle_per_host(IDLE_CONNECTIONS)
                .http2_max_header_list_size(HEADER_CAP)
                .http2_keep_alive_interval(PING_INTERVAL)
                .http2_keep_alive_timeout(PING_TIMEOUT)
                .build()
                .map_err(NoTransport)
        };
        let clients = (0..cores::count().get()).map(|_| client());
        Ok(Self {
            clients: clients.collect::<Result<_, _>>()?,
            clock,
            response_cap: RESPONSE_CAP,
        })
    }

    /// Posts a JSON body, in this trace, and reads the whole response, whatever its status.
    ///
    /// # Errors
    ///
    /// [`FailureKind::Unreachable`] if nothing was sent, [`FailureKind::Unknown`] if no complete
    /// response came. An error response that is cut off is not complete, so it is unknown too.
    pub(super) async fn post(
        &self,
        endpoint: &Endpoint,
        body: Vec<u8>,
        trace: Option<TraceParent>,
    ) -> Result<Reply, Failure> {
        let mut request = Request::new(Method::POST, endpoint.url().clone());
        request.headers_mut().clone_from(endpoint.headers());
        if let Some(trace) = trace {
            let value = HeaderValue::from_str(trace.as_str()).expect("hex and dashes");
            request.headers_mut().insert(TRACEPARENT, value);
        }
        *request.body_mut() = Some(body.into());
        let client = &self.clients[cores::here().unwrap_or(0)];
        let mut response = client
            .execute(request)
            .await
            .map_err(|error| without_response(&error))?;
        Ok(Reply {
            status: response.status(),
            headers: std::mem::take(response.headers_mut()),
            body: self.read(response).await?,
        })
    }

    async fn read(&self, mut response: Response) -> Result<Bytes, Failure> {
        let status = response.status();
        let declared = response.content_length();
        if declared.is_some_and(|length| length > self.cap()) {
            return Err(incomplete(status, "the response is longer than the cap"));
        }
        // Most answers arrive in one piece, which is then not copied.
        let Some(first) = self.chunk(&mut response).await? else {
            return Ok(Bytes::new());
        };
        let Some(mut next) = self.chunk(&mut response).await? else {
            return Ok(first);
        };
        let expected = declared.and_then(|length| usize::try_from(length).ok());
        let mut body = BytesMut::with_capacity(expected.unwrap_or(first.len() + next.len()));
        body.extend_from_slice(&first);
        loop {
            if body.len() + next.len() > self.response_cap {
                return Err(incomplete(status, "the response is longer than the cap"));
            }
            body.extend_from_slice(&next);
            next = match self.chunk(&mut response).await? {
                Some(chunk) => chunk,
                None => return Ok(body.freeze()),
            };
        }
    }

    async fn chunk(&self, response: &mut Response) -> Result<Option<Bytes>, Failure> {
        let status = response.status();
        let chunk = response
            .chunk()
            .await
            .map_err(|_| incomplete(status, "the response was cut off"))?;
        match chunk {
            Some(bytes) if bytes.len() > self.response_cap => {
                Err(incomplete(status, "the response is longer than the cap"))
            }
            chunk => Ok(chunk),
        }
    }

    fn cap(&self) -> u64 {
        u64::try_from(self.response_cap).unwrap_or(u64::MAX)
    }

    /// Now, for the dates in a response.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport")
            .field("response_cap", &self.response_cap)
            .finish_non_exhaustive()
    }
}

/// Why there is no transport.
#[derive(Debug, thiserror::Error)]
#[error("TLS can't be set up: {0}")]
pub struct NoTransport(#[source] reqwest::Error);

/// A complete response.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// What an error before the response's head means.
fn without_response(error: &reqwest::Error) -> Failure {
    if error.is_builder() {
        return Failure::new(
            FailureKind::Misconfigured,
            "the request could not be built; nothing was sent",
        );
    }
    if error.is_connect() {
        let detail = if error.is_timeout() {
            "no connection in time"
        } else if error.is_dns() {
            "the host name does not resolve"
        } else {
            "no connection"
        };
        return Failure::new(FailureKind::Unreachable, detail);
    }
    // hyper cancels a request only while it still owns all of it: the connection that it waited
    // for went away first. That is the one error after connecting that proves that nothing was
    // sent. (On a connection that was in use before, it has then been tried again already.)
    if is_canceled(error) {
        return Failure::new(
            FailureKind::Unreachable,
            "the connection closed before anything was sent",
        );
    }
    Failure::new(
        FailureKind::Unknown,
        "the connection failed after the request may have been sent",
    )
}

fn is_canceled(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<hyper::Error>() {
            return error.is_canceled();
        }
        cause = error.source();
    }
    false
}

fn incomplete(status: StatusCode, detail: &str) -> Failure {
    Failure {
        http_status: Some(status.as_u16()),
        ..Failure::new(FailureKind::Unknown, detail)
    }
}

#[cfg(test)]
pub(super) mod raw_server;
#[cfg(test)]
pub(super) mod sample;
#[cfg(test)]
mod tests;
