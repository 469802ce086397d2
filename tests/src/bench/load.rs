//! The load: a closed loop, so that each side is as fast as it can be.

use anyhow::{Context as _, Result};
use hdrhistogram::Histogram;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};
use tollgate_proto::v1::{
    self, completion_service_client::CompletionServiceClient as Client, completion_spec::Target,
};
use tonic::{
    Request,
    metadata::{Ascii, MetadataValue},
    transport::{Channel, Endpoint},
};

/// How many calls are in flight, and on how many connections.
pub(crate) const IN_FLIGHT: u64 = 64;
pub(crate) const CONNECTIONS: usize = 4;

/// The deadline of each call.
const DEADLINE: Duration = Duration::from_secs(20);
/// The longest time that is told apart, in microseconds.
const LONGEST_US: u64 = 60_000_000;

const SYSTEM: &str = "You are a concise assistant. Answer in at most three sentences, and always \
                      state your sources when you know them; if you do not, say so.";

/// The clients of one side.
#[derive(Clone)]
pub(crate) struct Load {
    clients: Vec<Client<Channel>>,
    authorization: MetadataValue<Ascii>,
}

/// When calls begin, and which of them count.
struct Window {
    from: Instant,
    until: Instant,
    left: AtomicU64,
}

/// What came of a stretch of load.
pub(crate) struct Answers {
    /// The times of the calls that were answered within the window, in microseconds.
    pub(crate) times: Histogram<u64>,
    /// How long the window was.
    pub(crate) took: Duration,
    /// All calls that were answered.
    pub(crate) answered: u64,
    pub(crate) errors: u64,
    pub(crate) first_error: Option<String>,
}

impl Load {
    /// Connects to the servers of a side, in turn.
    pub(crate) async fn connect(urls: &[String], key: &str) -> Result<Self> {
        let mut clients = Vec::new();
        for url in urls.iter().cycle().take(CONNECTIONS) {
            let endpoint = Endpoint::from_shared(url.clone())?.tcp_nodelay(true);
            clients.push(Client::new(endpoint.connect().await?));
        }
        Ok(Self {
            clients,
            authorization: format!("Bearer {key}").parse()?,
        })
    }

    /// One call.
    pub(crate) async fn once(&self) -> Result<()> {
        let mut client = self.clients[0].clone();
        client.complete(self.request(0)).await?;
        Ok(())
    }

    /// So many calls, unless `most` is over before.
    pub(crate) async fn calls(&self, calls: u64, most: Duration) -> Result<Answers> {
        let from = Instant::now();
        let window = Window {
            from,
            until: from + most,
            left: AtomicU64::new(calls),
        };
        let mut answers = gather(self.start(window)).await?;
        answers.took = from.elapsed();
        Ok(answers)
    }

    /// Load for some time. `read` is called when the window opens, and when it closes.
    pub(crate) async fn time<T>(
        &self,
        warm_up: Duration,
        measured: Duration,
        read: impl Fn() -> Result<T>,
    ) -> Result<(Answers, T, T)> {
        let from = Instant::now() + warm_up;
        let until = from + measured;
        let tasks = self.start(Window {
            from,
            until,
            left: AtomicU64::new(u64::MAX),
        });
        sleep_until(from).await;
        let before = read()?;
        sleep_until(until).await;
        let after = read()?;
        let mut answers = gather(tasks).await?;
        answers.took = measured;
        Ok((answers, before, after))
    }

    fn start(&self, window: Window) -> JoinSet<Result<Answers>> {
        let window = Arc::new(window);
        let mut tasks = JoinSet::new();
        for (place, client) in (0..IN_FLIGHT).zip(self.clients.iter().cycle()) {
            let (load, client) = (self.clone(), client.clone());
            tasks.spawn(caller(load, client, place, Arc::clone(&window)));
        }
        tasks
    }

    fn request(&self, number: u64) -> Request<v1::CompleteRequest> {
        let user = format!(
            "What is the capital of France, where does it lie, and how many people live in its \
             metropolitan area? (request {number})"
        );
        let spec = v1::CompletionSpec {
            target: Some(Target::Route("cheap".to_owned())),
            messages: vec![
                message(v1::Role::System, SYSTEM.to_owned()),
                message(v1::Role::User, user),
            ],
            max_output_tokens: Some(256),
            attribution: Some(v1::Attribution {
                pipeline: "bench".to_owned(),
                run: "bench".to_owned(),
                step: "ask".to_owned(),
                ..v1::Attribution::default()
            }),
            ..v1::CompletionSpec::default()
        };
        let mut request = Request::new(v1::CompleteRequest { spec: Some(spec) });
        let authorization = self.authorization.clone();
        request
            .metadata_mut()
            .insert("authorization", authorization);
        request.set_timeout(DEADLINE);
        request
    }
}

fn message(role: v1::Role, text: String) -> v1::Message {
    v1::Message {
        role: role.into(),
        parts: vec![v1::Part {
            content: Some(v1::part::Content::Text(text)),
        }],
    }
}

/// Makes one call after the other.
async fn caller(
    load: Load,
    mut client: Client<Channel>,
    place: u64,
    window: Arc<Window>,
) -> Result<Answers> {
    let mut answers = Answers::none()?;
    let mut number = place;
    let take = |left: u64| left.checked_sub(1);
    loop {
        let started = Instant::now();
        if started >= window.until || window.left.fetch_update(Relaxed, Relaxed, take).is_err() {
            return Ok(answers);
        }
        let request = load.request(number);
        number += IN_FLIGHT;
        let answered = client.complete(request).await;
        let ended = Instant::now();
        match answered {
            Ok(_) => {
                answers.answered += 1;
                if started >= window.from && ended <= window.until {
                    let us = u64::try_from((ended - started).as_micros())?;
                    answers.times.saturating_record(us);
                }
            }
            Err(status) => {
                answers.errors += 1;
                answers
                    .first_error
                    .get_or_insert_with(|| status.to_string());
            }
        }
    }
}

async fn gather(mut tasks: JoinSet<Result<Answers>>) -> Result<Answers> {
    let mut sum = Answers::none()?;
    while let Some(ended) = tasks.join_next().await {
        let answers = ended.context("a caller panicked")??;
        sum.times.add(&answers.times)?;
        sum.answered += answers.answered;
        sum.errors += answers.errors;
        sum.first_error = sum.first_error.or(answers.first_error);
    }
    Ok(sum)
}

impl Answers {
    fn none() -> Result<Self> {
        Ok(Self {
            times: Histogram::new_with_bounds(1, LONGEST_US, 3)?,
            took: Duration::ZERO,
            answered: 0,
            errors: 0,
            first_error: None,
        })
    }

    /// Calls per second within the window.
    pub(crate) fn rate(&self) -> f64 {
        self.times.len() as f64 / self.took.as_secs_f64()
    }
}
