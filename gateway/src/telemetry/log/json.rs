//! A line as one JSON object: time, level, fields in their order, target.
//!
//! Written into one text as it goes, without a value or a map in between: there is a line for every
//! call.

use std::fmt::{self, Debug, Write as _};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::Writer,
        time::{FormatTime as _, SystemTime},
    },
    registry::LookupSpan,
};

/// The room for a line: the line of a call has about 700 bytes.
const USUAL_BYTES: usize = 1 << 10;

/// Formats events as JSON.
pub(super) struct Json;

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut to: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let about = event.metadata();
        let mut line = String::with_capacity(USUAL_BYTES);
        line.push_str("{\"timestamp\":\"");
        SystemTime.format_time(&mut Writer::new(&mut line))?;
        line.push_str("\",\"level\":\"");
        line.push_str(about.level().as_str());
        line.push('"');
        let mut fields = Fields {
            to: &mut line,
            written: Ok(()),
        };
        event.record(&mut fields);
        fields.written?;
        line.push_str(",\"target\":");
        text(&mut line, about.target())?;
        line.push_str("}\n");
        to.write_str(&line)
    }
}

/// Writes fields, each after a comma.
struct Fields<'a> {
    to: &'a mut String,
    written: fmt::Result,
}

impl Fields<'_> {
    fn put(&mut self, field: &Field, value: impl FnOnce(&mut String) -> fmt::Result) {
        if self.written.is_ok() {
            self.written = self.field(field.name(), value);
        }
    }

    fn field(&mut self, name: &str, value: impl FnOnce(&mut String) -> fmt::Result) -> fmt::Result {
        self.to.push(',');
        text(self.to, name)?;
        self.to.push(':');
        value(self.to)
    }
}

impl Visit for Fields<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, |to| {
            if value.is_finite() {
                write!(to, "{value}")
            } else {
                to.push_str("null");
                Ok(())
            }
        });
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, |to| write!(to, "{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, |to| write!(to, "{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, |to| write!(to, "{value}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, |to| text(to, value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, |to| {
            to.push('"');
            write!(Escaped(to), "{value:?}")?;
            to.push('"');
            Ok(())
        });
    }
}

fn text(to: &mut String, text: &str) -> fmt::Result {
    to.push('"');
    Escaped(to).write_str(text)?;
    to.push('"');
    Ok(())
}

/// Escapes what can't stand in a JSON string.
struct Escaped<'a>(&'a mut String);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let special = |byte: &u8| matches!(byte, 0..0x20 | b'"' | b'\\');
        // Nearly all texts have none. Looking at all of one is faster than stopping early.
        if !text.bytes().fold(false, |any, byte| any | special(&byte)) {
            self.0.push_str(text);
            return Ok(());
        }
        let mut plain = 0;
        for (place, byte) in text.bytes().enumerate() {
            if !special(&byte) {
                continue;
            }
            self.0.push_str(&text[plain..place]);
            plain = place + 1;
            match byte {
                b'"' => self.0.push_str("\\\""),
                b'\\' => self.0.push_str("\\\\"),
                b'\n' => self.0.push_str("\\n"),
                b'\r' => self.0.push_str("\\r"),
                b'\t' => self.0.push_str("\\t"),
                _ => write!(self.0, "\\u{byte:04x}")?,
            }
        }
        self.0.push_str(&text[plain..]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{super::testing::Captured, subscriber};
    use crate::config::telemetry::LogFormat;
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use tracing::Level;

    fn line(log: impl FnOnce()) -> Value {
        let captured = Captured::default();
        let subscriber = subscriber(LogFormat::Json, Level::INFO, captured.clone());
        tracing::subscriber::with_default(subscriber, log);
        serde_json::from_str(&captured.text()).expect("one line of JSON")
    }

    #[test]
    fn each_kind_of_value_is_what_it_was() {
        let nothing: Option<u64> = None;
        let mut line = line(|| {
            tracing::info!(
                target: "tollgate::test",
                whole = 7_u64,
                negative = -7_i64,
                part = 0.125,
                endless = f64::INFINITY,
                yes = true,
                said = "\"ü\"",
                shown = %"a\tb",
                debugged = ?Some("x"),
                nothing,
                "told"
            );
        });
        let timestamp = line["timestamp"].take();
        assert!(timestamp.as_str().is_some_and(|text| text.ends_with('Z')));
        let expected = json!({
            "timestamp": null, "level": "INFO", "target": "tollgate::test", "message": "told",
            "whole": 7, "negative": -7, "part": 0.125, "endless": null, "yes": true,
            "said": "\"ü\"", "shown": "a\tb", "debugged": "Some(\"x\")",
        });
        assert_eq!(line, expected);
    }

    proptest! {
        #[test]
        fn any_text_and_number_survives(text in any::<String>(), eighths in any::<i32>()) {
            // Eighths, because serde_json reads longer fractions only nearly.
            let number = f64::from(eighths) / 8.0;
            let line = line(|| tracing::info!(target: "tollgate", text, number));
            prop_assert_eq!(line["text"].as_str(), Some(&*text));
            prop_assert_eq!(line["number"].as_f64(), Some(number));
        }
    }
}
