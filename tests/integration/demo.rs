//! `make demo`, which nothing else would notice to be broken.

use std::{os::unix::fs::symlink, path::Path, process::Command};
use tempfile::TempDir;
use tollgate_tests::harness::program;

#[test]
fn the_demo_shows_what_it_is_there_to_show() {
    let dir = TempDir::new().expect("a directory");
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    // It reads `examples/` and writes `.demo/` where it is started.
    symlink(examples, dir.path().join("examples")).expect("a link");
    let ran = Command::new(program("demo"))
        .current_dir(dir.path())
        .env("NO_COLOR", "1")
        .output()
        .expect("it runs");
    let told = String::from_utf8_lossy(&ran.stdout);
    let why = String::from_utf8_lossy(&ran.stderr);
    // It checks itself for a retry, a fallback, a cheap and a strong model, and its ledger.
    assert!(ran.status.success(), "{told}{why}");
    for (name, file) in [("report", "run/report.html"), ("ledger", "ledger")] {
        let path = dir.path().join(".demo").join(file);
        let path = path.canonicalize().expect("it is there");
        let line = format!("{name}:  {}", path.display());
        assert!(
            told.lines().any(|one| one == line),
            "{line} is not in {told}"
        );
    }
    assert!(told.contains("the report and the ledger agree"), "{told}");
}
