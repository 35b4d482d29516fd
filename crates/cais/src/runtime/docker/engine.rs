//! The way to the Docker engine: which one is meant, how it is reached, and what to say when it does not answer.
//! What is asked of it is decided elsewhere.

use crate::exit::{Exit, Failure, Outcome};
use bollard::{API_DEFAULT_VERSION, Docker};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The engine's socket where nothing else is said.
const SOCKET: &str = "/var/run/docker.sock";

/// How long the engine may take to begin an answer, in seconds. Pulls and builds answer at once and stream.
const TIMEOUT_SECONDS: u64 = 120;

/// How long it may take to say who it is: longer, and it is as good as down.
pub(super) const GREETING: Duration = Duration::from_secs(10);

/// Which engine is meant. Kept in the journal, so that every supervisor of a stack talks to the same one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Endpoint {
    /// `unix://PATH` or `tcp://HOST:PORT`.
    pub(crate) host: String,
    /// Folder of `ca.pem`, `cert.pem` and `key.pem`, where the engine wants TLS.
    pub(crate) certificates: Option<PathBuf>,
    /// What chose it: a variable, a context, or nothing.
    pub(crate) chosen_by: String,
    /// Are its containers reached through ports on loopback, although it does not look as if they had to be? For engines
    /// whose bridges are in another network namespace than cais.
    #[serde(default)]
    pub(crate) by_loopback: bool,
}

/// `loopback`: how containers are reached.
const REACH: &str = "CAIS_DOCKER_REACH";

impl Endpoint {
    /// The engine that Docker's own command line would talk to with these variables: `DOCKER_HOST`, else the
    /// context of `DOCKER_CONTEXT` or of `docker context use`, else the machine's socket, else a rootless one.
    ///
    /// # Errors
    /// A context that is not there, or one that is reached in a way that cais does not speak.
    pub(crate) fn of(variables: &BTreeMap<String, String>) -> Outcome<Self> {
        let mut endpoint = Self::chosen(variables)?;
        endpoint.by_loopback = variables
            .get(REACH)
            .is_some_and(|reach| reach == "loopback");
        Ok(endpoint)
    }

    fn chosen(variables: &BTreeMap<String, String>) -> Outcome<Self> {
        let set = |name: &str| variables.get(name).filter(|value| !value.is_empty());
        if let Some(host) = set("DOCKER_HOST") {
            let certificates = set("DOCKER_TLS_VERIFY").map(|_| {
                set("DOCKER_CERT_PATH").map_or_else(|| config_folder(variables), PathBuf::from)
            });
            return Self::checked(host, certificates, "DOCKER_HOST");
        }
        if let Some(context) = set("DOCKER_CONTEXT")
            .cloned()
            .or_else(|| current(variables))
            && context != "default"
        {
            return Self::of_context(&context, variables);
        }
        let mut sockets = vec![PathBuf::from(SOCKET)];
        sockets.extend(set("XDG_RUNTIME_DIR").map(|dir| Path::new(dir).join("docker.sock")));
        sockets.extend(set("HOME").map(|home| Path::new(home).join(".docker/run/docker.sock")));
        let socket = sockets
            .iter()
            .find(|socket| socket.exists())
            .unwrap_or(&sockets[0]);
        Self::checked(&format!("unix://{}", socket.display()), None, "default")
    }

    /// `docker context`: its folder is named by the hash of its name.
    fn of_context(name: &str, variables: &BTreeMap<String, String>) -> Outcome<Self> {
        let folder = config_folder(variables).join("contexts");
        let is_it = |meta: &serde_json::Value| meta["Name"] == name;
        let found = std::fs::read_dir(folder.join("meta"))
            .into_iter()
            .flatten()
            .flatten()
            .find_map(|entry| {
                let text = std::fs::read(entry.path().join("meta.json")).ok()?;
                let meta = serde_json::from_slice(&text).ok().filter(is_it)?;
                Some((entry.file_name(), meta))
            });
        let Some((id, meta)) = found else {
            return Err(
                Failure::new(Exit::Error, format!("there is no Docker context `{name}`"))
                    .help("see what there is: `docker context ls`"),
            );
        };
        let host = meta["Endpoints"]["docker"]["Host"]
            .as_str()
            .unwrap_or_default();
        let certificates = folder.join("tls").join(id).join("docker");
        Self::checked(
            host,
            certificates.is_dir().then_some(certificates),
            &format!("the Docker context `{name}`"),
        )
    }

