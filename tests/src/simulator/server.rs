//! The HTTP/1.1 server: accepts connections, reads bodies within a bound, finds the handler by path.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming as HttpBody;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Api;
use super::body::Body;
use super::canned;
use super::control;
use super::exchange::{Incoming, reject};
use super::provider::{Hangup, Provider};
use super::rejection::Rejection;

/// The largest request body.
const BODY: usize = 8 * 1024 * 1024;

impl std::fmt::Display for Hangup {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a simulated fault closes the connection")
    }
}

impl std::error::Error for Hangup {}

/// Serves until `stop` is cancelled, then drops all connections at once.
pub(crate) async fn run(
    listener: TcpListener,
    provider: Arc<Provider>,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        match accepted {
            Ok((socket, _)) => {
                let serve = connection(socket, Arc::clone(&provider));
                let stop = stop.clone();
                tasks.spawn(async move {
                    tokio::select! {
                        () = serve => {}
                        () = stop.cancelled() => {}
                    }
                });
            }
            // Out of file descriptors, say: wait for some to come back rather than spin.
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
        }
    }
}

async fn connection(socket: TcpStream, provider: Arc<Provider>) {
    if socket.set_nodelay(true).is_err() {
        return;
    }
    let service = service_fn(move |request| {
        let provider = Arc::clone(&provider);
        async move { route(request, &provider).await }
    });
    // An error here is a client that left, or a fault that closes the connection: nothing to do.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(socket), service)
        .await;
}

async fn route(request: Request<HttpBody>, provider: &Provider) -> Result<Response<Body>, Hangup> {
    let path = request.uri().path();
    if path == "/healthz" || path.starts_with("/simulator/") {
        return Ok(control::serve(request, provider).await);
    }
    let api = if path.ends_with("/chat/completions") {
        Api::OpenAi
    } else if path.ends_with("/messages") {
        Api::Anthropic
    } else {
        return Ok(unknown(&request, provider));
    };
    if request.method() != Method::POST {
        return Ok(wrong_method(&request, api, provider));
    }
    let (head, body) = request.into_parts();
    let Some(body) = read(body).await else {
        return Ok(too_large(api, provider));
    };
    if provider.options.canned
        && api == Api::OpenAi
        && !head.headers.contains_key("x-simulate")
        && provider.faults.is_empty()
    {
        return Ok(canned::serve(provider));
    }
    let path = head.uri.path().to_owned();
    provider
        .serve(Incoming {
            api,
            path,
            headers: head.headers,
            body,
        })
        .await
}

/// The body, or `None` if it is larger than the bound or breaks off.
pub(crate) async fn read(body: HttpBody) -> Option<Bytes> {
    Limited::new(body, BODY)
        .collect()
        .await
        .ok()
        .map(http_body_util::Collected::to_bytes)
}

fn request_id(provider: &Provider) -> String {
    format!("req_sim_{:08}", provider.next_number())
}

fn unknown(request: &Request<HttpBody>, provider: &Provider) -> Response<Body> {
    let headers = request.headers();
    let id = request_id(provider);
    if headers.contains_key("anthropic-version") || headers.contains_key("x-api-key") {
        return reject(
            Api::Anthropic,
            &id,
            &Rejection::new(404, "not_found_error", "Not found"),
        );
    }
    let text = format!(
        "Invalid URL ({} {})",
        request.method(),
        request.uri().path()
    );
    reject(
        Api::OpenAi,
        &id,
        &Rejection {
            status: 404,
            ..Rejection::invalid(text)
        },
    )
}

fn wrong_method(request: &Request<HttpBody>, api: Api, provider: &Provider) -> Response<Body> {
    let (method, path) = (request.method(), request.uri().path());
    let rejection = match api {
        Api::OpenAi => {
            let text = format!(
                "Not allowed to {method} on {path}. (HINT: Perhaps you meant to use a different \
                 HTTP method?)"
            );
            Rejection {
                status: 405,
                ..Rejection::invalid(text).code("method_not_supported")
            }
        }
        Api::Anthropic => Rejection::new(405, "invalid_request_error", "Method Not Allowed"),
    };
    reject(api, &request_id(provider), &rejection)
}

fn too_large(api: Api, provider: &Provider) -> Response<Body> {
    let rejection = match api {
        Api::OpenAi => Rejection {
            status: StatusCode::PAYLOAD_TOO_LARGE.as_u16(),
            ..Rejection::invalid("The request body is larger than 8 MiB.")
        },
        Api::Anthropic => Rejection::new(
            413,
            "request_too_large",
            "Request exceeds the maximum allowed number of bytes.",
        ),
    };
    reject(api, &request_id(provider), &rejection)
}
