//! Responses that a fault breaks on the wire.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

use super::body::{self, Body, Ending};
use super::exchange::Request;
use super::faults::{Action, Refused, RetryAfter};
use super::rejection::Rejection;
use super::{Api, stream};

const JSON: &str = "application/json";

/// The response of a fault that needs no correct answer; `None` for every other action.
pub(crate) fn response(action: &Action, request: &Request) -> Option<Response<Body>> {
    let streamed = request
        .json
        .as_ref()
        .is_ok_and(|body| body["stream"] == true);
    let text = |text: &'static str| request.respond(StatusCode::OK, JSON, body::whole(text));
    match action {
        Action::InvalidJson => Some(text(
            "{\"id\": \"chatcmpl-sim-broken\", \"choices\": [{\"ind",
        )),
        Action::Empty => Some(text("")),
        Action::ErrorInside if !streamed => {
            let error = inner_error(request).body(request.incoming.api, &request.id());
            Some(request.respond(StatusCode::OK, JSON, body::whole(error.to_string())))
        }
        Action::Redirect(to) => Some(redirect(request, to)),
        Action::Oversize(mib) => Some(oversize(request, *mib)),
        _ => None,
    }
}

/// A stream of events, as the action leaves it.
pub(crate) fn stream(
    request: &Request,
    mut frames: Vec<(Duration, Bytes)>,
    action: Option<&Action>,
) -> Response<Body> {
    let half = frames.len() / 2;
    let ending = match action {
        Some(Action::CutBody) => {
            frames.truncate(half);
            Ending::Abort
        }
        Some(Action::Stall) => {
            frames.truncate(half);
            Ending::Silence
        }
        Some(Action::ErrorInside) => {
            frames.truncate(half);
            let api = request.incoming.api;
            let error = inner_error(request).body(api, &request.id());
            frames.push((Duration::ZERO, stream::error_event(api, &error)));
            Ending::Complete
        }
        _ => Ending::Complete,
    };
    let body = body::script(frames, ending);
    request.respond(StatusCode::OK, "text/event-stream; charset=utf-8", body)
}

/// The first half of a body under the whole one's content-length.
pub(crate) fn half(request: &Request, bytes: Bytes, ending: Ending) -> Response<Body> {
    let length = HeaderValue::from(bytes.len());
    let frames = vec![(Duration::ZERO, bytes.slice(..bytes.len() / 2))];
    let mut response = request.respond(StatusCode::OK, JSON, body::script(frames, ending));
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, length);
    response
}

fn inner_error(request: &Request) -> Rejection {
    let refused = match request.incoming.api {
        Api::OpenAi => Refused::ServerError,
        Api::Anthropic => Refused::Overloaded,
    };
    Rejection::of(
        refused,
        RetryAfter::Absent,
        request.incoming.api,
        &request.model,
    )
}

fn redirect(request: &Request, to: &str) -> Response<Body> {
    let mut response = request.respond(StatusCode::FOUND, "text/html", body::whole(""));
    let location = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/"));
    response.headers_mut().insert(header::LOCATION, location);
    response
}

/// Valid JSON in size only: a string that goes on for so many MiB.
fn oversize(request: &Request, mib: u64) -> Response<Body> {
    let chunk = Bytes::from(vec![b'x'; 1024 * 1024]);
    let mut frames = vec![(Duration::ZERO, Bytes::from_static(b"{\"padding\":\""))];
    frames.extend((0..mib).map(|_| (Duration::ZERO, chunk.clone())));
    frames.push((Duration::ZERO, Bytes::from_static(b"\"}")));
    request.respond(StatusCode::OK, JSON, body::script(frames, Ending::Complete))
}
