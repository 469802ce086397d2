//! Which models and schemas Anthropic's structured outputs take.

/// Models older than structured outputs, by the start of their names; all later ones have them.
///
/// Source: <https://platform.claude.com/docs/en/build-with-claude/structured-outputs>: generally
/// available, without a beta header, as `output_config.format`, from the 4.5 generation on. Opus
/// 4.1 had them in the beta only, whose `output_format` is deprecated.
const OLDER: [&str; 8] = [
    "claude-2",
    "claude-instant",
    "claude-3",
    "claude-opus-4-0",
    "claude-opus-4-1",
    "claude-opus-4-2025",
    "claude-sonnet-4-0",
    "claude-sonnet-4-2025",
];

/// Keywords that make the API answer 400 ("For 'integer' type, property 'minimum' is not
/// supported"). Source: "JSON Schema limitations" of the same page.
const REFUSED_KEYWORDS: [&str; 10] = [
    "\"minimum\"",
    "\"maximum\"",
    "\"exclusiveMinimum\"",
    "\"exclusiveMaximum\"",
    "\"multipleOf\"",
    "\"minLength\"",
    "\"maxLength\"",
    "\"maxItems\"",
    "\"uniqueItems\"",
    "\"patternProperties\"",
];

/// Whether the provider can make this model obey this schema.
///
/// Keywords are looked for in the text, wherever they stand: a property of that name makes the
/// schema an instruction without need, which costs little; a 400 would cost the call.
pub(super) fn enforces(model: &str, schema: &str) -> bool {
    !OLDER.iter().any(|older| model.starts_with(older))
        && !REFUSED_KEYWORDS
            .iter()
            .any(|keyword| schema.contains(keyword))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_from_4_5_on_obey_a_plain_schema() {
        for model in [
            "claude-haiku-4-5-20251001",
            "claude-sonnet-4-5",
            "claude-opus-4-5-20251101",
            "claude-opus-4-6",
            "claude-sonnet-4-6",
            "claude-opus-4-8",
            "claude-sonnet-5",
            "claude-opus-5-5",
        ] {
            assert!(enforces(model, r#"{"type": "object"}"#), "{model}");
        }
        for model in [
            "claude-3-haiku-20240307",
            "claude-3-7-sonnet-20250219",
            "claude-opus-4-0",
            "claude-opus-4-20250514",
            "claude-opus-4-1-20250805",
            "claude-sonnet-4-20250514",
        ] {
            assert!(!enforces(model, r#"{"type": "object"}"#), "{model}");
        }
    }

    #[test]
    fn a_schema_that_the_api_refuses_is_not_sent_as_one() {
        let bounded = r#"{"type": "integer", "minimum": 1}"#;
        assert!(!enforces("claude-sonnet-5", bounded));
    }
}
