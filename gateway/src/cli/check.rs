//! `tollgate check`.

use super::{Output, Verdict};
use crate::config::{self, Environment};
use std::{io, path::Path};

pub(super) fn run(
    file: &Path,
    environment: &dyn Environment,
    output: Output<'_>,
) -> io::Result<Verdict> {
    match config::load(file, environment) {
        Ok(config) => {
            writeln!(
                output.out,
                "{}: good: {}, {}, {}, {}; hash {}, prices {}",
                file.display(),
                count(config.providers.len(), "provider"),
                count(config.models.len(), "model"),
                count(config.routes.len(), "route"),
                count(config.teams.len(), "team"),
                config.hash(),
                config.price_version(),
            )?;
            Ok(Verdict::Good)
        }
        Err(problems) => {
            writeln!(output.err, "{problems}")?;
            writeln!(output.err, "{}", count(problems.all.len(), "problem"))?;
            Ok(Verdict::Bad)
        }
    }
}

fn count(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
}
