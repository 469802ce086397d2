//! The simulated provider behind the HTTP server: reads a request, decides, answers.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::Value;

use super::answer::{self, Answer, Cached};
use super::body::{self, Body, Ending};
use super::cache::{Automatic, PromptCache};
use super::call::{Call, content_text};
use super::exchange::{Incoming, Request, authorize};
use super::faults::{Action, Fault, Faults, Seen, spec};
use super::models;
use super::openai::{self, Strictness};
use super::rejection::Rejection;
use super::stats::{Book, Visit};
use super::tokens::Tokens;
use super::{Api, Options, Recorded, anthropic, broken, clock, stream};

/// Prompts longer than this are answered on the blocking pool.
const LONG: usize = 32 * 1024;
/// Requests kept for tests to look at, and the bytes of their bodies.
const RECORDS: usize = 1000;
const RECORD_BYTES: usize = 64 * 1024 * 1024;

/// Closes the connection without an answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hangup;

/// All state of one simulator.
pub(crate) struct Provider {
    pub(crate) options: Options,
    pub(crate) faults: Faults,
    pub(crate) book: Book,
    cache: PromptCache,
    records: Mutex<VecDeque<(usize, Recorded)>>,
    served: AtomicU64,
}

impl Provider {
    pub(crate) fn new(options: Options) -> Self {
        let faults = Faults::default();
        for fault in &options.faults {
            faults.push(fault.clone());
        }
        Self {
            options,
            faults,
            book: Book::default(),
            cache: PromptCache::default(),
            records: Mutex::default(),
            served: AtomicU64::new(0),
        }
    }

    /// The last requests, oldest first.
    pub(crate) fn requests(&self) -> Vec<Recorded> {
        let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        records.iter().map(|(_, record)| record.clone()).collect()
    }

