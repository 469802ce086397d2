//! Counts tokens, and cuts a text at an exact number of them.
//!
//! The counts are those of the model's public tokenizer; for Claude, whose tokenizer is not public, of
//! `cl100k_base`. What the simulator bills is therefore what it really read and wrote.

use tiktoken::CoreBpe;

use super::Api;

/// The tokenizer that stands for a model's own.
pub(crate) struct Tokens(&'static CoreBpe);

impl Tokens {
    /// The tokenizer of `model`: `cl100k_base` for gpt-4, gpt-3.5 and Claude, else `o200k_base`.
    pub(crate) fn of(api: Api, model: &str) -> Self {
        let old_gpt = (model.starts_with("gpt-4")
            && !["gpt-4o", "gpt-4.1", "gpt-4.5"]
                .iter()
                .any(|new| model.starts_with(new)))
            || model.starts_with("gpt-3");
        let name = match api {
            Api::Anthropic => "cl100k_base",
            Api::OpenAi if old_gpt => "cl100k_base",
            Api::OpenAi => "o200k_base",
        };
        Self(tiktoken::get_encoding(name).expect("both vocabularies are compiled in"))
    }

    /// How many tokens `text` has.
    pub(crate) fn count(&self, text: &str) -> u64 {
        wide(self.0.count(text))
    }

    /// The token ids of `text`.
    pub(crate) fn encode(&self, text: &str) -> Vec<u32> {
        self.0.encode(text)
    }

    /// The first `cap` tokens of `text` and their number, or `None` if it has no more than `cap`.
    ///
    /// A cut inside of a character drops the broken character's bytes from the text, not from the count,
    /// as a provider bills tokens and shows characters.
    pub(crate) fn cut(&self, text: &str, cap: u64) -> Option<(String, u64)> {
        let ids = self.0.encode(text);
        let cap_here = usize::try_from(cap).unwrap_or(usize::MAX);
        if ids.len() <= cap_here {
            return None;
        }
        let bytes = self.0.decode(&ids[..cap_here]);
        let whole = match std::str::from_utf8(&bytes) {
            Ok(all) => all,
            Err(broken) => std::str::from_utf8(&bytes[..broken.valid_up_to()])
                .expect("the text is valid up to there"),
        };
        Some((whole.to_owned(), cap))
    }
}

/// A length as a token count.
pub(crate) fn wide(length: usize) -> u64 {
    u64::try_from(length).expect("a length fits into 64 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_has_exactly_the_tokens_that_were_asked_for() {
        let tokens = Tokens::of(Api::OpenAi, "gpt-4o");
        let text = "The harbour was closed for eleven days after the storm.";
        let (cut, billed) = tokens.cut(text, 5).expect("it is longer");
        assert_eq!(billed, 5);
        assert_eq!(tokens.count(&cut), 5);
        assert!(text.starts_with(&cut));
        assert!(tokens.cut(text, 500).is_none());
    }

    #[test]
    fn a_cut_never_breaks_a_character() {
        let tokens = Tokens::of(Api::OpenAi, "gpt-4");
        for cap in 1..20 {
            if let Some((cut, _)) = tokens.cut("東芝がHD DVDから撤退へ🦀🦀🦀", cap) {
                assert!("東芝がHD DVDから撤退へ🦀🦀🦀".starts_with(&cut));
            }
        }
    }

    #[test]
    fn newer_models_use_the_newer_vocabulary() {
        let text = "internationalization 東京 Überraschung";
        let old = Tokens::of(Api::OpenAi, "gpt-4-turbo").count(text);
        assert_eq!(
            old,
            Tokens::of(Api::Anthropic, "claude-sonnet-4-5").count(text)
        );
        assert!(Tokens::of(Api::OpenAi, "gpt-4.1-mini").count(text) < old);
    }
}
