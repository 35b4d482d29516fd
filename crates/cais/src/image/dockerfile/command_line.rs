//! A build by BuildKit: what Docker's command line is called with, and what is made of what it says.

use super::super::names::at_field;
use super::super::output;
use super::text::instructions;
use super::{Builder, Job};
use crate::exit::{Failure, Outcome};
use crate::runtime::docker::engine::Endpoint;
use cais_model::diagnostic::Severity;
use cais_model::stack::FileOrigin;
use tokio::process::Command;

impl Job<'_> {
    /// Builds, and answers with the image's id.
    pub(super) async fn by_command_line(&self, builder: Builder) -> Outcome<String> {
        let cannot = |error: std::io::Error| self.failed(format!("could not be prepared: {error}"));
        let scratch = tempfile::tempdir().map_err(cannot)?;
        let id_file = scratch.path().join("id");
        let mut command = Command::new("docker");
        let endpoint = Endpoint::of(self.images.variables)?;
        command
            .envs(self.images.variables)
            .env("DOCKER_HOST", endpoint.host);
        if let Some(folder) = endpoint.certificates {
            command
                .env("DOCKER_TLS_VERIFY", "1")
                .env("DOCKER_CERT_PATH", folder);
        }
        match builder {
            Builder::Buildx => command.args(["buildx", "build", "--load"]),
            _ => command.arg("build").env("DOCKER_BUILDKIT", "1"),
        };
        command
            .args(["--progress", "plain", "--iidfile"])
            .arg(&id_file);
        if let Some(text) = &self.build.dockerfile_inline {
            let file = scratch.path().join("Dockerfile");
            std::fs::write(&file, text).map_err(cannot)?;
            command.arg("--file").arg(file);
        } else if self.is_remote() {
            command.args(["--file", self.dockerfile()]);
        } else {
            command
                .arg("--file")
                .arg(self.folder().join(self.dockerfile()));
        }
        self.add_options(&mut command);
        self.add_secrets(&mut command)?;
        if self.is_remote() {
            command.arg(&self.build.context);
        } else {
            command.arg(self.folder());
        }
        let mut complaint = Complaint::default();
        let status = output::lines(command, &mut |line| {
            complaint.hear(line);
            self.output(line);
        })
        .await
        .map_err(|error| self.failed(format!("could not be run: {error}")))?;
        if !status.success() {
            let text = match &self.build.dockerfile_inline {
                Some(text) => text.clone(),
                None => std::fs::read_to_string(self.folder().join(self.dockerfile()))
                    .unwrap_or_default(),
            };
            let place = complaint.line(&text).map_or_else(String::new, |line| {
                format!(" at {}:{line}", self.dockerfile())
            });
            return Err(self.failed(match complaint.reason() {
                "" => format!("failed{place} ({status})"),
                why => format!("failed{place}: {why}"),
            }));
        }
        let id = std::fs::read_to_string(&id_file)
            .map_err(|error| self.failed(format!("left no image: {error}")))?;
        Ok(id.trim().to_owned())
    }

    fn add_options(&self, command: &mut Command) {
        let build = self.build;
        let mut option = |name: &str, value: &str| {
            command.args([name, value]);
        };
        if let Some(target) = &build.target {
            option("--target", target);
        }
        if let Some(network) = &build.network {
            option("--network", network);
        }
        if let Some(bytes) = build.shm_size {
            option("--shm-size", &bytes.to_string());
        }
        if let Some(platform) = self.platform {
            option("--platform", platform);
        }
        for (name, value) in &self.labels() {
            option("--label", &format!("{name}={value}"));
        }
        for image in &build.cache_from {
            option("--cache-from", image);
        }
        for place in &build.cache_to {
            option("--cache-to", place);
        }
        for host in &build.extra_hosts {
            option("--add-host", &host.replacen('=', ":", 1));
        }
        for (name, place) in &build.additional_contexts {
            option("--build-context", &format!("{name}={place}"));
        }
        for word in &build.entitlements {
            option("--allow", word);
        }
        for (id, place) in &build.ssh {
            let value = place
                .as_ref()
                .map_or_else(|| id.clone(), |place| format!("{id}={place}"));
            option("--ssh", &value);
        }
        if build.no_cache {
            command.arg("--no-cache");
        }
        if build.pull {
            command.arg("--pull");
        }
        for (name, value) in self.arguments() {
            // By name alone the value travels in the environment: an argument list is read by every user.
            if is_own(&name) {
                command.arg("--build-arg").arg(format!("{name}={value}"));
            } else {
                command.args(["--build-arg", &name]).env(&name, value);
            }
        }
    }

    fn add_secrets(&self, command: &mut Command) -> Outcome {
        for (index, secret) in self.build.secrets.iter().enumerate() {
            let Some(source) = self.images.loaded.stack.secrets.get(&secret.source) else {
                continue;
            };
            let id = &secret.target;
            let variable = format!("CAIS_BUILD_SECRET_{index}");
            let value = match &source.origin {
                FileOrigin::File(path) => {
                    command
                        .arg("--secret")
                        .arg(format!("id={id},src={}", path.display()));
                    continue;
                }
                FileOrigin::Environment(name) => self.images.variables.get(name).cloned(),
                FileOrigin::Content(text) => Some(text.clone()),
                FileOrigin::External => None,
            };
            let Some(value) = value else {
                let message = format!("the secret `{}` has no value here", secret.source);
                let wrong = at_field(
                    self.images,
                    self.wanted.service,
                    "secrets",
                    message,
                    Severity::Error,
                )
                .with_help("give it a `file`, or set the variable that its `environment` names");
                return Err(Failure::invalid(
                    vec![wrong],
                    self.images.loaded.files.clone(),
                ));
            };
            command
                .arg("--secret")
                .arg(format!("id={id},env={variable}"))
                .env(variable, value);
        }
        Ok(())
    }
}

