//! The file system, as far as the ledger writes to it. A trait, so that tests can let it fail.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
    sync::Arc,
};

/// Makes and replaces files.
pub(super) trait Disk: Send + Sync {
    /// Opens a segment to append to it; makes it if it is not there.
    fn segment(&self, path: &Path) -> io::Result<Arc<dyn Segment>>;

    /// Puts a file in place, whole or not at all, and durably.
    fn put(&self, path: &Path, content: &[u8]) -> io::Result<()>;

    /// Makes the names in a directory durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
}

/// A file that grows.
pub(super) trait Segment: Send + Sync {
    /// Writes all of it at the end. After an error, some of it may be there.
    fn append(&self, lines: &[u8]) -> io::Result<()>;

    /// Cuts it to a length.
    fn cut(&self, length: u64) -> io::Result<()>;

    /// Makes what was written durable.
    fn sync(&self) -> io::Result<()>;
}

/// The machine's file system.
pub(super) struct Machine;

impl Disk for Machine {
    fn segment(&self, path: &Path) -> io::Result<Arc<dyn Segment>> {
        // Appending: after a cut, the next write is at the new end.
        let file = private().append(true).create(true).open(path)?;
        Ok(Arc::new(file))
    }

    fn put(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let draft = path.with_extension("tmp");
        let mut file = private()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&draft)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&draft, path)?;
        path.parent().map_or(Ok(()), |dir| self.sync_dir(dir))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }
}

impl Segment for File {
    fn append(&self, lines: &[u8]) -> io::Result<()> {
        let mut file = self;
        file.write_all(lines)
    }

    fn cut(&self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}

/// Makes a directory that only its owner can look into.
pub(super) fn make_dir(dir: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}
