//! One valid request, whichever of the two APIs it came by.

use serde_json::Value;

use super::Api;
use super::tokens::Tokens;

/// What a client asked for, after validation.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) api: Api,
    pub(crate) model: String,
    /// Instructions: the system messages, joined.
    pub(crate) system: String,
    /// The last user message: it holds the article.
    pub(crate) user: String,
    /// Every message as (role, text), for counting.
    pub(crate) messages: Vec<(String, String)>,
    /// The most output tokens, if capped.
    pub(crate) cap: Option<u64>,
    pub(crate) stops: Vec<String>,
    /// The JSON schema that the answer must obey.
    pub(crate) schema: Option<Value>,
    /// Whether some JSON object was asked for without a schema.
    pub(crate) wants_json: bool,
    /// Text whose prefix the provider is asked to cache (Anthropic's `cache_control`).
    pub(crate) cacheable: String,
    pub(crate) stream: bool,
    /// OpenAI's `stream_options.include_usage`.
    pub(crate) include_usage: bool,
}

impl Call {
    /// The whole prompt as text, to match faults against.
    pub(crate) fn prompt(&self) -> String {
        let texts: Vec<&str> = self
            .messages
            .iter()
            .map(|(_, text)| text.as_str())
            .collect();
        format!("{}\n{}", self.system, texts.join("\n"))
    }

    /// What the provider bills as input.
    ///
    /// For OpenAI's chat format three tokens frame each message and three prime the answer
    /// (OpenAI Cookbook, "How to count tokens with tiktoken"); a schema is part of the prompt.
    pub(crate) fn input_tokens(&self, tokens: &Tokens) -> u64 {
        let texts: u64 = self
            .messages
            .iter()
            .map(|(role, text)| 3 + tokens.count(role) + tokens.count(text))
            .sum();
        let system = match self.api {
            Api::OpenAi => 0,
            Api::Anthropic => tokens.count(&self.system),
        };
        let schema = self
            .schema
            .as_ref()
            .map_or(0, |schema| tokens.count(&schema.to_string()));
        texts + system + schema + 3
    }
}

/// The text of a message's `content`: a string, or the text parts of an array.
pub(crate) fn content_text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts
            .iter()
            .filter_map(|part| part["text"].as_str())
            .collect::<Vec<_>>()
            .join("\n"),
        _ => String::new(),
    }
}

/// A JSON schema written into instructions, for clients whose model has no schema mode: the largest
/// balanced `{...}` that parses as an object with `properties`.
pub(crate) fn schema_in(text: &str) -> Option<Value> {
    let mut best: Option<(usize, Value)> = None;
    let mut from = 0;
    let mut tries = 0;
    // Bounded: an article full of braces must not cost quadratic time.
    while let Some(at) = text[from..].find('{').map(|offset| from + offset) {
        tries += 1;
        if tries > 200 {
            break;
        }
        let mut values = serde_json::Deserializer::from_str(&text[at..]).into_iter::<Value>();
        match values.next() {
            Some(Ok(value)) => {
                let length = values.byte_offset();
                if value["properties"].is_object()
                    && best.as_ref().is_none_or(|(longest, _)| length > *longest)
                {
                    best = Some((length, value));
                }
                from = at + length;
            }
            _ => from = at + 1,
        }
    }
    best.map(|(_, schema)| schema)
}

/// The article of a user message: the lines between `<article>` and `</article>`, else all of it.
pub(crate) fn article_in(user: &str) -> &str {
    let Some(open) = user.find("<article>") else {
        return user;
    };
    let start = open + "<article>".len();
    let end = user
        .rfind("</article>")
        .filter(|end| *end >= start)
        .unwrap_or(user.len());
    user[start..end].trim()
}

/// The title that stands before the article, if the prompt gives one as `Title: ...`.
pub(crate) fn title_in(user: &str) -> &str {
    let before = user.find("<article>").map_or("", |open| &user[..open]);
    before
        .lines()
        .find_map(|line| line.trim().strip_prefix("Title:"))
        .map_or("", str::trim)
}

/// A string list that may also be one string or absent (`stop`).
pub(crate) fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::String(one) => vec![one.clone()],
        Value::Array(many) => many
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_article_is_what_stands_between_the_marks() {
        let user = "Title: A harbour\n<article>\nThe harbour closed.\n</article>\nAnswer in JSON.";
        assert_eq!(article_in(user), "The harbour closed.");
        assert_eq!(title_in(user), "A harbour");
        assert_eq!(article_in("No marks here."), "No marks here.");
    }

    #[test]
    fn an_article_cannot_close_its_own_mark_early() {
        let user = "<article>\nOne.\n</article>\nTwo.\n</article>";
        assert!(article_in(user).contains("Two."));
    }

    #[test]
    fn a_schema_is_found_among_other_braces() {
        let text = r#"Use {curly} words. {"a":1} Schema: {"type":"object","properties":{"x":{"type":"string"}}} end"#;
        assert_eq!(
            schema_in(text).expect("there is one")["properties"]["x"]["type"],
            "string"
        );
        assert!(schema_in("no { schema } here").is_none());
    }
}
