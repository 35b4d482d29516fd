//! `cais ci init`: writes the workflows, or says that they are not what would be written. Rendering is `cais-cloud`'s.

use crate::cli::environment::Environment;
use crate::cli::project::{self, Project};
use crate::cli::{Global, output};
use crate::exit::{Exit, Failure, Outcome};
use cais_cloud::files::Files;
use cais_cloud::github::{self, Cais, Iac, Pipeline, Registry};
use cais_model::name::EnvironmentName;
use cais_model::stack;
use clap::{Args, ValueEnum};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub(crate) struct InitArgs {
    /// What describes the infrastructure: terraform (the default) or pulumi
    #[arg(long, value_enum, hide_possible_values = true, value_name = "TOOL")]
    iac: Option<IacName>,
    /// Where images are pushed to: ecr, dockerhub or ghcr, as `x-cais.aws.registry` of the file has it
    #[arg(long, value_enum, hide_possible_values = true, value_name = "NAME")]
    registry: Option<RegistryName>,
    /// A branch whose pushes deploy to staging; main then deploys to production alone
    #[arg(long, value_name = "BRANCH", value_parser = branch)]
    staging_branch: Option<String>,
    /// Where runners get cais from: `URL#sha256=HEX` of the program, or `source` in cais' own repository
    #[arg(long, value_name = "FROM", value_parser = cais)]
    cais: Option<String>,
    /// Write nothing; exit code 6 when a workflow is not as it would be written
    #[arg(long)]
    check: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum IacName {
    Terraform,
    Pulumi,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RegistryName {
    Ecr,
    Dockerhub,
    Ghcr,
}

pub(super) fn run(global: &Global, args: &InitArgs) -> Outcome {
    let project = Project::load(global)?;
    let root = project.loaded.stack.directory.clone();
    let pipeline = pipeline(global, &merged(args, &root), &project)?;
    let files = github::workflows(&pipeline);
    if args.check {
        check(global, &files, &root)
    } else {
        write(global, &files, &root)
    }
}

/// What is not on the command line is as the workflows that are there were rendered with.
fn merged(args: &InitArgs, root: &Path) -> InitArgs {
    let before = before(root).unwrap_or_default();
    InitArgs {
        iac: args.iac.or(before.iac),
        // The file says it; the flag makes sure.
        registry: args.registry,
        staging_branch: args.staging_branch.clone().or(before.staging_branch),
        cais: args.cais.clone().or(before.cais),
        check: args.check,
    }
}

/// The flags in the head of `deploy.yml`.
fn before(root: &Path) -> Option<InitArgs> {
    #[derive(clap::Parser)]
    #[command(no_binary_name = true)]
    struct Line {
        #[command(flatten)]
        args: InitArgs,
    }
    let text = std::fs::read_to_string(root.join(".github/workflows/deploy.yml")).ok()?;
    let words = github::rendered_with(&text)?;
    <Line as clap::Parser>::try_parse_from(words)
        .ok()
        .map(|line| line.args)
}

fn pipeline(global: &Global, args: &InitArgs, project: &Project) -> Outcome<Pipeline> {
    let root = &project.loaded.stack.directory;
    let mut environments: Vec<String> = project::environments(global)?
        .into_iter()
        .map(|name| name.to_string())
        .collect();
    if environments.is_empty() {
        return Err(Failure::new(
            Exit::Usage,
            "there is no environment to deploy to: no `compose.NAME.yaml` stands beside the Compose file",
        )
        .help("write what production has otherwise into `compose.production.yaml`"));
    }
    environments.sort_by_key(|name| (is_production(name), name.clone()));
    let Read { images, webhooks } = read(global, args.registry)?;
    let cais = match args.cais.as_deref() {
        Some("source") => Cais::Source,
        Some(text) => release(text),
        None if root.join("crates/cais/Cargo.toml").is_file() => Cais::Source,
        None => {
            return Err(Failure::new(
                Exit::Usage,
                "a runner needs to know where cais comes from, and which",
            )
            .help("give the address of the release that you use, and what `sha256sum` says of it: `--cais https://…/cais#sha256=…`"));
        }
    };
    Ok(Pipeline {
        project: project.name().to_string(),
        iac: match args.iac {
            Some(IacName::Pulumi) => Iac::Pulumi,
            _ => Iac::Terraform,
        },
        registry: images.registry,
        images_are_private: images.are_private,
        webhooks: webhooks.into_iter().collect(),
        staging_branch: args.staging_branch.clone(),
        environments,
        cais,
    })
}

/// Where images go.
struct ImagesGo {
    registry: Registry,
    are_private: bool,
}

/// What the file says for the environments.
struct Read {
    images: ImagesGo,
    webhooks: BTreeSet<String>,
}

/// Where images go has to be the same for every environment: one is built and pushed once.
fn read(global: &Global, asked: Option<RegistryName>) -> Outcome<Read> {
    let mut webhooks = BTreeSet::new();
    let mut first: Option<(EnvironmentName, Option<stack::Registry>)> = None;
    let mut images = ImagesGo {
        registry: Registry::Ecr,
        are_private: true,
    };
    for name in project::environments(global)? {
        let environment = Environment::Named(name.clone());
        let loaded = Project::look_for(global, environment)?.loaded;
        webhooks.extend(github::webhooks(&loaded.stack));
        let aws = loaded.stack.cloud.aws.as_ref();
        let found = aws.and_then(|aws| aws.registry.clone());
        if let Some((other, before)) = &first {
            let place =
                |it: &Option<stack::Registry>| it.as_ref().map(|it| it.repository.value.clone());
            if place(before) != place(&found) {
                let message = format!(
                    "images of {name} and of {other} go to different registries, and the workflows push an image once"
                );
                return Err(Failure::new(Exit::Usage, message).help(
                    "write `x-cais.aws.registry` into the Compose file that all environments share",
                ));
            }
            continue;
        }
        if let Some(found) = &found {
            let host = found.host();
            images.are_private = found.credentials.is_some();
            images.registry = Registry::at(host).ok_or_else(|| {
                let message = format!("the workflows cannot log in to `{host}`");
                let wrong = found
                    .repository
                    .error(message)
                    .with_help("they know ECR, docker.io and ghcr.io");
                Failure::invalid(vec![wrong], loaded.files.clone())
            })?;
        }
        first = Some((name, found));
    }
    let asked = asked.map(Registry::from);
    if let Some(asked) = asked.filter(|asked| *asked != images.registry) {
        let help = match asked.host() {
            Some(host) => format!(
                "write it into compose.yaml: `x-cais: {{aws: {{registry: {{repository: '{host}/OWNER/{{service}}'}}}}}}`"
            ),
            None => "take `x-cais.aws.registry` out of the file".to_owned(),
        };
        let message = format!(
            "the file's images go to {}, and not to {}",
            images.registry.word(),
            asked.word()
        );
        return Err(Failure::new(Exit::Usage, message).help(help));
    }
    Ok(Read { images, webhooks })
}

impl From<RegistryName> for Registry {
    fn from(name: RegistryName) -> Self {
        match name {
            RegistryName::Ecr => Self::Ecr,
            RegistryName::Dockerhub => Self::DockerHub,
            RegistryName::Ghcr => Self::Ghcr,
        }
    }
}

fn is_production(name: &str) -> bool {
    crate::check::finding::Tier::of(name) == crate::check::finding::Tier::Production
}

/// What [`cais`] let through.
fn release(text: &str) -> Cais {
    let (url, sha256) = text.split_once("#sha256=").unwrap_or((text, ""));
    Cais::Release {
        url: url.to_owned(),
        sha256: sha256.to_owned(),
    }
}

fn cais(text: &str) -> Result<String, String> {
    if text == "source" {
        return Ok(text.to_owned());
    }
    let parts = text.split_once("#sha256=");
    let (url, sha256) = parts.ok_or("write `URL#sha256=HEX`, or `source`")?;
    let is_digest = sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_url = url::Url::parse(url).is_ok_and(|url| url.scheme() == "https")
        && url
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"`'\"".contains(&byte));
    match (is_url, is_digest) {
        (true, true) => Ok(text.to_owned()),
        (false, _) => Err("the address begins with `https://`".to_owned()),
        (_, false) => Err("a SHA-256 has 64 hexadecimal digits".to_owned()),
    }
}

/// It stands in an expression of a workflow, so it is a plain name.
fn branch(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    let is_name = !text.is_empty() && text.chars().all(is_plain) && !text.starts_with('-');
    match (is_name, text) {
        (true, "main") => Err("`main` is production's".to_owned()),
        (true, _) => Ok(text.to_owned()),
        (false, _) => Err("a branch's name has letters, digits, `-`, `_`, `.` and `/`".to_owned()),
    }
}

/// How a file on the disk differs from what would be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Same,
    Missing,
    Stale,
    /// It is not one of ours.
    Foreign,
}

