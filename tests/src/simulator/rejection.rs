//! Error responses in the form of each API.

use http::StatusCode;
use serde_json::{Value, json};

use super::Api;
use super::faults::{Refused, RetryAfter};

/// An error that a real provider would answer with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rejection {
    pub(crate) status: u16,
    /// The `type` of the error.
    pub(crate) kind: &'static str,
    pub(crate) message: String,
    /// OpenAI only.
    pub(crate) param: Option<String>,
    /// OpenAI only.
    pub(crate) code: Option<&'static str>,
    pub(crate) retry_after: RetryAfter,
}

impl Rejection {
    pub(crate) fn new(status: u16, kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            kind,
            message: message.into(),
            param: None,
            code: None,
            retry_after: RetryAfter::Absent,
        }
    }

    /// A 400 that is the caller's mistake.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "invalid_request_error", message)
    }

    pub(crate) fn param(self, param: &str) -> Self {
        Self {
            param: Some(param.to_owned()),
            ..self
        }
    }

    pub(crate) fn code(self, code: &'static str) -> Self {
        Self {
            code: Some(code),
            ..self
        }
    }

    /// The status line's code.
    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).expect("all of our codes are between 100 and 599")
    }

    /// The body that the API sends.
    pub(crate) fn body(&self, api: Api, request_id: &str) -> Value {
        match api {
            Api::OpenAi => json!({ "error": {
                "message": self.message,
                "type": self.kind,
                "param": self.param,
                "code": self.code,
            }}),
            Api::Anthropic => json!({
                "type": "error",
                "error": { "type": self.kind, "message": self.message },
                "request_id": request_id,
            }),
        }
    }

    /// What a fault rule makes the provider say.
    pub(crate) fn of(refused: Refused, retry_after: RetryAfter, api: Api, model: &str) -> Self {
        let rejection = match api {
            Api::OpenAi => openai(refused, model),
            Api::Anthropic => anthropic(refused, model),
        };
        Self {
            retry_after,
            ..rejection
        }
    }

    /// The prompt does not fit into the context window.
    pub(crate) fn too_long(api: Api, window: u64, input: u64, output: u64) -> Self {
        match api {
            Api::OpenAi if output == 0 => Self::invalid(format!(
                "This model's maximum context length is {window} tokens. However, your messages \
                 resulted in {input} tokens. Please reduce the length of the messages."
            )),
            Api::OpenAi => Self::invalid(format!(
                "This model's maximum context length is {window} tokens. However, you requested \
                 {} tokens ({input} in the messages, {output} in the completion). Please reduce \
                 the length of the messages or completion.",
                input + output
            )),
            Api::Anthropic if input > window => Self::invalid(format!(
                "prompt is too long: {input} tokens > {window} maximum"
            )),
            Api::Anthropic => Self::invalid(format!(
                "input length and `max_tokens` exceed context limit: {input} + {output} > \
                 {window}, decrease input length or `max_tokens` and try again"
            )),
        }
        .param("messages")
        .code("context_length_exceeded")
    }
}

fn openai(refused: Refused, model: &str) -> Rejection {
    match refused {
        Refused::TooManyRequests => Rejection::new(
            429,
            "requests",
            format!(
                "Rate limit reached for {model} in organization org-simulated on requests per min \
                 (RPM): Limit 500, Used 500, Requested 1. Please try again in 120ms."
            ),
        )
        .code("rate_limit_exceeded"),
        Refused::QuotaExhausted => Rejection::new(
            429,
            "insufficient_quota",
            "You exceeded your current quota, please check your plan and billing details.",
        )
        .code("insufficient_quota"),
        Refused::ServerError => Rejection::new(
            500,
            "server_error",
            "The server had an error while processing your request. Sorry about that!",
        ),
        Refused::BadGateway => Rejection::new(502, "server_error", "Bad gateway."),
        Refused::Unavailable => Rejection::new(
            503,
            "server_error",
            "The engine is currently overloaded, please try again later.",
        ),
        Refused::Overloaded => Rejection::new(529, "server_error", "Overloaded."),
        Refused::Unauthorized => {
            let message = "Incorrect API key provided: sk-sim***. You can find your API key at \
                           https://platform.openai.com/account/api-keys.";
            Rejection {
                status: 401,
                ..Rejection::invalid(message).code("invalid_api_key")
            }
        }
        Refused::Forbidden => {
            let message =
                format!("Project `proj_simulated` does not have access to model `{model}`");
            Rejection {
                status: 403,
                ..Rejection::invalid(message).code("model_not_found")
            }
        }
        Refused::NotFound => {
            let message =
                format!("The model `{model}` does not exist or you do not have access to it.");
            Rejection {
                status: 404,
                ..Rejection::invalid(message).code("model_not_found")
            }
        }
        Refused::BadRequest => {
            Rejection::invalid("Invalid value for 'content': expected a string, got null.")
                .param("messages.[0].content")
        }
        Refused::ContextLength => Rejection::too_long(Api::OpenAi, 8192, 8227, 0),
        Refused::Unprocessable => Rejection {
            status: 422,
            ..Rejection::invalid("The request could not be processed.")
        },
    }
}

fn anthropic(refused: Refused, model: &str) -> Rejection {
    let new = |status, kind, message: &str| Rejection::new(status, kind, message);
    match refused {
        Refused::TooManyRequests => new(
            429,
            "rate_limit_error",
            "This request would exceed the rate limit for your organization of 50 requests per \
             minute. Please reduce the prompt length or the maximum tokens requested, or try again \
             later.",
        ),
        Refused::QuotaExhausted => new(
            400,
            "invalid_request_error",
            "Your credit balance is too low to access the Anthropic API. Please go to Plans & \
             Billing to upgrade or purchase credits.",
        ),
        Refused::ServerError => new(500, "api_error", "Internal server error"),
        Refused::BadGateway => new(502, "api_error", "Bad gateway"),
        Refused::Unavailable => new(503, "api_error", "Service unavailable"),
        Refused::Overloaded => new(529, "overloaded_error", "Overloaded"),
        Refused::Unauthorized => new(401, "authentication_error", "invalid x-api-key"),
        Refused::Forbidden => new(
            403,
            "permission_error",
            "Your API key does not have permission to use the specified resource.",
        ),
        Refused::NotFound => Rejection::new(404, "not_found_error", format!("model: {model}")),
        Refused::BadRequest => Rejection::invalid("messages: at least one message is required"),
        Refused::ContextLength => Rejection::too_long(Api::Anthropic, 200_000, 202_609, 0),
        Refused::Unprocessable => new(
            422,
            "invalid_request_error",
            "The request could not be processed.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_context_is_said_in_each_apis_own_words() {
        let said = |api| {
            let none = RetryAfter::Absent;
            Rejection::of(Refused::ContextLength, none, api, "m").body(api, "req_sim_1")
        };
        assert_eq!(
            said(Api::OpenAi)["error"]["code"],
            "context_length_exceeded"
        );
        let anthropic = said(Api::Anthropic);
        assert_eq!(anthropic["type"], "error");
        let message = anthropic["error"]["message"].as_str().expect("text");
        assert_eq!(
            message,
            "prompt is too long: 202609 tokens > 200000 maximum"
        );
    }
}
