//! `[providers.<name>]`: accounts at providers.

use super::{
    reader::Reader,
    secret::{self, Secret, Wanted},
    upstream_url::{self, Private},
};

/// An account at a provider.
#[derive(Clone, Debug)]
pub struct Provider {
    /// Which API it speaks.
    pub kind: Kind,
    /// Where, without a slash at the end.
    pub base_url: String,
    /// The key; a server of one's own may need none.
    pub api_key: Option<Secret>,
    /// Whether `base_url` may lead into a private network.
    pub allow_private: bool,
}

/// Which API a provider speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// OpenAI's.
    Openai,
    /// Anthropic's.
    Anthropic,
    /// OpenAI's chat completions, served by somebody else: Ollama, llama.cpp, vLLM.
    OpenaiCompatible,
}

/// The words for [`Kind`].
pub(super) const KINDS: [(&str, Kind); 3] = [
    ("openai", Kind::Openai),
    ("anthropic", Kind::Anthropic),
    ("openai_compatible", Kind::OpenaiCompatible),
];

impl Kind {
    const fn usual_url(self) -> Option<&'static str> {
        match self {
            Self::Openai => Some("https://api.openai.com/v1"),
            Self::Anthropic => Some("https://api.anthropic.com/v1"),
            Self::OpenaiCompatible => None,
        }
    }

    const fn needs_key(self) -> bool {
        match self {
            Self::Openai | Self::Anthropic => true,
            Self::OpenaiCompatible => false,
        }
    }
}

pub(super) fn read(reader: &mut Reader<'_>) -> Option<Provider> {
    let kind = reader.word("kind", &KINDS);
    reader.require("kind", "\"openai\"");
    let allow_private = reader.flag("allow_private").unwrap_or(false);
    let private = if allow_private {
        Private::Allowed
    } else {
        Private::Refused
    };
    let usual_url = kind.and_then(Kind::usual_url);
    let given_url = reader.text("base_url", |url| upstream_url::check(url, private));
    if kind.is_some() && usual_url.is_none() {
        reader.require("base_url", "\"http://127.0.0.1:11434/v1\"");
    }
    let wanted = Wanted {
        stem: "api_key",
        default_variable: None,
    };
    let api_key = secret::read(reader, wanted, fits_a_header);
    let named = reader.has("api_key_env") || reader.has("api_key_file");
    if kind.is_some_and(Kind::needs_key) && !named && !reader.has("api_key") {
        reader.require("api_key_env", "\"OPENAI_API_KEY\"");
    }
    Some(Provider {
        kind: kind?,
        base_url: given_url.or_else(|| usual_url.map(str::to_owned))?,
        api_key: api_key.map(|(key, ())| key),
        allow_private,
    })
}

/// A key with a line break or the like can't be sent, and would fail at the first call only.
fn fits_a_header(key: &str) -> Result<(), String> {
    if key.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(());
    }
    Err("does not hold a key: there are blanks or other characters in it".to_owned())
}
