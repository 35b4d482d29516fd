//! Exchanges an identity token for one that a registry takes (Docker Registry v2, "OAuth2 Token Authentication"):
//! oci-client knows users and passwords only.

use super::reference::Reference;
use crate::exit::{Exit, Failure, Outcome};
use oci_client::RegistryOperation;
use serde::Deserialize;
use std::time::Duration;

#[derive(Deserialize)]
struct Granted {
    #[serde(alias = "token")]
    access_token: String,
}

/// The token for one repository.
pub(super) async fn exchange(
    scheme: &str,
    repository: &Reference,
    token: &str,
    operation: RegistryOperation,
) -> Outcome<String> {
    let registry = repository.registry();
    let host = if registry == super::reference::DOCKER_HUB {
        "registry-1.docker.io"
    } else {
        registry
    };
    let failed = |why: String| {
        Failure::new(
            Exit::Error,
            format!("`{registry}` gives no token for the stored login: {why}"),
        )
        .help(format!("log in anew: `docker login {registry}`"))
    };
    let said = |error: reqwest::Error| failed(error.without_url().to_string());
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(30))
        .build()
        .map_err(said)?;
    let challenged = client
        .get(format!("{scheme}://{host}/v2/"))
        .send()
        .await
        .map_err(said)?;
    let header = challenged.headers().get(http::header::WWW_AUTHENTICATE);
    let header = header
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let (Some(realm), service) = (parameter(&header, "realm"), parameter(&header, "service"))
    else {
        return Err(failed("it does not say who gives them".to_owned()));
    };
    let actions = match operation {
        RegistryOperation::Push => "pull,push",
        RegistryOperation::Pull => "pull",
    };
    let scope = format!("repository:{}:{actions}", repository.repository());
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", token),
        ("client_id", "cais"),
        ("service", service.as_deref().unwrap_or_default()),
        ("scope", scope.as_str()),
    ];
    let answer = client.post(realm).form(&form).send().await.map_err(said)?;
    if !answer.status().is_success() {
        return Err(failed(format!("status {}", answer.status().as_u16())));
    }
    let granted: Granted = answer.json().await.map_err(said)?;
    Ok(granted.access_token)
}

/// A parameter of `Bearer realm="…",service="…"` (RFC 9110, section 11.6.1).
fn parameter(header: &str, name: &str) -> Option<String> {
    let (scheme, rest) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let mut rest = rest.trim();
    while let Some((key, after)) = rest.split_once('=') {
        let (value, more) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_once(',').unwrap_or((after, "")),
        };
        if key.trim().eq_ignore_ascii_case(name) {
            return Some(value.to_owned());
        }
        rest = more.trim_start_matches([',', ' ']);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_taken_apart() {
        let header = r#"Bearer realm="https://auth.io/token",service="r.io", scope="repository:a/b:pull,push""#;
        assert_eq!(
            parameter(header, "realm").as_deref(),
            Some("https://auth.io/token")
        );
        assert_eq!(parameter(header, "service").as_deref(), Some("r.io"));
        assert_eq!(
            parameter(header, "scope").as_deref(),
            Some("repository:a/b:pull,push")
        );
        assert_eq!(parameter("Basic realm=\"x\"", "realm"), None);
        assert_eq!(parameter("bearer REALM=x", "realm").as_deref(), Some("x"));
    }
}
