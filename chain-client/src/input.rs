//! The articles of a run, read lazily: at most one waits to be taken, so memory does not grow with
//! the input. What cannot be sent is told as rejected or skipped, and the rest goes on.

mod html;
mod json;
mod read;
mod text;
mod walk;

pub(crate) use walk::{Plan, count};

use crate::hash;
use std::{path::PathBuf, sync::Arc};
use tokio::sync::mpsc;

/// A text to analyse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Article {
    /// The place in the input, from 1.
    pub(crate) n: u64,
    /// From the id field, or the path.
    pub(crate) id: String,
    /// The file, and the line of a JSON Lines file.
    pub(crate) source: String,
    pub(crate) title: String,
    pub(crate) text: Arc<str>,
    /// The digest of the text.
    pub(crate) sha256: String,
}

/// Something in the input that is not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unfit {
    pub(crate) n: u64,
    pub(crate) id: String,
    pub(crate) source: String,
    pub(crate) bytes: u64,
    pub(crate) why: Why,
}

/// Why something is not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Why {
    #[error("empty: no text")]
    Empty,
    #[error("binary: the file holds null bytes or control characters")]
    Binary,
    #[error("oversize: more than {limit} bytes")]
    Oversize { limit: u64 },
    #[error("encoding: not valid UTF-8 at byte {at}")]
    Encoding { at: usize },
    #[error("malformed: {0}")]
    Malformed(String),
    #[error("unreadable: {0}")]
    Unreadable(String),
    #[error("unsupported: files of this kind are not read")]
    Unsupported,
}

/// One thing in the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Article(Article),
    Unfit(Unfit),
}

/// The form of what comes on standard input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum StdinFormat {
    /// JSON or JSON Lines if it starts with a brace or bracket, else text.
    #[default]
    Auto,
    Text,
    Md,
    Html,
    Json,
    Jsonl,
}

/// How to read articles.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) max_bytes: u64,
    pub(crate) text_field: String,
    pub(crate) id_field: String,
    pub(crate) title_field: String,
    pub(crate) include: Vec<String>,
    pub(crate) exclude: Vec<String>,
    pub(crate) stdin_format: StdinFormat,
    /// This part of the articles: those whose place modulo `of` is `index`.
    pub(crate) shard: Option<Shard>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_bytes: 1024 * 1024,
            text_field: "text".into(),
            id_field: "id".into(),
            title_field: "title".into(),
            include: Vec::new(),
            exclude: Vec::new(),
            stdin_format: StdinFormat::Auto,
            shard: None,
        }
    }
}

/// One of several equal parts of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shard {
    pub(crate) index: u64,
    pub(crate) of: u64,
}

impl std::str::FromStr for Shard {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || format!("{text:?} is not a shard: write it as 0/4, 1/4, 2/4 or 3/4");
        let (index, of) = text.split_once('/').ok_or_else(refuse)?;
        let index: u64 = index.parse().map_err(|_| refuse())?;
        let of: u64 = of.parse().map_err(|_| refuse())?;
        if index < of {
            Ok(Self { index, of })
        } else {
            Err(refuse())
        }
    }
}

/// Whether to read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    On,
    End,
}

/// Takes what the readers find, numbers it, keeps to the shard and hands it over.
struct Sink<'a> {
    options: &'a Options,
    seen: u64,
    hand_over: &'a mut dyn FnMut(Item) -> bool,
}

impl Sink<'_> {
    fn article(&mut self, id: String, source: String, draft: text::Draft) -> Flow {
        let Some(n) = self.number() else {
            return Flow::On;
        };
        let bytes = u64::try_from(draft.text.len()).unwrap_or(u64::MAX);
        let why = text::unfit(&draft.text, self.options.max_bytes);
        let item = match why {
            Some(why) => Item::Unfit(Unfit {
                n,
                id,
                source,
                bytes,
                why,
            }),
            None => Item::Article(Article {
                n,
                title: if draft.title.is_empty() {
                    id.clone()
                } else {
                    draft.title
                },
                id,
                source,
                sha256: hash::of_text(&draft.text),
                text: draft.text.into(),
            }),
        };
        self.send(item)
    }

    fn unfit(&mut self, id: String, source: String, bytes: u64, why: Why) -> Flow {
        let Some(n) = self.number() else {
            return Flow::On;
        };
        self.send(Item::Unfit(Unfit {
            n,
            id,
            source,
            bytes,
            why,
        }))
    }

    /// The place of the next thing, or `None` if it belongs to another shard.
    fn number(&mut self) -> Option<u64> {
        let place = self.seen;
        self.seen += 1;
        let ours = self
            .options
            .shard
            .is_none_or(|shard| place % shard.of == shard.index);
        ours.then_some(place + 1)
    }

    fn send(&mut self, item: Item) -> Flow {
        if (self.hand_over)(item) {
            Flow::On
        } else {
            Flow::End
        }
    }
}

/// Reads all inputs in order; `hand_over` answers whether to go on.
pub(crate) fn read_all(plan: &Plan, options: &Options, hand_over: &mut dyn FnMut(Item) -> bool) {
    let mut sink = Sink {
        options,
        seen: 0,
        hand_over,
    };
    for source in plan.sources() {
        if read::source(&source, &mut sink) == Flow::End {
            return;
        }
    }
}

/// Reads on a thread of its own. One article waits at a time; dropping the receiver ends it.
pub(crate) fn stream(plan: Plan, options: Options) -> mpsc::Receiver<Item> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::task::spawn_blocking(move || {
        read_all(&plan, &options, &mut |item| {
            sender.blocking_send(item).is_ok()
        });
    });
    receiver
}

/// Where articles come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Stdin,
    File { path: PathBuf, id: String },
}

#[cfg(test)]
mod tests;
