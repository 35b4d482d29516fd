//! An image of a static program: runs the command that makes it, proves that it can run alone, assembles the image and
//! keeps it in the project's folder. No Docker engine is asked.

use super::assemble::{self, Description};
use super::layout::{Descriptor, Layout};
use super::names::Wanted;
use super::output;
use super::platform::Platform;
use super::reference::Reference;
use super::version::{self, Source};
use super::{Event, Images, Report, elf};
use crate::exit::{Exit, Failure, Outcome};
use cais_model::stack::{Artifact, Service};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// An image that was assembled.
pub(super) struct Assembled {
    pub(super) reference: Reference,
    pub(super) manifest: Descriptor,
    /// The program's file, for who asks what is in it.
    pub(super) program: PathBuf,
}

/// Builds a service's program and its image. Commands that `ran` has are not run again.
pub(super) async fn build(
    images: &Images<'_>,
    wanted: &Wanted<'_>,
    artifact: &Artifact,
    platform: &Platform,
    ran: &mut BTreeSet<String>,
    report: &dyn Report,
) -> Outcome<Assembled> {
    let service = wanted.service;
    let folder = &images.loaded.stack.directory;
    let command = command_of(service, artifact);
    // One command may make the programs of several services.
    if let Some(command) = command
        && ran.insert(format!("{platform} {command}"))
    {
        run(images, service, command, platform, report).await?;
    }
    let program = folder.join(&artifact.path);
    let bytes = read(service, &program, command)?;
    elf::check(Path::new(&artifact.path), &bytes, platform, command)?;
    // The whole folder counts: what of it went into the program, only its build knows.
    let source = Source::of(folder, |_| true);
    let name = program
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or("app");
    let description = Description {
        program: name,
        platform,
        ports: &service.container_ports(),
        labels: labels(service, source.as_ref()),
    };
    let layout = Layout::open(&images.paths.images())?;
    let manifest = assemble::image(&layout, &bytes, &description)?;
    let content = manifest.digest.trim_start_matches("sha256:");
    let reference = wanted.versioned(&version::tag(source.as_ref(), content));
    layout.name(&reference.to_string(), manifest.clone())?;
    Ok(Assembled {
        reference,
        manifest,
        program,
    })
}

/// The command that makes a service's program.
pub(super) fn command_of<'s>(service: &'s Service, artifact: &'s Artifact) -> Option<&'s str> {
    artifact.build.as_deref().or_else(|| {
        let process = service.process.as_ref()?;
        process.build.as_deref()
    })
}

/// Runs the command in a shell. It learns in BuildKit's own words what it builds for.
async fn run(
    images: &Images<'_>,
    service: &Service,
    command: &str,
    platform: &Platform,
    report: &dyn Report,
) -> Outcome {
    report.event(
        &service.name,
        Event::Step(&format!("building: {}", shown(command))),
    );
    let mut shell = tokio::process::Command::new("/bin/sh");
    shell
        .arg("-c")
        .arg(command)
        .current_dir(&images.loaded.stack.directory)
        .env("TARGETPLATFORM", platform.to_string())
        .env("TARGETOS", &platform.os)
        .env("TARGETARCH", &platform.architecture)
        .env(
            "TARGETVARIANT",
            platform.variant.as_deref().unwrap_or_default(),
        );
    let ended = output::lines(shell, &mut |line| {
        report.event(&service.name, Event::Output(line));
    })
    .await;
    let what = match ended {
        Ok(status) if status.success() => return Ok(()),
        Ok(status) => match status.code() {
            Some(code) => format!("failed with exit code {code}"),
            None => "was killed".to_owned(),
        },
        Err(error) => format!("could not be run ({error})"),
    };
    Err(Failure::new(
        Exit::Error,
        format!(
            "{}: the build of `{}` {what}: `{}`",
            service.position,
            service.name,
            shown(command)
        ),
    )
    .help("its output stands above; no image was made"))
}

/// A command's first line.
fn shown(command: &str) -> String {
    let mut lines = command.trim().lines();
    let first = lines.next().unwrap_or_default().to_owned();
    match lines.next() {
        Some(_) => format!("{first} …"),
        None => first,
    }
}

fn read(service: &Service, program: &Path, command: Option<&str>) -> Outcome<Vec<u8>> {
    std::fs::read(program).map_err(|error| {
        let help = match command {
            Some(command) => format!(
                "`{}` ended well and did not make it: correct `x-cais.image.artifact`",
                shown(command)
            ),
            None => "build it, or say how: `x-cais.image.build`".to_owned(),
        };
        Failure::new(
            Exit::Error,
            format!(
                "{}: the program of `{}`, `{}`, cannot be read: {error}",
                service.position,
                service.name,
                program.display()
            ),
        )
        .help(help)
    })
}

/// The image's labels (image-spec, "Pre-Defined Annotation Keys").
fn labels(service: &Service, source: Option<&Source>) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    let mut set = |name: &str, value: String| {
        labels.insert(format!("org.opencontainers.image.{name}"), value)
    };
    set("title", service.name.to_string());
    if let Some(source) = source {
        let suffix = if source.is_dirty { "-dirty" } else { "" };
        set("revision", format!("{}{suffix}", source.commit));
        if let Some(origin) = &source.origin {
            set("source", origin.clone());
        }
    }
    labels
}
