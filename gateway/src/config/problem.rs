//! What is wrong with a configuration: all of it, each with its place and what to do.

use std::fmt;

/// Where something stands in a configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line, counted from 1, if known.
    pub line: Option<usize>,
    /// The path, such as `models.gpt-4.price.input`; empty for the file as a whole.
    pub path: String,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What is wrong and what would be right. Never holds a secret.
    pub message: String,
}

/// Everything that is wrong with a configuration.
///
/// Displays as one line per problem, `<file>:<line>: <path>: <message>`, which editors can follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems {
    /// The file, as it was named.
    pub file: String,
    /// What is wrong, in the order of the file; never empty.
    pub all: Vec<Problem>,
}

impl Problems {
    /// Problems in the order of the file, each once.
    pub(super) fn new(file: &str, mut all: Vec<Problem>) -> Self {
        all.sort();
        all.dedup();
        Self {
            file: file.to_owned(),
            all,
        }
    }

    /// A problem of the file as a whole.
    pub(super) fn whole_file(file: &str, message: String) -> Self {
        let place = Place::default();
        Self::new(file, vec![Problem { place, message }])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.all.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            f.write_str(&self.file)?;
            if let Some(line) = problem.place.line {
                write!(f, ":{line}")?;
            }
            if !problem.place.path.is_empty() {
                write!(f, ": {}", problem.place.path)?;
            }
            write!(f, ": {}", problem.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
