//! A line as one JSON object: time, level, fields in their order, target.
//!
//! Written as it goes, without a value or a map in between: there is a line for every call.

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
        to.write_str("{\"timestamp\":\"")?;
        SystemTime.format_time(&mut to)?;
        to.write_str("\",\"level\":\"")?;
        to.write_str(about.level().as_str())?;
        to.write_char('"')?;
        let mut fields = Fields {
            to: to.by_ref(),
            written: Ok(()),
        };
        event.record(&mut fields);
        fields.written?;
        to.write_str(",\"target\":")?;
        text(&mut to, about.target())?;
        to.write_str("}\n")
    }
}

/// Writes fields, each after a comma.
struct Fields<'a> {
    to: Writer<'a>,
    written: fmt::Result,
}

impl Fields<'_> {
    fn put(&mut self, field: &Field, value: impl FnOnce(&mut Writer<'_>) -> fmt::Result) {
        if self.written.is_ok() {
            self.written = self.field(field.name(), value);
        }
    }

    fn field(
        &mut self,
        name: &str,
        value: impl FnOnce(&mut Writer<'_>) -> fmt::Result,
    ) -> fmt::Result {
        self.to.write_char(',')?;
        text(&mut self.to, name)?;
        self.to.write_char(':')?;
        value(&mut self.to)
    }
}

impl Visit for Fields<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, |to| {
            if value.is_finite() {
                write!(to, "{value}")
            } else {
                to.write_str("null")
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
            to.write_char('"')?;
            write!(Escaped(to), "{value:?}")?;
            to.write_char('"')
        });
    }
}

fn text(to: &mut Writer<'_>, text: &str) -> fmt::Result {
    to.write_char('"')?;
    Escaped(to).write_str(text)?;
    to.write_char('"')
}

/// Escapes what can't stand in a JSON string.
struct Escaped<'a, 'b>(&'a mut Writer<'b>);

impl fmt::Write for Escaped<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let special = |byte: &u8| matches!(byte, 0..0x20 | b'"' | b'\\');
        let mut plain = 0;
        for (place, byte) in text.bytes().enumerate() {
            if !special(&byte) {
                continue;
            }
            self.0.write_str(&text[plain..place])?;
            plain = place + 1;
            match byte {
                b'"' => self.0.write_str("\\\"")?,
                b'\\' => self.0.write_str("\\\\")?,
                b'\n' => self.0.write_str("\\n")?,
                b'\r' => self.0.write_str("\\r")?,
                b'\t' => self.0.write_str("\\t")?,
                _ => write!(self.0, "\\u{byte:04x}")?,
            }
        }
        self.0.write_str(&text[plain..])
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
