//! A team that calls.

use std::time::Duration;
use tollgate_proto::v1::{
    self, completion_service_client::CompletionServiceClient,
    usage_service_client::UsageServiceClient,
};
use tonic::{Code, Request, Status, transport::Channel};
use tonic_types::{ErrorDetail, ErrorDetails, StatusExt as _};

/// A team's client, with its key and a deadline.
#[derive(Clone)]
pub struct Caller {
    channel: Channel,
    authorization: String,
    deadline: Option<Duration>,
}

/// An error as a program sees it.
#[derive(Debug)]
pub struct Refused {
    /// The gRPC code.
    pub code: Code,
    /// The reason of the one `ErrorInfo`; empty if there is none.
    pub reason: String,
    /// All details.
    pub details: ErrorDetails,
    /// The status itself.
    pub status: Status,
}

impl Refused {
    /// A value of the metadata of `ErrorInfo`.
    #[must_use]
    pub fn metadata(&self, key: &str) -> Option<&str> {
        let info = self.details.error_info()?;
        info.metadata.get(key).map(String::as_str)
    }

    /// How many `ErrorInfo` there are: one for each error of ours.
    #[must_use]
    pub fn infos(&self) -> usize {
        let details = self.status.get_error_details_vec();
        let info = |detail: &&ErrorDetail| matches!(detail, ErrorDetail::ErrorInfo(_));
        details.iter().filter(info).count()
    }

    /// How long `RetryInfo` says to wait.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.details.retry_info()?.retry_delay
    }
}

impl From<Status> for Refused {
    fn from(status: Status) -> Self {
        let details = status.get_error_details();
        let reason = details.error_info().map(|info| info.reason.clone());
        Self {
            code: status.code(),
            reason: reason.unwrap_or_default(),
            details,
            status,
        }
    }
}

impl Caller {
    /// A caller with this key.
    #[must_use]
    pub fn new(channel: Channel, key: &str) -> Self {
        Self {
            channel,
            authorization: format!("Bearer {key}"),
            deadline: Some(Duration::from_secs(20)),
        }
    }

    /// The same caller with another deadline.
    #[must_use]
    pub fn within(&self, deadline: Duration) -> Self {
        Self {
            deadline: Some(deadline),
            ..self.clone()
        }
    }

    /// A request with credentials and deadline.
    pub fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let value = self.authorization.parse().expect("a header");
        request.metadata_mut().insert("authorization", value);
        if let Some(deadline) = self.deadline {
            request.set_timeout(deadline);
        }
        request
    }

    /// The completion service.
    #[must_use]
    pub fn completions(&self) -> CompletionServiceClient<Channel> {
        CompletionServiceClient::new(self.channel.clone()).max_encoding_message_size(64 << 20)
    }

    /// The usage service.
    #[must_use]
    pub fn usage(&self) -> UsageServiceClient<Channel> {
        UsageServiceClient::new(self.channel.clone())
    }

    /// Completes a call.
    ///
    /// # Errors
    /// With what the gateway refused.
    pub async fn complete(
        &self,
        spec: v1::CompletionSpec,
    ) -> Result<v1::CompleteResponse, Box<Refused>> {
        let request = self.request(v1::CompleteRequest { spec: Some(spec) });
        let answered = self.completions().complete(request).await;
        answered
            .map(tonic::Response::into_inner)
            .map_err(|status| Box::new(Refused::from(status)))
    }

    /// The balance of one of the team's budgets.
    pub async fn budget(&self, name: &str) -> v1::BudgetBalance {
        let request = self.request(v1::ListBudgetsRequest {});
        let listed = self.usage().list_budgets(request).await.expect("an answer");
        let budgets = listed.into_inner().budgets;
        let found = budgets.into_iter().find(|budget| budget.name == name);
        found.expect("the team has it")
    }

    /// The day's spend once nothing is held any more: settling is off the caller's path.
    pub async fn settled_spend(&self) -> i64 {
        for _ in 0..200 {
            let day = self.budget("day").await;
            if day.held_nano_usd == 0 {
                return day.spent_nano_usd;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("something is still held after five seconds");
    }
}

/// A call of one user message to a route.
#[must_use]
pub fn spec(route: &str, text: &str) -> v1::CompletionSpec {
    v1::CompletionSpec {
        target: Some(v1::completion_spec::Target::Route(route.to_owned())),
        messages: vec![v1::Message {
            role: v1::Role::User.into(),
            parts: vec![v1::Part {
                content: Some(v1::part::Content::Text(text.to_owned())),
            }],
        }],
        max_output_tokens: Some(100),
        ..v1::CompletionSpec::default()
    }
}
