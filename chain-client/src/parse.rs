//! Reads the JSON in a model's answer, also where the model wrapped or misspelt it a little.
//!
//! All of it is free: no call is made. What was mended here is counted, so that nobody takes a
//! sloppy model for a good one.

use serde_json::Value;

/// A value, and whether it took mending to read it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Parsed {
    pub(crate) value: Value,
    pub(crate) mended: bool,
}

/// The JSON object in an answer.
pub(crate) fn object(answer: &str) -> Result<Parsed, String> {
    let trimmed = answer.trim_start_matches('\u{FEFF}').trim();
    let first_error = match serde_json::from_str::<Value>(trimmed) {
        Ok(value) if value.is_object() => {
            return Ok(Parsed {
                value,
                mended: false,
            });
        }
        Ok(_) => "the answer is JSON, but not an object".to_owned(),
        Err(error) => format!("the answer is not JSON: {error}"),
    };
    let read = |text: &str| {
        serde_json::from_str::<Value>(text)
            .ok()
            .filter(Value::is_object)
            .map(|value| Parsed {
                value,
                mended: true,
            })
    };
    // An apostrophe opens a string only for those who write Python.
    for quotes in [&['"'][..], &['"', '\'']] {
        let Some(candidate) = first_balanced(trimmed, quotes) else {
            continue;
        };
        if let Some(parsed) = read(candidate).or_else(|| read(&mend(candidate))) {
            return Ok(parsed);
        }
    }
    Err(first_error)
}

/// From the first `{` to the brace that closes it, strings respected.
fn first_balanced<'a>(text: &'a str, quotes: &[char]) -> Option<&'a str> {
    let start = text.find('{')?;
    let (mut depth, mut quote, mut escaped) = (0_u32, None, false);
    for (at, c) in text[start..].char_indices() {
        if let Some(open) = quote {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                _ if c == open => quote = None,
                _ => {}
            }
            continue;
        }
        match c {
            c if quotes.contains(&c) => quote = Some(c),
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    return Some(&text[start..=start + at]);
                }
            }
            _ => {}
        }
    }
    None
}

/// Drops trailing commas, turns single-quoted strings into double-quoted ones, and reads Python's
/// `True`, `False` and `None`.
fn mend(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let chars: Vec<char> = text.chars().collect();
    let mut at = 0;
    while at < chars.len() {
        match chars[at] {
            quote @ ('"' | '\'') => at = copy_string(&chars, at, quote, &mut out),
            ',' if matches!(next_mark(&chars, at + 1), Some('}' | ']')) => at += 1,
            c if c.is_alphabetic() => {
                let end = (at..chars.len()).find(|&i| !chars[i].is_alphabetic());
                let word: String = chars[at..end.unwrap_or(chars.len())].iter().collect();
                out.push_str(match word.as_str() {
                    "True" => "true",
                    "False" => "false",
                    "None" => "null",
                    other => other,
                });
                at = end.unwrap_or(chars.len());
            }
            c => {
                out.push(c);
                at += 1;
            }
        }
    }
    out
}

fn next_mark(chars: &[char], from: usize) -> Option<char> {
    chars
        .iter()
        .skip(from)
        .copied()
        .find(|c| !c.is_whitespace())
}

/// Copies the string that starts at `start` in double quotes; answers the place after it.
fn copy_string(chars: &[char], start: usize, quote: char, out: &mut String) -> usize {
    out.push('"');
    let mut at = start + 1;
    while at < chars.len() {
        match chars[at] {
            '\\' if chars.get(at + 1) == Some(&'\'') => {
                out.push('\'');
                at += 1;
            }
            '\\' => {
                out.push('\\');
                if let Some(&next) = chars.get(at + 1) {
                    out.push(next);
                }
                at += 1;
            }
            c if c == quote => {
                out.push('"');
                return at + 1;
            }
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn plain_json_needs_no_mending() {
        let parsed = object(" {\"a\": 1}\n").unwrap();
        assert_eq!(
            parsed,
            Parsed {
                value: json!({"a": 1}),
                mended: false
            }
        );
    }

    #[test]
    fn fences_prose_and_small_slips_are_mended() {
        for answer in [
            "```json\n{\"a\": \"x}\", \"b\": [1, 2,],}\n```",
            "Sure! Here it is: {\"a\": \"x}\", \"b\": [1, 2]} Hope that helps {smile}.",
            "{'a': 'x}', 'b': [1, 2]}",
        ] {
            let parsed = object(answer).unwrap();
            assert_eq!(
                parsed,
                Parsed {
                    value: json!({"a": "x}", "b": [1, 2]}),
                    mended: true
                }
            );
        }
        assert_eq!(
            object("{'a': None, 'b': True}").unwrap().value,
            json!({"a": null, "b": true})
        );
        assert_eq!(
            object("{'a': 'it\\'s \"so\"'}").unwrap().value,
            json!({"a": "it's \"so\""})
        );
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for answer in ["", "no", "[1]", "{\"a\": ", "42", "{{{"] {
            assert!(object(answer).is_err(), "{answer}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_answer_breaks_the_reader(answer in "\\PC*") {
            let _ = object(&answer);
            let _ = object(&format!("{{{answer}}}"));
        }
    }
}
