//! What the simulated model says: text, why it stopped, and what is billed.

use super::call::{self, Call};
use super::faults::Action;
use super::tokens::Tokens;
use super::{article::Article, fill, repair, twist};

/// Why the answer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finish {
    Stop,
    /// One of the caller's stop sequences came up; the answer ends before it.
    StopSequence(String),
    Length,
    Refusal,
    ContentFilter,
}

/// The tokens of one answer. Signed, because a fault may report nonsense.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Input tokens that were neither read from nor written to a prompt cache.
    pub(crate) input: i64,
    pub(crate) cache_read: i64,
    pub(crate) cache_write: i64,
    /// Output tokens, including reasoning.
    pub(crate) output: i64,
    pub(crate) reasoning: i64,
}

impl Usage {
    /// All of the prompt, as OpenAI reports it.
    pub(crate) fn prompt(self) -> i64 {
        self.input + self.cache_read + self.cache_write
    }
}

/// An answer, ready to be put into either wire format.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) text: String,
    pub(crate) finish: Finish,
    /// What the response says.
    pub(crate) reported: Option<Usage>,
    /// What a bill would say.
    pub(crate) billed: Usage,
}

/// The share of a prompt that came from a prompt cache.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cached {
    pub(crate) read: u64,
    pub(crate) write: u64,
}

/// The canned answer's text.
pub(crate) const CANNED: &str = "This is a simulated answer. No model was asked.";

/// Answers `call`: extract, then apply the fault, the stop sequences and the cap, then count.
pub(crate) fn answer(
    call: &Call,
    tokens: &Tokens,
    cached: Cached,
    fault: Option<&Action>,
) -> Answer {
    let mut text = twist::text(extract(call), call, fault);
    let mut finish = twist::finish(fault);
    if finish == Finish::Stop
        && let Some((at, stop)) = first_stop(&text, &call.stops)
    {
        text.truncate(at);
        finish = Finish::StopSequence(stop);
    }
    let mut output = tokens.count(&text);
    let cap = twist::cap(call.cap, output, fault);
    if let Some(cap) = cap
        && let Some((cut, billed)) = tokens.cut(&text, cap)
    {
        text = cut;
        output = billed;
        finish = Finish::Length;
    }
    let input = call.input_tokens(tokens);
    let honest = Usage {
        input: signed(input.saturating_sub(cached.read + cached.write)),
        cache_read: signed(cached.read),
        cache_write: signed(cached.write),
        output: signed(output),
        reasoning: 0,
    };
    let (reported, billed) = twist::usage(honest, call.cap, fault);
    Answer {
        text,
        finish,
        reported,
        billed,
    }
}

/// The answer before any cut: JSON for a schema, else the two most central sentences.
fn extract(call: &Call) -> String {
    if let Some(schema) = &call.schema
        && let Some(repaired) = repair::repair(schema, &call.user)
    {
        return repaired.to_string();
    }
    let article = Article::read(call::article_in(&call.user), call::title_in(&call.user));
    if let Some(schema) = &call.schema {
        return fill::fill(schema, &article).to_string();
    }
    let prose = article.summary(2);
    let prose = if prose.is_empty() {
        CANNED.to_owned()
    } else {
        prose
    };
    if call.wants_json {
        return serde_json::json!({ "answer": prose }).to_string();
    }
    prose
}

/// Where the earliest stop sequence begins.
fn first_stop(text: &str, stops: &[String]) -> Option<(usize, String)> {
    stops
        .iter()
        .filter(|stop| !stop.is_empty())
        .filter_map(|stop| text.find(stop.as_str()).map(|at| (at, stop.clone())))
        .min_by_key(|(at, _)| *at)
}

/// A token count as the wire has it.
pub(crate) fn signed(count: u64) -> i64 {
    i64::try_from(count).expect("no prompt has 2^63 tokens")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_stop_sequence_wins() {
        let stops = ["c".to_owned(), "b".to_owned(), String::new()];
        assert_eq!(first_stop("abc", &stops), Some((1, "b".to_owned())));
        assert_eq!(first_stop("xyz", &stops), None);
    }
}
