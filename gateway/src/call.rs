//! A call: what a caller asked for, parsed into types that cannot be wrong.

use crate::trace::TraceParent;
use std::{sync::Arc, time::Duration};
use tollgate_core::Money;

/// What a caller asked for. Made only by `grpc::from_proto`, which checks everything.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Where it may go.
    pub target: Target,
    /// The conversation, oldest first; never empty.
    pub messages: Vec<Message>,
    /// The caller's output cap in tokens, above 0.
    pub max_output_tokens: Option<u64>,
    /// How the model samples.
    pub sampling: Sampling,
    /// The schema that the answer must obey; `None`: plain text.
    pub schema: Option<Schema>,
    /// Whose work it is.
    pub attribution: Attribution,
    /// What makes a retry safe.
    pub idempotency_key: Option<Arc<str>>,
    /// A budget over all calls of the run.
    pub run_budget: Option<Money>,
    /// Who goes first when calls wait.
    pub priority: Priority,
    /// The trace that it is in.
    pub trace: Option<TraceParent>,
}

/// How important a call is, the most important first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Goes before all others.
    Critical,
    /// Somebody waits for the answer.
    #[default]
    Interactive,
    /// Nobody waits for the answer.
    Batch,
}

/// Where a call may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// One model, no fallback.
    Model(String),
    /// A named route.
    Route(String),
    /// The route that the configuration maps this complexity to.
    Complexity(Complexity),
}

/// How hard the work is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Complexity {
    /// Extraction, classification.
    Simple,
    /// Summaries, rewriting.
    Moderate,
    /// Judgement, reasoning.
    Complex,
    /// Work whose errors are expensive.
    Critical,
}

impl Complexity {
    /// All of them, easiest first.
    pub const ALL: [Self; 4] = [Self::Simple, Self::Moderate, Self::Complex, Self::Critical];

    /// Its name in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Moderate => "moderate",
            Self::Complex => "complex",
            Self::Critical => "critical",
        }
    }
}

/// One turn of the conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said, in one or more pieces; never empty.
    pub parts: Vec<String>,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Instructions.
    System,
    /// The caller.
    User,
    /// The model.
    Assistant,
}

/// How a model samples. `None` leaves it to the provider.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sampling {
    /// 0 to 2.
    pub temperature: Option<f64>,
    /// Above 0, up to 1.
    pub top_p: Option<f64>,
    /// At most 4.
    pub stop: Vec<String>,
    /// For repeatable sampling.
    pub seed: Option<i64>,
    /// -2 to 2.
    pub frequency_penalty: Option<f64>,
    /// -2 to 2.
    pub presence_penalty: Option<f64>,
}

/// A JSON schema for the answer.
#[derive(Clone, Debug)]
pub struct Schema {
    /// Letters, digits, `_` and `-`.
    pub name: String,
    /// The schema, a JSON object, as it was sent.
    pub json: Box<serde_json::value::RawValue>,
    /// Whether the provider must enforce it exactly.
    pub strict: bool,
}

/// `RawValue` has no equality of its own; its text has.
impl PartialEq for Schema {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.strict, self.json.get()) == (&other.name, other.strict, other.json.get())
    }
}

/// Whose work a call is. Empty texts mean: not said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attribution {
    /// The pipeline.
    pub pipeline: Arc<str>,
    /// The run.
    pub run: Arc<str>,
    /// The step.
    pub step: Arc<str>,
    /// The name of the prompt.
    pub prompt_name: Arc<str>,
    /// The version of the prompt.
    pub prompt_version: Arc<str>,
}

/// The bounds of a deadline.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(120);
/// The longest deadline; a longer one is cut to this.
pub const LONGEST_DEADLINE: Duration = Duration::from_secs(300);
