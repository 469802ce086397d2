//! A gateway for tests: answers as scripted, and remembers what it was asked.

mod script;

pub(crate) use script::{Answer, charged_refusal, good, refusal};

use crate::{
    args::{Command, GatewayArgs, InputArgs, MetricsArgs, MetricsAt, ProgressMode, RunArgs},
    commands, config,
    exit::Exit,
    output::{About, Output},
    run::{self, Show},
    stop::Stop,
};
use std::{
    collections::HashMap,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{net::TcpListener, task::JoinSet};
use tollgate_proto::v1::{
    CompleteRequest, CompleteResponse, CompleteStreamRequest, CompleteStreamResponse,
    CompletionSpec, CountTokensRequest, CountTokensResponse, EstimateCostRequest,
    EstimateCostResponse, TargetEstimate,
    completion_service_server::{CompletionService, CompletionServiceServer},
};
use tonic::{Request, Response, Status, transport::Server};

/// Decides on the answer to a call: the spec, and how often this step was asked before.
type Script = Box<dyn Fn(&CompletionSpec, u32) -> Answer + Send + Sync>;

/// What the gateway saw.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) specs: Vec<CompletionSpec>,
    pub(crate) in_flight: u32,
    pub(crate) most_in_flight: u32,
    /// What it charged, replays not counted.
    pub(crate) charged_nano_usd: i64,
    asked: HashMap<String, u32>,
}

struct Fake {
    script: Script,
    seen: Arc<Mutex<Seen>>,
    estimates: bool,
}

/// A running gateway. Stops when dropped.
pub(crate) struct FakeGateway {
    pub(crate) url: String,
    pub(crate) seen: Arc<Mutex<Seen>>,
    _task: JoinSet<()>,
}

impl FakeGateway {
    /// Answers every call by the script.
    pub(crate) async fn start(
        script: impl Fn(&CompletionSpec, u32) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::serve(Box::new(script), true).await
    }

    /// As an older gateway, without EstimateCost.
    pub(crate) async fn without_estimates() -> Self {
        Self::serve(Box::new(|spec, _| good(spec)), false).await
    }

    async fn serve(script: Script, estimates: bool) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let fake = Fake {
            script,
            seen: Arc::clone(&seen),
            estimates,
        };
        let mut task = JoinSet::new();
        task.spawn(async move {
            let incoming = tonic::transport::server::TcpIncoming::from(listener);
            let service = CompletionServiceServer::new(fake);
            Server::builder()
                .add_service(service)
                .serve_with_incoming(incoming)
                .await
                .unwrap();
        });
        Self {
            url,
            seen,
            _task: task,
        }
    }

    pub(crate) fn specs(&self) -> Vec<CompletionSpec> {
        self.seen.lock().unwrap().specs.clone()
    }

    pub(crate) fn charged(&self) -> i64 {
        self.seen.lock().unwrap().charged_nano_usd
    }
}

/// The step that a call is for.
pub(crate) fn step_of(spec: &CompletionSpec) -> String {
    spec.attribution
        .as_ref()
        .map(|about| about.step.clone())
        .unwrap_or_default()
}

/// What a call says to the model.
pub(crate) fn prompt_of(spec: &CompletionSpec) -> String {
    format!("{:?}", spec.messages)
}

#[tonic::async_trait]
impl CompletionService for Fake {
    async fn complete(
        &self,
        request: Request<CompleteRequest>,
    ) -> Result<Response<CompleteResponse>, Status> {
        assert!(
            request.metadata().get("authorization").is_some(),
            "a key comes with every call"
        );
        assert!(
            request.metadata().get("grpc-timeout").is_some(),
            "every call has a deadline"
        );
        let spec = request.into_inner().spec.unwrap();
        let answer = {
            let mut seen = self.seen.lock().unwrap();
            seen.in_flight += 1;
            seen.most_in_flight = seen.most_in_flight.max(seen.in_flight);
            let asked = seen.asked.entry(step_of(&spec)).or_default();
            let before = *asked;
            *asked += 1;
            seen.specs.push(spec.clone());
            drop(seen);
            (self.script)(&spec, before)
        };
        let _in_flight = InFlight(Arc::clone(&self.seen));
        tokio::time::sleep(answer.after).await;
        let mut seen = self.seen.lock().unwrap();
        seen.charged_nano_usd += answer.charged_nano_usd();
        answer.result.map(Response::new)
    }

    type CompleteStreamStream = tokio_stream_stub::Empty;

