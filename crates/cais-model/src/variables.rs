//! Fills in the variables of a whole tree and casts what they filled in; the grammar of one text is [`interpolate`]'s.

use crate::cast::Cast;
use crate::diagnostic::Diagnostic;
use crate::interpolate::{self, InterpolationError, Lookup};
use crate::node::{Node, Value};
use crate::path::Path;
use crate::source::Source;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The variables a project sees: the caller's environment before the env files, and a record of what was asked for.
pub(crate) struct Variables<'a> {
    source: &'a dyn Source,
    /// Values that no environment may change, e.g. `COMPOSE_PROJECT_NAME`.
    fixed: BTreeMap<String, String>,
    /// Values of `.env` or `--env-file`.
    files: BTreeMap<String, String>,
    /// Every name that was asked for, with what it got.
    pub(crate) asked: BTreeMap<String, Option<String>>,
    /// Names that were missing already, so that each is warned about once.
    missed: BTreeSet<String>,
}

impl<'a> Variables<'a> {
    /// The caller's environment alone.
    pub(crate) fn new(source: &'a dyn Source) -> Self {
        Self {
            source,
            fixed: BTreeMap::new(),
            files: BTreeMap::new(),
            asked: BTreeMap::new(),
            missed: BTreeSet::new(),
        }
    }

    /// Adds the variables of an env file; those added before keep their values unless `replace`.
    pub(crate) fn add_file(&mut self, variables: BTreeMap<String, String>, replace: bool) {
        for (name, value) in variables {
            if replace || !self.files.contains_key(&name) {
                self.files.insert(name, value);
            }
        }
    }

    /// Sets a value that wins over every other.
    pub(crate) fn fix(&mut self, name: &str, value: &str) {
        self.fixed.insert(name.to_owned(), value.to_owned());
    }

    /// The variables of env files, to restore with [`Self::restore_files`] after an `include`.
    pub(crate) fn files(&self) -> BTreeMap<String, String> {
        self.files.clone()
    }

    /// Puts back what [`Self::files`] gave.
    pub(crate) fn restore_files(&mut self, files: BTreeMap<String, String>) {
        self.files = files;
    }

    /// The value of a variable that the loader itself asks for.
    pub(crate) fn peek(&self, name: &str) -> Option<String> {
        let fixed = self.fixed.get(name).cloned();
        fixed
            .or_else(|| self.source.variable(name))
            .or_else(|| self.files.get(name).cloned())
    }

    /// The value of a variable that the project asks for; the question is recorded.
    pub(crate) fn get(&mut self, name: &str) -> Option<String> {
        let value = self.peek(name).or_else(|| self.source.stand_in());
        self.asked.insert(name.to_owned(), value.clone());
        value
    }
}

/// Fills in every text of the tree, keys excepted; errors and warnings are added to `diagnostics`, and what is in error stays as written.
pub(crate) fn interpolate_tree(
    tree: &mut Node,
    variables: &mut Variables<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    Walk {
        variables,
        diagnostics,
    }
    .node(tree, &mut Path::root());
}

struct Walk<'w, 'a> {
    variables: &'w mut Variables<'a>,
    diagnostics: &'w mut Vec<Diagnostic>,
}

impl Walk<'_, '_> {
    fn node(&mut self, node: &mut Node, path: &mut Path) {
        match &mut node.value {
            Value::String(_) => self.text(node, path),
            Value::Sequence(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    path.push_index(index);
                    self.node(item, path);
                    path.pop();
                }
            }
            Value::Mapping(mapping) => {
                for (key, entry) in mapping.iter_mut() {
                    path.push_key(key);
                    self.node(&mut entry.value, path);
                    path.pop();
                }
            }
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) => {}
        }
    }

    fn text(&mut self, node: &mut Node, path: &Path) {
        let Some(written) = node.as_str().map(str::to_owned) else {
            return;
        };
        let mut text = written.clone();
        if interpolate::has_variables(&written) {
            let mut lookup = Recorder {
                variables: self.variables,
                missing: Vec::new(),
            };
            let result = interpolate::interpolate(&written, &mut lookup);
            let missing = lookup.missing;
            for name in missing {
                if self.variables.missed.insert(name.clone()) {
                    self.diagnostics.push(unset(node, &name));
                }
            }
            match result {
                Ok(filled) => text = filled,
                Err(error) => return self.diagnostics.push(refused(node, path, &error)),
            }
        }
        let value = match Cast::at(path) {
            None => Value::String(text),
            // Compose casts literal texts as well: `replicas: "3"` is a number.
            Some(cast) => match cast.apply(&text) {
                Some(value) => value,
                None => {
                    return self
                        .diagnostics
                        .push(not_cast(node, path, cast, &text, &written));
                }
            },
        };
        node.value = value;
        if interpolate::has_variables(&written) {
            node.raw = Some(Arc::from(written));
        }
    }
}

struct Recorder<'r, 'a> {
    variables: &'r mut Variables<'a>,
    missing: Vec<String>,
}

impl Lookup for Recorder<'_, '_> {
    fn value(&mut self, name: &str) -> Option<String> {
        self.variables.get(name)
    }

    fn missing(&mut self, name: &str) {
        self.missing.push(name.to_owned());
    }
}

/// The names that a written text asks for, whether a value is there or not.
pub(crate) fn names_in(written: &str) -> BTreeSet<String> {
    #[derive(Default)]
    struct Names(BTreeSet<String>);
    impl Lookup for Names {
        fn value(&mut self, name: &str) -> Option<String> {
            self.0.insert(name.to_owned());
            None
        }
        fn missing(&mut self, _: &str) {}
    }
    /// A set variable takes `:+`'s branch and leaves `:-`'s; both must be walked to see every name.
    struct SetNames<'a>(&'a mut Names);
    impl Lookup for SetNames<'_> {
        fn value(&mut self, name: &str) -> Option<String> {
            self.0.value(name);
            Some("set".to_owned())
        }
        fn missing(&mut self, _: &str) {}
    }
    let mut names = Names::default();
    // An error ends the walk early; such a text never reaches a loaded stack.
    let _ = interpolate::interpolate(written, &mut SetNames(&mut names));
    let _ = interpolate::interpolate(written, &mut names);
    names.0
}

fn unset(node: &Node, name: &str) -> Diagnostic {
    node.warning(format!(
        "variable `{name}` is not set; it becomes an empty text"
    ))
    .with_help(format!("set it, or give a default: ${{{name}:-value}}"))
}

fn refused(node: &Node, path: &Path, error: &InterpolationError) -> Diagnostic {
    let diagnostic = node.error(format!("{path}: {error}"));
    match error {
        InterpolationError::Required { name, .. } => diagnostic.with_help(format!(
            "set it in the environment or in the .env file: {name}=…"
        )),
        InterpolationError::Malformed(_) | InterpolationError::Unclosed(_) => {
            diagnostic.with_help("write `$$` for a dollar sign that begins no variable")
        }
        InterpolationError::TooDeep => diagnostic,
    }
}

fn not_cast(node: &Node, path: &Path, cast: Cast, text: &str, written: &str) -> Diagnostic {
    let from = if text == written {
        String::new()
    } else {
        format!(" (from `{written}`)")
    };
    node.error(format!("{path}: `{text}`{from} is not {}", cast.noun()))
}
