//! The listener: HTTP/2 connections, bounded in number, size, age and patience.

use super::Edge;
use hyper::{server::conn::http2, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use std::{convert::Infallible, future::Future, io, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::task::TaskTracker;

/// The bounds of the listener (observability.md 6.1).
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
/// After about this long a connection is asked to go, so that load spreads over new replicas.
const CONNECTION_AGE: Duration = Duration::from_secs(600);

/// Accepts connections until `shutdown`, then lets running calls finish within the grace.
///
/// # Errors
/// Never for what a client does; only if the listener itself breaks.
pub async fn serve(
    listener: TcpListener,
    edge: Edge,
    bounds: Bounds,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let seats = Arc::new(Semaphore::new(bounds.connections));
    let graceful = GracefulShutdown::new();
    let connections = TaskTracker::new();
    tokio::pin!(shutdown);
    loop {
        let seat = tokio::select! {
            () = &mut shutdown => break,
            seat = Arc::clone(&seats).acquire_owned() => seat.map_err(io::Error::other)?,
        };
        let stream = tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of descriptors, or a client that was gone again: try the next one.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    continue;
                }
            },
        };
        connect(stream, seat, &edge, bounds, &graceful, &connections);
    }
    drop(listener);
    let ended = tokio::time::timeout(bounds.grace, graceful.shutdown()).await;
    if ended.is_err() {
        tracing::warn!(
            in_flight = edge.in_flight(),
            "shutdown did not wait for all calls"
        );
    }
    Ok(())
}

fn connect(
    stream: TcpStream,
    seat: OwnedSemaphorePermit,
    edge: &Edge,
    bounds: Bounds,
    graceful: &GracefulShutdown,
    connections: &TaskTracker,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection keeps its delay");
    }
    let edge = edge.clone();
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
        .serve_connection(TokioIo::new(stream), service);
    let watched = graceful.watch(Aging::new(connection));
    connections.spawn(async move {
        let _seat = seat;
        if let Err(error) = watched.await {
            tracing::debug!(%error, "a connection ended");
        }
    });
}
