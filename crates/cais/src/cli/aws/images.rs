//! Which image each service is to run, by digest: built and pushed, or looked up in the registry by its tag.

use super::{Target, failure};
use crate::cli::image::PushArgs;
use crate::cli::project::Project;
use crate::cli::{self, Global, output};
use crate::exit::{Exit, Failure, Outcome};
use crate::image::{self, Credentials, Destination, Event, Images, Registry, Report, Which};
use cais_model::name::{EnvironmentName, ServiceName};
use cais_model::stack;
use std::collections::{BTreeMap, BTreeSet};

/// The registry's host where it is not the account's own, as AWS_ENDPOINT_URL names other endpoints.
const REGISTRY: &str = "CAIS_ECR_HOST";

/// The images under a tag that an earlier push left in the registry: `repository@sha256:…` of each service that has a
/// repository there.
pub(super) async fn tagged(
    target: &Target,
    services: &[ServiceName],
    tag: &str,
) -> Outcome<BTreeMap<ServiceName, String>> {
    if tag == "latest" {
        return Err(Failure::new(
            Exit::Usage,
            "`latest` says nothing about what runs, and moves: it is not deployed",
        )
        .help("name the commit's tag, as `cais push` printed it"));
    }
    let mut images = BTreeMap::new();
    let mut missing = Vec::new();
    for service in services {
        if !is_built(target, service) {
            continue;
        }
        if let Some(image) = elsewhere(target, service) {
            match image::digest(&target.project.variables, &image, tag).await? {
                Some(digest) => {
                    images.insert(service.clone(), format!("{image}@{digest}"));
                }
                None => missing.push(format!("{image}:{tag}")),
            }
            continue;
        }
        let name = target.names.repository(service.as_str());
        let Some(uri) = target.session.repository(&name).await.map_err(failure)? else {
            return Err(Failure::new(
                Exit::Error,
                format!("there is no repository `{name}` for `{service}`"),
            )
            .help(target.infrastructure_help()));
        };
        match target
            .session
            .image_digest(&name, tag)
            .await
            .map_err(failure)?
        {
            Some(digest) => {
                images.insert(service.clone(), format!("{uri}@{digest}"));
            }
            None => missing.push(format!("{name}:{tag}")),
        }
    }
    if missing.is_empty() {
        return Ok(images);
    }
    Err(Failure::new(
        Exit::Error,
        format!("not in the registry: {}", missing.join(", ")),
    )
    .help("push it first, or leave `--tag` out to build and push now"))
}

/// The name, without a tag, of an image of the stack's own that is in another registry than the account's.
pub(super) fn elsewhere(target: &Target, service: &ServiceName) -> Option<String> {
    let registry = of_file(&target.project)?;
    is_built(target, service).then(|| registry.image_of(service.as_str()))
}

/// The registry that the file names.
pub(super) fn of_file(project: &Project) -> Option<&stack::Registry> {
    project.loaded.stack.cloud.aws.as_ref()?.registry.as_ref()
}

/// Builds what is built here and pushes it to the environment's registry: `repository@sha256:…` of each service.
pub(super) async fn built(
    target: &Target,
    services: &[ServiceName],
    no_build: bool,
) -> Outcome<BTreeMap<ServiceName, String>> {
    let built: BTreeSet<ServiceName> = services
        .iter()
        .filter(|service| is_built(target, service))
        .cloned()
        .collect();
    if built.is_empty() || no_build {
        return Ok(BTreeMap::new());
    }
    let registry = registry(target).await?;
    let images = Images {
        loaded: &target.project.loaded,
        paths: &target.project.paths,
        variables: &target.project.variables,
    };
    let report = Said;
    let destination = Destination::Registry(&registry);
    let resolved =
        image::build_and_resolve(&images, &built, Which::All, destination, &report).await?;
    Ok(resolved
        .into_iter()
        .map(|(service, image)| (service, image.pinned()))
        .collect())
}

/// `cais -E ENV push`: to the environment's registry, unless a repository is named.
pub(super) async fn push(global: &Global, name: &EnvironmentName, args: PushArgs) -> Outcome {
    if args.repository.is_some() {
        return cli::image::push(global, args).await;
    }
    let project = Project::load(global)?;
    if let Some(registry) = named(&project) {
        // AWS has no part in it: whoever may push there need not be somebody on AWS.
        let registry = Registry {
            platform: args.platform,
            ..registry
        };
        return cli::image::push_to(global, &project, args.services, args.no_build, registry).await;
    }
    let target = Target::open(global, name).await?;
    target.show(global);
    let registry = Registry {
        platform: args.platform,
        ..registry(&target).await?
    };
    cli::image::push_to(
        global,
        &target.project,
        args.services,
        args.no_build,
        registry,
    )
    .await
}

/// The same, with who we are from Docker's configuration.
fn named(project: &Project) -> Option<Registry> {
    Some(Registry {
        repository: Some(of_file(project)?.image_of("{service}")),
        platform: None,
        credentials: None,
    })
}

/// The registry that the file names, else the account's own, with a repository for each service of the environment.
async fn registry(target: &Target) -> Outcome<Registry> {
    if let Some(named) = named(&target.project) {
        return Ok(named);
    }
    let access = target.session.registry().await.map_err(failure)?;
    let host = std::env::var(REGISTRY).unwrap_or(access.host);
    Ok(Registry {
        repository: Some(format!("{host}/{}/{{service}}", target.names.prefix())),
        platform: None,
        credentials: Some(Credentials {
            user: access.user,
            password: access.password,
        }),
    })
}

/// What is heard of a build, as lines.
struct Said;

impl Report for Said {
    fn event(&self, service: &ServiceName, event: Event<'_>) {
        match event {
            Event::Step(text) | Event::Output(text) => {
                output::say(&format!("  {service:<14} {text}"));
            }
            Event::Done(image) => output::say(&format!("  {service:<14} {}", image.pinned())),
            Event::Warning(_) | Event::Bytes { .. } => {}
        }
    }
}

/// Is the service's image made here, rather than taken from somebody else's registry?
pub(super) fn is_built(target: &Target, service: &ServiceName) -> bool {
    target
        .project
        .loaded
        .stack
        .services
        .get(service)
        .is_some_and(|service| service.build.is_some() || service.artifact.is_some())
}
