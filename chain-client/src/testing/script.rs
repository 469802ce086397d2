//! Answers for the scripts of tests.

use super::step_of;
use serde_json::{Value, json};
use std::{collections::HashMap, time::Duration};
use tollgate_proto::v1::{
    Attempt, AttemptOutcome, CompleteResponse, CompletionSpec, FinishReason, Message, Part,
    Receipt, Role, Usage, part::Content,
};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// An answer, and how long it takes.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) after: Duration,
    pub(crate) result: Result<CompleteResponse, Status>,
    charged_by_error: i64,
}

/// What a call of a step costs.
const COST: i64 = 1_234;

/// A valid answer to the step that is asked for.
pub(crate) fn good(spec: &CompletionSpec) -> Answer {
    let step = step_of(spec);
    let value = match step.as_str() {
        "extract_entities" => json!({
            "people": [{"name": "Ada Lovelace", "mentions": 1}], "places": [],
            "organizations": [], "dates": [{"text": "1843", "iso": null}],
        }),
        "generate_summary" => json!({"summary": "Ada wrote notes. They mattered.", "sentences": 2}),
        "classify_content" => {
            json!({"labels": [{"label": "tech", "confidence": 0.9}], "primary": "tech"})
        }
        _ => json!({"relevance": 7, "quality": 6, "reason": "Clear and sourced."}),
    };
    let strong = step == "score_quality";
    Answer::json(&value).answered_by(if strong { "strong" } else { "cheap" })
}

impl Answer {
    /// This JSON, at a fixed cost.
    pub(crate) fn json(value: &Value) -> Self {
        Self::text(&value.to_string())
    }

    /// This text, at a fixed cost.
    pub(crate) fn text(text: &str) -> Self {
        let usage = Usage {
            input_tokens: 100,
            output_tokens: 20,
            ..Usage::default()
        };
        let attempt = Attempt {
            model: "cheap".into(),
            outcome: AttemptOutcome::Ok.into(),
            usage: Some(usage),
            cost_nano_usd: COST,
            ..Attempt::default()
        };
        let content = Some(Content::Text(text.to_owned()));
        let message = Message {
            role: Role::Assistant.into(),
            parts: vec![Part { content }],
        };
        let response = CompleteResponse {
            message: Some(message),
            finish_reason: FinishReason::Stop.into(),
            receipt: Some(Receipt {
                call_id: "call-1".into(),
                model: "cheap".into(),
                attempts: vec![attempt],
                usage: Some(usage),
                cost_nano_usd: COST,
                price_version: "test".into(),
                ..Receipt::default()
            }),
        };
        Self {
            after: Duration::ZERO,
            result: Ok(response),
            charged_by_error: 0,
        }
    }

    fn receipt(mut self, change: impl FnOnce(&mut Receipt)) -> Self {
        if let Ok(response) = &mut self.result {
            change(response.receipt.as_mut().unwrap());
        }
        self
    }

    pub(crate) fn answered_by(self, model: &str) -> Self {
        self.receipt(|receipt| {
            receipt.model = model.into();
            receipt.attempts.last_mut().unwrap().model = model.into();
        })
    }

    /// After these models failed, free of charge.
    pub(crate) fn after_failures_of(self, models: &[&str]) -> Self {
        self.receipt(|receipt| {
            for (at, model) in models.iter().enumerate() {
                let failed = Attempt {
                    model: (*model).into(),
                    outcome: AttemptOutcome::Unavailable.into(),
                    ..Attempt::default()
                };
                receipt.attempts.insert(at, failed);
            }
        })
    }

    pub(crate) fn replayed(self) -> Self {
        self.receipt(|receipt| receipt.replayed = true)
    }

    pub(crate) fn finish(mut self, reason: FinishReason) -> Self {
        if let Ok(response) = &mut self.result {
            response.set_finish_reason(reason);
        }
        self
    }

    pub(crate) fn after_ms(self, ms: u64) -> Self {
        Self {
            after: Duration::from_millis(ms),
            ..self
        }
    }

    pub(super) fn charged_nano_usd(&self) -> i64 {
        match &self.result {
            Ok(response) => {
                let receipt = response.receipt.as_ref().unwrap();
                if receipt.replayed {
                    0
                } else {
                    receipt.cost_nano_usd
                }
            }
            Err(_) => self.charged_by_error,
        }
    }
}

/// A refusal of the gateway, with RetryInfo if it says when to come back.
pub(crate) fn refusal(code: Code, reason: &str, retry_after_ms: Option<u64>) -> Answer {
    charged_refusal(code, reason, retry_after_ms, None)
}

/// A refusal that tells what it cost.
pub(crate) fn charged_refusal(
    code: Code,
    reason: &str,
    retry_after_ms: Option<u64>,
    cost: Option<i64>,
) -> Answer {
    let mut details = ErrorDetails::new();
    let mut metadata = HashMap::new();
    if let Some(cost) = cost {
        metadata.insert("costNanoUsd".to_owned(), cost.to_string());
    }
    details.set_error_info(reason, "tollgate", metadata);
    if let Some(ms) = retry_after_ms {
        details.set_retry_info(Some(Duration::from_millis(ms)));
    }
    let status = Status::with_error_details(code, "scripted", details);
    Answer {
        after: Duration::ZERO,
        result: Err(status),
        charged_by_error: cost.unwrap_or(0),
    }
}
