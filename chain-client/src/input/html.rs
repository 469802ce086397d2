//! The main text of a web page.

use super::text::{Draft, clip};
use scraper::{ElementRef, Html, Node, Selector};

/// What is on a page but not part of its article.
const DROPPED: [&str; 15] = [
    "script", "style", "nav", "footer", "header", "aside", "noscript", "template", "form",
    "button", "svg", "iframe", "head", "select", "figure",
];
/// What starts a new line.
const BLOCKS: [&str; 18] = [
    "p",
    "div",
    "section",
    "article",
    "main",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "li",
    "tr",
    "blockquote",
    "pre",
    "br",
    "ul",
    "table",
];
const MAX_DEPTH: usize = 256;

/// The text of the first `<article>`, else `<main>`, else the body; the title from `<title>`, else
/// from the first heading.
pub(super) fn article(page: &str) -> Draft {
    let page = Html::parse_document(page);
    let root = first(&page, "article").or_else(|| first(&page, "main"));
    let root = root
        .or_else(|| first(&page, "body"))
        .unwrap_or_else(|| page.root_element());
    let mut text = String::new();
    collect(root, &mut text, MAX_DEPTH);
    let lines = text.lines().map(squeeze).filter(|line| !line.is_empty());
    let title = first(&page, "title").or_else(|| first(&page, "h1"));
    Draft {
        title: title
            .map(|title| clip(&title.text().collect::<String>()))
            .unwrap_or_default(),
        text: lines.collect::<Vec<_>>().join("\n\n"),
    }
}

fn first<'a>(page: &'a Html, name: &str) -> Option<ElementRef<'a>> {
    let selector = Selector::parse(name).expect("an element name is a selector");
    page.select(&selector).next()
}

fn collect(element: ElementRef<'_>, text: &mut String, depth: usize) {
    for child in element.children() {
        match child.value() {
            Node::Text(piece) => text.push_str(&piece.replace(['\n', '\r'], " ")),
            Node::Element(about) if !DROPPED.contains(&about.name()) && depth > 0 => {
                let block = BLOCKS.contains(&about.name());
                if block {
                    text.push('\n');
                }
                if let Some(child) = ElementRef::wrap(child) {
                    collect(child, text, depth - 1);
                }
                if block {
                    text.push('\n');
                }
            }
            _ => {}
        }
    }
}

fn squeeze(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}