    fn checked(host: &str, certificates: Option<PathBuf>, chosen_by: &str) -> Outcome<Self> {
        let scheme = host.split("://").next().unwrap_or_default();
        if !matches!(scheme, "unix" | "tcp" | "http" | "https") {
            let help = match scheme {
                "ssh" => {
                    "forward its socket, and point there: `ssh -nNTL /tmp/engine.sock:/var/run/docker.sock HOST`, \
                          `export DOCKER_HOST=unix:///tmp/engine.sock`"
                }
                _ => "write it as `unix:///var/run/docker.sock` or `tcp://HOST:2376`",
            };
            return Err(Failure::new(
                Exit::Usage,
                format!("cais does not reach an engine by `{host}` ({chosen_by})"),
            )
            .help(help));
        }
        Ok(Self {
            host: host.to_owned(),
            certificates,
            chosen_by: chosen_by.to_owned(),
            by_loopback: false,
        })
    }

    /// Is the engine's network this machine's, as far as the address says?
    pub(crate) fn is_local(&self) -> bool {
        let Some((scheme, rest)) = self.host.split_once("://") else {
            return false;
        };
        let name = rest.rsplit_once(':').map_or(rest, |(name, _)| name);
        scheme == "unix"
            || name == "localhost"
            || name
                .trim_matches(['[', ']'])
                .parse()
                .is_ok_and(|address: std::net::IpAddr| address.is_loopback())
    }

    /// Refuses an engine of another machine for running a stack.
    ///
    /// # Errors
    /// When it is one.
    pub(crate) fn must_be_local(&self) -> Outcome {
        if self.is_local() {
            return Ok(());
        }
        let (host, chosen_by) = (&self.host, &self.chosen_by);
        Err(Failure::new(
            Exit::Usage,
            format!(
                "the engine at `{host}` ({chosen_by}) is on another machine, and a stack's gateway, secrets and folders are on this one"
            ),
        )
        .help("run cais on that machine; or choose this one's engine: `DOCKER_HOST=unix:///var/run/docker.sock`"))
    }

    /// Connects, and agrees on a version of the API.
    ///
    /// # Errors
    /// When the engine does not answer: how to start it, or who may talk to it.
    pub(crate) async fn connect(&self) -> Outcome<Docker> {
        let client = self.client().map_err(|error| self.unreachable(&error))?;
        match tokio::time::timeout(GREETING, client.negotiate_version()).await {
            Ok(Ok(client)) => Ok(client),
            Ok(Err(error)) => Err(self.unreachable(&error)),
            Err(_) => Err(self.unreachable(&bollard::errors::Error::RequestTimeoutError)),
        }
    }

    fn client(&self) -> Result<Docker, bollard::errors::Error> {
        if let Some(path) = self.host.strip_prefix("unix://") {
            return Docker::connect_with_unix(path, TIMEOUT_SECONDS, API_DEFAULT_VERSION);
        }
        match &self.certificates {
            Some(folder) => Docker::connect_with_ssl(
                &self.host,
                &folder.join("key.pem"),
                &folder.join("cert.pem"),
                &folder.join("ca.pem"),
                TIMEOUT_SECONDS,
                API_DEFAULT_VERSION,
            ),
            None => Docker::connect_with_http(&self.host, TIMEOUT_SECONDS, API_DEFAULT_VERSION),
        }
    }

    /// What to say, and to type, when the engine does not answer.
    pub(crate) fn unreachable(&self, error: &bollard::errors::Error) -> Failure {
        let reason = reason(error);
        let message = format!(
            "the Docker engine does not answer at `{}`: {reason}",
            self.host
        );
        let help = if reason.contains("ermission denied") {
            "let your user talk to it: `sudo usermod -aG docker $USER`, then log in again"
                .to_owned()
        } else if self.chosen_by != "default" {
            format!(
                "{} says that it is there: start it, or choose another",
                self.chosen_by
            )
        } else if cfg!(target_os = "macos") {
            "start Docker Desktop, or whatever runs your engine (`colima start`)".to_owned()
        } else {
            "start it: `sudo systemctl start docker`; to install it on Debian: `sudo apt-get install docker.io`"
                .to_owned()
        };
        Failure::new(Exit::Error, message).help(help)
    }
}

/// An error of the engine's in its own words: what it answered, or that it did not.
pub(crate) fn said(error: &bollard::errors::Error) -> String {
    use bollard::errors::Error as Bollard;
    match error {
        Bollard::DockerResponseServerError { .. }
        | Bollard::DockerStreamError { .. }
        | Bollard::JsonDataError { .. } => reason(error),
        _ => format!("the Docker engine does not answer ({})", reason(error)),
    }
}

/// What to type when a reason of the engine's is that its disk is full. Ours says it with a capital letter.
pub(crate) fn room(reason: &str) -> Option<&'static str> {
    reason.contains("no space left on device").then_some(
        "make room for the engine: `docker system df` tells what it keeps, `docker image prune` and `docker builder prune` remove what nobody uses",
    )
}

