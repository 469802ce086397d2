//! Reading a 200 without trusting it.
//!
//! Bodies are read into exactly what is needed, so that a hostile one of 16 MiB can't grow in
//! memory; and errors of the parser are never passed on, because they quote what they read.

use crate::provider::{Failure, FailureKind, Quota};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, SeqAccess, Visitor},
};
use serde_json::error::Category;
use std::{borrow::Cow, fmt, marker::PhantomData};

/// Reads a body; what can't be read is garbled.
pub(in crate::provider) fn parse<'a, T: Deserialize<'a>>(
    body: &'a [u8],
    quota: Quota,
) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| {
        let detail = match error.classify() {
            Category::Eof if body.is_empty() => "an empty body",
            Category::Eof => "JSON that ends too early",
            Category::Syntax | Category::Io => "not JSON",
            Category::Data => "JSON of another shape",
        };
        garbled(detail, quota)
    })
}

/// A 200 that is not understood.
pub(in crate::provider) fn garbled(detail: &str, quota: Quota) -> Failure {
    Failure {
        http_status: Some(200),
        quota,
        ..Failure::new(FailureKind::Garbled, detail)
    }
}

/// A word of the protocol, borrowed from the body unless it has escapes.
#[derive(Deserialize)]
pub(in crate::provider) struct Word<'a>(#[serde(borrow)] Cow<'a, str>);

impl Word<'_> {
    pub(in crate::provider) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The first element of a list; the others are skipped.
pub(in crate::provider) struct First<T>(pub(in crate::provider) Option<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for First<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for List<T> {
            type Value = First<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<First<T>, A::Error> {
                let first = list.next_element()?;
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(First(first))
            }
        }

        deserializer.deserialize_seq(List(PhantomData))
    }
}
