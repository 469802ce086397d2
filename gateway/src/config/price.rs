//! `price = { … }`: what a model's tokens cost, in dollars per million tokens as text.

use super::{reader::Reader, text::shown};
use chrono::NaiveDate;
use std::sync::Arc;
use tollgate_core::price::{LongContext, Price, Rate, Rates};

/// A price and its date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dated {
    pub(super) price: Price,
    /// `YYYY-MM-DD`; may be empty.
    pub(super) as_of: Arc<str>,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Option<Dated> {
    let base = rates(reader);
    let long_context = reader.optional_table("long_context", |reader| {
        let above = reader.number("above_input_tokens", 1..=MOST_TOKENS);
        reader.require("above_input_tokens", "200_000");
        let rates = rates(reader);
        Some(LongContext {
            above_input_tokens: above?,
            rates: rates?,
        })
    });
    let as_of = reader.text("as_of", date).unwrap_or_default();
    let price = Price {
        base: base?,
        long_context,
    };
    Some(Dated { price, as_of })
}

/// More tokens than any context window has.
pub(super) const MOST_TOKENS: u64 = 100_000_000;

/// Four rates. A class of input without its own is charged as input: that is the usual rate
/// where a provider has none, and never less than it charges for what it reads from its cache.
fn rates(reader: &mut Reader<'_>) -> Option<Rates> {
    let input = reader.text("input", rate);
    reader.require("input", "\"2.50\"");
    let output = reader.text("output", rate);
    reader.require("output", "\"10\"");
    let cache_read = reader.text("cached_input", rate);
    let cache_write = reader.text("cache_write", rate);
    Some(Rates {
        input: input?,
        output: output?,
        cache_read: cache_read.or(input)?,
        cache_write: cache_write.or(input)?,
    })
}

fn rate(text: &str) -> Result<Rate, String> {
    text.parse().map_err(|error| {
        format!(
            "{} {error}; a price is in dollars per million tokens",
            shown(text)
        )
    })
}

fn date(text: &str) -> Result<Arc<str>, String> {
    let wrong = || format!("{} is not a date such as \"2026-11-01\"", shown(text));
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").map_err(|_| wrong())?;
    // Dates are compared as text, so there is one way to write them.
    if date.format("%Y-%m-%d").to_string() == text {
        return Ok(text.into());
    }
    Err(wrong())
}
