//! Fills a JSON schema from an article, property by property, guided by their names.

mod seeds;
mod values;

use serde_json::{Map, Value};

use super::article::Article;
use seeds::Seed;

/// Deeper schemas than this are filled with null: a schema is data from outside.
const DEPTH: usize = 24;

/// A value that obeys `schema`, made from `article`.
pub(crate) fn fill(schema: &Value, article: &Article) -> Value {
    Filler {
        root: schema,
        article,
    }
    .value(
        schema,
        &Place {
            name: "",
            seed: None,
            depth: 0,
        },
    )
}

/// Follows `$ref` inside of `root`.
pub(crate) fn resolve<'a>(schema: &'a Value, root: &'a Value) -> &'a Value {
    let mut schema = schema;
    // A chain of references longer than this is a circle.
    for _ in 0..DEPTH {
        let Some(reference) = schema["$ref"].as_str() else {
            break;
        };
        match root.pointer(reference.trim_start_matches('#')) {
            Some(target) => schema = target,
            None => break,
        }
    }
    schema
}

/// Where in the schema a value belongs.
#[derive(Clone, Copy)]
struct Place<'a> {
    /// The property's name, or its array's.
    name: &'a str,
    /// What an array's item is about.
    seed: Option<&'a Seed>,
    depth: usize,
}

struct Filler<'a> {
    root: &'a Value,
    article: &'a Article,
}

impl Filler<'_> {
    fn value(&self, schema: &Value, place: &Place<'_>) -> Value {
        let schema = resolve(schema, self.root);
        if place.depth > DEPTH {
            return Value::Null;
        }
        if let Some(fixed) = schema.get("const") {
            return fixed.clone();
        }
        if let Some(merged) = self.union(schema, place) {
            return merged;
        }
        if let Some(allowed) = schema["enum"].as_array() {
            return values::choose(allowed, place, self.article);
        }
        match kind(schema) {
            "object" => self.object(schema, place),
            "array" => self.array(schema, place),
            "string" => self.string(schema, place),
            "integer" => values::integer(schema, place, self.article),
            "number" => values::number(schema, place, self.article),
            "boolean" => Value::Bool(false),
            _ => Value::Null,
        }
    }

    /// The first branch of `anyOf` or `oneOf` that is not null; null itself if there is nothing to say.
    fn union(&self, schema: &Value, place: &Place<'_>) -> Option<Value> {
        if let Some(all) = schema["allOf"].as_array() {
            let mut whole = schema.clone();
            let object = whole.as_object_mut()?;
            object.remove("allOf");
            for part in all {
                merge(object, resolve(part, self.root));
            }
            return Some(self.value(
                &whole,
                &Place {
                    depth: place.depth + 1,
                    ..*place
                },
            ));
        }
        let branches = schema["anyOf"]
            .as_array()
            .or_else(|| schema["oneOf"].as_array())?;
        let is_null = |branch: &&Value| resolve(branch, self.root)["type"] == "null";
        if branches.iter().any(|branch| is_null(&branch)) && values::is_unknown(place) {
            return Some(Value::Null);
        }
        let branch = branches
            .iter()
            .find(|branch| !is_null(branch))
            .or(branches.first())?;
        Some(self.value(
            branch,
            &Place {
                depth: place.depth + 1,
                ..*place
            },
        ))
    }

    fn object(&self, schema: &Value, place: &Place<'_>) -> Value {
        let mut object = Map::new();
        for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
            let place = Place {
                name,
                seed: place.seed,
                depth: place.depth + 1,
            };
            object.insert(name.clone(), self.value(inner, &place));
        }
        values::agree(&mut object);
        Value::Object(object)
    }

    fn array(&self, schema: &Value, place: &Place<'_>) -> Value {
        let items = resolve(&schema["items"], self.root);
        let bound = |name: &str| {
            schema[name]
                .as_u64()
                .and_then(|bound| usize::try_from(bound).ok())
        };
        let mut seeds = seeds::of(place.name, items, self.root, self.article);
        seeds.truncate(bound("maxItems").unwrap_or(usize::MAX));
        let depth = place.depth + 1;
        let mut list: Vec<Value> = seeds
            .iter()
            .map(|seed| {
                self.value(
                    items,
                    &Place {
                        name: place.name,
                        seed: Some(seed),
                        depth,
                    },
                )
            })
            .collect();
        let least = bound("minItems").unwrap_or(0).min(100);
        while list.len() < least {
            list.push(self.value(
                items,
                &Place {
                    name: place.name,
                    seed: None,
                    depth,
                },
            ));
        }
        Value::Array(list)
    }

    fn string(&self, schema: &Value, place: &Place<'_>) -> Value {
        let nullable = schema["type"]
            .as_array()
            .is_some_and(|kinds| kinds.iter().any(|kind| kind == "null"));
        if nullable && values::is_unknown(place) {
            return Value::Null;
        }
        let mut text = values::text(place, self.article);
        if let Some(most) = schema["maxLength"]
            .as_u64()
            .and_then(|most| usize::try_from(most).ok())
            && text.chars().count() > most
        {
            text = text.chars().take(most).collect();
        }
        Value::String(text)
    }
}

