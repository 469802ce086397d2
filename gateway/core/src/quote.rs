//! Quotes: what a plan may take at most, before anything is taken.

use crate::{Money, hold::Need, price::Price};

/// How the tokens of a model relate to the tokenizer that counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenFactor {
    /// Thousandths: 1100 counts a tenth more.
    pub permille: u32,
}

impl Default for TokenFactor {
    fn default() -> Self {
        Self { permille: 1_000 }
    }
}

impl TokenFactor {
    /// The estimate for `counted` tokens, rounded up.
    #[must_use]
    pub fn apply(self, counted: u64) -> u64 {
        let scaled = u128::from(counted) * u128::from(self.permille);
        u64::try_from(scaled.div_ceil(1_000)).unwrap_or(u64::MAX)
    }
}

/// What one attempt at a target may take at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TargetQuote {
    /// The estimate of the input.
    pub input_tokens: u64,
    /// The output cap that is sent to the provider.
    pub max_output_tokens: u64,
    /// The cost if all of that is used, at the dearest class of each token.
    pub worst_case: Money,
}

impl TargetQuote {
    /// The quote for an estimated input and an output cap at a price.
    #[must_use]
    pub fn new(input_tokens: u64, max_output_tokens: u64, price: &Price) -> Self {
        Self {
            input_tokens,
            max_output_tokens,
            worst_case: price.worst_case(input_tokens, max_output_tokens),
        }
    }

    /// What the attempt takes from rate limits.
    #[must_use]
    pub const fn need(&self) -> Need {
        Need {
            requests: 1,
            input_tokens: self.input_tokens,
            output_tokens: self.max_output_tokens,
        }
    }
}

/// What the hold of a call takes: the dearest single attempt that its plan may make.
#[must_use]
pub fn hold_for(quotes: &[TargetQuote]) -> TargetQuote {
    quotes
        .iter()
        .fold(TargetQuote::default(), |dearest, quote| TargetQuote {
            input_tokens: dearest.input_tokens.max(quote.input_tokens),
            max_output_tokens: dearest.max_output_tokens.max(quote.max_output_tokens),
            worst_case: dearest.worst_case.max(quote.worst_case),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_factor_is_rounded_up() {
        assert_eq!(TokenFactor { permille: 1_100 }.apply(1), 2);
        assert_eq!(TokenFactor::default().apply(7), 7);
    }

    #[test]
    fn the_hold_covers_every_attempt_of_the_plan() {
        let cheap = TargetQuote {
            input_tokens: 100,
            max_output_tokens: 50,
            worst_case: Money::from_nanos(10),
        };
        let dear = TargetQuote {
            input_tokens: 90,
            max_output_tokens: 60,
            worst_case: Money::from_nanos(900),
        };
        let hold = hold_for(&[cheap, dear]);
        assert_eq!((hold.input_tokens, hold.max_output_tokens), (100, 60));
        assert_eq!(hold.worst_case, Money::from_nanos(900));
    }
}
