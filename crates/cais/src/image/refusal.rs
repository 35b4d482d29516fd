//! What a registry's refusal means, and what to type next.

use super::reference::{DOCKER_HUB, Reference};
use crate::exit::{Exit, Failure};
use oci_client::errors::{OciDistributionError, OciErrorCode};
use std::error::Error;

/// What stood in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Denied,
    Absent,
    RateLimit,
    NoSpace,
    Immutable,
    TooLarge,
    Unreachable,
    Other,
}

/// An error as a failure: which registry, what it did not do, why, and what helps.
pub(super) fn failure(
    repository: &Reference,
    what: &str,
    error: &OciDistributionError,
    has_login: bool,
) -> Failure {
    let registry = repository.registry();
    let kind = kind(error);
    let message = match kind {
        Kind::Denied => format!(
            "`{registry}` denies access to `{}`",
            repository.repository()
        ),
        Kind::Unreachable => format!("`{registry}` cannot be reached: {}", innermost(error)),
        _ => format!("`{registry}` {what}: {}", words(error)),
    };
    Failure::new(Exit::Error, message).help(help(kind, repository, has_login))
}

fn help(kind: Kind, repository: &Reference, has_login: bool) -> String {
    let registry = repository.registry();
    let login = match registry {
        DOCKER_HUB => "docker login".to_owned(),
        host if is_ecr(host) => format!(
            "aws ecr get-login-password | docker login --username AWS --password-stdin {host}"
        ),
        host => format!("docker login {host}"),
    };
    match kind {
        Kind::Denied if has_login => format!(
            "your login there is not enough: it may have expired (`{login}`), or may not use `{}`",
            repository.repository()
        ),
        Kind::Denied => format!("log in first: `{login}`"),
        Kind::Absent if is_ecr(registry) => format!(
            "make the repository first: `aws ecr create-repository --repository-name {}`",
            repository.repository()
        ),
        Kind::Absent => "check the name and the tag".to_owned(),
        Kind::RateLimit => format!("wait, or log in for a higher limit: `{login}`"),
        Kind::NoSpace => "make room on the registry's disk, then push again: what arrived is kept".to_owned(),
        Kind::Immutable => "commit what you changed, so that the image gets a tag of its own; or name another in `image:`".to_owned(),
        Kind::TooLarge => "raise the body limit of the proxy before the registry (nginx: `client_max_body_size 0`)".to_owned(),
        Kind::Unreachable if is_loopback(registry) => {
            "start the registry, or correct its name".to_owned()
        }
        Kind::Unreachable => "check the name, the network, and HTTPS_PROXY; a registry with a certificate of its own wants it in \
             `/etc/docker/certs.d/<registry>/ca.crt`"
            .to_owned(),
        Kind::Other => "try again; if it stays so, ask who runs the registry".to_owned(),
    }
}

fn is_loopback(registry: &str) -> bool {
    registry.starts_with("127.") || registry.starts_with("localhost")
}

fn is_ecr(registry: &str) -> bool {
    registry.contains(".dkr.ecr.") && registry.contains(".amazonaws.com")
}

/// Is there no such image, or no such repository yet?
pub(super) fn is_absence(error: &OciDistributionError) -> bool {
    kind(error) == Kind::Absent
}

/// Does it pass? Then it is worth another try.
pub(super) fn is_passing(error: &OciDistributionError) -> bool {
    match error {
        OciDistributionError::RequestError(error) => {
            // A name that nobody knows, or a port that nobody listens on, is told at once.
            let is_told_at_once = error.is_connect() && !error.is_timeout();
            !(is_told_at_once || error.is_builder() || error.is_redirect())
        }
        OciDistributionError::ServerError { code, .. } => {
            matches!(code, 408 | 429 | 500 | 502 | 503 | 504) && kind(error) != Kind::NoSpace
        }
        OciDistributionError::RegistryError { .. } => kind(error) == Kind::RateLimit,
        _ => false,
    }
}

fn kind(error: &OciDistributionError) -> Kind {
    match error {
        OciDistributionError::UnauthorizedError { .. }
        | OciDistributionError::AuthenticationFailure(_) => Kind::Denied,
        OciDistributionError::ImageManifestNotFoundError(_) => Kind::Absent,
        OciDistributionError::RequestError(error) if error.is_connect() || error.is_timeout() => {
            Kind::Unreachable
        }
        OciDistributionError::RequestError(error) => error
            .status()
            .map_or(Kind::Other, |status| of_status(status.as_u16())),
        OciDistributionError::ServerError { code, message, .. } => match by_words(message) {
            Kind::Other => of_status(*code),
            kind => kind,
        },
        OciDistributionError::RegistryError { envelope, .. } => {
            let first = envelope.errors.first();
            let by_code = match first.map(|error| &error.code) {
                Some(OciErrorCode::Unauthorized | OciErrorCode::Denied) => Kind::Denied,
                Some(
                    OciErrorCode::ManifestUnknown
                    | OciErrorCode::NameUnknown
                    | OciErrorCode::NotFound,
                ) => Kind::Absent,
                Some(OciErrorCode::Toomanyrequests) => Kind::RateLimit,
                _ => Kind::Other,
            };
            let text = first
                .map(|error| format!("{} {}", error.message, error.detail))
                .unwrap_or_default();
            match by_words(&text) {
                Kind::Other => by_code,
                kind => kind,
            }
        }
        _ => Kind::Other,
    }
}