/// The first type that is not null; a schema with properties is an object.
fn kind(schema: &Value) -> &str {
    match &schema["type"] {
        Value::String(one) => one,
        Value::Array(many) => many
            .iter()
            .filter_map(Value::as_str)
            .find(|kind| *kind != "null")
            .unwrap_or("null"),
        _ if schema["properties"].is_object() => "object",
        _ if schema["items"].is_object() => "array",
        _ => "string",
    }
}

/// Adds the keywords of one part of an `allOf`; properties are put together.
fn merge(whole: &mut Map<String, Value>, part: &Value) {
    for (key, value) in part.as_object().into_iter().flatten() {
        match (whole.get_mut(key), value) {
            (Some(Value::Object(known)), Value::Object(more)) => {
                known.extend(more.iter().map(|(key, value)| (key.clone(), value.clone())));
            }
            _ => {
                whole.insert(key.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TEXT: &str = "On 12 March 2021 the Ministry of Culture opened 40 museums in Greece. Maria Lopez, director \
        of the National Museum, said that visitors came from Sweden. The museum shows paintings and sculptures by \
        artists of the last century. Tickets for the exhibition cost 5 euros.";

    fn filled(schema: &Value) -> Value {
        fill(schema, &Article::read(TEXT, "Museums open"))
    }

    #[test]
    fn entities_take_the_shape_that_is_asked_for() {
        let named = json!({"type": "array", "items": {"type": "object", "required": ["name", "mentions"],
            "properties": {"name": {"type": "string"}, "mentions": {"type": "integer"}}}});
        let dates = json!({"type": "array", "items": {"type": "object", "properties":
            {"text": {"type": "string"}, "iso": {"type": ["string", "null"]}}}});
        let value = filled(&json!({"type": "object", "properties":
            {"people": named, "places": {"type": "array", "items": {"type": "string"}}, "dates": dates}}));
        assert_eq!(
            value["people"],
            json!([{"name": "Maria Lopez", "mentions": 1}])
        );
        assert_eq!(value["places"], json!(["Greece", "Sweden"]));
        assert_eq!(
            value["dates"],
            json!([{"text": "12 March 2021", "iso": "2021-03-12"}])
        );
    }

    #[test]
    fn the_count_of_sentences_is_that_of_the_summary() {
        let value = filled(&json!({"type": "object", "properties":
            {"summary": {"type": "string"}, "sentences": {"type": "integer"}}}));
        assert_eq!(value["sentences"], 2);
        assert!(
            TEXT.contains(
                value["summary"]
                    .as_str()
                    .expect("text")
                    .split(". ")
                    .next()
                    .expect("one")
            )
        );
    }

    #[test]
    fn labels_come_from_the_enum_and_the_first_is_primary() {
        let topics = json!({"type": "string", "enum": ["tech", "arts", "sports", "other"]});
        let value = filled(
            &json!({"type": "object", "properties": {"primary": topics, "labels": {"type": "array",
            "items": {"type": "object", "properties": {"label": topics, "confidence": {"type": "number"}}}}}}),
        );
        assert_eq!(value["primary"], "arts");
        assert_eq!(value["labels"][0]["label"], "arts");
        assert!((0.0..=1.0).contains(&value["labels"][0]["confidence"].as_f64().expect("number")));
    }

    #[test]
    fn bounds_references_and_unions_are_kept() {
        let schema = json!({
            "type": "object",
            "properties": {
                "relevance": {"type": "integer", "minimum": 1, "maximum": 3},
                "quality": {"$ref": "#/$defs/score"},
                "note": {"anyOf": [{"type": "null"}, {"type": "string", "maxLength": 12}]},
                "tags": {"type": "array", "minItems": 2, "maxItems": 3, "items": {"type": "string"}},
                "kind": {"const": "report"},
                "ok": {"type": "boolean"},
                "self": {"$ref": "#/$defs/circle"},
            },
            "$defs": {"score": {"type": "integer", "minimum": 5, "maximum": 5}, "circle": {"$ref": "#/$defs/circle"}},
        });
        let value = filled(&schema);
        assert!((1..=3).contains(&value["relevance"].as_i64().expect("whole")));
        assert_eq!(value["quality"], 5);
        assert!(value["note"].as_str().expect("text").chars().count() <= 12);
        assert!((2..=3).contains(&value["tags"].as_array().expect("list").len()));
        assert_eq!(
            (&value["kind"], &value["ok"]),
            (&json!("report"), &json!(false))
        );
    }

    #[test]
    fn the_same_article_gives_the_same_answer() {
        let schema = json!({"type": "object", "properties": {"people": {"type": "array", "items": {"type": "string"}},
            "summary": {"type": "string"}, "reason": {"type": "string"}}});
        assert_eq!(filled(&schema).to_string(), filled(&schema).to_string());
    }
}
