//! Plain text and Markdown: decoding, front matter, titles, and what is fit to be sent.

use super::Why;

/// A text and the title found in it, which may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Draft {
    pub(super) title: String,
    pub(super) text: String,
}

const MAX_TITLE_CHARS: usize = 200;

/// UTF-8, with or without a byte order mark. Other encodings are told by name where they show.
pub(super) fn decode(bytes: Vec<u8>) -> Result<String, Why> {
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return Err(Why::Encoding { at: 0 });
    }
    if bytes.contains(&0) {
        return Err(Why::Binary);
    }
    let text = String::from_utf8(bytes).map_err(|error| Why::Encoding {
        at: error.utf8_error().valid_up_to(),
    })?;
    Ok(match text.strip_prefix('\u{FEFF}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}

/// Why a text cannot be sent, if it cannot.
pub(super) fn unfit(text: &str, max_bytes: u64) -> Option<Why> {
    if text.trim().is_empty() {
        return Some(Why::Empty);
    }
    if u64::try_from(text.len()).is_ok_and(|length| length > max_bytes) {
        return Some(Why::Oversize { limit: max_bytes });
    }
    // A real text may hold a stray control character; a file that is full of them is not a text.
    let (mut all, mut control) = (0_u64, 0_u64);
    for c in text.chars() {
        all += 1;
        control += u64::from(c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{c}'));
    }
    (text.contains('\0') || control * 50 > all).then_some(Why::Binary)
}

/// The first line is the title if it is short and followed by an empty line.
pub(super) fn plain(text: &str) -> Draft {
    let mut lines = text.trim_start().lines();
    let first = lines.next().unwrap_or_default().trim();
    let alone = lines.next().is_some_and(|line| line.trim().is_empty());
    let title = if alone { clip(first) } else { String::new() };
    Draft {
        title,
        text: text.trim().to_owned(),
    }
}

/// Front matter is taken off; the title is its `title`, or the first heading.
pub(super) fn markdown(text: &str) -> Draft {
    let (front, body) = split_front_matter(text);
    let named = front.lines().find_map(title_line);
    let heading = || {
        body.lines()
            .find_map(|line| line.strip_prefix('#'))
            .map(|rest| {
                rest.trim_start_matches('#')
                    .trim()
                    .trim_end_matches('#')
                    .trim()
                    .to_owned()
            })
    };
    let title = named.or_else(heading).unwrap_or_default();
    Draft {
        title: clip(&title),
        text: body.trim().to_owned(),
    }
}

fn title_line(line: &str) -> Option<String> {
    let rest = line.strip_prefix("title")?.trim_start();
    let value = rest.strip_prefix([':', '='])?.trim();
    Some(value.trim_matches(['"', '\'']).to_owned())
}

fn split_front_matter(text: &str) -> (&str, &str) {
    for fence in ["---", "+++"] {
        let Some(rest) = text.strip_prefix(fence) else {
            continue;
        };
        let Some(rest) = rest
            .strip_prefix("\r\n")
            .or_else(|| rest.strip_prefix('\n'))
        else {
            continue;
        };
        let mut at = 0;
        for line in rest.split_inclusive('\n') {
            if line.trim_end() == fence {
                return (&rest[..at], &rest[at + line.len()..]);
            }
            at += line.len();
        }
    }
    ("", text)
}

/// A title on one line, of bounded length.
pub(super) fn clip(title: &str) -> String {
    let line = title.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(MAX_TITLE_CHARS).collect()
}
