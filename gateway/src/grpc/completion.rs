//! The completion service.

use super::{Callers, deadline::Deadline, from_proto, status::status, to_proto};
use crate::{
    call::{Call, DEFAULT_DEADLINE},
    catalog::Team,
    complete::{Completer, Estimate, Seat},
    error::Result,
    trace::TraceParent,
};
use std::{pin::Pin, sync::Arc, time::Duration};
use tokio::time::Instant;
use tokio_stream::Stream;
use tollgate_core::account::{Cure, Refusal};
use tollgate_proto::v1::{self, completion_service_server::CompletionService};
use tonic::{Request, Response, Status, metadata::MetadataMap};

/// Serves `tollgate.v1.CompletionService`.
#[derive(Clone)]
pub struct CompletionEndpoint {
    completer: Completer,
    callers: Callers,
}

impl CompletionEndpoint {
    /// An endpoint in front of this pipeline.
    #[must_use]
    pub const fn new(completer: Completer, callers: Callers) -> Self {
        Self { completer, callers }
    }

    /// Who calls, and what for.
    fn parse(&self, request: Request<v1::CompleteRequest>) -> Result<(Arc<Team>, Arc<Call>)> {
        let team = self.callers.team(request.metadata())?;
        let trace = trace_of(request.metadata());
        let mut call = from_proto::call(request.into_inner().spec)?;
        call.trace = trace;
        Ok((team, Arc::new(call)))
    }

    async fn answer(&self, request: Request<v1::CompleteRequest>) -> Result<v1::CompleteResponse> {
        let deadline = deadline_of(&request);
        let seat = request.extensions().get::<Arc<Seat>>().map(Arc::clone);
        let parsed = self.parse(request);
        let (team, call) =
            parsed.inspect_err(|error| self.callers.observer.refused_early(error))?;
        let completion = self.completer.complete(team, call, deadline, seat).await?;
        Ok(to_proto::response(&completion))
    }

    async fn estimate(
        &self,
        request: Request<v1::EstimateCostRequest>,
    ) -> Result<v1::EstimateCostResponse> {
        let team = self.callers.team(request.metadata())?;
        let call = Arc::new(from_proto::call(request.into_inner().spec)?);
        let estimate = self.completer.estimate(&team, &call).await?;
        Ok(estimate_response(&estimate))
    }

    async fn count(
        &self,
        request: Request<v1::CountTokensRequest>,
    ) -> Result<v1::CountTokensResponse> {
        let team = self.callers.team(request.metadata())?;
        let call = Arc::new(from_proto::call(request.into_inner().spec)?);
        let counts = self.completer.count_tokens(&team, &call).await?;
        let counts = counts.into_iter().map(|count| v1::TokenCount {
            model: count.model.name.to_string(),
            input_tokens: to_proto::count(count.input_tokens),
            estimated: count.model.token_factor != tollgate_core::quote::TokenFactor::default(),
        });
        Ok(v1::CountTokensResponse {
            counts: counts.collect(),
        })
    }
}

fn estimate_response(estimate: &Estimate) -> v1::EstimateCostResponse {
    let targets = estimate.targets.iter().map(|target| v1::TargetEstimate {
        model: target.model.name.to_string(),
        input_tokens: to_proto::count(target.input_tokens),
        max_output_tokens: to_proto::count(target.max_output_tokens),
        min_cost_nano_usd: target.least.nanos(),
        max_cost_nano_usd: target.most.nanos(),
        skipped: target.skipped,
    });
    v1::EstimateCostResponse {
        targets: targets.collect(),
        hold_nano_usd: estimate.hold.nanos(),
        admitted: estimate.refusals.is_empty(),
        refusals: estimate.refusals.iter().map(refusal).collect(),
        budgets: estimate.budgets.iter().map(to_proto::balance).collect(),
    }
}

fn refusal(refusal: &Refusal) -> v1::Refusal {
    let limit = match refusal {
        Refusal::Rate { limit, .. }
        | Refusal::Unsatisfiable { limit, .. }
        | Refusal::Concurrency { limit, .. } => limit.to_string(),
        Refusal::Cooldown { .. } => "cooldown".to_owned(),
        Refusal::Budget { balance, .. } => format!("budget:{}", balance.name),
    };
    let wait = match refusal.cure() {
        Cure::After(ms) => Some(Duration::from_millis(ms)),
        // As soon as a call in flight ends; nobody knows when.
        Cure::Release => Some(Duration::ZERO),
        Cure::None => None,
    };
    v1::Refusal {
        limit,
        retry_after: wait.map(to_proto::duration),
    }
}

/// The trace that the caller is in, if it says one and no other.
fn trace_of(metadata: &MetadataMap) -> Option<TraceParent> {
    let mut said = metadata.get_all("traceparent").iter();
    let first = said.next()?;
    let alone = said.next().is_none();
    TraceParent::parse(first.as_bytes()).filter(|_| alone)
}

fn deadline_of<T>(request: &Request<T>) -> Instant {
    let deadline = request.extensions().get::<Deadline>();
    deadline.map_or_else(|| Instant::now() + DEFAULT_DEADLINE, |deadline| deadline.0)
}

#[tonic::async_trait]
impl CompletionService for CompletionEndpoint {
    async fn complete(
        &self,
        request: Request<v1::CompleteRequest>,
    ) -> std::result::Result<Response<v1::CompleteResponse>, Status> {
        let answered = self.answer(request).await;
        answered.map(Response::new).map_err(|error| status(&error))
    }

    type CompleteStreamStream = Pin<
        Box<
            dyn Stream<Item = std::result::Result<v1::CompleteStreamResponse, Status>>
                + Send
                + 'static,
        >,
    >;

    async fn complete_stream(
        &self,
        _: Request<v1::CompleteStreamRequest>,
    ) -> std::result::Result<Response<Self::CompleteStreamStream>, Status> {
        Err(Status::unimplemented("CompleteStream is not served yet"))
    }

    async fn estimate_cost(
        &self,
        request: Request<v1::EstimateCostRequest>,
    ) -> std::result::Result<Response<v1::EstimateCostResponse>, Status> {
        let estimated = self.estimate(request).await;
        estimated.map(Response::new).map_err(|error| status(&error))
    }

    async fn count_tokens(
        &self,
        request: Request<v1::CountTokensRequest>,
    ) -> std::result::Result<Response<v1::CountTokensResponse>, Status> {
        let counted = self.count(request).await;
        counted.map(Response::new).map_err(|error| status(&error))
    }
}
