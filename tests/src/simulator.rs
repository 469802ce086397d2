//! A stand-in for paid LLM APIs, for the demo, tests and benchmarks only.
//!
//! No model is asked. Answers are extracted from the prompt; every response is labelled as simulated (header
//! `x-simulated: true`, ids with `sim` in them). What is real is the wire format of OpenAI's chat completions
//! and Anthropic's messages, the refusals of invalid requests, the token counts, and the faults that a test
//! asks for. In a test:
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use tollgate_tests::simulator::{Action, Fault, Options, Simulator};
//! let simulator = Simulator::start(Options::default()).await?;
//! simulator.push_fault(Fault::first(1, Action::Close).for_model("gpt-4"));
//! let base_url = simulator.base_url();
//! # Ok(()) }
//! ```

mod answer;
mod anthropic;
mod article;
mod body;
mod broken;
mod cache;
mod call;
mod canned;
mod clock;
mod control;
mod dates;
mod entities;
mod exchange;
pub mod faults;
mod fill;
mod headers;
mod labels;
mod models;
mod openai;
mod provider;
mod quality;
mod rejection;
mod repair;
mod sentences;
mod server;
mod stats;
mod stream;
mod strict;
#[cfg(test)]
mod tests;
mod tokens;
mod twist;
mod words;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use http::HeaderMap;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use faults::{Action, Fault, Refused, RetryAfter, Schedule, Scope};
pub use stats::{Billed, ModelStats, Stats};

use provider::Provider;

/// One of the two wire formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// `POST .../chat/completions`.
    OpenAi,
    /// `POST .../messages`.
    Anthropic,
}

/// How a simulator behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen; only a loopback address is accepted.
    pub listen: SocketAddr,
    /// Time before each answer.
    pub latency: Duration,
    /// At most this much more, at random.
    pub jitter: Duration,
    /// The speed of the answer itself; `None` is at once.
    pub tokens_per_second: Option<u32>,
    /// Answer every chat completion with one fixed body, without looking at the request.
    pub canned: bool,
    /// Refuse only what every compatible server refuses: no context windows, output caps, unknown
    /// parameters or limits of a model's schema mode.
    pub lenient: bool,
    /// Simulate OpenAI's automatic prompt caching, which makes bills depend on earlier calls.
    pub prompt_cache: bool,
    /// Fault rules in force from the start.
    pub faults: Vec<Fault>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            latency: Duration::ZERO,
            jitter: Duration::ZERO,
            tokens_per_second: None,
            canned: false,
            lenient: false,
            prompt_cache: false,
            faults: Vec::new(),
        }
    }
}

/// A request that the simulator received.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The HTTP method.
    pub method: String,
    /// The path, without a query.
    pub path: String,
    /// All headers, keys included: for assertions only.
    pub headers: HeaderMap,
    /// The body; null if it was not JSON.
    pub body: Value,
}

/// A running simulator. Dropping it closes its port and all of its connections.
pub struct Simulator {
    address: SocketAddr,
    provider: Arc<Provider>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Simulator {
    /// Binds and begins to serve.
    ///
    /// # Errors
    /// If the address is not a loopback address, or is taken.
    pub async fn start(options: Options) -> Result<Self> {
        let listen = options.listen;
        ensure!(
            listen.ip().is_loopback(),
            "{listen} is not a loopback address: the provider simulator must not be reachable from \
             other machines"
        );
        let listener = TcpListener::bind(listen)
            .await
            .with_context(|| format!("cannot listen on {listen}"))?;
        let address = listener
            .local_addr()
            .context("the listener has no address")?;
        let provider = Arc::new(Provider::new(options));
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let serve = server::run(listener, Arc::clone(&provider), stop.clone(), tasks.clone());
        tasks.spawn(serve);
        tasks.close();
        Ok(Self {
            address,
            provider,
            stop,
            tasks,
        })
    }

    /// Loads the vocabularies, so that the first answer is not slower than the next.
    pub fn warm_up() {
        tokens::Tokens::of(Api::OpenAi, "gpt-4").count("warm");
        tokens::Tokens::of(Api::OpenAi, "gpt-4o").count("warm");
    }

    /// `http://127.0.0.1:PORT`. Clients may add `/v1` or any other prefix.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Adds a rule after those in force; the first that hits decides.
    pub fn push_fault(&self, fault: Fault) {
        self.provider.faults.push(fault);
    }

    /// Drops all rules.
    pub fn clear_faults(&self) {
        self.provider.faults.clear();
    }

    /// The last 1,000 requests (or 64 MiB of them), oldest first. Canned answers record none.
    pub fn requests(&self) -> Vec<Recorded> {
        self.provider.requests()
    }

    /// What was served and billed so far.
    pub fn stats(&self) -> Stats {
        self.provider.book.snapshot()
    }

    /// Closes the port and all connections, and waits until they are gone.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
