//! A configuration file as TOML, and what is found to be wrong while it is read.

use super::{
    environment::Environment,
    problem::{Place, Problem},
    reader::Reader,
};
use std::{cell::RefCell, ops::Range};
use toml::de::{DeTable, DeValue};

/// The text, the environment, and the problems so far.
pub(super) struct Document<'a> {
    text: &'a str,
    environment: &'a dyn Environment,
    problems: RefCell<Vec<Problem>>,
}

/// What TOML calls a key or table that is given twice.
const DUPLICATE: &str = "duplicate key";

/// Reads a text with `read` and returns what it made, or everything that is wrong.
///
/// After an error of syntax the rest of the text can't be trusted, so only such errors are
/// reported then. A key that is given twice is no such error: all else is still looked at.
pub(super) fn read<T>(
    text: &str,
    environment: &dyn Environment,
    read: impl FnOnce(&mut Reader<'_>) -> Option<T>,
) -> Result<T, Vec<Problem>> {
    let (root, errors) = DeTable::parse_recoverable(text);
    let document = Document {
        text,
        environment,
        problems: RefCell::default(),
    };
    for error in &errors {
        document.report_syntax(error, root.get_ref());
    }
    if errors.iter().any(|error| error.message() != DUPLICATE) {
        return Err(document.problems.into_inner());
    }
    let mut reader = Reader::root(&document, root.get_ref());
    let made = read(&mut reader);
    reader.finish();
    let problems = document.problems.into_inner();
    match made {
        Some(made) if problems.is_empty() => Ok(made),
        _ => Err(problems),
    }
}

impl<'a> Document<'a> {
    pub(super) fn environment(&self) -> &'a dyn Environment {
        self.environment
    }

    pub(super) fn report(&self, place: Place, message: impl Into<String>) {
        let message = message.into();
        self.problems.borrow_mut().push(Problem { place, message });
    }

    /// The line of an offset, counted from 1.
    pub(super) fn line(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().get(..offset).unwrap_or_default();
        before.iter().filter(|b| **b == b'\n').count() + 1
    }

    /// Reports an error of syntax. The text itself is not shown: it may hold a secret.
    fn report_syntax(&self, error: &toml::de::Error, root: &DeTable<'_>) {
        let span = error.span().unwrap_or(0..0);
        if error.message() == DUPLICATE {
            return self.report_duplicate(&span, root);
        }
        let line_start = self.text[..floor(self.text, span.start)]
            .rfind('\n')
            .map_or(0, |newline| newline + 1);
        let column = self.text[line_start..floor(self.text, span.start)]
            .chars()
            .count()
            + 1;
        let place = Place {
            line: Some(self.line(span.start)),
            path: String::new(),
        };
        let message = error.message().trim();
        self.report(place, format!("not TOML, at column {column}: {message}"));
    }

    fn report_duplicate(&self, span: &Range<usize>, root: &DeTable<'_>) {
        let line = self.line(span.start);
        let header = |line: &str| header_keys(line.trim());
        let lines = self.text.lines().take(line);
        let keys = lines.clone().last().and_then(header);
        let (keys, first) = if let Some(keys) = keys {
            let first = lines
                .clone()
                .position(|line| header(line) == Some(keys.clone()));
            (keys, first.map(|before| before + 1))
        } else {
            let key = self.text.get(span.clone()).unwrap_or_default();
            let mut keys = lines.filter_map(header).last().unwrap_or_default();
            keys.push(unquoted(key));
            let first = self.first_line(&keys, root);
            (keys, first)
        };
        let place = Place {
            line: Some(line),
            path: keys.join("."),
        };
        let message = match first.filter(|first| *first < line) {
            Some(first) => format!("is given twice, first in line {first}; merge or rename one"),
            None => "is given twice; merge or rename one".to_owned(),
        };
        self.report(place, message);
    }

    fn first_line(&self, keys: &[String], root: &DeTable<'_>) -> Option<usize> {
        let (last, parents) = keys.split_last()?;
        let mut table = root;
        for key in parents {
            table = table.get(key.as_str())?.get_ref().as_table()?;
        }
        let (key, _) = table.get_key_value(last.as_str())?;
        Some(self.line(key.span().start))
    }
}

/// The keys of a header such as `[teams.news]`. A dot in quotes is taken for a separator, which
/// is good enough to say where something stands.
fn header_keys(line: &str) -> Option<Vec<String>> {
    let inside = line.strip_prefix('[')?.trim_start_matches('[');
    let (inside, _) = inside.split_once(']')?;
    Some(inside.split('.').map(unquoted).collect())
}

fn unquoted(key: &str) -> String {
    key.trim().trim_matches(['"', '\'']).to_owned()
}

/// The start of the character that `offset` lies in.
fn floor(text: &str, offset: usize) -> usize {
    text.floor_char_boundary(offset)
}

/// What a value is called in messages.
pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a decimal point",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
