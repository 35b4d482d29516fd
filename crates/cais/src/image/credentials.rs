//! Who we are to a registry: what Docker's configuration says, read as Docker reads it. Values are printed never.

use super::Credentials;
use super::reference::DOCKER_HUB;
use crate::exit::{Exit, Failure, Outcome};
use crate::runtime::docker::engine::config_folder;
use base64::Engine;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// A helper that asks a person, or a cloud, may take a while.
const PATIENCE: Duration = Duration::from_secs(60);

/// Under which name Docker keeps its own registry.
const HUB_ADDRESS: &str = "https://index.docker.io/v1/";

/// How to say who we are.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Login {
    Password(Credentials),
    /// A refresh token, to be exchanged for one that the registry takes.
    Identity(String),
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Password(login) => login.fmt(f),
            Self::Identity(_) => f.write_str("Identity"),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Config {
    auths: BTreeMap<String, Auth>,
    creds_store: Option<String>,
    cred_helpers: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Auth {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Auth")
    }
}

/// The name under which Docker keeps a registry's login.
pub(super) fn address(registry: &str) -> &str {
    if registry == DOCKER_HUB {
        HUB_ADDRESS
    } else {
        registry
    }
}

/// The login for a registry: of its own helper, of the credential store, of the file. `None` where there is none.
///
/// # Errors
/// A configuration that cannot be read, a helper that is named and fails.
pub(super) async fn find(
    variables: &BTreeMap<String, String>,
    registry: &str,
) -> Outcome<Option<Login>> {
    let config = read(variables)?;
    let address = address(registry);
    let helper = config
        .cred_helpers
        .get(registry)
        .or_else(|| config.cred_helpers.get(address));
    if let Some(helper) = helper.or(config.creds_store.as_ref())
        && let Some(login) = ask(helper, address, variables).await?
    {
        return Ok(Some(login));
    }
    let known = config
        .auths
        .iter()
        .find(|(key, _)| *key == address || host(key) == registry);
    match known {
        Some((_, auth)) => from_file(auth, registry, variables),
        None => Ok(None),
    }
}

/// `https://host/v1/` and the like, from older versions of Docker.
fn host(key: &str) -> &str {
    let rest = key.split_once("://").map_or(key, |(_, rest)| rest);
    let host = rest.split('/').next().unwrap_or(rest);
    if host == "index.docker.io" {
        DOCKER_HUB
    } else {
        host
    }
}

fn read(variables: &BTreeMap<String, String>) -> Outcome<Config> {
    let path = config_folder(variables).join("config.json");
    let text = match variables
        .get("DOCKER_AUTH_CONFIG")
        .filter(|text| !text.is_empty())
    {
        Some(text) => text.clone().into_bytes(),
        None => match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Config::default());
            }
            Err(error) => {
                return Err(Failure::new(
                    Exit::Error,
                    format!("cannot read `{}`: {error}", path.display()),
                )
                .help("let your user read it; cais looks there for the logins of registries"));
            }
        },
    };
    serde_json::from_slice(&text).map_err(|error| {
        // What stands in it is not repeated: it may be a password.
        let place = format!("line {}, column {}", error.line(), error.column());
        Failure::new(
            Exit::Error,
            format!(
                "`{}` is not Docker's configuration ({place})",
                path.display()
            ),
        )
        .help("correct it, or write it anew: `docker login`")
    })
}

