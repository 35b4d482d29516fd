//! An image from a Dockerfile: by BuildKit, through Docker's command line where that is installed, else by the engine's
//! classic builder. Every field of `build` is honoured, or refused with its place in the file.

use super::context::Context;
use super::engine;
use super::names::{Wanted, at_field};
use super::reference::Reference;
use super::version::{self, Source};
use super::{Event, Images, Report};
use crate::exit::{Exit, Failure, Outcome};
use crate::runtime::docker::engine::{room, said};
use bollard::Docker;
use bollard::query_parameters::{BuildImageOptions, BuilderVersion};
use cais_model::diagnostic::{Diagnostic, Severity};
use cais_model::stack::Build;
use futures_util::StreamExt;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tokio::process::Command;

mod command_line;
mod text;

/// Who builds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Builder {
    /// `docker buildx build`.
    Buildx,
    /// `docker build` of a command line that has BuildKit in it (18.09 to 22).
    BuiltIn,
    /// The engine, without BuildKit.
    Classic,
}

/// Builds a service's image. Answers with its name, version as tag, and the engine's id of it.
pub(super) async fn build(
    images: &Images<'_>,
    wanted: &Wanted<'_>,
    build: &Build,
    platform: Option<&str>,
    docker: &Docker,
    report: &dyn Report,
) -> Outcome<(Reference, String)> {
    let job = Job {
        images,
        wanted,
        build,
        platform,
        docker,
        report,
    };
    let builder = builder(images.variables).await;
    job.refuse_unsupported(builder)?;
    let context = job.context()?;
    let name = &wanted.service.name;
    // Where the source is elsewhere, what came of it is its version.
    let reference = match &context {
        Some(context) => Some(wanted.versioned(&job.version(context)?)),
        None => None,
    };
    let shown = reference.as_ref().unwrap_or(&wanted.reference);
    report.event(
        name,
        Event::Step(&format!("building {shown} from {}", job.dockerfile_shown())),
    );
    let id = match builder {
        Builder::Buildx | Builder::BuiltIn => job.by_command_line(builder).await?,
        Builder::Classic => job.by_engine(context).await?,
    };
    let reference = reference.unwrap_or_else(|| {
        wanted.versioned(id.trim_start_matches("sha256:").get(..12).unwrap_or("0"))
    });
    engine::tag(docker, &id, &reference).await?;
    for tag in &build.tags {
        match Reference::parse(tag) {
            Ok(more) if more.moving().is_none() => engine::tag(docker, &id, &more).await?,
            Ok(more) => {
                let message =
                    format!("`{more}` of `tags` is left out: `latest` says nobody what it is");
                let warning = at_field(images, wanted.service, "tags", message, Severity::Warning);
                report.event(name, Event::Warning(&warning));
            }
            Err(error) => {
                let wrong = at_field(
                    images,
                    wanted.service,
                    "tags",
                    error.to_string(),
                    Severity::Error,
                );
                return Err(Failure::invalid(vec![wrong], images.loaded.files.clone()));
            }
        }
    }
    Ok((reference, id))
}

/// `DOCKER_BUILDKIT=0` asks for the classic builder, as it does of Docker itself.
fn turned_off(variables: &BTreeMap<String, String>) -> bool {
    variables
        .get("DOCKER_BUILDKIT")
        .is_some_and(|value| value == "0" || value == "false")
}

/// Which builder there is.
async fn builder(variables: &BTreeMap<String, String>) -> Builder {
    if turned_off(variables) {
        return Builder::Classic;
    }
    let answer = |arguments: &'static [&'static str]| async move {
        let mut command = Command::new("docker");
        command
            .args(arguments)
            .envs(variables)
            .stdin(std::process::Stdio::null())
            .kill_on_drop(true);
        let output = command.output().await.ok()?;
        output
            .status
            .success()
            .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    };
    if answer(&["buildx", "version"]).await.is_some() {
        return Builder::Buildx;
    }
    let version = answer(&["--version"]).await.unwrap_or_default();
    match version_of(&version) {
        Some(18..=22) => Builder::BuiltIn,
        _ => Builder::Classic,
    }
}

/// `Docker version 20.10.24+dfsg1, build 297e128`: 20.
fn version_of(line: &str) -> Option<u32> {
    line.strip_prefix("Docker version ")?
        .split('.')
        .next()?
        .parse()
        .ok()
}

struct Job<'j> {
    images: &'j Images<'j>,
    wanted: &'j Wanted<'j>,
    build: &'j Build,
    platform: Option<&'j str>,
    docker: &'j Docker,
    report: &'j dyn Report,
}

