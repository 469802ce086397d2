//! What the simulator knows about real models, so that it refuses what they refuse.
//!
//! Figures are from the providers' public model pages; an unknown model has no bounds here.

use super::Api;

/// The bounds of one family of models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Prompt and output together, in tokens.
    pub(crate) context: u64,
    /// The most output tokens that may be asked for.
    pub(crate) output: u64,
    /// Whether `response_format: json_schema` or `output_config.format` is accepted.
    pub(crate) schema: bool,
    /// Whether it is a reasoning model, which refuses `max_tokens` and a temperature.
    pub(crate) reasons: bool,
}

const fn bounds(context: u64, output: u64, schema: bool, reasons: bool) -> Bounds {
    Bounds {
        context,
        output,
        schema,
        reasons,
    }
}

/// Longest prefix first: the first that fits decides.
const OPENAI: &[(&str, Bounds)] = &[
    ("gpt-4.1", bounds(1_047_576, 32_768, true, false)),
    ("gpt-4o-2024-05-13", bounds(128_000, 4096, false, false)),
    ("gpt-4o", bounds(128_000, 16_384, true, false)),
    ("gpt-4-turbo", bounds(128_000, 4096, false, false)),
    ("gpt-4-32k", bounds(32_768, 32_768, false, false)),
    ("gpt-4", bounds(8192, 8192, false, false)),
    ("gpt-3.5-turbo", bounds(16_385, 4096, false, false)),
    ("gpt-5-chat", bounds(128_000, 16_384, true, false)),
    ("gpt-5", bounds(400_000, 128_000, true, true)),
    ("o1", bounds(200_000, 100_000, true, true)),
    ("o3", bounds(200_000, 100_000, true, true)),
    ("o4", bounds(200_000, 100_000, true, true)),
];

const ANTHROPIC: &[(&str, Bounds)] = &[
    ("claude-3-haiku", bounds(200_000, 4096, false, false)),
    ("claude-3-opus", bounds(200_000, 4096, false, false)),
    ("claude-3-5", bounds(200_000, 8192, false, false)),
    ("claude-3-7", bounds(200_000, 64_000, false, false)),
    ("claude-opus-4-5", bounds(200_000, 64_000, true, false)),
    ("claude-opus-4-1", bounds(200_000, 32_000, true, false)),
    ("claude-opus-4-2", bounds(200_000, 32_000, false, false)),
    ("claude-sonnet-4-5", bounds(200_000, 64_000, true, false)),
    ("claude-sonnet-4-2", bounds(200_000, 64_000, false, false)),
    ("claude-haiku-4-5", bounds(200_000, 64_000, true, false)),
];

/// The bounds of `model`, if it is known.
pub(crate) fn bounds_of(api: Api, model: &str) -> Option<Bounds> {
    let table = match api {
        Api::OpenAi => OPENAI,
        Api::Anthropic => ANTHROPIC,
    };
    table
        .iter()
        .find(|(prefix, _)| model.starts_with(prefix))
        .map(|(_, bounds)| *bounds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_special_name_decides() {
        let window = |model| bounds_of(Api::OpenAi, model).map(|bounds| bounds.context);
        assert_eq!(window("gpt-4"), Some(8192));
        assert_eq!(window("gpt-4-0613"), Some(8192));
        assert_eq!(window("gpt-4-turbo-2024-04-09"), Some(128_000));
        assert_eq!(window("gpt-4o-mini"), Some(128_000));
        assert_eq!(window("llama3.2"), None);
    }
}