fn states(files: &Files, root: &Path) -> Vec<(PathBuf, State)> {
    let of = |(path, text): (&String, &String)| {
        let there = std::fs::read_to_string(root.join(path));
        let state = match there {
            Err(_) => State::Missing,
            Ok(there) if there == *text => State::Same,
            Ok(there) if github::rendered_with(&there).is_some() => State::Stale,
            Ok(_) => State::Foreign,
        };
        (PathBuf::from(path), state)
    };
    files.iter().map(of).collect()
}

fn check(global: &Global, files: &Files, root: &Path) -> Outcome {
    let states = states(files, root);
    tell(global, &states, |state| match state {
        State::Same => "as it would be written",
        State::Missing => "missing",
        State::Stale => "stale",
        State::Foreign => "not written by cais",
    })?;
    let differing = states
        .iter()
        .filter(|(_, state)| *state != State::Same)
        .count();
    if differing == 0 {
        return Ok(());
    }
    let plural = if differing == 1 { " is" } else { "s are" };
    Err(Failure::new(
        Exit::Differences,
        format!("{differing} workflow{plural} not as cais would write them"),
    )
    .help("`cais ci init` writes them"))
}

fn write(global: &Global, files: &Files, root: &Path) -> Outcome {
    let states = states(files, root);
    if let Some((path, _)) = states.iter().find(|(_, state)| *state == State::Foreign) {
        return Err(Failure::new(
            Exit::Error,
            format!(
                "`{}` was not written by cais, and nothing was changed",
                path.display()
            ),
        )
        .help("move it out of the way, then type `cais ci init` again"));
    }
    let cannot = |path: &Path, error: std::io::Error| {
        Failure::new(
            Exit::Error,
            format!("cannot write `{}`: {error}", path.display()),
        )
    };
    for (path, text) in files {
        let path = root.join(path);
        let folder = path.parent().unwrap_or(root);
        std::fs::create_dir_all(folder).map_err(|error| cannot(folder, error))?;
        // Whole or not at all.
        let scratch =
            tempfile::NamedTempFile::new_in(folder).map_err(|error| cannot(&path, error))?;
        std::fs::write(scratch.path(), text).map_err(|error| cannot(&path, error))?;
        readable(scratch.path()).map_err(|error| cannot(&path, error))?;
        scratch
            .persist(&path)
            .map_err(|error| cannot(&path, error.error))?;
    }
    tell(global, &states, |state| match state {
        State::Same => "unchanged",
        State::Missing => "written",
        State::Stale | State::Foreign => "written anew",
    })?;
    output::note(
        "what the workflows expect of the repository's settings stands in docs/guide/pipelines.md",
    );
    Ok(())
}