impl Job<'_> {
    /// Is the context somewhere else: a repository, an archive on a server?
    fn is_remote(&self) -> bool {
        let context = &self.build.context;
        [
            "http://",
            "https://",
            "git://",
            "ssh://",
            "git@",
            "github.com/",
        ]
        .iter()
        .any(|beginning| context.starts_with(beginning))
    }

    /// The context's folder, without the `.` that it often is.
    fn folder(&self) -> PathBuf {
        let directory = &self.images.loaded.stack.directory;
        directory.join(&self.build.context).components().collect()
    }

    fn dockerfile(&self) -> &str {
        self.build.dockerfile.as_deref().unwrap_or("Dockerfile")
    }

    fn dockerfile_shown(&self) -> String {
        match (&self.build.dockerfile_inline, self.is_remote()) {
            (Some(_), _) => "its inline Dockerfile".to_owned(),
            (None, true) => self.build.context.clone(),
            (None, false) => self.dockerfile().to_owned(),
        }
    }

    fn context(&self) -> Outcome<Option<Context>> {
        if self.is_remote() {
            return Ok(None);
        }
        let inline = self.build.dockerfile_inline.as_deref();
        Context::open(&self.folder(), self.dockerfile(), inline).map(Some)
    }

    fn version(&self, context: &Context) -> Outcome<String> {
        let source = Source::of(&self.folder(), |path| context.has(path));
        let content = match &source {
            Some(source) if !source.is_dirty => String::new(),
            _ => {
                let mut more = vec![self.build.target.clone().unwrap_or_default()];
                more.extend(
                    self.arguments()
                        .into_iter()
                        .map(|(name, value)| format!("{name}={value}")),
                );
                context.hash(&more)?
            }
        };
        Ok(version::tag(source.as_ref(), &content))
    }

    /// Build arguments; one without a value takes the caller's variable, and is left out where there is none.
    fn arguments(&self) -> BTreeMap<String, String> {
        let value = |(name, value): (&String, &Option<String>)| {
            let value = value
                .clone()
                .or_else(|| self.images.variables.get(name).cloned())?;
            Some((name.clone(), value))
        };
        self.build.args.iter().filter_map(value).collect()
    }

    /// The file's labels, and those by which Compose knows what it built: `clean` finds the image by them.
    fn labels(&self) -> BTreeMap<String, String> {
        let mut labels = self.build.labels.clone();
        let mut own = |name: &str, value: String| {
            labels
                .entry(format!("com.docker.compose.{name}"))
                .or_insert(value);
        };
        own("project", self.images.loaded.stack.name.to_string());
        own("service", self.wanted.service.name.to_string());
        labels
    }

    /// What this builder cannot do, named before anything is built.
    fn refuse_unsupported(&self, builder: Builder) -> Outcome {
        let build = self.build;
        let needs_buildx = [
            ("additional_contexts", !build.additional_contexts.is_empty()),
            ("cache_to", !build.cache_to.is_empty()),
            ("entitlements", !build.entitlements.is_empty()),
        ];
        let needs_buildkit = [
            ("secrets", !build.secrets.is_empty()),
            ("ssh", !build.ssh.is_empty()),
            ("extra_hosts", build.extra_hosts.len() > 1),
        ];
        let none: &[(&str, bool)] = &[];
        let (first, second): (&[_], &[_]) = match builder {
            Builder::Buildx => (none, none),
            Builder::BuiltIn => (&needs_buildx, none),
            Builder::Classic => (&needs_buildx, &needs_buildkit),
        };
        let used = first.iter().chain(second).filter(|(_, used)| *used);
        let (why, help) = if turned_off(self.images.variables) {
            ("`DOCKER_BUILDKIT=0` turns it off", "unset the variable")
        } else {
            (
                "this machine has no `docker buildx`",
                "install Docker's buildx plugin (Debian: `docker-buildx`, Docker's own packages: `docker-buildx-plugin`)",
            )
        };
        let diagnostics: Vec<Diagnostic> = used
            .map(|(field, _)| {
                let service = self.wanted.service;
                let message = format!(
                    "`build.{field}` of `{}` needs BuildKit, and {why}",
                    service.name
                );
                at_field(self.images, service, field, message, Severity::Error).with_help(help)
            })
            .collect();
        if diagnostics.is_empty() {
            return Ok(());
        }
        Err(Failure::invalid(
            diagnostics,
            self.images.loaded.files.clone(),
        ))
    }

    fn output(&self, line: &str) {
        self.report
            .event(&self.wanted.service.name, Event::Output(line));
    }

    fn failed(&self, what: String) -> Failure {
        let service = self.wanted.service;
        Failure::new(
            Exit::Error,
            format!(
                "{}: the build of `{}` {what}",
                service.position, service.name
            ),
        )
        .help("its output stands above; no image was made")
    }

    // -- the classic builder

    async fn by_engine(&self, context: Option<Context>) -> Outcome<String> {
        let text = context
            .as_ref()
            .map(Context::dockerfile_text)
            .unwrap_or_default();
        let options = self.engine_options(context.as_ref());
        let registries = text::base_registries(&text);
        let credentials = engine::for_build(self.images.variables, &registries).await?;
        // A file that cannot be read ends the archive early; this says why.
        let trouble: Arc<Mutex<Option<Failure>>> = Arc::default();
        let body = context.map(|context| {
            let trouble = Arc::clone(&trouble);
            let archive = engine::piped(move |out| {
                context.write(out).map_err(|failure| {
                    if let Ok(mut slot) = trouble.lock() {
                        *slot = Some(failure);
                    }
                    std::io::Error::other("the build context could not be read")
                })
            });
            bollard::body_try_stream(archive)
        });
        let mut news = Box::pin(self.docker.build_image(options, Some(credentials), body));
        let mut built = None;
        let mut step = None;
        while let Some(item) = news.next().await {
            if let Some(failure) = trouble.lock().ok().and_then(|mut slot| slot.take()) {
                return Err(failure);
            }
            let info =
                item.map_err(|error| self.not_built(&said(&error), step.as_deref(), &text))?;
            if let Some(message) = info.error_detail.and_then(|detail| detail.message) {
                return Err(self.not_built(&message, step.as_deref(), &text));
            }
            built = info.aux.and_then(|aux| aux.id).or(built);
            for line in info
                .stream
                .unwrap_or_default()
                .lines()
                .filter(|line| !line.trim().is_empty())
            {
                if line.starts_with("Step ") {
                    step = Some(line.to_owned());
                }
                self.output(line);
            }
        }
        built.ok_or_else(|| self.failed("ended without an image".to_owned()))
    }

    fn engine_options(&self, context: Option<&Context>) -> BuildImageOptions {
        let build = self.build;
        let map = |values: BTreeMap<String, String>| {
            (!values.is_empty()).then(|| values.into_iter().collect::<HashMap<_, _>>())
        };
        BuildImageOptions {
            dockerfile: context.map_or_else(
                || self.dockerfile().to_owned(),
                |context| context.dockerfile.clone(),
            ),
            remote: context.is_none().then(|| self.build.context.clone()),
            extrahosts: build
                .extra_hosts
                .first()
                .map(|host| host.replacen('=', ":", 1)),
            nocache: build.no_cache,
            cachefrom: (!build.cache_from.is_empty()).then(|| build.cache_from.clone()),
            pull: build.pull.then(|| "1".to_owned()),
            rm: true,
            forcerm: true,
            buildargs: map(self.arguments()),
            shmsize: build.shm_size.and_then(|bytes| i32::try_from(bytes).ok()),
            labels: map(self.labels()),
            networkmode: build.network.clone(),
            platform: self.platform.unwrap_or_default().to_owned(),
            target: build.target.clone().unwrap_or_default(),
            version: BuilderVersion::BuilderV1,
            ..BuildImageOptions::default()
        }
    }

    /// The engine's reason, at the line of the Dockerfile that it was about.
    fn not_built(&self, why: &str, step: Option<&str>, dockerfile: &str) -> Failure {
        let why = why.trim();
        let at = step.and_then(|step| {
            let (number, instruction) = step.strip_prefix("Step ")?.split_once('/')?;
            let instruction = instruction.split_once(" : ")?.1;
            let line = text::line_of(dockerfile, number.parse().ok()?);
            let name = Path::new(self.dockerfile()).file_name()?.to_str()?;
            Some(match line {
                Some(line) => format!("at {name}:{line}: `{instruction}`"),
                None => format!("at `{instruction}`"),
            })
        });
        let place = at.map_or_else(String::new, |at| format!(" {at}"));
        let mut failure = self.failed(format!("failed{place}: {why}"));
        if step.is_none() {
            // Refused before its first step, it wrote nothing.
            failure = failure.help("no image was made");
        }
        if why.contains("requires BuildKit") || why.contains("Unknown flag") {
            return failure.help("this Dockerfile needs BuildKit: install Docker's buildx plugin (Debian: `docker-buildx`)");
        }
        match room(why) {
            Some(help) => failure.help(help),
            None => failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_lines_version_is_read() {
        assert_eq!(
            version_of("Docker version 20.10.24+dfsg1, build 297e128"),
            Some(20)
        );
        assert_eq!(version_of("podman version 4.3.1"), None);
    }
}
