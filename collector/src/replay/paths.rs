//! From what the user names to the files that are read.

use std::path::{Path, PathBuf};

use super::error::InputError;

/// A file to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Input {
    /// Where it is; `-` is standard input.
    pub(super) path: PathBuf,
    /// Whether it was found in a directory, where other things may be, too.
    pub(super) found: bool,
}

/// The files that `paths` stand for: files as they are, directories with everything below them in the order of the names,
/// but for hidden files.
pub(super) fn expand(paths: &[PathBuf]) -> Result<Vec<Input>, InputError> {
    let mut inputs = Vec::new();
    for path in paths {
        if path.as_path() != Path::new("-") && path.is_dir() {
            walk(path, &mut inputs)?;
        } else {
            inputs.push(Input { path: path.clone(), found: false });
        }
    }
    Ok(inputs)
}

fn walk(directory: &Path, inputs: &mut Vec<Input>) -> Result<(), InputError> {
    let failed = |source| InputError::Open { path: directory.to_owned(), source };
    let mut entries = std::fs::read_dir(directory)
        .and_then(|entries| entries.collect::<Result<Vec<_>, _>>())
        .map_err(failed)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        // Directories behind links are left out: they may lead in circles.
        let kind = entry.file_type().map_err(failed)?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        if kind.is_dir() {
            walk(&path, inputs)?;
        } else if kind.is_file() || (kind.is_symlink() && path.is_file()) {
            inputs.push(Input { path, found: true });
        }
    }
    Ok(())
}
