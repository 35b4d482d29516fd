//! Secrets of this machine's stacks, encrypted at rest: `.cais/secrets/NAME.age` beside the Compose file, for a key that
//! stays in the user's configuration folder. What a secret is for is not known here.

use crate::exit::{Exit, Failure, Outcome};
use crate::paths;
use crate::supervisor::mounts::write_private;
use age::secrecy::ExposeSecret;
use age::x25519::Identity;
use jiff::Timestamp;
use serde::Serialize;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The ending of an encrypted secret's file.
const ENDING: &str = "age";

/// A secret's name: what stands under `secrets:` in a Compose file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct SecretName(String);

impl SecretName {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SecretName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let is_name = !text.is_empty()
            && text.len() <= 200
            && !text.starts_with('.')
            && text.chars().all(fits);
        if is_name {
            Ok(Self(text.to_owned()))
        } else {
            Err("expected a name of letters, digits, `_`, `-` and `.`, as under `secrets:` in the file".to_owned())
        }
    }
}

/// What is known of a secret without its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Entry {
    pub(crate) name: SecretName,
    pub(crate) changed: Option<Timestamp>,
}

/// The secrets of one project.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    folder: PathBuf,
    key: PathBuf,
}

impl Store {
    /// The store of the project whose Compose file lives in `directory`. Creates nothing.
    pub(crate) fn of(directory: &Path) -> Outcome<Self> {
        Ok(Self {
            folder: directory.join(".cais/secrets"),
            key: paths::config_root()?.join("age.key"),
        })
    }

    /// Encrypts a value and keeps it; the key is made at the first. `true`: there was none of this name.
    pub(crate) fn set(&self, name: &SecretName, value: &[u8]) -> Outcome<bool> {
        let identity = match self.identity()? {
            Some(identity) => identity,
            None => self.make_identity()?,
        };
        let sealed = age::encrypt(&identity.to_public(), value)
            .map_err(|error| failed(format!("`{}` cannot be encrypted: {error}", name.0)))?;
        let file = self.file(name);
        let is_new = !file.exists();
        write_private(&file, &sealed)?;
        Ok(is_new)
    }

    /// A value; `None` where there is none of this name.
    pub(crate) fn get(&self, name: &str) -> Outcome<Option<Vec<u8>>> {
        let Ok(name) = SecretName::from_str(name) else {
            return Ok(None);
        };
        let file = self.file(&name);
        let sealed = match std::fs::read(&file) {
            Ok(sealed) => sealed,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(cannot("read", &file, &error)),
        };
        let Some(identity) = self.identity()? else {
            return Err(failed(format!(
                "the secret `{}` is encrypted, and its key, `{}`, is not there",
                name.0,
                self.key.display()
            ))
            .help(format!(
                "bring the key back from where the secret was set, or set it anew: `cais secret set {}`",
                name.0
            )));
        };
        age::decrypt(&identity, &sealed).map(Some).map_err(|error| {
            failed(format!(
                "the secret `{}` does not open with the key `{}`: {error}",
                name.0,
                self.key.display()
            ))
            .help(format!("set it anew: `cais secret set {}`", name.0))
        })
    }

    /// All names, in order.
    pub(crate) fn list(&self) -> Outcome<Vec<Entry>> {
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(cannot("read", &self.folder, &error)),
        };
        let mut found: Vec<Entry> = entries
            .flatten()
            .filter_map(|entry| {
                let path = entry.path();
                let is_sealed = path.extension().is_some_and(|ending| ending == ENDING);
                let name = path.file_stem()?.to_str()?.parse().ok()?;
                let changed = entry.metadata().and_then(|meta| meta.modified()).ok();
                is_sealed.then(|| Entry {
                    name,
                    changed: changed.and_then(|at| Timestamp::try_from(at).ok()),
                })
            })
            .collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    /// Forgets a value. `false`: there was none.
    pub(crate) fn remove(&self, name: &SecretName) -> Outcome<bool> {
        let file = self.file(name);
        match std::fs::remove_file(&file) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(cannot("remove", &file, &error)),
        }
    }

    fn file(&self, name: &SecretName) -> PathBuf {
        self.folder.join(format!("{}.{ENDING}", name.0))
    }

    fn identity(&self) -> Outcome<Option<Identity>> {
        let text = match std::fs::read_to_string(&self.key) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(cannot("read", &self.key, &error)),
        };
        text.lines()
            .find_map(|line| Identity::from_str(line.trim()).ok())
            .map(Some)
            .ok_or_else(|| {
                failed(format!("`{}` holds no age key", self.key.display())).help(
                    "move the file away; the next `cais secret set` makes a new key, with which earlier secrets do not open",
                )
            })
    }

    /// In the form that `age-keygen` writes, so that `age -d -i` reads the secrets too.
    fn make_identity(&self) -> Outcome<Identity> {
        let identity = Identity::generate();
        let text = format!(
            "# cais made this key at {}. Without it the secrets under .cais/secrets do not open.\n# public key: {}\n{}\n",
            Timestamp::now().strftime("%FT%TZ"),
            identity.to_public(),
            identity.to_string().expose_secret(),
        );
        write_private(&self.key, text.as_bytes())?;
        Ok(identity)
    }
}

fn failed(message: String) -> Failure {
    Failure::new(Exit::Error, message)
}

fn cannot(what: &str, path: &Path, error: &std::io::Error) -> Failure {
    failed(format!("cannot {what} `{}`: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn store(folder: &Path) -> Store {
        Store {
            folder: folder.join("project/.cais/secrets"),
            key: folder.join("config/cais/age.key"),
        }
    }

    fn name(text: &str) -> SecretName {
        text.parse().unwrap()
    }

    #[test]
    fn a_value_comes_back_and_stands_in_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        assert!(store.set(&name("password"), b"planted-marker").unwrap());
        assert!(!store.set(&name("password"), b"planted-marker").unwrap());
        assert_eq!(store.get("password").unwrap().unwrap(), b"planted-marker");
        let sealed = store.file(&name("password"));
        for file in [&sealed, &store.key] {
            let bytes = std::fs::read(file).unwrap();
            assert!(!bytes.windows(14).any(|w| w == b"planted-marker"));
            let mode = std::fs::metadata(file).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{}", file.display());
        }
        assert_eq!(store.list().unwrap().len(), 1);
        assert!(store.remove(&name("password")).unwrap());
        assert!(!store.remove(&name("password")).unwrap());
        assert_eq!(store.get("password").unwrap(), None);
    }

    #[test]
    fn without_its_key_or_with_another_a_secret_does_not_open() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        store.set(&name("password"), b"x").unwrap();
        std::fs::remove_file(&store.key).unwrap();
        let failure = store.get("password").unwrap_err();
        assert!(failure.message.contains("is not there"), "{failure}");
        store.make_identity().unwrap();
        let failure = store.get("password").unwrap_err();
        assert!(failure.message.contains("does not open"), "{failure}");
        std::fs::write(&store.key, "nonsense").unwrap();
        let failure = store.set(&name("password"), b"x").unwrap_err();
        assert!(failure.message.contains("holds no age key"), "{failure}");
    }

    #[test]
    fn a_name_cannot_leave_the_folder() {
        for bad in ["", ".", "..", "../x", "a/b", ".hidden", "a b", "ä"] {
            assert!(bad.parse::<SecretName>().is_err(), "{bad}");
        }
        assert!("db_password-2.txt".parse::<SecretName>().is_ok());
    }
}
