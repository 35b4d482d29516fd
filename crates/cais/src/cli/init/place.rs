//! A folder of the project, as its finders read it and as commands name it.

use std::path::{Path, PathBuf};

/// A folder of the project.
pub(super) struct Place<'r> {
    /// The project's folder, in which commands run.
    pub(super) root: &'r Path,
    /// Relative to it; empty is the project's folder itself.
    pub(super) at: PathBuf,
}

impl Place<'_> {
    pub(super) fn folder(&self) -> PathBuf {
        self.root.join(&self.at)
    }

    pub(super) fn is_root(&self) -> bool {
        self.at.as_os_str().is_empty()
    }

    pub(super) fn has(&self, file: &str) -> bool {
        self.folder().join(file).is_file()
    }

    pub(super) fn read(&self, file: &str) -> Option<String> {
        std::fs::read_to_string(self.folder().join(file)).ok()
    }

    /// A path in this folder as a command in a Compose file has it: relative to the project's folder, quoted for a shell, with
    /// `$` doubled.
    pub(super) fn path(&self, inner: &str) -> String {
        let path = self.at.join(inner);
        let path = match path.to_string_lossy().trim_end_matches('/') {
            "" => ".".to_owned(),
            path => path.to_owned(),
        };
        shell_words::quote(&path).replace('$', "$$")
    }

    /// The folder's name as a service may have it.
    pub(super) fn name(&self) -> String {
        let folder = self.folder();
        let folder = folder.canonicalize().unwrap_or(folder);
        made_valid(&folder.file_name().unwrap_or_default().to_string_lossy())
    }
}

/// The same as a name may be: lowercase letters, digits, `_` and `-`, beginning with a letter or digit.
pub(super) fn made_valid(text: &str) -> String {
    let kept = text.chars().map(|c| match c {
        ' ' | '.' => '-',
        _ => c.to_ascii_lowercase(),
    });
    let kept: String = kept
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
        .collect();
    kept.trim_matches(['_', '-']).to_owned()
}

/// What the sources of a folder show about how its program is reached.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Sources {
    /// Is there one that names the variable `PORT`?
    pub(super) read_port: bool,
    /// The health check's path that one of them has as a text of its own.
    pub(super) health: Option<&'static str>,
}

/// Endings of the languages that init knows.
const SOURCES: [&str; 8] = ["rs", "py", "js", "ts", "mjs", "cjs", "go", "env"];
/// Paths that services answer health checks at, the likelier first.
const HEALTH: [&str; 4] = ["/healthz", "/health", "/livez", "/up"];
/// So many files are read; a service's own code is rarely more.
const MOST_FILES: usize = 500;

impl Sources {
    /// Reads the sources in a folder and below.
    pub(super) fn of(folder: &Path) -> Self {
        let (mut files, mut found) = (MOST_FILES, Self::default());
        let mut all = Vec::new();
        read_below(folder, 0, &mut files, &mut |text| {
            found.read_port |= text.contains("PORT");
            for path in HEALTH {
                let quoted = ['"', '\'', '`'].map(|quote| format!("{quote}{path}{quote}"));
                if quoted.iter().any(|it| text.contains(it.as_str())) {
                    all.push(path);
                }
            }
        });
        found.health = HEALTH.into_iter().find(|path| all.contains(path));
        found
    }
}

fn read_below(folder: &Path, depth: usize, left: &mut usize, seen: &mut dyn FnMut(&str)) {
    for (path, is_folder) in entries(folder) {
        if *left == 0 {
            return;
        }
        if is_folder {
            if depth < 6 {
                read_below(&path, depth + 1, left, seen);
            }
            continue;
        }
        let ending = path.extension().and_then(|ending| ending.to_str());
        if ending.is_some_and(|ending| SOURCES.contains(&ending)) {
            *left -= 1;
            if let Ok(text) = std::fs::read_to_string(&path) {
                seen(&text);
            }
        }
    }
}

/// Folders that hold other people's code, what was built, or what is not run.
const NOT_OURS: [&str; 16] = [
    "node_modules",
    "target",
    "vendor",
    "dist",
    "build",
    "venv",
    "site-packages",
    "__pycache__",
    "bin",
    "test",
    "tests",
    "testdata",
    "fixtures",
    "examples",
    "benches",
    "docs",
];

/// What stands in a folder and is the project's own, in the order of names; links are not followed, and `true` is a folder.
pub(super) fn entries(folder: &Path) -> Vec<(PathBuf, bool)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut entries: Vec<_> = entries
        .filter_map(|entry| {
            let name = entry.file_name();
            let name = name.to_str()?;
            let kind = entry.file_type().ok()?;
            let is_foreign = kind.is_dir() && NOT_OURS.contains(&name);
            let is_ours = !name.starts_with('.') && !kind.is_symlink() && !is_foreign;
            is_ours.then(|| (entry.path(), kind.is_dir()))
        })
        .collect();
    entries.sort();
    entries
}
