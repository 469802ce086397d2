//! A certificate and its key, each named by its file.

use super::{reader::Reader, text};
use crate::tls::Files;
use std::path::PathBuf;

/// Reads the table, and the files that it names.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<Files> {
    let cert_file = reader.text("cert_file", file_name);
    reader.require("cert_file", "\"tls/cert.pem\"");
    let key_file = reader.text("key_file", file_name);
    reader.require("key_file", "\"tls/key.pem\"");
    let files = Files {
        cert_file: cert_file?,
        key_file: key_file?,
    };
    for problem in files.check().err().into_iter().flatten() {
        reader.report(problem.key, problem.message);
    }
    Some(files)
}

fn file_name(name: &str) -> Result<PathBuf, String> {
    if name.is_empty() || name.contains('\0') {
        return Err(format!("{} is not a file name", text::shown(name)));
    }
    Ok(PathBuf::from(name))
}
