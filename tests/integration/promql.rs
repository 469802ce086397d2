//! What an expression selects, read as far as the checks of rules and dashboards need it. That it is
//! an expression at all is for Prometheus to say.

/// One selector of an expression.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Selector {
    /// The metric.
    pub(crate) name: String,
    /// Label, operator and value.
    pub(crate) matchers: Vec<(String, String, String)>,
    /// What stands in brackets.
    pub(crate) range: Option<String>,
    /// The function that it is the argument of.
    pub(crate) function: String,
    /// The labels that the aggregations around it keep.
    pub(crate) kept: Vec<String>,
}

impl Selector {
    /// The value that a label must have, with the operator.
    pub(crate) fn matcher(&self, label: &str) -> Option<(&str, &str)> {
        let found = self.matchers.iter().find(|(name, ..)| name == label)?;
        Some((&found.1, &found.2))
    }
}

/// What an expression names.
#[derive(Debug, Default)]
pub(crate) struct Expression {
    /// All selectors, in order.
    pub(crate) selectors: Vec<Selector>,
    /// All labels that are grouped by or joined on.
    pub(crate) labels: Vec<String>,
}

/// Reads an expression.
pub(crate) fn read(expression: &str) -> Expression {
    let mut reader = Reader {
        rest: expression,
        open: Vec::new(),
        found: Expression::default(),
    };
    reader.read();
    assert!(reader.open.is_empty(), "parentheses match in {expression}");
    reader.found
}

/// All selectors of an expression, in order.
pub(crate) fn selectors(expression: &str) -> Vec<Selector> {
    read(expression).selectors
}

/// Words that are followed by labels in parentheses.
const LISTS: [&str; 6] = [
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
];
const OPERATORS: [&str; 5] = ["and", "or", "unless", "bool", "offset"];

struct Reader<'a> {
    rest: &'a str,
    /// The function of each open parenthesis, and the labels that it keeps.
    open: Vec<(String, Vec<String>)>,
    found: Expression,
}

impl<'a> Reader<'a> {
    fn read(&mut self) {
        let (mut function, mut kept) = (String::new(), Vec::new());
        while let Some(next) = self.peek() {
            match next {
                '(' => {
                    self.skip(1);
                    let frame = (std::mem::take(&mut function), std::mem::take(&mut kept));
                    self.open.push(frame);
                }
                ')' => {
                    self.skip(1);
                    self.open.pop().expect("parentheses match");
                }
                '"' => drop(self.text()),
                // A range of something else than a selector.
                '[' => drop(self.range()),
                _ if next.is_ascii_digit() => drop(self.word()),
                _ if is_name(next) => {
                    let word = self.word();
                    if OPERATORS.contains(&word.as_str()) {
                        continue;
                    }
                    if LISTS.contains(&word.as_str()) {
                        let labels = self.list();
                        self.found.labels.extend(labels.iter().cloned());
                        if word == "by" {
                            kept = labels;
                        }
                        continue;
                    }
                    let after = self.after_space();
                    if after.starts_with('(') || after.starts_with("by ") {
                        function = word;
                    } else {
                        self.selector(word);
                    }
                }
                _ => self.skip(next.len_utf8()),
            }
        }
    }

    fn selector(&mut self, name: String) {
        let mut selector = Selector {
            name,
            ..Selector::default()
        };
        if let Some((function, _)) = self.open.last() {
            selector.function.clone_from(function);
        }
        selector.kept = self
            .open
            .iter()
            .flat_map(|(_, kept)| kept.clone())
            .collect();
        if self.peek() == Some('{') {
            self.skip(1);
            while let Some(next) = self.peek().filter(|next| *next != '}') {
                if !is_name(next) {
                    self.skip(next.len_utf8());
                    continue;
                }
                let label = self.word();
                let length = self.rest.find('"').expect("a value in quotes");
                let operator = self.rest[..length].trim().to_owned();
                self.skip(length);
                let value = self.text();
                selector.matchers.push((label, operator, value));
            }
            self.skip(1);
        }
        if self.peek() == Some('[') {
            selector.range = Some(self.range());
        }
        self.found.selectors.push(selector);
    }

    /// Names in parentheses, if there are any.
    fn list(&mut self) -> Vec<String> {
        self.rest = self.after_space();
        let Some(inside) = self.rest.strip_prefix('(') else {
            return Vec::new();
        };
        let end = inside.find(')').expect("parentheses match");
        let names = inside[..end].split(',').map(|name| name.trim().to_owned());
        let names = names.filter(|name| !name.is_empty()).collect();
        self.skip(end + 2);
        names
    }

    /// What stands in brackets.
    fn range(&mut self) -> String {
        let end = self.rest.find(']').expect("brackets match");
        let range = self.rest[1..end].to_owned();
        self.skip(end + 1);
        range
    }

    /// A text in quotes.
    fn text(&mut self) -> String {
        let inside = &self.rest[1..];
        let end = inside.find('"').expect("quotes match");
        let text = inside[..end].to_owned();
        assert!(!text.ends_with('\\'), "no quotes inside of quotes");
        self.skip(end + 2);
        text
    }

    fn word(&mut self) -> String {
        let part = |letter: char| is_name(letter) || letter.is_ascii_digit() || letter == '.';
        let end = self.rest.find(|letter| !part(letter));
        let word = self.rest[..end.unwrap_or(self.rest.len())].to_owned();
        self.skip(word.len());
        word
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn after_space(&self) -> &'a str {
        self.rest.trim_start()
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = &self.rest[bytes..];
    }
}

const fn is_name(letter: char) -> bool {
    letter.is_ascii_alphabetic() || letter == '_' || letter == ':'
}

#[test]
fn selectors_are_read_with_what_is_around_them() {
    let text = r#"1 - sum by (job) (rate(a_total{x="1", y=~"b|c"}[5m])) / scalar(b:c:d{z!="é"} > 1e9) and on (le) up"#;
    let Expression {
        selectors: found,
        labels,
    } = read(text);
    assert_eq!(labels, ["job", "le"]);
    let names: Vec<_> = found.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["a_total", "b:c:d", "up"]);
    assert_eq!(found[0].function, "rate");
    assert_eq!(found[0].kept, ["job"]);
    assert_eq!(found[0].range.as_deref(), Some("5m"));
    assert_eq!(found[0].matcher("y"), Some(("=~", "b|c")));
    assert_eq!(found[1].matcher("z"), Some(("!=", "é")));
    assert_eq!(
        (found[1].function.as_str(), found[1].kept.len()),
        ("scalar", 0)
    );
    let found = selectors("max_over_time((a + b)[1h:5m])");
    let names: Vec<_> = found.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
}
