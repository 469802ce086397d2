//! Response bodies: whole, or a script of timed frames with an ending.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame;

/// A response body.
pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// How a scripted body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// As it should.
    Complete,
    /// The connection is closed before the body is whole.
    Abort,
    /// Nothing more comes; the connection stays open until the client leaves.
    Silence,
}

/// All at once.
pub(crate) fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// Each frame after its delay, then the ending.
pub(crate) fn script(frames: Vec<(Duration, Bytes)>, ending: Ending) -> Body {
    let frames = frames.into_iter();
    let steps = stream::unfold((frames, false), move |(mut frames, ended)| async move {
        if ended {
            return None;
        }
        if let Some((delay, bytes)) = frames.next() {
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            return Some((Ok(Frame::data(bytes)), (frames, false)));
        }
        match ending {
            Ending::Complete => None,
            Ending::Abort => {
                // What was sent so far leaves the socket before the connection is dropped.
                tokio::time::sleep(Duration::from_millis(10)).await;
                Some((
                    Err(io::Error::other("a simulated fault cut the body")),
                    (frames, true),
                ))
            }
            Ending::Silence => std::future::pending().await,
        }
    });
    StreamBody::new(steps).boxed_unsync()
}
