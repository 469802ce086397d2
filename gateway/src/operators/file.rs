//! A board in a file, for one process: a line for each note, the last of a name counts.

use super::{Board, Notes};
use crate::{error::StoreError, store::Reply};
use futures_util::future::FutureExt as _;
use serde::{Deserialize, Serialize};
use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The name of the file, in the directory of the ledger, whose lock keeps others out.
pub const NAME: &str = "operators.jsonl";

/// A board in a file.
pub struct FileBoard(Arc<Mutex<Written>>);

struct Written {
    file: File,
    /// How long the file is, without what could not be written whole.
    length: u64,
    notes: Notes,
}

#[derive(Serialize, Deserialize)]
struct Line {
    name: String,
    note: String,
}

impl FileBoard {
    /// Opens the board in a directory, or makes one. A torn last line was never answered for and is
    /// cut off.
    ///
    /// # Errors
    /// If the file can't be used, or a whole line of it can't be read.
    pub fn open(dir: &Path) -> io::Result<Self> {
        let path = dir.join(NAME);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let mut notes = Notes::new();
        for (number, line) in text[..whole].lines().enumerate() {
            let Line { name, note } = serde_json::from_str(line).map_err(|error| {
                let (file, number) = (path.display(), number + 1);
                io::Error::other(format!(
                    "{file}: line {number} can't be read: {error}; restore the file, or remove the \
                     line if what it says may be forgotten"
                ))
            })?;
            notes.insert(name, note);
        }
        let length = u64::try_from(whole).map_err(io::Error::other)?;
        file.set_len(length)?;
        file.sync_all()?;
        // Its name is durable too.
        File::open(dir)?.sync_all()?;
        Ok(Self(Arc::new(Mutex::new(Written {
            file,
            length,
            notes,
        }))))
    }

    /// Writes a note durably, unless one of that name is there and must stay.
    async fn write(&self, name: &str, note: &str, over: Over) -> Result<bool, StoreError> {
        let board = Arc::clone(&self.0);
        let (name, note) = (name.to_owned(), note.to_owned());
        let writing = move || {
            let mut written = lock(&board);
            if over == Over::Nothing && written.notes.contains_key(&name) {
                return Ok(false);
            }
            written.append(name, note).map(|()| true)
        };
        let done = tokio::task::spawn_blocking(writing).await;
        let done = done.map_err(io::Error::other).and_then(|done| done);
        done.map_err(|error| StoreError {
            detail: format!("{NAME} can't be written: {error}"),
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Over {
    Nothing,
    What,
}

impl Written {
    fn append(&mut self, name: String, note: String) -> io::Result<()> {
        let line = Line { name, note };
        let mut text = serde_json::to_vec(&line)?;
        text.push(b'\n');
        // Over what an earlier try may have left.
        self.file.set_len(self.length)?;
        self.file.seek(SeekFrom::Start(self.length))?;
        self.file.write_all(&text)?;
        self.file.sync_data()?;
        self.length += u64::try_from(text.len()).map_err(io::Error::other)?;
        self.notes.insert(line.name, line.note);
        Ok(())
    }
}

fn lock(board: &Mutex<Written>) -> MutexGuard<'_, Written> {
    board.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Board for FileBoard {
    fn read(&self) -> Reply<'_, Notes> {
        async { Ok(lock(&self.0).notes.clone()) }.boxed()
    }

    fn add<'a>(&'a self, name: &'a str, note: &'a str) -> Reply<'a, bool> {
        self.write(name, note, Over::Nothing).boxed()
    }

    fn replace<'a>(&'a self, name: &'a str, note: &'a str) -> Reply<'a, ()> {
        async move { self.write(name, note, Over::What).await.map(drop) }.boxed()
    }
}
