//! Serves `/metrics` while the run lasts, and long enough after it for Prometheus to see the end.

use super::Metrics;
use http_body_util::Full;
use hyper::{Request, Response, StatusCode, body::Bytes, header, service::service_fn};
use hyper_util::rt::TokioIo;
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::watch, task::JoinSet};

/// How many times the metrics were read.
#[derive(Clone, Debug)]
pub(crate) struct Scrapes(watch::Receiver<u64>);

impl Scrapes {
    pub(crate) fn count(&self) -> u64 {
        *self.0.borrow()
    }

    /// Ends after this many more scrapes, or after the longest time.
    pub(crate) async fn more(&mut self, scrapes: u64, at_most: Duration) {
        let goal = self.count() + scrapes;
        let seen = self.0.wait_for(|&count| count >= goal);
        let _ = tokio::time::timeout(at_most, seen).await;
    }
}

/// The listener of the metrics.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) scrapes: Scrapes,
    _task: JoinSet<()>,
}

impl Server {
    /// Listens and serves until dropped.
    pub(crate) async fn start(address: SocketAddr, metrics: Arc<Metrics>) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (count, scrapes) = watch::channel(0);
        let mut task = JoinSet::new();
        task.spawn(serve(listener, metrics, count));
        Ok(Self {
            address,
            scrapes: Scrapes(scrapes),
            _task: task,
        })
    }
}

async fn serve(listener: TcpListener, metrics: Arc<Metrics>, count: watch::Sender<u64>) {
    let count = Arc::new(count);
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        let (metrics, count) = (Arc::clone(&metrics), Arc::clone(&count));
        connections.spawn(async move {
            let answer = service_fn(move |request| {
                let answer = answer(&request, &metrics, &count);
                async move { Ok::<_, std::convert::Infallible>(answer) }
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), answer);
            // A scraper that hangs up is its own affair.
            let _ = connection.await;
        });
    }
}

fn answer<B>(
    request: &Request<B>,
    metrics: &Metrics,
    count: &watch::Sender<u64>,
) -> Response<Full<Bytes>> {
    match request.uri().path() {
        "/metrics" => {
            let body = metrics.render();
            count.send_modify(|count| *count += 1);
            reply(
                StatusCode::OK,
                "text/plain; version=0.0.4; charset=utf-8",
                body,
            )
        }
        "/healthz" => reply(
            StatusCode::OK,
            "text/plain; charset=utf-8",
            "ok\n".to_owned(),
        ),
        _ => reply(
            StatusCode::NOT_FOUND,
            "text/plain; charset=utf-8",
            "see /metrics\n".to_owned(),
        ),
    }
}

fn reply(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    response
}