/// A scratch file is its owner's alone; a workflow is everybody's.
fn readable(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644))
}

fn tell(global: &Global, states: &[(PathBuf, State)], word: fn(State) -> &'static str) -> Outcome {
    if global.json() {
        let rows: Vec<_> = states
            .iter()
            .map(|(path, state)| serde_json::json!({ "file": path, "state": state }))
            .collect();
        return output::print_json(&rows);
    }
    for (path, state) in states {
        output::print(&format!("{}: {}", path.display(), word(*state)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_address_of_a_release_is_taken() {
        let digest = "0123456789abcdef".repeat(4);
        assert!(cais(&format!("https://example.com/cais#sha256={digest}")).is_ok());
        assert!(cais("source").is_ok());
        assert!(cais(&format!("http://example.com/cais#sha256={digest}")).is_err());
        assert!(cais("https://example.com/cais").is_err());
        assert!(cais("https://example.com/cais#sha256=12").is_err());
    }

    #[test]
    fn a_branch_is_a_plain_name() {
        assert!(branch("develop").is_ok() && branch("release/next").is_ok());
        assert!(branch("x' || true").is_err() && branch("-x").is_err() && branch("main").is_err());
    }

    #[test]
    fn flags_are_taken_from_the_workflows_that_are_there() {
        let root = tempfile::tempdir().unwrap();
        let given = InitArgs {
            iac: Some(IacName::Pulumi),
            registry: Some(RegistryName::Ghcr),
            staging_branch: Some("develop".into()),
            cais: Some("source".into()),
            check: false,
        };
        let pipeline = Pipeline {
            project: "shop".into(),
            iac: Iac::Pulumi,
            registry: Registry::Ghcr,
            images_are_private: false,
            webhooks: Vec::new(),
            staging_branch: Some("develop".into()),
            environments: vec!["production".into()],
            cais: Cais::Source,
        };
        for (path, text) in github::workflows(&pipeline) {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        assert_eq!(before(root.path()), Some(given.clone()));
        // Where images go is the file's matter.
        let given = InitArgs {
            registry: None,
            ..given
        };
        assert_eq!(merged(&InitArgs::default(), root.path()), given);
    }
}
