//! The listener: HTTP/2 connections, bounded in number, size, age and patience.

mod together;

use super::Edge;
use crate::{cores::Cores, tls::Identity};
use hyper::{server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::{convert::Infallible, future::Future, io, pin::pin, sync::Arc, time::Duration};
use together::Together;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The bounds of the listener.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The most connections; more wait to be accepted.
    pub connections: usize,
    /// The most calls at once on one connection.
    pub streams: u32,
    /// How long calls may run on after shutdown began.
    pub grace: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections: 2_000,
            streams: 256,
            grace: Duration::from_secs(30),
        }
    }
}

/// How long the TLS handshake may take. It is done beside the accepting of others.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// The most bytes of headers of one request.
const HEADER_BYTES: u32 = 16 << 10;
/// Streams that a client opened and reset at once, before its connection is cut (rapid reset).
const PENDING_RESETS: usize = 20;
/// Streams that we reset for a client's mistakes, before its connection is cut.
const LOCAL_RESETS: usize = 256;
/// A connection that is silent for this long is asked whether it lives.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// And is cut if it does not answer.
const KEEPALIVE_ANSWER: Duration = Duration::from_secs(10);
/// How long to leave a listener alone that has no connection to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);
/// After about this long a connection is asked to go, so that load spreads over new replicas.
const CONNECTION_AGE: Duration = Duration::from_secs(600);

/// What a listener serves, and to whom.
#[derive(Clone)]
pub struct Front {
    /// What is served.
    pub edge: Edge,
    /// The certificate that callers are shown; plaintext without one.
    pub identity: Option<Arc<Identity>>,
    /// The bounds.
    pub bounds: Bounds,
    /// Where connections are served.
    pub cores: Cores,
}

/// Accepts connections until `shutdown`, then lets running calls finish within the grace.
///
/// # Errors
/// Never for what a client does; only if the listener itself breaks.
pub async fn serve(
    listener: TcpListener,
    front: Front,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let seats = Arc::new(Semaphore::new(front.bounds.connections));
    let connections = TaskTracker::new();
    let leave = CancellationToken::new();
    tokio::pin!(shutdown);
    loop {
        let seat = tokio::select! {
            () = &mut shutdown => break,
            seat = Arc::clone(&seats).acquire_owned() => seat.map_err(io::Error::other)?,
        };
        let stream = tokio::select! {
            () = &mut shutdown => break,
            accepted = accept(&listener) => match accepted {
                Ok(stream) => stream,
                Err(error) => {
                    // Out of descriptors, or a client that was gone again: try the next one.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
        };
        let received = receive(stream, seat, front.clone(), leave.clone());
        front.cores.spawn(&connections, received);
    }
    drop(listener);
    leave.cancel();
    connections.close();
    let ended = tokio::time::timeout(front.bounds.grace, connections.wait()).await;
    if ended.is_err() {
        tracing::warn!(
            in_flight = front.edge.in_flight(),
            "shutdown did not wait for all calls"
        );
    }
    Ok(())
}

/// A connection, free of the runtime that accepted it.
async fn accept(listener: &TcpListener) -> io::Result<std::net::TcpStream> {
    let (stream, _) = listener.accept().await?;
    stream.into_std()
}

/// Serves one connection, which has a seat, after its handshake if there is one.
async fn receive(
    stream: std::net::TcpStream,
    _seat: OwnedSemaphorePermit,
    front: Front,
    leave: CancellationToken,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection keeps its delay");
    }
    let stream = match TcpStream::from_std(stream) {
        Ok(stream) => stream,
        Err(error) => return tracing::warn!(%error, "a connection could not be served"),
    };
    let Some(identity) = &front.identity else {
        return converse(stream, front, leave).await;
    };
    let handshake = TlsAcceptor::from(identity.shown()).accept(stream);
    let shaken = leave.run_until_cancelled(tokio::time::timeout(HANDSHAKE, handshake));
    match shaken.await {
        Some(Ok(Ok(stream))) => converse(stream, front, leave).await,
        Some(Ok(Err(error))) => tracing::debug!(%error, "a TLS handshake failed"),
        Some(Err(_)) => tracing::debug!("a TLS handshake took too long"),
        None => {}
    }
}

/// Serves one connection until it ends, is too old, or everything ends.
async fn converse<S>(stream: S, front: Front, leave: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let Front { edge, bounds, .. } = front;
    let service = service_fn(move |request| {
        let edge = edge.clone();
        async move { Ok::<_, Infallible>(edge.handle(request).await) }
    });
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(bounds.streams)
        .max_header_list_size(HEADER_BYTES)
        .max_pending_accept_reset_streams(PENDING_RESETS)
        .max_local_error_reset_streams(LOCAL_RESETS)
        .keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE_ANSWER)
        .serve_connection(TokioIo::new(Together::new(stream)), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = leave_by(&leave) => {
            // GOAWAY: no new calls here; those that run end.
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended");
    }
}

/// When a connection is asked to go: at shutdown, or at its age, spread so that connections that
/// came together do not go together.
async fn leave_by(leave: &CancellationToken) {
    let spread = fastrand::u64(0..=CONNECTION_AGE.as_secs() / 10);
    let age = CONNECTION_AGE + Duration::from_secs(spread);
    tokio::select! {
        () = leave.cancelled() => {}
        () = tokio::time::sleep(age) => {}
    }
}
