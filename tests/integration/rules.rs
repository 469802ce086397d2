//! Rules, alerts, runbooks and the configuration of Prometheus and Alertmanager: valid, tested, true
//! to the catalogues, and delivered when something breaks.

mod alertmanager;
mod expression;
mod fault;
mod files;
mod routes;
mod runbooks;
mod shortened;
mod webhook;

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace")
        .to_owned()
}

/// The files of a folder of the repository that end so, in order.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let folder = repository().join(folder);
    let entries = fs::read_dir(&folder).expect("the folder is there");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut found: Vec<_> = paths
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .collect();
    found.sort();
    assert!(!found.is_empty(), "{} has files", folder.display());
    found
}

/// Runs a tool of Prometheus or Alertmanager.
fn run(command: &mut Command) -> Output {
    match command.output() {
        Ok(output) => output,
        Err(error) if error.kind() == io::ErrorKind::NotFound => panic!(
            "{:?} is not installed: `make prerequisites` installs it (Debian's packages prometheus \
             and prometheus-alertmanager)",
            command.get_program()
        ),
        Err(error) => panic!("{command:?} does not run: {error}"),
    }
}

/// Runs a tool that must be content; tells what it printed.
fn passes(command: &mut Command) -> String {
    let output = run(command);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?} fails:\n{said}{complained}"
    );
    said
}
