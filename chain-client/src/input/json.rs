//! JSON documents, arrays of them, and JSON Lines. A bad line is one rejected article.

use super::{
    Flow, Options, Sink, Why,
    text::{self, Draft, clip},
};
use serde_json::Value;
use std::io::{BufRead, Read as _};

/// A line carries an article and its other fields; this is the room for the latter.
const LINE_OVERHEAD_BYTES: u64 = 64 * 1024;

/// One article a line. Empty lines are passed over.
pub(super) fn lines(mut reader: impl BufRead, id: &str, shown: &str, sink: &mut Sink<'_>) -> Flow {
    // Every byte of a text may be escaped in six characters.
    let limit = sink
        .options
        .max_bytes
        .saturating_mul(6)
        .saturating_add(LINE_OVERHEAD_BYTES);
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        let at = (format!("{id}:{number}"), format!("{shown}:{number}"));
        match (&mut reader)
            .take(limit.saturating_add(1))
            .read_until(b'\n', &mut line)
        {
            Ok(0) => return Flow::On,
            Ok(_) => {}
            Err(error) => return sink.unfit(at.0, at.1, 0, Why::Unreadable(error.to_string())),
        }
        let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
        let flow = if length > limit && line.last() != Some(&b'\n') {
            if reader.skip_until(b'\n').is_err() {
                return Flow::On;
            }
            sink.unfit(
                at.0,
                at.1,
                length,
                Why::Oversize {
                    limit: sink.options.max_bytes,
                },
            )
        } else if line.trim_ascii().is_empty() {
            Flow::On
        } else {
            one_line(std::mem::take(&mut line), at, sink)
        };
        if flow == Flow::End {
            return Flow::End;
        }
    }
    Flow::On
}

fn one_line(line: Vec<u8>, at: (String, String), sink: &mut Sink<'_>) -> Flow {
    let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
    let value = match text::decode(line) {
        Ok(line) => serde_json::from_str(&line).map_err(|error| Why::Malformed(error.to_string())),
        Err(why) => Err(why),
    };
    match value {
        Ok(value) => object(&value, at, sink),
        Err(why) => sink.unfit(at.0, at.1, length, why),
    }
}

/// An object is one article; an array has one article an element.
pub(super) fn document(whole: &str, id: &str, shown: &str, sink: &mut Sink<'_>) -> Flow {
    let value: Value = match serde_json::from_str(whole) {
        Ok(value) => value,
        Err(error) => {
            let bytes = u64::try_from(whole.len()).unwrap_or(u64::MAX);
            let why = if whole.trim().is_empty() {
                Why::Empty
            } else {
                Why::Malformed(error.to_string())
            };
            return sink.unfit(id.to_owned(), shown.to_owned(), bytes, why);
        }
    };
    let Value::Array(elements) = value else {
        return object(&value, (id.to_owned(), shown.to_owned()), sink);
    };
    for (number, element) in (1_u64..).zip(elements) {
        let at = (format!("{id}:{number}"), format!("{shown}:{number}"));
        if object(&element, at, sink) == Flow::End {
            return Flow::End;
        }
    }
    Flow::On
}

fn object(value: &Value, (id, source): (String, String), sink: &mut Sink<'_>) -> Flow {
    let options: &Options = sink.options;
    let id = match field(value, &options.id_field) {
        Some(Value::String(text)) if !text.trim().is_empty() => clip(text),
        Some(Value::Number(number)) => number.to_string(),
        _ => id,
    };
    let title = match field(value, &options.title_field) {
        Some(Value::String(text)) => clip(text),
        _ => String::new(),
    };
    match field(value, &options.text_field) {
        Some(Value::String(text)) => sink.article(
            id,
            source,
            Draft {
                title,
                text: text.trim().to_owned(),
            },
        ),
        Some(_) => {
            let why = Why::Malformed(format!("field {:?} is not a text", options.text_field));
            sink.unfit(id, source, 0, why)
        }
        None => {
            let why = Why::Malformed(format!("field {:?} is missing", options.text_field));
            sink.unfit(id, source, 0, why)
        }
    }
}

/// A field by its name, or by a JSON pointer such as `/body/text`.
fn field<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    if name.starts_with('/') {
        value.pointer(name)
    } else {
        value.get(name)
    }
}
