//! A JSON schema as an instruction, for models that can't be made to obey one.

use crate::call::Schema;

/// Asks for an answer by this schema. Says "JSON", without which OpenAI refuses `json_object`.
pub(in crate::provider) fn schema_instruction(schema: &Schema) -> String {
    format!(
        "Answer with a single JSON value that is valid against the JSON schema below, and with \
         nothing else: no introduction, no explanation, no code fence.\n\n{}",
        schema.json.get()
    )
}
