//! Reads a table key by key, with the exact path of everything that is wrong.
//!
//! Serde stops at the first problem. A reader reports it and goes on, and at the end reports the
//! keys that nobody asked for. So one run of `tollgate check` shows all there is to fix.

use super::{
    document::{Document, kind},
    environment::Environment,
    problem::Place,
    suggest, text,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    ops::RangeInclusive,
    sync::Arc,
    time::Duration,
};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Located<T> {
    pub(super) place: Place,
    pub(super) value: T,
}

/// Tables by name.
#[derive(Debug)]
pub(super) struct Named<T> {
    /// All names, also of tables with problems: another section may refer to them.
    pub(super) names: BTreeSet<Arc<str>>,
    /// What could be read.
    pub(super) read: BTreeMap<Arc<str>, T>,
}

/// One table that is being read.
pub(super) struct Reader<'a> {
    document: &'a Document<'a>,
    /// `None`: the table is not there, and every key of it is absent.
    table: Option<&'a DeTable<'a>>,
    place: Place,
    /// The keys that were asked for: those that may be there.
    known: BTreeSet<String>,
    /// Keys that may not be there, but were reported already with a better message.
    refused: BTreeSet<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn root(document: &'a Document<'a>, table: &'a DeTable<'a>) -> Self {
        Self::new(document, Some(table), Place::default())
    }

    const fn new(document: &'a Document<'a>, table: Option<&'a DeTable<'a>>, place: Place) -> Self {
        Self {
            document,
            table,
            place,
            known: BTreeSet::new(),
            refused: BTreeSet::new(),
        }
    }

    /// Reports every key that nobody asked for.
    pub(super) fn finish(self) {
        let known: Vec<&str> = self.known.iter().map(String::as_str).collect();
        for key in self.table.iter().flat_map(|table| table.keys()) {
            let key: &str = key.get_ref();
            if !self.known.contains(key) && !self.refused.contains(key) {
                let hint = suggest::hint(key, "keys here", &known);
                self.report(key, format!("unknown key; {hint}"));
            }
        }
    }

    pub(super) fn environment(&self) -> &'a dyn Environment {
        self.document.environment()
    }

    /// Where this table stands.
    pub(super) fn place(&self) -> Place {
        self.place.clone()
    }

    /// Where a key of this table stands, or would stand.
    pub(super) fn place_of(&self, key: &str) -> Place {
        let entry = self.table.and_then(|table| table.get_key_value(key));
        Place {
            line: entry.map_or(self.place.line, |(key, _)| Some(self.line(key))),
            path: join(&self.place.path, key),
        }
    }

    /// Whether the key is there.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.is_some_and(|table| table.contains_key(key))
    }

    /// Whether the key is there as a list without items.
    pub(super) fn is_empty_list(&self, key: &str) -> bool {
        let value = self.table.and_then(|table| table.get(key));
        value.is_some_and(|value| {
            value
                .get_ref()
                .as_array()
                .is_some_and(|list| list.is_empty())
        })
    }

    /// Reports a problem with a key of this table.
    pub(super) fn report(&self, key: &str, message: impl Into<String>) {
        self.report_at(self.place_of(key), message);
    }

    /// Reports a problem with something that was read before.
    pub(super) fn report_at(&self, place: Place, message: impl Into<String>) {
        self.document.report(place, message);
    }

    /// Refuses a key with a message that says more than "unknown key".
    pub(super) fn refuse(&mut self, key: &str, message: impl Into<String>) {
        if self.has(key) {
            self.refused.insert(key.to_owned());
            self.report(key, message);
        }
    }

    /// Reports a key that has to be there and is not.
    pub(super) fn require(&self, key: &str, example: &str) {
        if !self.has(key) {
            self.report(
                key,
                format!("is missing; write, for example, {key} = {example}"),
            );
        }
    }

    /// Text in quotes.
    pub(super) fn text<T>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = self.typed(key, "text in quotes", DeValue::as_str)?;
        self.passed(key, parse(text))
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&mut self, key: &str, words: &[(&str, T)]) -> Option<T> {
        self.text(key, |text| {
            let found = words.iter().find(|(word, _)| *word == text);
            found.map(|(_, meaning)| *meaning).ok_or_else(|| {
                let all: Vec<String> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
                let shown = text::shown(text);
                format!("{shown} is not one of {}", all.join(", "))
            })
        })
    }

    /// A whole number within bounds.
    pub(super) fn number(&mut self, key: &str, bounds: RangeInclusive<u64>) -> Option<u64> {
        let number = self.typed(key, "a whole number", |value| {
            let integer = value.as_integer()?;
            // A number that does not fit is out of bounds, not of another type.
            Some(i128::from_str_radix(integer.as_str(), integer.radix()).unwrap_or(i128::MAX))
        })?;
        let within = u64::try_from(number).ok().filter(|n| bounds.contains(n));
        self.passed(key, within.ok_or_else(|| out_of(&bounds, number)))
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, key: &str) -> Option<bool> {
        self.typed(key, "true or false", DeValue::as_bool)
    }

    /// A duration within bounds.
    pub(super) fn duration(
        &mut self,
        key: &str,
        bounds: RangeInclusive<Duration>,
    ) -> Option<Duration> {
        self.text(key, |text| {
            let duration = text::duration(text)?;
            if bounds.contains(&duration) {
                return Ok(duration);
            }
            Err(format!(
                "{text:?} is not from \"{}\" to \"{}\"",
                text::duration_text(*bounds.start()),
                text::duration_text(*bounds.end()),
            ))
        })
    }

    /// A size in bytes within bounds.
    pub(super) fn size(&mut self, key: &str, bounds: RangeInclusive<u64>) -> Option<u64> {
        self.text(key, |text| {
            let size = text::size(text)?;
            if bounds.contains(&size) {
                return Ok(size);
            }
            Err(format!(
                "{text:?} is not from \"{}\" to \"{}\"",
                text::size_text(*bounds.start()),
                text::size_text(*bounds.end()),
            ))
        })
    }

    /// A share above 0 and up to 1, in thousandths.
    pub(super) fn share(&mut self, key: &str) -> Option<u16> {
        let digits = self.typed(key, A_SHARE, decimal)?;
        self.passed(key, text::share(digits))
    }

    /// A list of shares.
    pub(super) fn shares(&mut self, key: &str) -> Option<Vec<Located<u16>>> {
        self.list(key, A_SHARE, |value| decimal(value).map(text::share))
    }

    /// A list of texts.
    pub(super) fn texts<T>(
        &mut self,
        key: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Vec<Located<T>>> {
        self.list(key, "text in quotes", |value| value.as_str().map(&parse))
    }

    /// A table; an absent one is read like an empty one.
    pub(super) fn table<T>(&mut self, key: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        let table = self.typed(key, "a table", DeValue::as_table);
        self.enter(self.place_of(key), table, read)
    }

    /// A table that may be absent.
    pub(super) fn optional_table<T>(
        &mut self,
        key: &str,
        read: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<T> {
        let table = self.typed(key, "a table", DeValue::as_table)?;
        self.enter(self.place_of(key), Some(table), read)
    }

    /// A list of tables; what could be read of them.
    pub(super) fn tables<T>(
        &mut self,
        key: &str,
        mut read: impl FnMut(&mut Self) -> Option<T>,
    ) -> Vec<Located<T>> {
        let tables = self
            .list(key, "a table", |value| value.as_table().map(Ok))
            .unwrap_or_default();
        let mut all = Vec::new();
        for Located { place, value } in tables {
            let made = self.enter(place.clone(), Some(value), &mut read);
            all.extend(made.map(|value| Located { place, value }));
        }
        all
    }

    /// Tables by name.
    pub(super) fn named<T>(
        &mut self,
        key: &str,
        check: impl Fn(&str) -> Result<(), String>,
        mut read: impl FnMut(&Arc<str>, &mut Self) -> Option<T>,
    ) -> Named<T> {
        self.table(key, |section| {
            let mut named = Named {
                names: BTreeSet::new(),
                read: BTreeMap::new(),
            };
            let table = section.table;
            for key in table.iter().flat_map(|table| table.keys()) {
                let name: Arc<str> = Arc::from(key.get_ref().as_ref());
                named.names.insert(name.clone());
                if let Err(message) = check(&name) {
                    section.report(&name, message);
                }
                let made = section.optional_table(&name, |reader| read(&name, reader));
                named.read.extend(made.map(|made| (name, made)));
            }
            named
        })
    }

    fn enter<T>(
        &self,
        place: Place,
        table: Option<&'a DeTable<'a>>,
        read: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let mut reader = Self::new(self.document, table, place);
        let made = read(&mut reader);
        reader.finish();
        made
    }

    /// The value of a key in the type that it must have.
    fn typed<T>(
        &mut self,
        key: &str,
        wanted: &str,
        view: impl FnOnce(&'a DeValue<'a>) -> Option<T>,
    ) -> Option<T> {
        self.known.insert(key.to_owned());
        let value = self.table?.get(key)?.get_ref();
        let viewed = view(value).ok_or_else(|| wrong_type(value, wanted));
        self.passed(key, viewed)
    }

    fn list<T>(
        &mut self,
        key: &str,
        wanted: &str,
        view: impl Fn(&'a DeValue<'a>) -> Option<Result<T, String>>,
    ) -> Option<Vec<Located<T>>> {
        let items = self.typed(key, "a list", DeValue::as_array)?;
        let path = join(&self.place.path, key);
        let mut all = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let place = Place {
                line: Some(self.line(item)),
                path: format!("{path}[{index}]"),
            };
            let viewed =
                view(item.get_ref()).unwrap_or_else(|| Err(wrong_type(item.get_ref(), wanted)));
            match viewed {
                Ok(value) => all.push(Located { place, value }),
                Err(message) => self.report_at(place, message),
            }
        }
        Some(all)
    }

    fn passed<T>(&self, key: &str, result: Result<T, String>) -> Option<T> {
        result.map_err(|message| self.report(key, message)).ok()
    }

    fn line<T>(&self, spanned: &Spanned<T>) -> usize {
        self.document.line(spanned.span().start)
    }
}

