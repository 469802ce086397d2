//! What only an adapter of a test does: it panics in the middle of a call, or answers without usage
//! what takes long to count. Its caller is charged, there or not, and the gateway goes on.

use super::App;
use crate::{
    config,
    keys::{self, ApiKey},
    provider::{Answer, Ask, Failure, Finish, Provider, Quota},
};
use futures_util::{
    FutureExt as _,
    future::{BoxFuture, ready},
};
use secrecy::ExposeSecret as _;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
    },
    time::Duration,
};
use tempfile::TempDir;
use tokio::sync::Notify;
use tollgate_core::Usage;
use tollgate_proto::v1::{
    self, completion_service_client::CompletionServiceClient,
    usage_service_client::UsageServiceClient,
};
use tonic::{
    Code, Request, Status,
    transport::{Channel, Endpoint},
};
use tonic_types::StatusExt as _;

/// What a bug says, which is nobody's business.
const CAUSE: &str = "the cause, with half of a prompt in it";

/// Ten output tokens at $10 a million; a call of the test is charged these and its prompt at worst.
const CAP_NANO_USD: i64 = 100_000;

/// An adapter with a bug: its first call panics once it is let go on, all others are answered.
#[derive(Default)]
struct Broken {
    calls: AtomicU32,
    asked: Notify,
    go_on: Arc<Notify>,
    /// Answers long texts at once, without their usage.
    is_wordy: AtomicBool,
}

impl Provider for Broken {
    fn complete(&self, _: Ask) -> BoxFuture<'static, Result<Answer, Failure>> {
        if self.is_wordy.load(SeqCst) {
            self.asked.notify_one();
            let answer = Answer {
                text: "so many words ".repeat(200_000),
                finish: Finish::Stop,
                usage: None,
                quota: Quota::default(),
            };
            return ready(Ok(answer)).boxed();
        }
        let first = self.calls.fetch_add(1, SeqCst) == 0;
        let go_on = Arc::clone(&self.go_on);
        self.asked.notify_one();
        async move {
            if first {
                go_on.notified().await;
                panic!("{CAUSE}");
            }
            Ok(Answer {
                text: "fine".to_owned(),
                finish: Finish::Stop,
                usage: Some(Usage::default()),
                quota: Quota::default(),
            })
        }
        .boxed()
    }
}

/// A gateway whose one provider is broken, and the team that calls it.
struct Site {
    app: App,
    broken: Arc<Broken>,
    channel: Channel,
    authorization: String,
    _dir: TempDir,
}

impl Site {
    async fn start() -> Self {
        let dir = TempDir::new().expect("a directory");
        let pepper = keys::generate_pepper().expect("randomness");
        let key = ApiKey::generate("news").expect("randomness");
        let variables = [
            ("TOLLGATE_KEY_PEPPER", pepper.expose_secret()),
            ("NEWS_HMAC", &keys::hmac_text(&key.hmac(&pepper))),
        ];
        let text = format!(
            r#"
server = {{ listen = "127.0.0.1:0", metrics_listen = "127.0.0.1:0" }}
ledger = {{ dir = "{0}/ledger" }}
interactions = {{ dir = "{0}/interactions" }}
[providers.broken]
kind = "openai_compatible"
base_url = "http://127.0.0.1:9/v1"
[models.m]
context_tokens = 1_000
max_output_tokens = 10
price = {{ input = "10", output = "10" }}
deployments = [{{ provider = "broken", name = "m" }}, {{ provider = "broken", name = "n" }}]
[routes.r]
targets = ["m"]
[teams.news]
keys = [{{ id = "news", hmac_env = "NEWS_HMAC" }}]
routes = ["r"]
limits = {{ concurrency = 1 }}
"#,
            dir.path().display()
        );
        let config = config::parse("test.toml", &text, &config::Variables::from(variables));
        let config = config.unwrap_or_else(|problems| panic!("{problems}"));
        let broken = Arc::new(Broken::default());
        let adapter = Arc::clone(&broken) as Arc<dyn Provider>;
        let catalog = config.catalog(&BTreeMap::from([("broken".into(), adapter)]));
        let app = App::start(config, None).await.expect("it starts");
        app.parts.catalog.store(Arc::new(catalog));
        let endpoint = Endpoint::from_shared(format!("http://{}", app.grpc));
        Self {
            channel: endpoint.expect("a URL").connect().await.expect("it serves"),
            authorization: format!("Bearer {}", key.text().expose_secret()),
            app,
            broken,
            _dir: dir,
        }
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let value = self.authorization.parse().expect("a header");
        request.metadata_mut().insert("authorization", value);
        request
    }