/// A failure for a reason of the engine's, with what to type where that is known.
pub(crate) fn refusal(message: String) -> Failure {
    let help = room(&message);
    let failure = Failure::new(Exit::Error, message);
    match help {
        Some(help) => failure.help(help),
        None => failure,
    }
}

/// What it answered, or why it could not be asked.
fn reason(error: &bollard::errors::Error) -> String {
    use std::error::Error;
    match error {
        bollard::errors::Error::DockerResponseServerError { message, .. } => {
            message.trim().to_owned()
        }
        bollard::errors::Error::DockerStreamError { error } => error.trim().to_owned(),
        bollard::errors::Error::SocketNotFoundError(_) => "there is no such socket".to_owned(),
        bollard::errors::Error::RequestTimeoutError => "no answer in time".to_owned(),
        error => {
            // hyper says "client error (Connect)"; what it comes from says why.
            let mut innermost: &dyn Error = error;
            while let Some(source) = innermost.source() {
                innermost = source;
            }
            match innermost.downcast_ref::<std::io::Error>() {
                Some(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    "there is no such socket".to_owned()
                }
                Some(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                    "connection refused".to_owned()
                }
                _ => innermost.to_string(),
            }
        }
    }
}

/// The engine's HTTP status, where it answered.
pub(crate) fn status(error: &bollard::errors::Error) -> Option<u16> {
    match error {
        bollard::errors::Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// `$DOCKER_CONFIG`, else `~/.docker`.
pub(crate) fn config_folder(variables: &BTreeMap<String, String>) -> PathBuf {
    variables.get("DOCKER_CONFIG").map_or_else(
        || Path::new(variables.get("HOME").map_or("/", String::as_str)).join(".docker"),
        PathBuf::from,
    )
}

/// What `docker context use` chose.
fn current(variables: &BTreeMap<String, String>) -> Option<String> {
    let text = std::fs::read(config_folder(variables).join("config.json")).ok()?;
    let config: serde_json::Value = serde_json::from_slice(&text).ok()?;
    config["currentContext"].as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(variables: &[(&str, &str)]) -> Result<Endpoint, String> {
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Endpoint::of(&variables).map_err(|failure| failure.message)
    }

    #[test]
    fn the_variable_wins_over_the_context() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        std::fs::create_dir_all(path.join("contexts/meta/abc")).unwrap();
        std::fs::write(path.join("config.json"), r#"{"currentContext": "lab"}"#).unwrap();
        std::fs::write(
            path.join("contexts/meta/abc/meta.json"),
            r#"{"Name": "lab", "Endpoints": {"docker": {"Host": "unix:///run/lab.sock"}}}"#,
        )
        .unwrap();
        let config = path.to_str().unwrap();
        let of = |more: &[(&str, &str)]| {
            let mut variables = vec![("DOCKER_CONFIG", config)];
            variables.extend(more);
            endpoint(&variables).map(|endpoint| endpoint.host)
        };
        assert_eq!(of(&[]).as_deref(), Ok("unix:///run/lab.sock"));
        assert_eq!(
            of(&[("DOCKER_HOST", "tcp://127.0.0.1:2375")]).as_deref(),
            Ok("tcp://127.0.0.1:2375")
        );
        assert_eq!(
            of(&[("DOCKER_CONTEXT", "gone")]),
            Err("there is no Docker context `gone`".to_owned())
        );
    }

    #[test]
    fn a_way_that_is_not_spoken_is_refused() {
        let refused = endpoint(&[("DOCKER_HOST", "ssh://me@there")]).unwrap_err();
        assert!(
            refused.contains("`ssh://me@there` (DOCKER_HOST)"),
            "{refused}"
        );
    }

    #[test]
    fn loopback_is_this_machine() {
        let is_local = |host: &str| endpoint(&[("DOCKER_HOST", host)]).unwrap().is_local();
        for host in [
            "unix:///run/docker.sock",
            "tcp://127.0.0.1:2375",
            "tcp://[::1]:2375",
            "tcp://localhost:2375",
        ] {
            assert!(is_local(host), "{host}");
        }
        assert!(!is_local("tcp://10.0.0.7:2376") && !is_local("tcp://engine:2376"));
    }

    #[tokio::test]
    async fn an_engine_that_is_down_says_how_to_start_it() {
        let endpoint = Endpoint {
            host: "unix:///nowhere/docker.sock".to_owned(),
            certificates: None,
            chosen_by: "default".to_owned(),
            by_loopback: false,
        };
        let failure = endpoint.connect().await.unwrap_err();
        assert_eq!(
            failure.message,
            "the Docker engine does not answer at `unix:///nowhere/docker.sock`: there is no such socket"
        );
        assert!(failure.help.unwrap().contains("systemctl start docker"));
    }
}
