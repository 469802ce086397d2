//! Which files a run reads: those named, and those in the directories named, sorted by path.

use super::{Options, Source};
use ignore::{Walk, WalkBuilder, overrides::OverrideBuilder};
use std::{
    fs::File,
    io::{BufReader, Read as _},
    path::{Path, PathBuf},
};

/// The inputs of a run, checked to exist.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    roots: Vec<Root>,
}

#[derive(Clone, Debug)]
enum Root {
    Stdin,
    File(PathBuf),
    Directory {
        path: PathBuf,
        include: Vec<String>,
        exclude: Vec<String>,
    },
}

impl Plan {
    /// Checks the inputs; all that is wrong is told at once.
    pub(crate) fn new(inputs: &[String], options: &Options) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let mut roots = Vec::new();
        for input in inputs {
            let path = PathBuf::from(input);
            if input == "-" {
                roots.push(Root::Stdin);
            } else if path.is_dir() {
                let root = Root::Directory {
                    path: path.clone(),
                    include: options.include.clone(),
                    exclude: options.exclude.clone(),
                };
                if let Err(error) = walker(&path, &options.include, &options.exclude) {
                    problems.push(format!("input filter: {error}"));
                }
                roots.push(root);
            } else if path.exists() {
                roots.push(Root::File(path));
            } else {
                problems.push(format!("input {input:?}: no such file or directory"));
            }
        }
        if inputs.is_empty() {
            problems.push("no input: name files or directories, or - for standard input".into());
        }
        if problems.is_empty() {
            Ok(Self { roots })
        } else {
            Err(problems)
        }
    }

    /// Whether standard input is read.
    pub(crate) fn reads_stdin(&self) -> bool {
        self.roots.iter().any(|root| matches!(root, Root::Stdin))
    }

    pub(super) fn sources(&self) -> impl Iterator<Item = Source> {
        self.roots.iter().flat_map(root_sources)
    }
}

fn root_sources(root: &Root) -> Box<dyn Iterator<Item = Source> + '_> {
    match root {
        Root::Stdin => Box::new(std::iter::once(Source::Stdin)),
        Root::File(path) => Box::new(std::iter::once(Source::File {
            path: path.clone(),
            id: path.to_string_lossy().into_owned(),
        })),
        Root::Directory {
            path,
            include,
            exclude,
        } => {
            let walk = walker(path, include, exclude).into_iter().flatten();
            let files = walk
                .filter_map(Result::ok)
                .filter(|entry| entry.file_type().is_some_and(|kind| kind.is_file()));
            Box::new(files.map(move |entry| Source::File {
                id: relative(entry.path(), path),
                path: entry.into_path(),
            }))
        }
    }
}

fn relative(path: &Path, root: &Path) -> String {
    path.strip_prefix(root)
        .unwrap_or(path)
        .to_string_lossy()
        .into_owned()
}

fn walker(path: &Path, include: &[String], exclude: &[String]) -> Result<Walk, ignore::Error> {
    let mut overrides = OverrideBuilder::new(path);
    for glob in include {
        overrides.add(glob)?;
    }
    for glob in exclude {
        overrides.add(&format!("!{glob}"))?;
    }
    Ok(WalkBuilder::new(path)
        .overrides(overrides.build()?)
        .require_git(false)
        .sort_by_file_path(|a, b| a.cmp(b))
        .build())
}

/// How many things the input holds, if that can be told without reading standard input: one a file,
/// one a line of JSON Lines. For the progress display; a JSON array counts as one.
pub(crate) fn count(plan: &Plan) -> Option<u64> {
    if plan.reads_stdin() {
        return None;
    }
    let mut total = 0;
    for source in plan.sources() {
        let Source::File { path, .. } = source else {
            return None;
        };
        total += if super::read::is_json_lines(&path) {
            lines(&path).unwrap_or(1)
        } else {
            1
        };
    }
    Some(total)
}

fn lines(path: &Path) -> std::io::Result<u64> {
    let mut reader = BufReader::new(File::open(path)?);
    let mut buffer = vec![0; 64 * 1024];
    let (mut total, mut blank, mut at_start) = (0, true, true);
    loop {
        let read = reader.read(&mut buffer)?;
        if read == 0 {
            return Ok(total + u64::from(!at_start && !blank));
        }
        for &byte in &buffer[..read] {
            if byte == b'\n' {
                total += u64::from(!blank);
                (blank, at_start) = (true, true);
            } else {
                blank &= byte.is_ascii_whitespace();
                at_start = false;
            }
        }
    }
}
