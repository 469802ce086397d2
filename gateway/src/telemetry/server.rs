//! The metrics listener: `/metrics`, `/livez` and `/readyz` over HTTP/1 on a port of its own.
//!
//! It answers from memory: neither network nor store is asked, so that a scrape costs the same
//! whatever else is broken.

use super::Observer;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
};

/// The most scrapes at once; more are told to come back.
const MOST_SCRAPES: usize = 4;
/// The most connections at once; more wait in the kernel.
const MOST_CONNECTIONS: usize = 64;
/// How long a connection may take from its first byte to its last.
const LONGEST: Duration = Duration::from_secs(5);
/// How long to leave a listener alone that has no connection to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// The text format that is served.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Whether callers may be sent here. Cheap to clone; all clones are one.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// From now on callers may come.
    pub fn is_reached(&self) {
        self.0.store(true, SeqCst);
    }

    /// From now on callers should go elsewhere.
    pub fn is_lost(&self) {
        self.0.store(false, SeqCst);
    }

    /// Whether callers may be sent here.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.0.load(SeqCst)
    }
}

/// What is served.
pub struct Endpoint {
    /// Whose metrics.
    pub observer: Arc<Observer>,
    /// What `/readyz` says.
    pub readiness: Readiness,
    /// Called before each scrape, to note what is only looked at then: lengths of queues, states of
    /// breakers. Must not block, nor touch network or store.
    pub before_scrape: Box<dyn Fn(&Observer) + Send + Sync>,
}

struct Shared {
    endpoint: Endpoint,
    scrapes: Semaphore,
}

