//! Which files a config is made of.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    Code, Problem, Problems,
    source::{Place, Source},
};

/// Largest config file, in bytes.
const MAX_FILE: u64 = 16 << 20;
/// Folders within one another.
const MAX_DEPTH: usize = 32;

/// Reads the file, or every `*.yaml` and `*.yml` of the folder at any depth, in the order of their paths.
/// Files and folders whose names start with `.` are left out: editors and mounted volumes keep copies there.
pub(super) fn sources(path: &Path, problems: &mut Problems) -> Vec<Arc<Source>> {
    let files = found(path, problems);
    files.iter().filter_map(|file| read(file).map_err(|problem| problems.push(problem)).ok()).collect()
}

/// The files that a config is made of, in the order of their paths; those that can't be found are left out.
pub fn files(path: &Path) -> Vec<PathBuf> {
    found(path, &mut Problems::default())
}

fn found(path: &Path, problems: &mut Problems) -> Vec<PathBuf> {
    let mut files = Vec::new();
    match fs::metadata(path) {
        Err(error) => {
            problems.push(unreadable(path, &error.to_string()).remedy("name a file or folder with --config"));
            return Vec::new();
        }
        Ok(about) if about.is_dir() => {
            collect(path, 0, &mut HashSet::new(), &mut files, problems);
            if files.is_empty() && problems.is_empty() {
                problems.push(
                    unreadable(path, "the folder holds no *.yaml or *.yml file")
                        .remedy("write one, for example with `herald init`"),
                );
            }
        }
        Ok(_) => files.push(path.to_owned()),
    }
    files.sort();
    files
}

fn collect(
    folder: &Path,
    depth: usize,
    seen: &mut HashSet<PathBuf>,
    files: &mut Vec<PathBuf>,
    problems: &mut Problems,
) {
    // A link that leads back up would never end.
    if depth > MAX_DEPTH || fs::canonicalize(folder).is_ok_and(|real| !seen.insert(real)) {
        return;
    }
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return problems.push(unreadable(folder, &error.to_string())),
    };
    for entry in entries {
        let path = match entry {
            Ok(entry) => entry.path(),
            Err(error) => return problems.push(unreadable(folder, &error.to_string())),
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') {
            continue;
        }
        // What can't be looked at, such as a link to what is not mounted, may be a folder: without it activations would be missing.
        let is_folder = match fs::metadata(&path) {
            Ok(about) => about.is_dir(),
            Err(error) => {
                problems
                    .push(unreadable(&path, &error.to_string()).remedy("bring back what it leads to, or remove it"));
                continue;
            }
        };
        if is_folder {
            collect(&path, depth + 1, seen, files, problems);
        } else if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            files.push(path);
        }
    }
}

fn read(path: &Path) -> Result<Arc<Source>, Problem> {
    let fault = |error: &dyn std::fmt::Display| unreadable(path, &error.to_string());
    if fs::metadata(path).map_err(|error| fault(&error))?.len() > MAX_FILE {
        return Err(fault(&"it is larger than 16 MiB"));
    }
    let bytes = fs::read(path).map_err(|error| fault(&error))?;
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let before = String::from_utf8_lossy(&error.as_bytes()[..valid]).into_owned();
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            let source = Source::new(path.display().to_string(), PathBuf::new(), String::new());
            let place = Place { source, line, column, span: 0..0 };
            return Err(Problem::new(Some(place), Code::Syntax, "the file is not UTF-8").remedy("save it as UTF-8"));
        }
    };
    let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
    let absolute = std::path::absolute(path).map_err(|error| fault(&error))?;
    let folder = absolute.parent().map(Path::to_owned).unwrap_or_default();
    Ok(Source::new(path.display().to_string(), folder, text))
}

fn unreadable(path: &Path, why: &str) -> Problem {
    let source = Source::new(path.display().to_string(), PathBuf::new(), String::new());
    let place = Place { source, line: 1, column: 1, span: 0..0 };
    Problem::new(Some(place), Code::Unreadable, format!("can't read the config: {why}"))
}