    async fn call(&self, key: &str) -> Result<v1::CompleteResponse, Status> {
        let text = v1::part::Content::Text("Hello".to_owned());
        let message = v1::Message {
            role: v1::Role::User.into(),
            parts: vec![v1::Part {
                content: Some(text),
            }],
        };
        let request = self.request(v1::CompleteRequest {
            spec: Some(v1::CompletionSpec {
                target: Some(v1::completion_spec::Target::Route("r".to_owned())),
                messages: vec![message],
                idempotency_key: key.to_owned(),
                ..v1::CompletionSpec::default()
            }),
        });
        let mut client = CompletionServiceClient::new(self.channel.clone());
        client
            .complete(request)
            .await
            .map(tonic::Response::into_inner)
    }

    async fn day(&self) -> v1::BudgetBalance {
        let request = self.request(v1::ListBudgetsRequest {});
        let mut client = UsageServiceClient::new(self.channel.clone());
        let listed = client.list_budgets(request).await.expect("an answer");
        let mut budgets = listed.into_inner().budgets.into_iter();
        budgets.find(|one| one.name == "day").expect("every team's")
    }

    /// The day's spend, once nothing is held.
    async fn spent(&self) -> i64 {
        for _ in 0..400 {
            let day = self.day().await;
            if day.held_nano_usd == 0 {
                return day.spent_nano_usd;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("its hold was never ended");
    }

    /// Whether /metrics has this line.
    fn counts(&self, sample: &str) -> bool {
        let text = self.app.parts.observer.render();
        text.lines().any(|line| line == sample)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bug_in_the_middle_of_a_call_is_internal_charged_and_counted() {
    for key in ["", "a key of its own task"] {
        let site = Site::start().await;
        site.broken.go_on.notify_one();
        let failed = site.call(key).await.expect_err("it panics");
        assert_eq!(failed.code(), Code::Internal);
        assert!(!format!("{failed:?}").contains("cause"), "{failed:?}");
        let details = failed.get_error_details();
        let info = details.error_info().expect("ErrorInfo");
        assert_eq!(info.reason, "INTERNAL");
        let spent = site.spent().await;
        assert!(spent > CAP_NANO_USD, "the worst case, not {spent}");
        assert_eq!(info.metadata["costNanoUsd"], spent.to_string());
        assert_eq!(site.broken.calls.load(SeqCst), 1, "it ends the call");
        assert!(site.counts("tollgate_panics_total 1"));
        assert!(site.counts("tollgate_requests_total{outcome=\"internal\"} 1"));
        // Its concurrency is free again, and a key may be used again.
        let next = site.call(key).await.expect("the next is served");
        assert!(!next.receipt.expect("a receipt").replayed);
        site.app.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bug_after_the_caller_hung_up_ends_the_hold_too() {
    let site = Site::start().await;
    let asked = site.broken.asked.notified();
    tokio::select! {
        _ = site.call("") => panic!("it waits"),
        () = asked => {}
    }
    // The gateway has noticed that nobody waits.
    while !site.counts("tollgate_requests_total{outcome=\"cancelled\"} 1") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    site.broken.go_on.notify_one();
    let spent = site.spent().await;
    assert!(spent > CAP_NANO_USD, "the worst case, not {spent}");
    assert!(site.counts("tollgate_panics_total 1"));
    site.call("").await.expect("the next is served");
    site.app.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_hangs_up_while_its_answer_is_counted_pays_for_it() {
    let site = Site::start().await;
    site.broken.is_wordy.store(true, SeqCst);
    let asked = site.broken.asked.notified();
    tokio::select! {
        _ = site.call("") => panic!("3 MB are counted meanwhile"),
        () = asked => {}
    }
    let spent = site.spent().await;
    assert!(spent > 100 * CAP_NANO_USD, "all of its words, not {spent}");
    site.app.shutdown().await;
}
