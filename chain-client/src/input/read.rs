//! Reads one source by its kind.

use super::{Flow, Sink, Source, StdinFormat, Why, html, json, text};
use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::Path,
};

/// A JSON file is read as a whole, so it has a bound; larger collections come as JSON Lines.
const MAX_JSON_BYTES: u64 = 64 * 1024 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Markdown,
    Html,
    Json,
    JsonLines,
}

fn kind_of(path: &Path) -> Option<Kind> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    Some(match extension.as_str() {
        "txt" | "text" => Kind::Text,
        "md" | "markdown" => Kind::Markdown,
        "html" | "htm" | "xhtml" => Kind::Html,
        "json" => Kind::Json,
        "jsonl" | "ndjson" => Kind::JsonLines,
        _ => return None,
    })
}

pub(super) fn is_json_lines(path: &Path) -> bool {
    kind_of(path) == Some(Kind::JsonLines)
}

pub(super) fn source(source: &Source, sink: &mut Sink<'_>) -> Flow {
    match source {
        Source::Stdin => stdin(sink),
        Source::File { path, id } => file(path, id, sink),
    }
}

fn file(path: &Path, id: &str, sink: &mut Sink<'_>) -> Flow {
    let shown = path.to_string_lossy().into_owned();
    let Some(kind) = kind_of(path) else {
        let bytes = path.metadata().map_or(0, |about| about.len());
        return sink.unfit(id.to_owned(), shown, bytes, Why::Unsupported);
    };
    match File::open(path) {
        Ok(file) => by_kind(kind, BufReader::new(file), id, &shown, sink),
        Err(error) => sink.unfit(id.to_owned(), shown, 0, Why::Unreadable(error.to_string())),
    }
}

fn stdin(sink: &mut Sink<'_>) -> Flow {
    let mut reader = BufReader::new(std::io::stdin());
    let kind = match sink.options.stdin_format {
        StdinFormat::Text => Kind::Text,
        StdinFormat::Md => Kind::Markdown,
        StdinFormat::Html => Kind::Html,
        StdinFormat::Json => Kind::Json,
        StdinFormat::Jsonl => Kind::JsonLines,
        StdinFormat::Auto => match first_mark(&mut reader) {
            Some(b'{') => Kind::JsonLines,
            Some(b'[') => Kind::Json,
            _ => Kind::Text,
        },
    };
    by_kind(kind, reader, "stdin", "-", sink)
}

/// The first byte that is not a space, without taking it. Looks at the first buffer only.
fn first_mark(reader: &mut impl BufRead) -> Option<u8> {
    let buffer = reader.fill_buf().ok()?;
    buffer
        .iter()
        .copied()
        .find(|byte| !byte.is_ascii_whitespace())
}

fn by_kind(kind: Kind, reader: impl BufRead, id: &str, shown: &str, sink: &mut Sink<'_>) -> Flow {
    let whole = match kind {
        Kind::JsonLines => return json::lines(reader, id, shown, sink),
        Kind::Json => whole(reader, MAX_JSON_BYTES),
        Kind::Text | Kind::Markdown | Kind::Html => whole(reader, sink.options.max_bytes),
    };
    let whole = match whole {
        Ok(whole) => whole,
        Err((bytes, why)) => return sink.unfit(id.to_owned(), shown.to_owned(), bytes, why),
    };
    let draft = match kind {
        Kind::Json => return json::document(&whole, id, shown, sink),
        Kind::Html => html::article(&whole),
        Kind::Markdown => text::markdown(&whole),
        Kind::Text | Kind::JsonLines => text::plain(&whole),
    };
    sink.article(id.to_owned(), shown.to_owned(), draft)
}

/// All of a source as text, or why not.
fn whole(reader: impl Read, limit: u64) -> Result<String, (u64, Why)> {
    let mut bytes = Vec::new();
    if let Err(error) = reader.take(limit.saturating_add(1)).read_to_end(&mut bytes) {
        return Err((0, Why::Unreadable(error.to_string())));
    }
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if length > limit {
        return Err((length, Why::Oversize { limit }));
    }
    text::decode(bytes).map_err(|why| (length, why))
}
