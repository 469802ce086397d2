//! Prices of models, and what tokens cost.

use crate::{
    Money, Usage,
    money::{MoneyError, ceil_div, parse_decimal},
};
use std::str::FromStr;

/// Pico-dollars per token: the same number as micro-dollars per million tokens.
///
/// Providers publish dollars per million tokens; six decimal places of that are exact here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(i64);

impl Rate {
    /// The rate of `picos` pico-dollars per token.
    #[must_use]
    pub const fn from_picos(picos: i64) -> Self {
        Self(picos)
    }

    /// Pico-dollars per token.
    #[must_use]
    pub const fn picos(self) -> i64 {
        self.0
    }
}

/// Dollars per million tokens as decimal text, such as `0.0375`.
impl FromStr for Rate {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let rate = parse_decimal(text, 6)?;
        // A hundred thousand dollars per million tokens: beyond any price, and small enough that
        // the cost of any context window is exact.
        if rate > 100_000_000_000 {
            return Err(MoneyError::TooLarge);
        }
        Ok(Self(rate))
    }
}

/// What each class of tokens costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Input that is not cached.
    pub input: Rate,
    /// Output, reasoning included: providers bill reasoning as output.
    pub output: Rate,
    /// Input read from the provider's cache.
    pub cache_read: Rate,
    /// Input written to the provider's cache.
    pub cache_write: Rate,
}

/// The price of a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Price {
    /// What applies normally.
    pub base: Rates,
    /// What applies to the whole call once its input is long.
    pub long_context: Option<LongContext>,
}

/// A dearer price for calls with a long input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongContext {
    /// It applies when the call has more input tokens than this.
    pub above_input_tokens: u64,
    /// What applies then.
    pub rates: Rates,
}

impl Price {
    /// What a call with these tokens costs, rounded up once to a nano-dollar.
    ///
    /// Exact: tokens times pico-dollars are summed in 128 bits, then divided by 1000.
    #[must_use]
    pub fn cost(&self, usage: &Usage) -> Money {
        let rates = self.rates(usage.total_input());
        let picos = product(usage.input, rates.input)
            + product(usage.cache_read, rates.cache_read)
            + product(usage.cache_write, rates.cache_write)
            + product(usage.output, rates.output)
            + product(usage.reasoning, rates.output);
        Money::from_nanos(i64::try_from(ceil_div(picos, 1_000)).unwrap_or(i64::MAX))
    }

    /// The most that a call can cost with this input and output cap, whatever share of the input
    /// the provider reads from or writes to its cache.
    #[must_use]
    pub fn worst_case(&self, input_tokens: u64, output_tokens: u64) -> Money {
        let rates = self.rates(input_tokens);
        let input = rates.input.max(rates.cache_write).max(rates.cache_read);
        let picos = product(input_tokens, input) + product(output_tokens, rates.output);
        Money::from_nanos(i64::try_from(ceil_div(picos, 1_000)).unwrap_or(i64::MAX))
    }

    /// Whether nothing is ever charged.
    #[must_use]
    pub fn is_free(&self) -> bool {
        *self == Self::default()
    }

    fn rates(&self, input_tokens: u64) -> Rates {
        match self.long_context {
            Some(long) if input_tokens > long.above_input_tokens => long.rates,
            _ => self.base,
        }
    }
}

fn product(tokens: u64, rate: Rate) -> i128 {
    i128::from(tokens) * i128::from(rate.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn price(input: &str, output: &str) -> Price {
        let input = input.parse().expect("a rate");
        let output = output.parse().expect("a rate");
        Price {
            base: Rates {
                input,
                output,
                cache_read: input,
                cache_write: input,
            },
            long_context: None,
        }
    }

    fn usage(input: u64, output: u64) -> Usage {
        Usage {
            input,
            output,
            ..Usage::default()
        }
    }

    #[test]
    fn the_missions_prices_are_exact() {
        // 1,000 tokens in and out, in dollars: gpt-4-turbo, gpt-4, gpt-3.5-turbo.
        for (input, output, dollars) in [
            ("10", "30", "0.04"),
            ("30", "60", "0.09"),
            ("0.5", "1.5", "0.002"),
        ] {
            let cost = price(input, output).cost(&usage(1_000, 1_000));
            assert_eq!(cost, dollars.parse().expect("money"));
        }
    }

    #[test]
    fn a_fraction_of_a_nano_dollar_is_rounded_up_once() {
        let price = price("0.0375", "0.0001");
        assert_eq!(price.base.input, Rate(37_500));
        // 37.5 + 0.1 nano-dollars.
        assert_eq!(price.cost(&usage(1, 1)), Money::from_nanos(38));
    }

    #[test]
    fn a_long_input_is_priced_at_the_long_rate_as_a_whole() {
        let mut price = price("3", "15");
        price.long_context = Some(LongContext {
            above_input_tokens: 200_000,
            rates: Rates {
                input: Rate(6_000_000),
                output: Rate(22_500_000),
                ..Rates::default()
            },
        });
        assert_eq!(
            price.cost(&usage(200_000, 0)),
            "0.6".parse().expect("money")
        );
        assert_eq!(
            price.cost(&usage(200_001, 0)),
            "1.200006".parse().expect("money")
        );
    }

    #[test]
    fn an_absurd_price_is_refused() {
        assert_eq!("100001".parse::<Rate>(), Err(MoneyError::TooLarge));
        assert_eq!("0.0000001".parse::<Rate>(), Err(MoneyError::TooPrecise));
    }

    proptest! {
        #[test]
        fn no_split_of_the_input_costs_more_than_the_worst_case(
            rates in [0..50_000_000i64, 0..50_000_000, 0..50_000_000, 0..50_000_000],
            fresh in 0..300_000u64, read in 0..300_000u64, write in 0..300_000u64,
            output in 0..50_000u64, reasoning in 0..50_000u64,
        ) {
            let price = Price {
                base: Rates {
                    input: Rate(rates[0]), output: Rate(rates[1]),
                    cache_read: Rate(rates[2]), cache_write: Rate(rates[3]),
                },
                long_context: None,
            };
            let usage = Usage { input: fresh, cache_read: read, cache_write: write, output, reasoning };
            prop_assert!(
                price.cost(&usage) <= price.worst_case(usage.total_input(), usage.total_output())
            );
        }
    }
}
