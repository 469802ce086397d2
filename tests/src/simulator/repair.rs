//! Repairs JSON that a client could not use: the answer's good parts stay, the rest follows the schema.

use serde_json::{Map, Value};

use super::article::Article;
use super::fill;

/// The repaired value, if the prompt holds an `<answer>` to repair.
pub(crate) fn repair(schema: &Value, user: &str) -> Option<Value> {
    let (before, rest) = user.split_once("<answer>")?;
    let (answer, _) = rest.rsplit_once("</answer>")?;
    let fresh = fill::fill(schema, &Article::read(answer, ""));
    let Some(old) = first_object(answer) else {
        return Some(fresh);
    };
    let complaints = before
        .split_once("What is wrong")
        .map_or("", |(_, list)| list);
    Some(
        Repair {
            root: schema,
            complaints,
        }
        .keep(schema, &old, &fresh),
    )
}

fn first_object(answer: &str) -> Option<Value> {
    let start = answer.find('{')?;
    serde_json::Deserializer::from_str(&answer[start..])
        .into_iter::<Value>()
        .next()?
        .ok()
}

struct Repair<'a> {
    root: &'a Value,
    /// What the client says is wrong.
    complaints: &'a str,
}

impl Repair<'_> {
    fn keep(&self, schema: &Value, old: &Value, fresh: &Value) -> Value {
        let schema = fill::resolve(schema, self.root);
        match (fresh, old) {
            (Value::Object(fresh), Value::Object(old)) => self.object(schema, old, fresh),
            (Value::Array(_), Value::Array(old)) => self.array(schema, old),
            _ if self.fits(schema, old) => old.clone(),
            _ => fresh.clone(),
        }
    }

    fn object(
        &self,
        schema: &Value,
        old: &Map<String, Value>,
        fresh: &Map<String, Value>,
    ) -> Value {
        let kept = fresh.iter().map(|(name, fresh)| {
            let inner = &schema["properties"][name.as_str()];
            let value = old
                .get(name)
                .map_or_else(|| fresh.clone(), |old| self.keep(inner, old, fresh));
            (name.clone(), value)
        });
        Value::Object(kept.collect())
    }

    /// Items stay unless a complaint quotes them.
    fn array(&self, schema: &Value, old: &[Value]) -> Value {
        let items = &schema["items"];
        let kept = old.iter().filter(|item| !self.is_blamed(item)).map(|item| {
            let fresh = fill::fill(fill::resolve(items, self.root), &Article::read("", ""));
            self.keep(items, item, &fresh)
        });
        Value::Array(kept.collect())
    }

    fn is_blamed(&self, item: &Value) -> bool {
        let text = item
            .as_str()
            .or_else(|| item["name"].as_str())
            .or_else(|| item["text"].as_str());
        text.is_some_and(|text| !text.is_empty() && self.complaints.contains(text))
    }

    fn fits(&self, schema: &Value, value: &Value) -> bool {
        if let Some(allowed) = schema["enum"].as_array() {
            return allowed.contains(value);
        }
        let within = |number: f64| {
            schema["minimum"]
                .as_f64()
                .is_none_or(|least| number >= least)
                && schema["maximum"].as_f64().is_none_or(|most| number <= most)
        };
        let is = |kind: &Value| match kind.as_str() {
            Some("string") => value.is_string(),
            Some("integer") => value.is_i64() && value.as_f64().is_some_and(within),
            Some("number") => value.as_f64().is_some_and(within),
            Some("boolean") => value.is_boolean(),
            Some("null") => value.is_null(),
            _ => false,
        };
        match &schema["type"] {
            Value::Array(kinds) => kinds.iter().any(is),
            kind => is(kind),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn good_parts_stay_and_bad_parts_go() {
        let schema = json!({"type": "object", "required": ["people", "primary", "score"], "properties": {
            "people": {"type": "array", "items": {"type": "object", "properties":
                {"name": {"type": "string"}, "mentions": {"type": "integer"}}}},
            "primary": {"type": "string", "enum": ["arts", "tech"]},
            "score": {"type": "integer", "minimum": 1, "maximum": 10}}});
        let user = "Schema: ...\nWhat is wrong:\n- \"Bob Roe\" is not in the article\n<answer>\n```json\n\
            {\"people\": [{\"name\": \"Ann Poe\", \"mentions\": 3}, {\"name\": \"Bob Roe\", \"mentions\": 1}], \
            \"primary\": \"Arts\", \"score\": 7, \"extra\": 1}\n```\n</answer>";
        let repaired = repair(&schema, user).expect("there is an answer");
        assert_eq!(
            repaired["people"],
            json!([{"name": "Ann Poe", "mentions": 3}])
        );
        assert_eq!(repaired["score"], 7);
        assert!(["arts", "tech"].contains(&repaired["primary"].as_str().expect("text")));
        assert!(repaired.get("extra").is_none());
    }

    #[test]
    fn an_answer_that_is_no_json_is_made_anew() {
        let schema = json!({"type": "object", "properties": {"summary": {"type": "string"}}});
        let repaired = repair(
            &schema,
            "<answer>\nThe harbour was closed for a week.\n</answer>",
        );
        assert_eq!(
            repaired.expect("made")["summary"],
            "The harbour was closed for a week."
        );
        assert_eq!(repair(&schema, "<article>x</article>"), None);
    }
}
