//! What an answer cost.

use super::plan::Step;
use crate::{provider::Answer, tokens::Tokenizers};
use tollgate_core::{Money, Usage};

/// The tokens and the cost of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Priced {
    pub(super) usage: Usage,
    pub(super) cost: Money,
    /// Whether the provider did not say and we counted.
    pub(super) estimated: bool,
}

/// Our own count is raised by this share, in thousandths, when a provider gives none.
const OWN_COUNT_PERMILLE: u64 = 1_050;

/// Prices an answer by the provider's count, or else by our own.
pub(super) async fn price(tokenizers: &Tokenizers, step: &Step, answer: &Answer) -> Priced {
    let model = &step.model;
    if let Some(usage) = answer.usage {
        return Priced {
            usage,
            cost: model.price.cost(&usage),
            estimated: false,
        };
    }
    let output = tokenizers.count_text(model.tokenizer, &answer.text).await;
    let raise = |tokens: u64| tokens.saturating_mul(OWN_COUNT_PERMILLE).div_ceil(1_000);
    let usage = Usage {
        input: raise(step.quote.input_tokens),
        output: raise(model.token_factor.apply(output)),
        ..Usage::default()
    };
    Priced {
        usage,
        cost: model.price.cost(&usage),
        estimated: true,
    }
}
