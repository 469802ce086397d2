//! The shipped catalogue: facts about common models, so that a configuration need not repeat them.

use super::{
    document,
    environment::Variables,
    price::{self, Dated, MOST_TOKENS},
    problem::Problems,
    reader::Reader,
    text::{self, shown},
};
use crate::catalog::Tokenizer;
use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};
use tollgate_core::{money::parse_decimal, quote::TokenFactor};

const FILE: &str = "catalogue.toml";
const TEXT: &str = include_str!("catalogue.toml");

/// The facts about a model.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) context_tokens: u64,
    pub(super) max_output_tokens: u64,
    pub(super) default_output_tokens: u64,
    pub(super) priced: Dated,
    pub(super) tokenizer: Tokenizer,
    pub(super) token_factor: TokenFactor,
}

/// Facts as far as they are written down.
#[derive(Clone, Debug)]
pub(super) struct Partial {
    context_tokens: Option<u64>,
    max_output_tokens: Option<u64>,
    default_output_tokens: Option<u64>,
    priced: Option<Dated>,
    tokenizer: Option<Tokenizer>,
    token_factor: Option<TokenFactor>,
}

/// All models of the shipped catalogue.
pub(super) fn shipped() -> &'static BTreeMap<Arc<str>, Facts> {
    static SHIPPED: LazyLock<BTreeMap<Arc<str>, Facts>> =
        LazyLock::new(|| parse(TEXT).expect("a test loads the shipped catalogue"));
    &SHIPPED
}

fn parse(text: &str) -> Result<BTreeMap<Arc<str>, Facts>, Problems> {
    document::read(text, &Variables::default(), |reader| {
        let models = reader.named("models", text::model_name, |_, reader| {
            Partial::read(reader).complete(None, reader)
        });
        Some(models.read)
    })
    .map_err(|problems| Problems::new(FILE, problems))
}

/// The words for [`Tokenizer`].
pub(super) const TOKENIZERS: [(&str, Tokenizer); 2] =
    [("cl100k", Tokenizer::Cl100k), ("o200k", Tokenizer::O200k)];

/// The output cap of calls that name none, if the model has none either: enough for an answer,
/// and a hundredth of what a strong model could spend.
const USUAL_OUTPUT_TOKENS: u64 = 1_024;

/// How much longer texts may be in a tokenizer that we know nothing of.
const UNKNOWN_TOKENIZER: TokenFactor = TokenFactor { permille: 1_100 };

impl Partial {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            context_tokens: reader.number("context_tokens", 1..=MOST_TOKENS),
            max_output_tokens: reader.number("max_output_tokens", 1..=MOST_TOKENS),
            default_output_tokens: reader.number("default_output_tokens", 1..=MOST_TOKENS),
            priced: reader.optional_table("price", price::read),
            tokenizer: reader.word("tokenizer", &TOKENIZERS),
            token_factor: reader.text("token_factor", token_factor),
        }
    }

    /// Fills in what is not written down, from `base` or by rule. A price is taken as a whole:
    /// half of one and half of another would be nobody's price.
    pub(super) fn complete(self, base: Option<&Facts>, reader: &Reader<'_>) -> Option<Facts> {
        if base.is_none() {
            reader.require("context_tokens", "8192");
            reader.require("max_output_tokens", "4096");
            require_price(reader);
        }
        let context_tokens = self
            .context_tokens
            .or(base.map(|base| base.context_tokens))?;
        let max_output_tokens = self
            .max_output_tokens
            .or(base.map(|base| base.max_output_tokens.min(context_tokens)))?;
        if max_output_tokens > context_tokens {
            let message = format!(
                "{max_output_tokens} is more than context_tokens, which is {context_tokens}"
            );
            reader.report("max_output_tokens", message);
        }
        let usual = base.map_or(USUAL_OUTPUT_TOKENS, |base| base.default_output_tokens);
        let default_output_tokens = self
            .default_output_tokens
            .unwrap_or_else(|| usual.min(max_output_tokens));
        if default_output_tokens > max_output_tokens {
            let message = format!(
                "{default_output_tokens} is more than max_output_tokens, which is \
                 {max_output_tokens}"
            );
            reader.report("default_output_tokens", message);
        }
        let token_factor = match (self.token_factor, self.tokenizer, base) {
            (Some(factor), _, _) => factor,
            (None, None, Some(base)) => base.token_factor,
            (None, Some(_), _) => TokenFactor::default(),
            (None, None, None) => UNKNOWN_TOKENIZER,
        };
        Some(Facts {
            context_tokens,
            max_output_tokens,
            default_output_tokens,
            priced: self
                .priced
                .or_else(|| base.map(|base| base.priced.clone()))?,
            tokenizer: self
                .tokenizer
                .or(base.map(|base| base.tokenizer))
                .unwrap_or(Tokenizer::O200k),
            token_factor,
        })
    }
}

fn require_price(reader: &Reader<'_>) {
    if !reader.has("price") {
        reader.report(
            "price",
            "is missing, and the shipped catalogue does not know this model; write price = \
             { input = \"…\", output = \"…\" } in dollars per million tokens (a free model says \
             \"0\"), or like = \"<a model of the catalogue>\"",
        );
    }
}

fn token_factor(text: &str) -> Result<TokenFactor, String> {
    let wrong = || {
        format!(
            "{} is not a factor from \"0.5\" to \"10\", such as \"1.1\"",
            shown(text)
        )
    };
    let permille = parse_decimal(text, 3).map_err(|_| wrong())?;
    match u32::try_from(permille) {
        Ok(permille @ 500..=10_000) => Ok(TokenFactor { permille }),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_catalogue_loads() {
        if let Err(problems) = parse(TEXT) {
            panic!("{problems}");
        }
        assert!(shipped().len() >= 3);
    }

    #[test]
    fn the_missions_prices_are_in_it() {
        for (model, input, output) in [
            ("gpt-4-turbo", "10", "30"),
            ("gpt-4", "30", "60"),
            ("gpt-3.5-turbo", "0.5", "1.5"),
        ] {
            let rates = shipped()[model].priced.price.base;
            assert_eq!(Ok(rates.input), input.parse(), "{model}");
            assert_eq!(Ok(rates.output), output.parse(), "{model}");
        }
    }

    #[test]
    fn every_shipped_price_has_a_date_and_is_not_free() {
        for (model, facts) in shipped() {
            assert!(!facts.priced.as_of.is_empty(), "{model}");
            assert!(!facts.priced.price.is_free(), "{model}");
        }
    }

    #[test]
    fn long_contexts_cost_more_and_caches_less() {
        for (model, facts) in shipped() {
            let base = facts.priced.price.base;
            assert!(base.cache_read <= base.input, "{model}");
            assert!(base.cache_write >= base.input, "{model}");
            let Some(long) = facts.priced.price.long_context else {
                continue;
            };
            assert!(long.above_input_tokens < facts.context_tokens, "{model}");
            assert!(long.rates.input > base.input, "{model}");
            assert!(long.rates.output >= base.output, "{model}");
        }
    }
}
