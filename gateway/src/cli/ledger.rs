//! `tollgate ledger`.

use super::{File, LedgerCommand, Listing, Output, Verdict};
use crate::{
    app::{self, Rebuilt},
    config::{self, Environment},
    ledger::{Filter, Form, list, verify},
};
use std::{fmt::Display, io, path::Path};

pub(super) fn run(
    command: &LedgerCommand,
    environment: &dyn Environment,
    output: Output<'_>,
) -> io::Result<Verdict> {
    match command {
        LedgerCommand::Rebuild(File { file }) => rebuild(file, environment, output),
        LedgerCommand::Verify { dir, json } => check(dir, *json, output),
        LedgerCommand::List(listing) => entries(listing, output),
    }
}

fn check(dir: &Path, json: bool, output: Output<'_>) -> io::Result<Verdict> {
    let report = match verify(dir) {
        Ok(report) => report,
        Err(error) => return complain(&error, output),
    };
    if json {
        serde_json::to_writer(&mut *output.out, &report)?;
        writeln!(output.out)?;
    } else {
        report.write_text(output.out)?;
    }
    Ok(if report.is_sound() {
        Verdict::Good
    } else {
        Verdict::Bad
    })
}

fn rebuild(file: &Path, environment: &dyn Environment, output: Output<'_>) -> io::Result<Verdict> {
    let config = match config::load(file, environment) {
        Ok(config) => config,
        Err(problems) => return complain(&problems, output),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    match runtime.block_on(app::rebuild(&config)) {
        Ok(Rebuilt { teams, rebuilt }) => {
            let names: Vec<&str> = rebuilt.iter().map(|team| &**team).collect();
            let which = match names[..] {
                [] => "none had to be rebuilt".to_owned(),
                _ => format!("rebuilt: {}", names.join(", ")),
            };
            writeln!(output.out, "teams with balances: {teams}; {which}")?;
            Ok(Verdict::Good)
        }
        Err(error) => complain(&error, output),
    }
}

fn entries(listing: &Listing, output: Output<'_>) -> io::Result<Verdict> {
    let filter = Filter {
        team: listing.team.as_deref().map(Into::into),
        run: listing.run.as_deref().map(Into::into),
    };
    let form = if listing.json { Form::Json } else { Form::Text };
    match list(&listing.dir, &filter, form, output.out) {
        Ok(_) => Ok(Verdict::Good),
        Err(error) => complain(&error, output),
    }
}

fn complain(error: &dyn Display, output: Output<'_>) -> io::Result<Verdict> {
    writeln!(output.err, "{error}")?;
    Ok(Verdict::Bad)
}