fn from_file(
    auth: &Auth,
    registry: &str,
    variables: &BTreeMap<String, String>,
) -> Outcome<Option<Login>> {
    if let Some(token) = auth.identitytoken.clone().filter(|token| !token.is_empty()) {
        return Ok(Some(Login::Identity(token)));
    }
    let damaged = || {
        let path = config_folder(variables).join("config.json");
        Failure::new(
            Exit::Error,
            format!(
                "the login for `{registry}` in `{}` is damaged",
                path.display()
            ),
        )
        .help(format!("log in anew: `docker login {registry}`"))
    };
    let pair = match (&auth.auth, &auth.username, &auth.password) {
        (Some(packed), ..) if !packed.is_empty() => {
            let bytes = base64::engine::general_purpose::STANDARD
                .decode(packed.trim())
                .map_err(|_| damaged())?;
            let text = String::from_utf8(bytes).map_err(|_| damaged())?;
            let (user, password) = text.split_once(':').ok_or_else(damaged)?;
            Some((user.to_owned(), password.trim_end_matches('\0').to_owned()))
        }
        (_, Some(user), Some(password)) => Some((user.clone(), password.clone())),
        _ => None,
    };
    Ok(pair.map(|(user, password)| Login::Password(Credentials { user, password })))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// Asks `docker-credential-<helper>` (docker/docker-credential-helpers). `None`: it has none for this registry.
async fn ask(
    helper: &str,
    address: &str,
    variables: &BTreeMap<String, String>,
) -> Outcome<Option<Login>> {
    let program = format!("docker-credential-{helper}");
    let failed = |why: String| {
        Failure::new(
            Exit::Error,
            format!("the credential helper `{program}` {why}"),
        )
        .help("Docker's configuration names it; install it, or log in anew: `docker login`")
    };
    let talk = async {
        let mut child = tokio::process::Command::new(&program)
            .arg("get")
            .envs(variables)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // One that does not read its input has failed, and says so by its exit code.
            let _ = stdin.write_all(address.as_bytes()).await;
        }
        child.wait_with_output().await
    };
    let output = match tokio::time::timeout(PATIENCE, talk).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => return Err(failed(format!("cannot be run: {error}"))),
        Err(_) => {
            return Err(failed(format!(
                "did not answer within {} s",
                PATIENCE.as_secs()
            )));
        }
    };
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stdout);
        // The protocol's own sentence for "none".
        if said.contains("credentials not found") {
            return Ok(None);
        }
        // What else it said is not repeated: it may be the secret.
        return Err(failed(format!("failed ({})", output.status)));
    }
    let answer: Answer = serde_json::from_slice(&output.stdout)
        .map_err(|_| failed("answered something else than a login".to_owned()))?;
    Ok(Some(match answer.username.as_str() {
        "<token>" => Login::Identity(answer.secret),
        _ => Login::Password(Credentials {
            user: answer.username,
            password: answer.secret,
        }),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// Docker's folder with this configuration, and a stub helper.
    fn folder(config: &str) -> (tempfile::TempDir, BTreeMap<String, String>) {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("config.json"), config).unwrap();
        let stub = root.path().join("docker-credential-stub");
        let script = "#!/bin/sh\nread -r server\ncase $server in\n\
            ghcr.io) echo '{\"ServerURL\":\"x\",\"Username\":\"me\",\"Secret\":\"s3cret\"}' ;;\n\
            acr.io) echo '{\"Username\":\"<token>\",\"Secret\":\"refresh\"}' ;;\n\
            broken.io) echo 'no keyring: s3cret'; exit 2 ;;\n\
            *) echo 'credentials not found in native keychain'; exit 1 ;;\nesac\n";
        std::fs::write(&stub, script).unwrap();
        std::fs::set_permissions(&stub, std::fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!(
            "{}:{}",
            root.path().display(),
            std::env::var("PATH").unwrap()
        );
        let variables = [
            ("DOCKER_CONFIG", root.path().display().to_string()),
            ("PATH", path),
        ];
        let variables = variables
            .map(|(name, value)| (name.to_owned(), value))
            .into();
        (root, variables)
    }

    fn password(user: &str, password: &str) -> Option<Login> {
        Some(Login::Password(Credentials {
            user: user.to_owned(),
            password: password.to_owned(),
        }))
    }

    #[tokio::test]
    async fn a_login_is_found_where_docker_keeps_it() {
        let config = r#"{
            "auths": {
                "https://index.docker.io/v1/": {"auth": "aHViOnB3"},
                "https://old.io/v1/": {"auth": "b2xkOmE6Yg=="},
                "plain.io": {"username": "u", "password": "p"},
                "token.io": {"auth": "bWU6", "identitytoken": "refresh"},
                "empty.io": {}
            },
            "credHelpers": {"ghcr.io": "stub", "acr.io": "stub", "none.io": "stub"}
        }"#;
        let (_root, variables) = folder(config);
        let cases = [
            ("docker.io", password("hub", "pw")),
            ("old.io", password("old", "a:b")),
            ("plain.io", password("u", "p")),
            ("token.io", Some(Login::Identity("refresh".to_owned()))),
            ("empty.io", None),
            ("unknown.io", None),
            ("ghcr.io", password("me", "s3cret")),
            ("acr.io", Some(Login::Identity("refresh".to_owned()))),
            ("none.io", None),
        ];
        for (registry, want) in cases {
            let found = find(&variables, registry).await.unwrap();
            assert!(found == want, "{registry}");
        }
    }

    #[tokio::test]
    async fn the_store_is_asked_for_all_and_the_file_for_what_it_does_not_have() {
        let (_root, variables) =
            folder(r#"{"credsStore": "stub", "auths": {"a.io": {"auth": "dTpw"}, "ghcr.io": {}}}"#);
        assert!(find(&variables, "ghcr.io").await.unwrap() == password("me", "s3cret"));
        assert!(find(&variables, "a.io").await.unwrap() == password("u", "p"));
    }

    #[tokio::test]
    async fn what_is_wrong_is_told_without_the_secret() {
        let cases = [
            (
                r#"{"credsStore": "stub"}"#,
                "broken.io",
                "the credential helper `docker-credential-stub` failed (exit status: 2)",
            ),
            (
                r#"{"credsStore": "gone"}"#,
                "a.io",
                "the credential helper `docker-credential-gone` cannot be run",
            ),
            (
                r#"{"auths": {"a.io": {"auth": "s3cret!"}}}"#,
                "a.io",
                "the login for `a.io` in",
            ),
            (
                r#"{"auths": {"a.io": {"auth": s3cret}}}"#,
                "a.io",
                "is not Docker's configuration (line 1, column",
            ),
        ];
        for (config, registry, message) in cases {
            let (_root, variables) = folder(config);
            let failure = find(&variables, registry).await.unwrap_err();
            assert!(failure.message.contains(message), "{}", failure.message);
        }
        let login = password("me", "s3cret").unwrap();
        assert!(!format!("{login:?}").contains("s3cret"));
    }
}