    async fn complete_stream(
        &self,
        _: Request<CompleteStreamRequest>,
    ) -> Result<Response<Self::CompleteStreamStream>, Status> {
        Err(Status::unimplemented("streams"))
    }

    async fn estimate_cost(
        &self,
        request: Request<EstimateCostRequest>,
    ) -> Result<Response<EstimateCostResponse>, Status> {
        if !self.estimates {
            return Err(Status::unimplemented("EstimateCost"));
        }
        let spec = request.into_inner().spec.unwrap();
        let target = TargetEstimate {
            model: "small".into(),
            input_tokens: 100,
            max_output_tokens: spec.max_output_tokens.unwrap_or(0).into(),
            min_cost_nano_usd: 1_000,
            max_cost_nano_usd: 5_000,
            skipped: false,
        };
        let targets = vec![target];
        let hold_nano_usd = 5_000;
        Ok(Response::new(EstimateCostResponse {
            targets,
            hold_nano_usd,
            admitted: true,
            ..EstimateCostResponse::default()
        }))
    }

    async fn count_tokens(
        &self,
        _: Request<CountTokensRequest>,
    ) -> Result<Response<CountTokensResponse>, Status> {
        Err(Status::unimplemented("CountTokens"))
    }
}

/// A stream that is never made.
mod tokio_stream_stub {
    use super::{CompleteStreamResponse, Status};
    pub(crate) type Empty = futures_util::stream::Empty<Result<CompleteStreamResponse, Status>>;
}

/// Counts a call until it ends, also if its caller hangs up.
struct InFlight(Arc<Mutex<Seen>>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.lock().unwrap().in_flight -= 1;
    }
}

/// Text that was written, to look at.
#[derive(Clone, Default)]
pub(crate) struct Page(Arc<Mutex<Vec<u8>>>);

impl Page {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A directory with articles, a key, and room for the output.
pub(crate) struct Desk {
    dir: tempfile::TempDir,
    pub(crate) args: RunArgs,
    pub(crate) show: Show,
    pub(crate) about: About,
    pub(crate) stop: Stop,
}

/// How a run went.
pub(crate) struct Went {
    pub(crate) exit: Exit,
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) report: serde_json::Value,
    pub(crate) html: String,
    pub(crate) results: Vec<serde_json::Value>,
    pub(crate) took: Duration,
}

impl Desk {
    pub(crate) fn new(url: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let key = dir.path().join("key");
        fs::write(&key, "tg_test").unwrap();
        fs::create_dir(dir.path().join("in")).unwrap();
        let gateway = GatewayArgs {
            gateway: Some(url.to_owned()),
            key_file: Some(key),
            ..GatewayArgs::default()
        };
        let input = vec![dir.path().join("in").display().to_string()];
        let args = RunArgs {
            gateway,
            input: InputArgs {
                input,
                ..InputArgs::default()
            },
            out: Some(dir.path().join("out")),
            metrics: MetricsArgs {
                metrics_addr: Some(MetricsAt::Nowhere),
                ..MetricsArgs::default()
            },
            ..RunArgs::default()
        };
        let show = Show {
            progress: ProgressMode::Plain,
            json: false,
        };
        Self {
            dir,
            args,
            show,
            about: About::default(),
            stop: Stop::new(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn article(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join("in").join(name);
        fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn config(&mut self, text: &str) {
        let path = self.path().join("chain.toml");
        fs::write(&path, text).unwrap();
        self.args.gateway.config = Some(path);
    }

    /// Runs, and reads what the run left behind.
    pub(crate) async fn run(self) -> Went {
        let (out, err) = (Page::default(), Page::default());
        let output = Output::new(Box::new(out.clone()), Box::new(err.clone()), self.about);
        let settings = config::for_run(self.args).unwrap();
        let started = std::time::Instant::now();
        let exit = Box::pin(run::run(settings, self.show, output, self.stop)).await;
        let took = started.elapsed();
        let read = |name: &str| {
            fs::read_to_string(self.dir.path().join("out").join(name)).unwrap_or_default()
        };
        Went {
            exit,
            out: out.text(),
            err: err.text(),
            report: serde_json::from_str(&read("report.json")).unwrap_or_default(),
            html: read("report.html"),
            results: read("results.jsonl")
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect(),
            took,
        }
    }
}

/// Does a command and reads what it printed.
pub(crate) async fn command(command: Command) -> (Exit, String, String) {
    let (out, err) = (Page::default(), Page::default());
    let output = Output::new(
        Box::new(out.clone()),
        Box::new(err.clone()),
        About::default(),
    );
    let exit = Box::pin(commands::command(command, output)).await;
    (exit, out.text(), err.text())
}
