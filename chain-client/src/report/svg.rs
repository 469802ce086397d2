//! Small plots as inline SVG: bars with labels. Colours come from the page's style.

use std::fmt::Write as _;

const WIDTH: u64 = 460;
const LABEL: u64 = 122;
const VALUE: u64 = 112;
const ROW: u64 = 30;
const BAR: u64 = 14;

/// A part of a bar, and the class that colours it.
pub(super) struct Part {
    pub(super) size: u64,
    pub(super) class: &'static str,
}

/// A bar of parts, side by side.
pub(super) struct Bar {
    pub(super) label: String,
    pub(super) parts: Vec<Part>,
    pub(super) value: String,
    /// Where to put a mark, such as a percentile.
    pub(super) tick: Option<u64>,
    /// How far a thin line goes on, such as to the maximum.
    pub(super) whisker: Option<u64>,
}

impl Bar {
    pub(super) fn plain(label: &str, size: u64, value: String, class: &'static str) -> Self {
        let parts = vec![Part { size, class }];
        Self {
            label: label.to_owned(),
            parts,
            value,
            tick: None,
            whisker: None,
        }
    }

    fn reach(&self) -> u64 {
        let sum: u64 = self.parts.iter().map(|part| part.size).sum();
        sum.max(self.tick.unwrap_or(0))
            .max(self.whisker.unwrap_or(0))
    }
}

/// Horizontal bars on a common scale.
pub(super) fn bars(about: &str, bars: &[Bar]) -> String {
    let room = WIDTH - LABEL - VALUE;
    let longest = bars.iter().map(Bar::reach).max().unwrap_or(0).max(1);
    let scale = |size: u64| u128::from(size) * u128::from(room) / u128::from(longest);
    let height = ROW * u64::try_from(bars.len()).unwrap_or(0);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\">",
        escape(about)
    );
    for (bar, top) in bars
        .iter()
        .zip((0..).step_by(usize::try_from(ROW).unwrap_or(1)))
    {
        let top: u64 = top;
        let (text_at, bar_at) = (top + 19, top + (ROW - BAR) / 2);
        let middle = bar_at + BAR / 2;
        let _ = write!(
            svg,
            "<text x=\"0\" y=\"{text_at}\">{}</text>",
            escape(&clip(&bar.label))
        );
        let _ = write!(
            svg,
            "<rect class=\"ft\" x=\"{LABEL}\" y=\"{bar_at}\" width=\"{room}\" height=\"{BAR}\" rx=\"3\"/>"
        );
        let mut x = u128::from(LABEL);
        for part in &bar.parts {
            let width = scale(part.size).max(u128::from(part.size > 0));
            let _ = write!(
                svg,
                "<rect class=\"{}\" x=\"{x}\" y=\"{bar_at}\" width=\"{width}\" height=\"{BAR}\" rx=\"2\"/>",
                part.class
            );
            x += width;
        }
        if let Some(end) = bar.whisker {
            let end = u128::from(LABEL) + scale(end);
            let _ = write!(
                svg,
                "<line class=\"whisker\" x1=\"{x}\" x2=\"{end}\" y1=\"{middle}\" y2=\"{middle}\"/>"
            );
        }
        if let Some(tick) = bar.tick {
            let tick = u128::from(LABEL) + scale(tick);
            let (from, to) = (bar_at - 2, bar_at + BAR + 2);
            let _ = write!(
                svg,
                "<line class=\"tick\" x1=\"{tick}\" x2=\"{tick}\" y1=\"{from}\" y2=\"{to}\"/>"
            );
        }
        let _ = write!(
            svg,
            "<text class=\"s\" x=\"{WIDTH}\" y=\"{text_at}\" text-anchor=\"end\">{}</text>",
            escape(&bar.value)
        );
    }
    svg.push_str("</svg>");
    svg
}

/// Ten columns, for scores from 1 to 10.
pub(super) fn columns(about: &str, counts: &[u64; 10], class: &str) -> String {
    const HEIGHT: u64 = 92;
    const STEP: u64 = 46;
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {}\" role=\"img\" aria-label=\"{}\">",
        HEIGHT + 36,
        escape(about)
    );
    for (number, &count) in (1_u64..).zip(counts) {
        let left = (number - 1) * STEP;
        let tall = count * HEIGHT / most;
        let (top, middle) = (HEIGHT + 16 - tall, left + STEP / 2);
        let _ = write!(
            svg,
            "<rect class=\"ft\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"2\"/>",
            left + 4,
            HEIGHT + 15,
            STEP - 8
        );
        if count > 0 {
            let _ = write!(
                svg,
                "<rect class=\"{class}\" x=\"{}\" y=\"{top}\" width=\"{}\" height=\"{tall}\" rx=\"2\"/>\
                 <text class=\"s\" x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{count}</text>",
                left + 4,
                STEP - 8,
                top - 4
            );
        }
        let _ = write!(
            svg,
            "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{number}</text>",
            HEIGHT + 32
        );
    }
    svg.push_str("</svg>");
    svg
}

/// A thin bar of how much of a budget is used.
pub(super) fn gauge(used: u64, bound: u64) -> String {
    let share = u128::from(used.min(bound)) * 200 / u128::from(bound.max(1));
    let class = if used > bound { "fbad" } else { "fa" };
    format!(
        "<svg viewBox=\"0 0 200 6\" aria-hidden=\"true\"><rect class=\"ft\" width=\"200\" height=\"6\" rx=\"3\"/>\
         <rect class=\"{class}\" width=\"{share}\" height=\"6\" rx=\"3\"/></svg>"
    )
}

fn clip(label: &str) -> String {
    const MOST: usize = 17;
    if label.chars().count() <= MOST {
        return label.to_owned();
    }
    let head: String = label.chars().take(MOST - 1).collect();
    format!("{head}\u{2026}")
}

/// Text that cannot be taken for markup, in content or in a quoted attribute. Control characters go.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
