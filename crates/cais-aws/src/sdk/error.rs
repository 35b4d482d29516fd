//! What AWS answers when it does not do what was asked: one shape for all services, with the request's id and what to
//! do about it.

use crate::watch::{Trouble, TroubleKind};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use std::fmt;

/// What kind of no it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nobody to ask as: no credentials, or expired ones.
    Credentials,
    /// Not allowed.
    Denied,
    /// It is not there.
    NotFound,
    /// It is there already, or in a state that forbids it.
    Conflict,
    /// Too many calls.
    Throttled,
    /// No answer, or one that says that AWS itself is unwell.
    Unreachable,
    /// Anything else: as a rule, the request.
    Invalid,
}

/// An answer that is a no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// What kind of no.
    pub kind: Kind,
    /// The operation, as `ecs:UpdateService`.
    pub operation: &'static str,
    /// AWS's code, where it gave one.
    pub code: Option<String>,
    /// AWS's sentence, or the connection's.
    pub message: String,
    /// For AWS's support.
    pub request_id: Option<String>,
}

impl Error {
    /// From the SDK's error of an operation.
    pub fn of<E>(operation: &'static str, error: &SdkError<E, Response>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let status = error.raw_response().map(|r| r.status().as_u16());
        let request_id = error
            .raw_response()
            .and_then(|r| {
                let headers = r.headers();
                headers
                    .get("x-amzn-requestid")
                    .or_else(|| headers.get("x-amz-request-id"))
            })
            .map(str::to_owned);
        let meta = error.meta();
        let code = meta.code().map(str::to_owned);
        let message = meta.message().map_or_else(
            || match error {
                SdkError::ServiceError(_) => format!(
                    "HTTP {} without a message",
                    status.map_or_else(|| "?".to_owned(), |s| s.to_string())
                ),
                SdkError::ConstructionFailure(_)
                | SdkError::TimeoutError(_)
                | SdkError::DispatchFailure(_)
                | SdkError::ResponseError(_)
                | _ => causes(error),
            },
            str::to_owned,
        );
        Self {
            kind: kind(error, code.as_deref(), status, &message),
            operation,
            code,
            message: message.trim_end_matches('.').to_owned(),
            request_id,
        }
    }

    /// A no of our own about an operation's answer.
    pub fn not_found(operation: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind: Kind::NotFound,
            operation,
            code: None,
            message: message.into(),
            request_id: None,
        }
    }

    /// An answer that is not what the API promises.
    pub fn invalid(operation: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind: Kind::Invalid,
            ..Self::not_found(operation, message)
        }
    }

    /// No answer.
    pub(super) fn unreachable(operation: &'static str, message: String) -> Self {
        Self {
            kind: Kind::Unreachable,
            ..Self::not_found(operation, message)
        }
    }

    /// Nobody to ask as.
    pub(super) fn credentials(operation: &'static str, message: String) -> Self {
        Self {
            kind: Kind::Credentials,
            ..Self::not_found(operation, message)
        }
    }

    /// AWS's no to a request that the SDK did not send.
    pub(super) fn answered(
        operation: &'static str,
        code: Option<String>,
        message: String,
        status: u16,
    ) -> Self {
        let message = if message.is_empty() {
            format!("HTTP {status} without a message")
        } else {
            message.trim_end_matches('.').to_owned()
        };
        Self {
            kind: kind_of(code.as_deref().unwrap_or_default(), Some(status)),
            operation,
            code,
            message,
            request_id: None,
        }
    }

    /// What to do about it.
    pub fn help(&self) -> Option<String> {
        Some(match self.kind {
            Kind::Credentials => "sign in (`aws sso login`, or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY), then try again".to_owned(),
            Kind::Denied => format!("the identity needs the permission `{}`; see who it is: `cais verify -E …`", self.operation),
            Kind::Throttled => "AWS asks for fewer calls; try again in a minute".to_owned(),
            Kind::Unreachable => "see the network, the region's name and AWS's health page, then try again".to_owned(),
            Kind::NotFound | Kind::Conflict | Kind::Invalid => return None,
        })
    }

    /// The same for a watch: is it worth to ask again?
    pub fn trouble(&self) -> Trouble {
        let kind = match self.kind {
            Kind::Throttled => TroubleKind::Throttled,
            Kind::Credentials | Kind::Denied => TroubleKind::Refused,
            Kind::NotFound | Kind::Conflict | Kind::Invalid => TroubleKind::Refused,
            Kind::Unreachable => TroubleKind::Unreachable,
        };
        Trouble {
            kind,
            message: self.to_string(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.operation)?;
        match &self.code {
            Some(code) if !self.message.contains(code.as_str()) => {
                write!(f, "{code}: {}", self.message)?;
            }
            Some(_) | None => f.write_str(&self.message)?,
        }
        match &self.request_id {
            Some(id) => write!(f, " (request {id})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

/// The chain of causes without the SDK's own scaffolding around them.
fn causes<E: std::error::Error + 'static>(error: &E) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut next: Option<&(dyn std::error::Error + 'static)> = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !text.is_empty() && parts.last() != Some(&text) {
            parts.push(text);
        }
        next = cause.source();
    }
    if parts.is_empty() {
        return DisplayErrorContext(error).to_string();
    }
    parts.join(": ")
}

fn kind<E>(
    error: &SdkError<E, Response>,
    code: Option<&str>,
    status: Option<u16>,
    message: &str,
) -> Kind {
    match error {
        // The chain of credentials found nothing, or a provider failed; both end before a request is sent.
        SdkError::ConstructionFailure(_) => return Kind::Credentials,
        SdkError::DispatchFailure(failure) if failure.is_user() || names_credentials(message) => {
            return Kind::Credentials;
        }
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => {
            return Kind::Unreachable;
        }
        _ => {}
    }
    kind_of(code.unwrap_or_default(), status)
}

/// What kind of no an answer is, by its code and HTTP status.
fn kind_of(code: &str, status: Option<u16>) -> Kind {
    let has = |words: &[&str]| words.iter().any(|word| code.contains(word));
    if has(&[
        "Throttl",
        "TooManyRequests",
        "RequestLimitExceeded",
        "SlowDown",
        "ProvisionedThroughput",
    ]) || status == Some(429)
    {
        Kind::Throttled
    } else if has(&[
        "ExpiredToken",
        "UnrecognizedClient",
        "InvalidClientTokenId",
        "InvalidSignature",
        "SignatureDoesNotMatch",
        "InvalidAccessKeyId",
        "AuthFailure",
        "MissingAuthenticationToken",
        "IncompleteSignature",
    ]) {
        Kind::Credentials
    } else if has(&["AccessDenied", "Unauthorized", "NotAuthorized"]) {
        Kind::Denied
    } else if has(&["NotFound", "NoSuch"]) || status == Some(404) {
        Kind::NotFound
    } else if has(&[
        "AlreadyExists",
        "ResourceExists",
        "Conflict",
        "PreconditionFailed",
        "ConditionalRequestConflict",
    ]) || matches!(status, Some(409 | 412))
    {
        Kind::Conflict
    } else if status.is_some_and(|status| status >= 500) {
        Kind::Unreachable
    } else {
        Kind::Invalid
    }
}

fn names_credentials(message: &str) -> bool {
    let message = message.to_lowercase();
    message.contains("credential") || message.contains("identity") || message.contains("sso")
}