/// What BuildKit says about a failure, picked out of its output.
#[derive(Debug, Default)]
struct Complaint {
    /// `ERROR: failed to solve: …` and its older forms; where there is none, the last line.
    said: String,
    is_error: bool,
    /// The instruction, of `> [stage 2/3] RUN …:`.
    instruction: Option<String>,
}

impl Complaint {
    fn hear(&mut self, line: &str) {
        let step = line
            .trim_start()
            .strip_prefix("> [")
            .and_then(|rest| rest.split_once("] "));
        if let Some((_, instruction)) = step {
            self.instruction = Some(instruction.trim_end_matches(':').to_owned());
        }
        let is_error = line.starts_with("ERROR:")
            || line.starts_with("error:")
            || line.contains("failed to solve");
        if is_error || !(self.is_error || line.trim().is_empty()) {
            line.clone_into(&mut self.said);
            self.is_error |= is_error;
        }
    }

    fn reason(&self) -> &str {
        let last = self
            .said
            .rsplit("failed to solve: ")
            .next()
            .unwrap_or(&self.said);
        last.trim_start_matches("ERROR: ")
            .trim_start_matches("error: ")
            .trim()
    }

    /// The line of the Dockerfile that it is about.
    fn line(&self, dockerfile: &str) -> Option<usize> {
        let told = self.instruction.as_ref()?;
        // Of an instruction over several lines BuildKit makes one.
        let is_it = |text: &str| told.starts_with(text.trim_end_matches('\\').trim_end());
        instructions(dockerfile)
            .find(|(_, text)| is_it(text))
            .map(|(line, _)| line)
    }
}

/// Variables that Docker's command line itself reads: a build argument of such a name must not change them.
fn is_own(name: &str) -> bool {
    name.starts_with("DOCKER_")
        || name.starts_with("BUILD")
        || matches!(
            name,
            "PATH" | "HOME" | "XDG_RUNTIME_DIR" | "TMPDIR" | "SSH_AUTH_SOCK"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCKERFILE: &str =
        "FROM scratch\n\n# it fails\nFROM a AS build\nRUN a && \\\n  # why\n    b\n";

    #[test]
    fn buildkits_complaint_is_found_in_its_output() {
        let old = [
            "#5 0.211 10",
            " > [build 2/2] RUN a &&     b:",
            "------",
            "executor failed running [/bin/sh -c a && b]: exit code: 3",
        ];
        let new = [
            "#5 ERROR: process did not complete",
            "------",
            " > [build 2/2] RUN a &&     b:",
            "------",
            "ERROR: failed to build: failed to solve: process \"/bin/sh -c a\" did not complete successfully: exit code: 3",
            "View build details: docker-desktop://x",
        ];
        for (lines, reason) in [
            (
                &old[..],
                "executor failed running [/bin/sh -c a && b]: exit code: 3",
            ),
            (
                &new[..],
                "process \"/bin/sh -c a\" did not complete successfully: exit code: 3",
            ),
        ] {
            let mut complaint = Complaint::default();
            lines.iter().for_each(|line| complaint.hear(line));
            assert_eq!(complaint.reason(), reason);
            assert_eq!(complaint.line(DOCKERFILE), Some(5));
        }
    }
}
