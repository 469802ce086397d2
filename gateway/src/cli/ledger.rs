//! `tollgate ledger`.

use super::{LedgerCommand, Listing, Output, Verdict};
use crate::ledger::{Filter, Form, LedgerError, list, verify};
use std::{io, path::Path};

pub(super) fn run(command: &LedgerCommand, output: Output<'_>) -> io::Result<Verdict> {
    match command {
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

fn complain(error: &LedgerError, output: Output<'_>) -> io::Result<Verdict> {
    writeln!(output.err, "{error}")?;
    Ok(Verdict::Bad)
}
