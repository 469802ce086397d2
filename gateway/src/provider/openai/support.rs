//! What OpenAI's models can be made to answer with.

/// How a model is made to answer by a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JsonSupport {
    /// The provider enforces the schema.
    Schema,
    /// The provider enforces JSON; the schema is an instruction.
    Object,
    /// The schema is an instruction.
    None,
}

/// Models without `json_schema`, the most specific name first; all others have it.
///
/// Source: <https://platform.openai.com/docs/guides/structured-outputs>: schemas from
/// gpt-4o-mini-2024-07-18 and gpt-4o-2024-08-06 on, "older models like gpt-4-turbo and earlier may
/// use JSON mode instead"; JSON mode for "GPT-4 Turbo and all GPT-3.5 Turbo models newer than
/// gpt-3.5-turbo-1106".
const OLDER: [(&str, JsonSupport); 11] = [
    ("gpt-4o-2024-05-13", JsonSupport::Object),
    ("gpt-4o", JsonSupport::Schema),
    ("gpt-4.", JsonSupport::Schema),
    ("gpt-4-turbo", JsonSupport::Object),
    ("gpt-4-1106", JsonSupport::Object),
    ("gpt-4-0125", JsonSupport::Object),
    ("gpt-4", JsonSupport::None),
    ("gpt-3.5-turbo-0301", JsonSupport::None),
    ("gpt-3.5-turbo-0613", JsonSupport::None),
    ("gpt-3.5-turbo-16k", JsonSupport::None),
    ("gpt-3.5-turbo", JsonSupport::Object),
];

/// How this model of OpenAI's is made to answer by a schema.
pub(super) fn json_support(model: &str) -> JsonSupport {
    // A fine-tuned model is called `ft:<model>:<organization>:...`.
    let model = model.strip_prefix("ft:").unwrap_or(model);
    OLDER
        .iter()
        .find(|(prefix, _)| model.starts_with(prefix))
        .map_or(JsonSupport::Schema, |(_, support)| *support)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_known_by_the_start_of_their_names() {
        for (model, expected) in [
            ("gpt-4", JsonSupport::None),
            ("gpt-4-0613", JsonSupport::None),
            ("gpt-4-32k", JsonSupport::None),
            ("gpt-4-turbo", JsonSupport::Object),
            ("gpt-4-turbo-2024-04-09", JsonSupport::Object),
            ("gpt-4-1106-preview", JsonSupport::Object),
            ("gpt-3.5-turbo", JsonSupport::Object),
            ("gpt-3.5-turbo-0125", JsonSupport::Object),
            ("gpt-3.5-turbo-0613", JsonSupport::None),
            ("ft:gpt-3.5-turbo-0125:acme::1", JsonSupport::Object),
            ("gpt-4o", JsonSupport::Schema),
            ("gpt-4o-2024-05-13", JsonSupport::Object),
            ("gpt-4o-mini", JsonSupport::Schema),
            ("ft:gpt-4o-mini-2024-07-18:acme::1", JsonSupport::Schema),
            ("gpt-4.1-mini", JsonSupport::Schema),
            ("gpt-5", JsonSupport::Schema),
            ("o3", JsonSupport::Schema),
            ("o4-mini", JsonSupport::Schema),
        ] {
            assert_eq!(json_support(model), expected, "{model}");
        }
    }
}
