//! The outermost layer: deadlines, shedding, panics, and the count of every RPC.
//!
//! tonic answers its own timeouts with CANCELLED and its own load shedding with RESOURCE_EXHAUSTED,
//! outside of user layers where nothing counts them. So the routes are served behind this layer,
//! which takes `grpc-timeout` out and does all three itself.

use super::{
    CompletionEndpoint,
    deadline::{self, Deadline},
    status::status,
};
use crate::{
    complete::{Seat, Seats},
    error::Error,
    telemetry::{Observer, RpcObservation},
};
use futures_util::FutureExt as _;
use http::{Request, Response};
use hyper::body::Incoming;
use std::{
    convert::Infallible,
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};
use tokio::time::Instant;
use tollgate_core::Money;
use tollgate_proto::v1::completion_service_server::CompletionServiceServer;
use tonic::{Code, Status, body::Body, service::Routes};
use tower::ServiceExt as _;

/// The bounds of the edge.
#[derive(Clone, Copy, Debug)]
pub struct EdgePolicy {
    /// The most calls in flight; more are refused with OVERLOADED.
    pub max_in_flight: u64,
}

/// The paths of the completion service.
const COMPLETIONS: &str = "/tollgate.v1.CompletionService/";

/// When a caller that was shed may come back.
const SHED_RETRY_MS: u64 = 500;

/// Serves RPCs. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Edge {
    /// Calls go straight there: looking for their route costs as much as all else that is done here.
    completions: Option<CompletionServiceServer<CompletionEndpoint>>,
    routes: Routes,
    shared: Arc<Shared>,
}

struct Shared {
    observer: Arc<Observer>,
    seats: Arc<Seats>,
    draining: AtomicBool,
}

impl Edge {
    /// An edge in front of these routes.
    #[must_use]
    pub fn new(routes: Routes, observer: Arc<Observer>, policy: EdgePolicy) -> Self {
        Self {
            completions: None,
            routes: routes.prepare(),
            shared: Arc::new(Shared {
                observer,
                seats: Seats::new(policy.max_in_flight),
                draining: AtomicBool::new(false),
            }),
        }
    }

    /// The same, with this service in front of the routes.
    #[must_use]
    pub fn with_completions(
        self,
        completions: CompletionServiceServer<CompletionEndpoint>,
    ) -> Self {
        Self {
            completions: Some(completions),
            ..self
        }
    }

    /// From now on new calls are refused with OVERLOADED, so that clients go elsewhere.
    pub fn drain(&self) {
        self.shared.draining.store(true, SeqCst);
    }

    /// How many calls are in flight.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.shared.seats.taken()
    }

    /// Handles one RPC.
    pub(super) async fn handle(self, request: Request<Incoming>) -> Response<Body> {
        let rpc = self.shared.observer.rpc_started(request.uri().path());
        let governed = request.uri().path().starts_with("/tollgate.");
        let (response, code) = if governed {
            self.govern(request, &rpc).await
        } else {
            // Health and reflection answer also when calls are refused.
            let response = self.route(request).await;
            let code = code_of(&response);
            (response, code)
        };
        rpc.handled(code);
        response
    }

    async fn govern(
        self,
        mut request: Request<Incoming>,
        rpc: &RpcObservation,
    ) -> (Response<Body>, Code) {
        let shared = Arc::clone(&self.shared);
        let Some(seat) = shared.seat() else {
            let retry_after_ms = SHED_RETRY_MS;
            let error = Error::Overloaded { retry_after_ms };
            rpc.refused(&error);
            return refusal(&status(&error));
        };
        let deadline = Instant::now() + deadline::take(request.headers_mut());
        request.extensions_mut().insert(Deadline(deadline));
        request.extensions_mut().insert(Arc::clone(&seat));
        let late = Error::DeadlineExceeded { cost: Money::ZERO };
        if deadline <= Instant::now() {
            rpc.refused(&late);
            return refusal(&status(&late));
        }
        let handled = AssertUnwindSafe(self.route(request)).catch_unwind();
        // The pipeline ends a little before; this is for whatever does not look at the deadline.
        match tokio::time::timeout_at(deadline, handled).await {
            Ok(Ok(response)) => {
                let code = code_of(&response);
                (response, code)
            }
            Ok(Err(_)) => {
                shared.observer.panicked();
                refusal(&status(&Error::Internal { cost: Money::ZERO }))
            }
            // The pipeline's own observation counts it when it is dropped here.
            Err(_) => refusal(&status(&late)),
        }
    }

    async fn route(self, request: Request<Incoming>) -> Response<Body> {
        let answered: Result<_, Infallible> = match self.completions {
            Some(completions) if request.uri().path().starts_with(COMPLETIONS) => {
                completions.oneshot(request).await
            }
            _ => self.routes.oneshot(request).await,
        };
        match answered {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

impl Shared {
    /// A seat for one call, or `None` if there is none.
    fn seat(&self) -> Option<Arc<Seat>> {
        if self.draining.load(SeqCst) {
            self.observer.shed("draining");
            return None;
        }
        let seat = self.seats.take();
        if seat.is_none() {
            self.observer.shed("in_flight");
        }
        seat
    }
}

fn refusal(status: &Status) -> (Response<Body>, Code) {
    (status.clone().into_http(), status.code())
}

/// Errors are trailers-only, so that their status is in the headers; all else is OK.
fn code_of(response: &Response<Body>) -> Code {
    Status::from_header_map(response.headers()).map_or(Code::Ok, |status| status.code())
}