fn of_status(code: u16) -> Kind {
    match code {
        401 | 403 => Kind::Denied,
        404 => Kind::Absent,
        413 => Kind::TooLarge,
        429 => Kind::RateLimit,
        507 => Kind::NoSpace,
        _ => Kind::Other,
    }
}

/// What registries say in words alone. `"Err":28` is how distribution shows ENOSPC.
fn by_words(text: &str) -> Kind {
    let text = text.to_ascii_lowercase();
    if text.contains("no space left") || text.contains("\"err\":28") || text.contains("quota") {
        Kind::NoSpace
    } else if text.contains("immutable") || text.contains("cannot be overwritten") {
        Kind::Immutable
    } else {
        Kind::Other
    }
}

/// The registry's own words, without the address and the JSON around them.
fn words(error: &OciDistributionError) -> String {
    match error {
        OciDistributionError::RegistryError { envelope, .. } => {
            let said = envelope
                .errors
                .iter()
                .map(|error| match error.message.as_str() {
                    "" => format!("{:?}", error.code),
                    message => message.to_owned(),
                });
            let mut text = said.collect::<Vec<_>>().join("; ");
            if kind(error) == Kind::NoSpace && !text.contains("space") {
                text.push_str(" (no space left on its disk)");
            }
            text
        }
        OciDistributionError::ServerError { code, message, .. } => {
            if kind(error) == Kind::NoSpace {
                return format!("no space left on its disk (status {code})");
            }
            let text: String = message.trim().chars().take(200).collect();
            match text.is_empty() || text.starts_with('<') {
                true => format!("status {code}"),
                false => format!("status {code}, {text}"),
            }
        }
        OciDistributionError::AuthenticationFailure(_)
        | OciDistributionError::UnauthorizedError { .. } => "not authorized".to_owned(),
        error => innermost(error),
    }
}

/// reqwest's errors begin with the address; the last cause says why.
fn innermost(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(code: u16, message: &str) -> OciDistributionError {
        OciDistributionError::ServerError {
            code,
            url: "https://me:pw@r.io/v2/".to_owned(),
            message: message.to_owned(),
        }
    }

    fn refused(code: &str, message: &str) -> OciDistributionError {
        let envelope = serde_json::json!({ "errors": [{ "code": code, "message": message }] });
        OciDistributionError::RegistryError {
            envelope: serde_json::from_value(envelope).unwrap(),
            url: String::new(),
        }
    }

    #[test]
    fn a_refusal_is_told_in_its_own_words_with_what_to_type() {
        let cases = [
            (
                "r.io/app",
                refused("DENIED", "no"),
                "`r.io` denies access to `app`",
                "docker login r.io",
            ),
            (
                "app",
                refused("UNAUTHORIZED", ""),
                "`docker.io` denies access to `library/app`",
                "`docker login`",
            ),
            (
                "1.dkr.ecr.eu-west-1.amazonaws.com/app",
                refused(
                    "NAME_UNKNOWN",
                    "The repository with name 'app' does not exist",
                ),
                "`1.dkr.ecr.eu-west-1.amazonaws.com` did it not: The repository with name 'app' does not exist",
                "aws ecr create-repository --repository-name app",
            ),
            (
                "r.io/app",
                refused(
                    "TAG_INVALID",
                    "The image tag 'a' already exists and cannot be overwritten because the tag is immutable.",
                ),
                "`r.io` did it not: The image tag 'a' already exists and cannot be overwritten because the tag is immutable.",
                "commit what you changed",
            ),
            (
                "r.io/app",
                refused("TOOMANYREQUESTS", "slow down"),
                "`r.io` did it not: slow down",
                "wait",
            ),
            (
                "r.io/app",
                answered(507, ""),
                "`r.io` did it not: no space left on its disk (status 507)",
                "make room",
            ),
            (
                "r.io/app",
                answered(413, "<html>"),
                "`r.io` did it not: status 413",
                "client_max_body_size",
            ),
            (
                "r.io/app",
                answered(502, "bad gateway"),
                "`r.io` did it not: status 502, bad gateway",
                "try again",
            ),
        ];
        for (name, error, message, help) in cases {
            let failure = failure(
                &Reference::parse(name).unwrap(),
                "did it not",
                &error,
                false,
            );
            assert_eq!(failure.message, message);
            assert!(
                failure.help.as_deref().unwrap().contains(help),
                "{:?}",
                failure.help
            );
            assert!(!failure.message.contains("pw"));
        }
    }

    #[test]
    fn only_what_passes_is_tried_again() {
        for (error, want) in [
            (answered(503, ""), true),
            (answered(429, ""), true),
            (answered(500, "{\"Err\":28}"), false),
            (answered(404, ""), false),
            (refused("TOOMANYREQUESTS", ""), true),
            (refused("DENIED", ""), false),
        ] {
            assert_eq!(is_passing(&error), want, "{error}");
        }
    }
}