    /// A number that no other answer of this simulator has.
    pub(crate) fn next_number(&self) -> u64 {
        self.served.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Answers a request to either API.
    pub(crate) async fn serve(&self, incoming: Incoming) -> Result<Response<Body>, Hangup> {
        let visit = self.book.open();
        let json = serde_json::from_slice::<Value>(&incoming.body);
        let request = Request {
            number: self.next_number(),
            model: json
                .as_ref()
                .ok()
                .and_then(|body| body["model"].as_str())
                .unwrap_or_default()
                .to_owned(),
            json: json.map_err(|problem| problem.to_string()),
            incoming,
        };
        self.record(&request);
        let fault = match self.fault(&request) {
            Ok(fault) => fault,
            Err(rejection) => return Ok(self.refuse(&request, visit, &rejection)),
        };
        let (delay, action) = match fault {
            Some(fault) => (fault.delay, Some(fault.action)),
            None => (Duration::ZERO, None),
        };
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        match action {
            Some(Action::Close) => return Err(Hangup),
            Some(Action::Hang) => std::future::pending().await,
            Some(Action::Refuse(refused, retry_after)) => {
                let rejection =
                    Rejection::of(refused, retry_after, request.incoming.api, &request.model);
                return Ok(self.refuse(&request, visit, &rejection));
            }
            _ => {}
        }
        if let Some(action) = &action
            && let Some(response) = broken::response(action, &request)
        {
            visit.answered(&request.model, response.status().as_u16(), None);
            return Ok(response);
        }
        self.answer(&request, visit, action).await
    }

    /// The correct answer, or one that only its content or usage makes wrong.
    async fn answer(
        &self,
        request: &Request,
        visit: Visit<'_>,
        action: Option<Action>,
    ) -> Result<Response<Body>, Hangup> {
        let call = match self.validate(request) {
            Ok(call) => call,
            Err(rejection) => return Ok(self.refuse(request, visit, &rejection)),
        };
        let tokens = Tokens::of(call.api, &call.model);
        if let Some(rejection) = self.too_long(&call, &tokens) {
            return Ok(self.refuse(request, visit, &rejection));
        }
        let automatic = if self.options.prompt_cache {
            Automatic::On
        } else {
            Automatic::Off
        };
        let cached = self.cache.visit(&call, &tokens, automatic);
        let (call, answer) = think(call, cached, action.clone()).await;
        self.wait(&call, &answer).await;
        let response = self.render(request, &call, &answer, action.as_ref());
        visit.answered(&call.model, response.status().as_u16(), Some(answer.billed));
        Ok(response)
    }

    fn validate(&self, request: &Request) -> Result<Call, Rejection> {
        authorize(request)?;
        let body = request.json.as_ref().map_err(|problem| match request.incoming.api {
            Api::OpenAi => Rejection::invalid(
                "We could not parse the JSON body of your request. (HINT: This likely means you \
                 aren't using your HTTP library correctly. The OpenAI API expects a JSON payload, \
                 but what was sent was not valid JSON.)",
            ),
            Api::Anthropic => {
                Rejection::invalid(format!("The request body is not valid JSON: {problem}"))
            }
        })?;
        let strictness = self.strictness();
        match request.incoming.api {
            Api::OpenAi => openai::call(body, strictness),
            Api::Anthropic => anthropic::call(body, &request.incoming.headers, strictness),
        }
    }

    fn strictness(&self) -> Strictness {
        if self.options.lenient {
            Strictness::Lenient
        } else {
            Strictness::AsReal
        }
    }

    fn too_long(&self, call: &Call, tokens: &Tokens) -> Option<Rejection> {
        let bounds = models::bounds_of(call.api, &call.model)?;
        if self.options.lenient {
            return None;
        }
        let input = call.input_tokens(tokens);
        let output = call.cap.unwrap_or(0);
        (input + output > bounds.context)
            .then(|| Rejection::too_long(call.api, bounds.context, input, output))
    }

    /// The time that a real model would take. A stream is paced while it is sent.
    async fn wait(&self, call: &Call, answer: &Answer) {
        let jitter = u64::try_from(self.options.jitter.as_millis()).unwrap_or(u64::MAX);
        let mut time = self.options.latency;
        if jitter > 0 {
            time += Duration::from_millis(fastrand::u64(0..=jitter));
        }
        if !call.stream {
            time += self.typing(answer);
        }
        if !time.is_zero() {
            tokio::time::sleep(time).await;
        }
    }

    fn typing(&self, answer: &Answer) -> Duration {
        let Some(rate) = self.options.tokens_per_second.filter(|rate| *rate > 0) else {
            return Duration::ZERO;
        };
        let tokens = u64::try_from(answer.billed.output).unwrap_or(0);
        Duration::from_micros(tokens.saturating_mul(1_000_000) / u64::from(rate))
    }

    fn render(
        &self,
        request: &Request,
        call: &Call,
        answer: &Answer,
        action: Option<&Action>,
    ) -> Response<Body> {
        let number = request.number;
        let created = clock::now().timestamp();
        let id = match call.api {
            Api::OpenAi => format!("chatcmpl-sim-{number:08}"),
            Api::Anthropic => format!("msg_sim_{number:08}"),
        };
        if call.stream {
            let events = stream::events(call, answer, &id, created);
            let frames = stream::paced(events, self.typing(answer));
            return broken::stream(request, frames, action);
        }
        let body = match call.api {
            Api::OpenAi => openai::completion(call, answer, &id, created),
            Api::Anthropic => anthropic::message(call, answer, &id),
        };
        let bytes = Bytes::from(body.to_string());
        match action {
            Some(Action::CutBody) => broken::half(request, bytes, Ending::Abort),
            Some(Action::Stall) => broken::half(request, bytes, Ending::Silence),
            _ => request.respond(StatusCode::OK, "application/json", body::whole(bytes)),
        }
    }

    /// The rule that hits this request: the header's, else the first that is in force.
    fn fault(&self, request: &Request) -> Result<Option<Fault>, Rejection> {
        if let Some(header) = request.incoming.headers.get("x-simulate") {
            let text = header.to_str().unwrap_or_default();
            return spec::parse(text)
                .map(Some)
                .map_err(|problem| Rejection::invalid(format!("x-simulate: {problem:#}")));
        }
        if self.faults.is_empty() {
            return Ok(None);
        }
        let prompt = request.json.as_ref().map(prompt_text).unwrap_or_default();
        Ok(self.faults.strike(&Seen {
            api: request.incoming.api,
            path: &request.incoming.path,
            model: &request.model,
            prompt: &prompt,
        }))
    }

    fn refuse(&self, request: &Request, visit: Visit<'_>, rejection: &Rejection) -> Response<Body> {
        visit.answered(&request.model, rejection.status, None);
        request.reject(rejection)
    }

    fn record(&self, request: &Request) {
        let recorded = Recorded {
            method: "POST".to_owned(),
            path: request.incoming.path.clone(),
            headers: request.incoming.headers.clone(),
            body: request.json.clone().unwrap_or(Value::Null),
        };
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        records.push_back((request.incoming.body.len(), recorded));
        let mut bytes: usize = records.iter().map(|(size, _)| size).sum();
        while records.len() > RECORDS || (bytes > RECORD_BYTES && records.len() > 1) {
            let (size, _) = records.pop_front().expect("it is longer than a bound");
            bytes -= size;
        }
    }
}

/// Finds the answer; a long prompt is read on the blocking pool, so that others are not held up.
async fn think(call: Call, cached: Cached, action: Option<Action>) -> (Call, Answer) {
    let long = call.user.len() + call.system.len() > LONG;
    let work = move || {
        let tokens = Tokens::of(call.api, &call.model);
        let answer = answer::answer(&call, &tokens, cached, action.as_ref());
        (call, answer)
    };
    if long {
        tokio::task::spawn_blocking(work)
            .await
            .expect("the extraction does not panic")
    } else {
        work()
    }
}

/// The prompt of a body that may be invalid, to match rules against.
fn prompt_text(body: &Value) -> String {
    let messages = body["messages"].as_array().into_iter().flatten();
    let mut text = content_text(&body["system"]);
    for message in messages {
        text.push('\n');
        text.push_str(&content_text(&message["content"]));
    }
    text
}
