//! What the engine knows of the stack's images, and what of it counts where the file says nothing: the health check, the port.

use super::engine::{said, status};
use bollard::Docker;
use bollard::models::{HealthConfig, ImageInspect};
use cais_model::stack::{HealthTest, Healthcheck, ProbeTiming, Service, Stack};
use std::time::Duration;

/// An image as a revision keeps it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Image {
    /// `sha256:…`: of its configuration, so it changes with anything in it.
    pub(crate) id: String,
    /// `HEALTHCHECK`.
    healthcheck: Option<Healthcheck>,
    /// `EXPOSE`, TCP only.
    exposed: Vec<u16>,
}

/// The reference that a service's image has: `image`, else what its build is tagged as.
pub(crate) fn reference(stack: &Stack, service: &Service) -> String {
    service
        .image
        .clone()
        .unwrap_or_else(|| format!("{}-{}", stack.name, service.name))
}

/// Looks an image up; `None` where the engine does not have it.
///
/// # Errors
/// In words, when the engine does not answer.
pub(crate) async fn look(client: &Docker, reference: &str) -> Result<Option<Image>, String> {
    match client.inspect_image(reference).await {
        Ok(found) => Ok(Some(Image::of(found))),
        Err(error) if status(&error) == Some(404) => Ok(None),
        Err(error) => Err(said(&error)),
    }
}

impl Image {
    fn of(found: ImageInspect) -> Self {
        let config = found.config.unwrap_or_default();
        let tcp = |port: &String| {
            let (port, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
            (protocol == "tcp").then(|| port.parse().ok()).flatten()
        };
        Self {
            id: found.id.unwrap_or_default(),
            healthcheck: config.healthcheck.as_ref().and_then(healthcheck),
            exposed: config
                .exposed_ports
                .iter()
                .flatten()
                .filter_map(tcp)
                .collect(),
        }
    }

    /// Lets the image say what the file leaves out.
    pub(crate) fn complete(&self, service: &mut Service) {
        let asks_itself = service
            .health
            .as_ref()
            .is_some_and(|health| health.path.is_some());
        if service.healthcheck.is_none()
            && !asks_itself
            && !service.container.ignores_image_healthcheck
        {
            service.healthcheck.clone_from(&self.healthcheck);
        }
        // Something reaches it, and nothing in the file says by which port.
        let is_silent = service.ports.is_empty()
            && service.expose.is_empty()
            && !service.environment.contains_key("PORT");
        if let [port] = self.exposed[..]
            && is_silent
            && (!service.routes.is_empty() || service.health.is_some())
        {
            service.expose.push(port);
        }
    }
}

/// Zero is Docker's word for its default.
fn healthcheck(config: &HealthConfig) -> Option<Healthcheck> {
    let (first, words) = config.test.as_ref()?.split_first()?;
    let test = match first.as_str() {
        "CMD" => HealthTest::Command(words.to_vec()),
        "CMD-SHELL" => HealthTest::Shell(words.join(" ")),
        _ => return None,
    };
    let nanos = |value: Option<i64>, default: Duration| {
        let value = value.and_then(|value| u64::try_from(value).ok());
        value
            .filter(|nanos| *nanos > 0)
            .map_or(default, Duration::from_nanos)
    };
    let half_a_minute = Duration::from_secs(30);
    Some(Healthcheck {
        test,
        timing: ProbeTiming {
            interval: nanos(config.interval, half_a_minute),
            timeout: nanos(config.timeout, half_a_minute),
            retries: config
                .retries
                .and_then(|retries| u32::try_from(retries).ok())
                .filter(|retries| *retries > 0)
                .unwrap_or(3),
            start_period: nanos(config.start_period, Duration::ZERO),
            start_interval: nanos(config.start_interval, Duration::from_secs(5)),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Option<Vec<String>> {
        Some(words.iter().map(|word| (*word).to_owned()).collect())
    }

    #[test]
    fn an_image_s_check_keeps_its_words_and_takes_docker_s_defaults() {
        let check = healthcheck(&HealthConfig {
            test: words(&["CMD", "/clock", "--health"]),
            interval: Some(5_000_000_000),
            timeout: Some(0),
            ..HealthConfig::default()
        })
        .unwrap();
        assert_eq!(
            check.test,
            HealthTest::Command(vec!["/clock".to_owned(), "--health".to_owned()])
        );
        assert_eq!(check.timing.interval, Duration::from_secs(5));
        assert_eq!(check.timing.timeout, Duration::from_secs(30));
        assert_eq!(check.timing.retries, 3);
    }

    #[test]
    fn an_inherited_or_absent_check_is_none() {
        for test in [None, words(&[]), words(&["NONE"])] {
            let config = HealthConfig {
                test,
                ..HealthConfig::default()
            };
            assert_eq!(healthcheck(&config), None);
        }
    }
}