/// Serves until `shutdown` ends, and then what is being answered.
pub async fn serve(listener: TcpListener, endpoint: Endpoint, shutdown: impl Future<Output = ()>) {
    let shared = Arc::new(Shared {
        endpoint,
        scrapes: Semaphore::new(MOST_SCRAPES),
    });
    let mut tasks = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
            accepted = listener.accept(), if tasks.len() < MOST_CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    tasks.spawn(converse(Arc::clone(&shared), stream));
                }
                Err(error) => {
                    tracing::debug!(%error, "the metrics listener has no connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    while tasks.join_next().await.is_some() {}
}

/// One connection, one answer: so its time has a simple bound.
async fn converse(shared: Arc<Shared>, stream: TcpStream) {
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(shared.answer(&request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // Whoever is slow or speaks no HTTP is cut off.
    let _ = tokio::time::timeout(LONGEST, connection).await;
}

impl Shared {
    async fn answer(self: &Arc<Self>, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        if request.method() != Method::GET && request.method() != Method::HEAD {
            return plain(StatusCode::METHOD_NOT_ALLOWED, "only GET\n");
        }
        match request.uri().path() {
            "/metrics" => self.scrape().await,
            "/livez" => plain(StatusCode::OK, "alive\n"),
            "/readyz" if self.endpoint.readiness.holds() => plain(StatusCode::OK, "ready\n"),
            "/readyz" => plain(StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
            _ => plain(StatusCode::NOT_FOUND, "/metrics, /livez, /readyz\n"),
        }
    }

    async fn scrape(self: &Arc<Self>) -> Response<Full<Bytes>> {
        let Ok(_permit) = self.scrapes.try_acquire() else {
            return plain(StatusCode::SERVICE_UNAVAILABLE, "too many scrapes\n");
        };
        let shared = Arc::clone(self);
        // Milliseconds of work, which callers must not wait for.
        let rendered = tokio::task::spawn_blocking(move || {
            (shared.endpoint.before_scrape)(&shared.endpoint.observer);
            shared.endpoint.observer.render()
        });
        match rendered.await {
            Ok(text) => answer(StatusCode::OK, TEXT_FORMAT, text.into()),
            Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, "a bug\n"),
        }
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    answer(
        status,
        "text/plain; charset=utf-8",
        Bytes::from_static(text.as_bytes()),
    )
}

fn answer(status: StatusCode, kind: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let kind = header::HeaderValue::from_static(kind);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        sync::oneshot,
        task::JoinHandle,
    };

    struct Served {
        address: SocketAddr,
        readiness: Readiness,
        stop: oneshot::Sender<()>,
        task: JoinHandle<()>,
    }

    async fn served(before_scrape: Box<dyn Fn(&Observer) + Send + Sync>) -> Served {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let readiness = Readiness::default();
        let endpoint = Endpoint {
            observer: Arc::default(),
            readiness: readiness.clone(),
            before_scrape,
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async move {
            let _ = stopped.await;
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, endpoint, shutdown));
        #[expect(clippy::disallowed_methods, reason = "a test has no task tracker")]
        let task = tokio::spawn(async move { while tasks.join_next().await.is_some() {} });
        Served {
            address,
            readiness,
            stop,
            task,
        }
    }

    async fn get(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        let request = format!("{request} HTTP/1.1\r\nhost: x\r\n\r\n");
        stream
            .write_all(request.as_bytes())
            .await
            .expect("it reads");
        let mut answer = String::new();
        stream
            .read_to_string(&mut answer)
            .await
            .expect("it answers and closes");
        answer
    }

    #[tokio::test]
    async fn it_serves_metrics_and_health() {
        let served = served(Box::new(Observer::draining)).await;
        let metrics = get(served.address, "GET /metrics").await;
        assert!(metrics.starts_with("HTTP/1.1 200"), "{metrics}");
        assert!(metrics.contains("text/plain; version=0.0.4"), "{metrics}");
        assert!(
            metrics.contains("\ntollgate_draining 1\n"),
            "looked at before: {metrics}"
        );
        assert!(
            get(served.address, "GET /livez")
                .await
                .starts_with("HTTP/1.1 200")
        );
        assert!(
            get(served.address, "GET /readyz")
                .await
                .starts_with("HTTP/1.1 503")
        );
        served.readiness.is_reached();
        assert!(
            get(served.address, "HEAD /readyz")
                .await
                .starts_with("HTTP/1.1 200")
        );
        served.readiness.is_lost();
        assert!(
            get(served.address, "GET /readyz")
                .await
                .starts_with("HTTP/1.1 503")
        );
        assert!(
            get(served.address, "POST /metrics")
                .await
                .starts_with("HTTP/1.1 405")
        );
        assert!(
            get(served.address, "GET /")
                .await
                .starts_with("HTTP/1.1 404")
        );
        served.stop.send(()).expect("it runs");
        served.task.await.expect("it stops");
    }

    #[tokio::test]
    async fn too_many_scrapes_are_told_to_come_back() {
        let (gate, wait) = std::sync::mpsc::channel::<()>();
        let wait = std::sync::Mutex::new(wait);
        let served = served(Box::new(move |_| {
            let _ = wait.lock().expect("no panic").recv();
        }))
        .await;
        let mut scrapes = JoinSet::new();
        for _ in 0..=MOST_SCRAPES {
            scrapes.spawn(get(served.address, "GET /metrics"));
        }
        let first = scrapes.join_next().await.expect("five").expect("no panic");
        assert!(first.starts_with("HTTP/1.1 503"), "{first}");
        assert!(
            get(served.address, "GET /livez")
                .await
                .starts_with("HTTP/1.1 200")
        );
        for _ in 0..MOST_SCRAPES {
            gate.send(()).expect("they wait");
        }
        while let Some(scraped) = scrapes.join_next().await {
            assert!(scraped.expect("no panic").starts_with("HTTP/1.1 200"));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_is_slow_is_cut_off() {
        let served = served(Box::new(|_| {})).await;
        let mut stream = TcpStream::connect(served.address)
            .await
            .expect("it listens");
        stream.write_all(b"GET /met").await.expect("it reads");
        let mut rest = Vec::new();
        let closed = stream.read_to_end(&mut rest);
        let closed = tokio::time::timeout(LONGEST * 2, closed).await;
        assert!(closed.is_ok(), "still open");
    }
}
