//! The floor: gRPC in, OpenAI's JSON out, and back. No key, no limit, no money, no log. Over Redis
//! it also runs one script before the upstream call and one after it, as large as the gateway's.
//!
//! Its HTTP client and its listener have the settings of the gateway's, so that what differs is
//! what the gateway does besides translating.

use super::floor::Floor;
use anyhow::{Context as _, Result};
use reqwest::{Client, header::CONTENT_TYPE, redirect};
use serde::{Deserialize, Serialize};
use std::{fs, net::SocketAddr, path::Path, pin::Pin, time::Duration};
use tokio::net::TcpListener;
use tokio_stream::Stream;
use tollgate_proto::v1::{
    self,
    completion_service_server::{CompletionService, CompletionServiceServer},
};
use tonic::{
    Request, Response, Status,
    transport::{Server, server::TcpIncoming},
};

/// Serves until it is killed. Writes its port to `port_file` once it listens. `scripts` are a Redis
/// and a file that says what to run there.
///
/// # Errors
/// If it can't listen, or Redis can't be reached.
pub async fn serve(
    upstream: &str,
    listen: SocketAddr,
    port_file: Option<&Path>,
    scripts: Option<(&str, &Path)>,
) -> Result<()> {
    tollgate::provider::http::install_tls();
    let floor = match scripts {
        Some((redis, frames)) => Some(Floor::connect(redis, frames).await?),
        None => None,
    };
    let service = PassThrough {
        client: client()?,
        floor,
        url: format!("{upstream}/v1/chat/completions"),
    };
    let listener = TcpListener::bind(listen)
        .await
        .context("the pass-through can't listen")?;
    if let Some(path) = port_file {
        // Whole or not at all: a reader polls for the file.
        let partial = path.with_extension("partial");
        fs::write(&partial, listener.local_addr()?.port().to_string())?;
        fs::rename(partial, path)?;
    }
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    Server::builder()
        .add_service(CompletionServiceServer::new(service))
        .serve_with_incoming(incoming)
        .await
        .context("the pass-through stopped serving")
}

/// As `tollgate::provider::http::Transport` has it.
fn client() -> Result<Client> {
    Client::builder()
        .user_agent("tollgate-bench")
        .redirect(redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .connect_timeout(Duration::from_secs(3))
        .tcp_nodelay(true)
        .pool_idle_timeout(Duration::from_secs(50))
        .pool_max_idle_per_host(256)
        .build()
        .context("there is no HTTP client")
}

struct PassThrough {
    client: Client,
    url: String,
    floor: Option<Floor>,
}

impl PassThrough {
    async fn answer(&self, spec: v1::CompletionSpec) -> Result<v1::CompleteResponse> {
        let Some(floor) = &self.floor else {
            return self.forward(spec).await;
        };
        let id = floor.before().await?;
        let answer = self.forward(spec).await?;
        floor.after(&id).await?;
        Ok(answer)
    }

    async fn forward(&self, spec: v1::CompletionSpec) -> Result<v1::CompleteResponse> {
        let response = self
            .client
            .post(&self.url)
            .header(CONTENT_TYPE, "application/json")
            .bearer_auth("simulated-provider-key")
            .body(serde_json::to_vec(&question(&spec))?)
            .send()
            .await?
            .error_for_status()?;
        let answer: Answer = serde_json::from_slice(&response.bytes().await?)?;
        let choice = answer.choices.into_iter().next().context("no choice")?;
        let part = v1::Part {
            content: Some(v1::part::Content::Text(choice.message.content)),
        };
        Ok(v1::CompleteResponse {
            message: Some(v1::Message {
                role: v1::Role::Assistant.into(),
                parts: vec![part],
            }),
            finish_reason: v1::FinishReason::Stop.into(),
            receipt: Some(v1::Receipt {
                model: answer.model,
                usage: Some(v1::Usage {
                    input_tokens: answer.usage.prompt_tokens,
                    output_tokens: answer.usage.completion_tokens,
                    ..v1::Usage::default()
                }),
                ..v1::Receipt::default()
            }),
        })
    }
}

#[derive(Serialize)]
struct Question<'a> {
    model: &'a str,
    messages: Vec<Said<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<i32>,
}

#[derive(Serialize)]
struct Said<'a> {
    role: &'static str,
    content: &'a str,
}

#[derive(Deserialize)]
struct Answer {
    model: String,
    choices: Vec<Choice>,
    usage: Counts,
}

#[derive(Deserialize)]
struct Choice {
    message: Answered,
}

#[derive(Deserialize)]
struct Answered {
    content: String,
}

#[derive(Deserialize)]
struct Counts {
    prompt_tokens: i64,
    completion_tokens: i64,
}

fn question(spec: &v1::CompletionSpec) -> Question<'_> {
    Question {
        model: "gpt-3.5-turbo",
        messages: spec.messages.iter().map(said).collect(),
        max_completion_tokens: spec.max_output_tokens,
    }
}

fn said(message: &v1::Message) -> Said<'_> {
    let content = message.parts.first().and_then(|part| part.content.as_ref());
    Said {
        role: match v1::Role::try_from(message.role) {
            Ok(v1::Role::System) => "system",
            Ok(v1::Role::Assistant) => "assistant",
            _ => "user",
        },
        content: match content {
            Some(v1::part::Content::Text(text)) => text,
            _ => "",
        },
    }
}

type Chunks =
    Pin<Box<dyn Stream<Item = Result<v1::CompleteStreamResponse, Status>> + Send + 'static>>;

#[tonic::async_trait]
impl CompletionService for PassThrough {
    async fn complete(
        &self,
        request: Request<v1::CompleteRequest>,
    ) -> Result<Response<v1::CompleteResponse>, Status> {
        let spec = request.into_inner().spec.unwrap_or_default();
        let answered = self.answer(spec).await;
        answered
            .map(Response::new)
            .map_err(|error| Status::unavailable(format!("{error:#}")))
    }

    type CompleteStreamStream = Chunks;

    async fn complete_stream(
        &self,
        _: Request<v1::CompleteStreamRequest>,
    ) -> Result<Response<Chunks>, Status> {
        Err(Status::unimplemented("not measured"))
    }

    async fn estimate_cost(
        &self,
        _: Request<v1::EstimateCostRequest>,
    ) -> Result<Response<v1::EstimateCostResponse>, Status> {
        Err(Status::unimplemented("not measured"))
    }

    async fn count_tokens(
        &self,
        _: Request<v1::CountTokensRequest>,
    ) -> Result<Response<v1::CountTokensResponse>, Status> {
        Err(Status::unimplemented("not measured"))
    }
}
