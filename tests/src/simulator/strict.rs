//! What the providers refuse in a JSON schema although JSON Schema allows it.

use serde_json::Value;

/// Why OpenAI's strict mode refuses `schema`, in its words.
pub(crate) fn openai_problem(schema: &Value) -> Option<String> {
    problem(schema, &mut Vec::new(), &|node, path| {
        let properties = node["properties"].as_object();
        if node["type"] != "object" && properties.is_none() {
            return None;
        }
        let context = format!("In context={}", tuple(path));
        if node["additionalProperties"] != Value::Bool(false) {
            return Some(format!(
                "{context}, 'additionalProperties' is required to be supplied and to be false."
            ));
        }
        let required = node["required"].as_array();
        let missing = properties
            .into_iter()
            .flat_map(|map| map.keys())
            .find(|name| {
                required.is_none_or(|list| !list.iter().any(|entry| entry.as_str() == Some(name)))
            });
        missing.map(|name| {
            format!(
                "{context}, 'required' is required to be supplied and to be an array including \
                 every key in properties. Missing '{name}'."
            )
        })
    })
}

/// Why Anthropic's structured outputs refuse `schema`, in its words.
pub(crate) fn anthropic_problem(schema: &Value) -> Option<String> {
    problem(schema, &mut Vec::new(), &|node, _| {
        let kind = kind(node);
        if kind == "object" && node["additionalProperties"] != Value::Bool(false) {
            return Some(
                "For 'object' type, 'additionalProperties' must be explicitly set to false"
                    .to_owned(),
            );
        }
        let refused: &[&str] = match kind {
            "integer" | "number" => &[
                "exclusiveMaximum",
                "exclusiveMinimum",
                "maximum",
                "minimum",
                "multipleOf",
            ],
            "string" => &["maxLength", "minLength"],
            "array" => &["maxItems", "uniqueItems"],
            _ => &[],
        };
        let found: Vec<&str> = refused
            .iter()
            .copied()
            .filter(|name| node.get(name).is_some())
            .collect();
        match found.as_slice() {
            [] => None,
            [one] => Some(format!(
                "For '{kind}' type, property '{one}' is not supported"
            )),
            many => Some(format!(
                "For '{kind}' type, properties {} are not supported",
                many.join(", ")
            )),
        }
    })
}

/// The first type of a node that is not null.
fn kind(node: &Value) -> &str {
    match &node["type"] {
        Value::String(one) => one,
        Value::Array(many) => many
            .iter()
            .filter_map(Value::as_str)
            .find(|kind| *kind != "null")
            .unwrap_or_default(),
        _ => "",
    }
}

type Check<'a> = &'a dyn Fn(&Value, &[String]) -> Option<String>;

fn problem(node: &Value, path: &mut Vec<String>, check: Check<'_>) -> Option<String> {
    // Deeper than any real schema; a schema is data from outside.
    if path.len() > 64 {
        return Some("the schema is nested too deeply.".to_owned());
    }
    if let Some(found) = check(node, path) {
        return Some(found);
    }
    for list in ["properties", "$defs", "definitions"] {
        for (name, inner) in node[list].as_object().into_iter().flatten() {
            path.extend([list.to_owned(), name.clone()]);
            let found = problem(inner, path, check);
            path.truncate(path.len() - 2);
            if found.is_some() {
                return found;
            }
        }
    }
    let single = std::iter::once(("items", &node["items"]));
    let unions = ["anyOf", "allOf", "oneOf"].into_iter().flat_map(|list| {
        node[list]
            .as_array()
            .into_iter()
            .flatten()
            .map(move |inner| (list, inner))
    });
    for (name, inner) in single.chain(unions).filter(|(_, inner)| inner.is_object()) {
        path.push(name.to_owned());
        let found = problem(inner, path, check);
        path.pop();
        if found.is_some() {
            return found;
        }
    }
    None
}

/// A path as Python prints a tuple of strings.
fn tuple(path: &[String]) -> String {
    match path {
        [] => "()".to_owned(),
        [one] => format!("('{one}',)"),
        many => format!("('{}')", many.join("', '")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn openai_wants_closed_objects_with_all_properties_required() {
        let open = json!({"type": "object", "properties": {"a": {"type": "object"}}});
        assert!(
            openai_problem(&open)
                .expect("open")
                .contains("In context=(), 'additionalProp")
        );
        let inner = json!({"type": "object", "additionalProperties": false, "required": ["a"],
            "properties": {"a": {"type": "object"}}});
        let said = openai_problem(&inner).expect("the inner one is open");
        assert!(said.contains("In context=('properties', 'a')"), "{said}");
        let optional = json!({"type": "object", "additionalProperties": false,
            "properties": {"a": {"type": "string"}}});
        assert!(
            openai_problem(&optional)
                .expect("optional")
                .contains("Missing 'a'")
        );
    }

    #[test]
    fn anthropic_refuses_bounds() {
        let bounded = json!({"type": "object", "additionalProperties": false,
            "properties": {"a": {"type": "integer", "minimum": 1, "maximum": 10}}});
        let said = anthropic_problem(&bounded).expect("bounded");
        assert_eq!(
            said,
            "For 'integer' type, properties maximum, minimum are not supported"
        );
        let plain = json!({"type": "object", "additionalProperties": false,
            "properties": {"a": {"type": ["string", "null"]}}});
        assert_eq!(anthropic_problem(&plain), None);
    }
}