const A_SHARE: &str = "a number above 0 and up to 1, such as 0.8";

/// The digits of a number as they were written.
fn decimal<'a>(value: &'a DeValue<'a>) -> Option<&'a str> {
    match value {
        DeValue::Float(float) => Some(float.as_str()),
        DeValue::Integer(integer) if integer.radix() == 10 => Some(integer.as_str()),
        _ => None,
    }
}

fn wrong_type(value: &DeValue<'_>, wanted: &str) -> String {
    let found = kind(value);
    match value {
        // Money, durations and dates without quotes are the usual slip.
        DeValue::Float(_) | DeValue::Integer(_) | DeValue::Datetime(_)
            if wanted == "text in quotes" =>
        {
            format!("must be {wanted}, not {found}: put quotes around it")
        }
        _ => format!("must be {wanted}, not {found}"),
    }
}

fn out_of(bounds: &RangeInclusive<u64>, number: impl Display) -> String {
    match (*bounds.start(), *bounds.end()) {
        (least, u64::MAX) => format!("{number} is too small: it must be at least {least}"),
        (least, most) => format!("{number} is not from {least} to {most}"),
    }
}

/// A path and one more key, quoted if TOML would want it quoted.
fn join(path: &str, key: &str) -> String {
    let bare = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    let key = if !key.is_empty() && key.bytes().all(bare) {
        key.to_owned()
    } else {
        text::shown(key)
    };
    if path.is_empty() {
        return key;
    }
    format!("{path}.{key}")
}
