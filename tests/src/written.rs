//! What programs wrote to files.
use std::{
    fs,
    io::{self, ErrorKind},
    path::Path,
};

use walkdir::WalkDir;

use crate::Outcome;

/// Every file below a folder, with its name. One that a running program has put another in the place of meanwhile (it writes a file
/// under a name for the while, and renames it) is left out: the program writes the same to its next.
pub fn files(folder: &Path) -> Outcome<Vec<(String, Vec<u8>)>> {
    let mut found = Vec::new();
    for entry in WalkDir::new(folder) {
        let entry = match entry {
            Ok(entry) if entry.file_type().is_file() => entry,
            Ok(_) => continue,
            Err(error) if error.io_error().is_some_and(is_gone) => continue,
            Err(error) => return Err(error.into()),
        };
        match fs::read(entry.path()) {
            Ok(content) => found.push((entry.path().display().to_string(), content)),
            Err(error) if is_gone(&error) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

fn is_gone(error: &io::Error) -> bool {
    error.kind() == ErrorKind::NotFound
}
