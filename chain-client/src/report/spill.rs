//! Where rows wait for the report, and where results go as they come.

use crate::{
    row::{ArticleRow, ArticleStatus},
    step::Step,
};
use serde_json::{Map, Value, json};
use std::{
    fs::{self, File},
    io::{self, BufRead as _, BufReader, BufWriter, Write as _},
    path::{Path, PathBuf},
};

/// The open files of a run.
pub(crate) struct Spill {
    rows: BufWriter<File>,
    rows_path: PathBuf,
    results: BufWriter<File>,
}

impl Spill {
    /// Opens the files of a run in its directory.
    pub(crate) fn create(dir: &Path) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let rows_path = dir.join("rows.partial");
        Ok(Self {
            rows: BufWriter::new(File::create(&rows_path)?),
            rows_path,
            results: BufWriter::new(File::create(dir.join("results.jsonl"))?),
        })
    }

    /// Keeps a row. Results reach the file at once: whoever reads along sees whole lines.
    pub(crate) fn keep(&mut self, row: &ArticleRow) -> io::Result<()> {
        serde_json::to_writer(&mut self.rows, row)?;
        self.rows.write_all(b"\n")?;
        if let Some(result) = result(row) {
            serde_json::to_writer(&mut self.results, &result)?;
            self.results.write_all(b"\n")?;
            self.results.flush()?;
        }
        Ok(())
    }

    /// Ends writing; the rows can be read until they are dropped, which removes their file.
    pub(crate) fn finish(mut self) -> io::Result<Rows> {
        self.rows.flush()?;
        self.results.flush()?;
        Ok(Rows {
            path: self.rows_path,
        })
    }
}

/// A line of the data product: an article and the outputs of its steps. What failed is null.
fn result(row: &ArticleRow) -> Option<Value> {
    let sent = matches!(
        row.status,
        ArticleStatus::Ok | ArticleStatus::Failed | ArticleStatus::Cancelled
    );
    if !sent {
        return None;
    }
    let mut line = Map::new();
    line.insert("id".into(), json!(row.id));
    line.insert("source".into(), json!(row.source));
    line.insert("title".into(), json!(row.title));
    line.insert("sha256".into(), json!(row.sha256));
    line.insert("status".into(), json!(row.status));
    for step in Step::ALL {
        line.insert(step.name().into(), json!(row.step(step).output));
    }
    Some(Value::Object(line))
}

/// The rows of a run, in the order in which the articles ended.
pub(crate) struct Rows {
    path: PathBuf,
}

impl Rows {
    /// Reads the rows one by one.
    pub(crate) fn read(&self) -> io::Result<impl Iterator<Item = io::Result<ArticleRow>>> {
        let lines = BufReader::new(File::open(&self.path)?).lines();
        Ok(lines.map(|line| Ok(serde_json::from_str(&line?)?)))
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        // The report has them; a file that stays does no harm.
        let _ = fs::remove_file(&self.path);
    }
}
