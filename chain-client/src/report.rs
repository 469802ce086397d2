//! What a run leaves behind: results.jsonl as it goes, report.json and report.html at the end.
//!
//! Rows go to a file as articles end and are read back one by one, so that a run of any length is
//! reported in bounded memory.

mod html;
mod json;
mod spill;
mod style;
mod svg;
mod table;

pub(crate) use html::page;
pub(crate) use json::{line, write as write_json};
pub(crate) use spill::Spill;
pub(crate) use table::summary;

use crate::{answer::Recipe, exit::Exit, money::Money, prompt::Library, step::Step, tally::Tally};
use chrono::{DateTime, Utc};
use std::{
    fs,
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};
use tollgate_proto::v1::completion_spec::Target;

/// What is known of a run when it has ended.
pub(crate) struct Run {
    pub(crate) id: String,
    pub(crate) gateway: String,
    pub(crate) started: DateTime<Utc>,
    pub(crate) finished: DateTime<Utc>,
    pub(crate) elapsed: Duration,
    pub(crate) exit: Exit,
    /// In words, if the run stopped early.
    pub(crate) stopped: Option<String>,
    pub(crate) time_budget: Option<Duration>,
    pub(crate) max_cost: Option<Money>,
    pub(crate) concurrency: usize,
    /// Whether all of the input was seen, so that no article is missing from the list.
    pub(crate) input_complete: bool,
    pub(crate) steps: Vec<StepFacts>,
    pub(crate) tally: Tally,
    pub(crate) ledger: Option<Ledger>,
    pub(crate) price_version: Option<String>,
    pub(crate) dir: PathBuf,
}

/// How a step was asked.
#[derive(Clone, Debug)]
pub(crate) struct StepFacts {
    pub(crate) step: Step,
    pub(crate) target: String,
    pub(crate) prompt_version: String,
    pub(crate) prompt_sha256: String,
    pub(crate) schema_sha256: String,
}

/// What the gateway's own books say about the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ledger {
    pub(crate) calls: i64,
    pub(crate) cost: Money,
}

/// How each step is asked.
pub(crate) fn facts(library: &Library, recipes: &[Recipe; 4]) -> Vec<StepFacts> {
    let fact = |step: Step| {
        let prompt = library.step(step);
        StepFacts {
            step,
            target: target_text(&recipes[step.index()].target),
            prompt_version: prompt.version.clone(),
            prompt_sha256: prompt.sha256.clone(),
            schema_sha256: prompt
                .schema
                .as_ref()
                .map(|s| s.sha256.clone())
                .unwrap_or_default(),
        }
    };
    Step::ALL.map(fact).into()
}

/// Where a step goes, in words.
pub(crate) fn target_text(target: &Target) -> String {
    match target {
        Target::Model(name) => format!("model {name}"),
        Target::Route(name) => format!("route {name}"),
        Target::Complexity(number) => {
            let name = tollgate_proto::v1::Complexity::try_from(*number)
                .map(|complexity| complexity.as_str_name())
                .unwrap_or_default();
            name.trim_start_matches("COMPLEXITY_").to_lowercase()
        }
    }
}

/// Writes a file beside its place and moves it there, so that nobody reads half a report.
pub(crate) fn write_whole(
    path: &Path,
    write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
) -> io::Result<()> {
    let beside = path.with_extension("partial");
    let mut file = BufWriter::new(fs::File::create(&beside)?);
    write(&mut file)?;
    file.flush()?;
    drop(file);
    fs::rename(&beside, path)
}

#[cfg(test)]
mod tests;
