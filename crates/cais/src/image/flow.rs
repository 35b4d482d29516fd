//! The way of images from the file to where they are wanted: check all, build all, then move.

use super::artifact::{self, Assembled};
use super::credentials;
use super::layout::{Descriptor, Layout};
use super::names::{self, Origin, Rule, Wanted};
use super::platform::Platform;
use super::record::Last;
use super::reference::Reference;
use super::registry::Remote;
use super::{Destination, Event, ImageRef, Images, Registry, Report, Which, dockerfile, engine};
use crate::exit::{Exit, Failure, Outcome};
use crate::runtime::docker::engine::Endpoint;
use bollard::Docker;
use cais_model::diagnostic::Severity;
use cais_model::name::ServiceName;
use cais_model::stack::PullPolicy;
use oci_client::RegistryOperation;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

mod pull;
mod push;

pub(super) use pull::{Into, pull};

/// An image that is ours, before it is moved.
struct Built {
    reference: Reference,
    place: Place,
}

enum Place {
    /// In the project's folder.
    Layout {
        manifest: Descriptor,
        program: PathBuf,
        platform: Platform,
    },
    /// In an engine, under this id.
    Engine(String),
}

pub(super) async fn run(
    images: &Images<'_>,
    services: &BTreeSet<ServiceName>,
    which: Which,
    destination: Destination<'_>,
    report: &dyn Report,
) -> Outcome<BTreeMap<ServiceName, ImageRef>> {
    let rule = match destination {
        Destination::Registry(_) => Rule::Deployed,
        Destination::Engine(_) | Destination::Here => Rule::Local,
    };
    let (mut wanted, warnings) = names::wanted(images, services, rule)?;
    if matches!(destination, Destination::Here) {
        wanted.retain(Wanted::is_built);
    }
    if let Destination::Registry(registry) = destination {
        for each in wanted.iter().filter(|each| each.is_built()) {
            names::in_registry(images, each, registry)?;
        }
    }
    if let Some(first) = wanted.first() {
        for warning in &warnings {
            report.event(&first.service.name, Event::Warning(warning));
        }
    }
    let mut flow = Flow {
        images,
        destination,
        report,
        engine: None,
        ran: BTreeSet::new(),
    };
    let mut built = BTreeMap::new();
    for each in wanted.iter().filter(|each| each.is_built()) {
        let known = match which {
            Which::All => None,
            Which::Missing | Which::None => flow.known(each).await?,
        };
        let made = match (known, which) {
            (Some(known), _) => known,
            (None, Which::None) => return Err(flow.not_built(each)),
            (None, Which::All | Which::Missing) => flow.build(each).await?,
        };
        built.insert(&each.service.name, made);
    }
    let mut resolved = BTreeMap::new();
    for each in &wanted {
        let name = &each.service.name;
        let image = match built.remove(name) {
            Some(made) => flow.deliver(each, made).await?,
            None => flow.resolve(each).await?,
        };
        report.event(name, Event::Done(&image));
        resolved.insert(name.clone(), image);
    }
    Ok(resolved)
}

struct Flow<'f> {
    images: &'f Images<'f>,
    destination: Destination<'f>,
    report: &'f dyn Report,
    /// The engine that builds, where the destination is none.
    engine: Option<Docker>,
    /// Build commands that were run.
    ran: BTreeSet<String>,
}

impl Flow<'_> {
    async fn engine(&mut self) -> Outcome<Docker> {
        if let Destination::Engine(engine) = self.destination {
            return Ok(engine.clone());
        }
        if let Some(engine) = &self.engine {
            return Ok(engine.clone());
        }
        let engine = Endpoint::of(self.images.variables)?.connect().await?;
        self.engine = Some(engine.clone());
        Ok(engine)
    }

    async fn build(&mut self, wanted: &Wanted<'_>) -> Outcome<Built> {
        let built = match wanted.origin {
            Origin::Artifact(it) => {
                let platform = self
                    .platform(wanted)?
                    .unwrap_or_else(Platform::of_this_machine);
                let Assembled {
                    reference,
                    manifest,
                    program,
                } = artifact::build(
                    self.images,
                    wanted,
                    it,
                    &platform,
                    &mut self.ran,
                    self.report,
                )
                .await?;
                Built {
                    reference,
                    place: Place::Layout {
                        manifest,
                        program,
                        platform,
                    },
                }
            }
            Origin::Dockerfile(it) => {
                let platform = self.platform(wanted)?.map(|platform| platform.to_string());
                let engine = self.engine().await?;
                let (reference, id) = dockerfile::build(
                    self.images,
                    wanted,
                    it,
                    platform.as_deref(),
                    &engine,
                    self.report,
                )
                .await?;
                Built {
                    reference,
                    place: Place::Engine(id),
                }
            }
            Origin::Named => unreachable!("only images that are ours are built"),
        };
        super::record::keep(
            self.images.paths,
            &wanted.service.name,
            &built.reference,
            built.id(),
        )?;
        Ok(built)
    }

    /// The last build of a service, where it is still there and still meant.
    async fn known(&mut self, wanted: &Wanted<'_>) -> Outcome<Option<Built>> {
        let last = super::record::last(self.images.paths, &wanted.service.name)?;
        let parsed = |last: &Last| Reference::parse(&last.reference).ok();
        let Some((last, reference)) = last.and_then(|last| parsed(&last).map(|it| (last, it)))
        else {
            return self.known_to_engine(wanted).await;
        };
        let tag_stays =
            wanted.reference.moving().is_some() || wanted.reference.tag == reference.tag;
        if wanted.reference.name != reference.name || !tag_stays {
            return self.known_to_engine(wanted).await;
        }
        let place = match wanted.origin {
            Origin::Artifact(it) => {
                let layout = Layout::open(&self.images.paths.images())?;
                let Some(manifest) = layout
                    .find(&last.reference)?
                    .filter(|found| found.digest == last.id)
                else {
                    return Ok(None);
                };
                let program = self.images.loaded.stack.directory.join(&it.path);
                let platform = self
                    .platform(wanted)?
                    .unwrap_or_else(Platform::of_this_machine);
                Place::Layout {
                    manifest,
                    program,
                    platform,
                }
            }
            Origin::Dockerfile(_) | Origin::Named => {
                let engine = self.engine().await?;
                if engine::look(&engine, &last.id).await?.is_none() {
                    return Ok(None);
                }
                Place::Engine(last.id)
            }
        };
        Ok(Some(Built { reference, place }))
    }

    /// An image that the engine has under the name and tag that the file gives: whoever built it, it is the one.
    async fn known_to_engine(&mut self, wanted: &Wanted<'_>) -> Outcome<Option<Built>> {
        let is_by_engine = matches!(wanted.origin, Origin::Dockerfile(_));
        if !is_by_engine || wanted.reference.moving().is_some() {
            return Ok(None);
        }
        let engine = self.engine().await?;
        let found = engine::look(&engine, &wanted.reference.to_string()).await?;
        Ok(found.map(|id| Built {
            reference: wanted.reference.clone(),
            place: Place::Engine(id),
        }))
    }

    fn not_built(&self, wanted: &Wanted<'_>) -> Failure {
        let service = wanted.service;
        Failure::new(
            Exit::Error,
            format!(
                "{}: the image of `{}` was never built",
                service.position, service.name
            ),
        )
        .help(format!("build it: `cais build {}`", service.name))
    }

    /// What a built image is for: as the caller wants it, else as the file says; `None` is the builder's own choice.
    fn platform(&self, wanted: &Wanted<'_>) -> Outcome<Option<Platform>> {
        if let Destination::Registry(Registry {
            platform: Some(platform),
            ..
        }) = self.destination
        {
            return Ok(Some(platform.clone()));
        }
        let service = wanted.service;
        let read = |text: &str, field: &str| {
            Platform::parse(text).ok_or_else(|| {
                let message = format!("`{text}` is not a platform");
                let wrong = names::at_field(self.images, service, field, message, Severity::Error)
                    .with_help("write it like `linux/amd64` or `linux/arm64`");
                Failure::invalid(vec![wrong], self.images.loaded.files.clone())
            })
        };
        if let Some(text) = &service.container.platform {
            return read(text, "platform").map(Some);
        }
        let Origin::Dockerfile(build) = wanted.origin else {
            return Ok(None);
        };
        let platforms = build
            .platforms
            .iter()
            .map(|text| read(text, "platforms"))
            .collect::<Outcome<Vec<_>>>()?;
        let own = Platform::of_this_machine();
        match platforms.as_slice() {
            [] => Ok(None),
            [only] => Ok(Some(only.clone())),
            several => {
                // One image is one platform's here, as it is for Docker's own Compose when it runs the stack.
                let chosen = several
                    .iter()
                    .find(|platform| **platform == own)
                    .unwrap_or(&several[0]);
                let message = format!(
                    "of the `platforms` of `{}`, {chosen} is built: cais makes no image for several",
                    service.name
                );
                let warning = names::at_field(
                    self.images,
                    service,
                    "platforms",
                    message,
                    Severity::Warning,
                );
                self.report.event(&service.name, Event::Warning(&warning));
                Ok(Some(chosen.clone()))
            }
        }
    }

    // -- to where it is wanted

    async fn deliver(&mut self, wanted: &Wanted<'_>, built: Built) -> Outcome<ImageRef> {
        match self.destination {
            Destination::Here => {
                let digest = built.id().to_owned();
                Ok(image_ref(&built.reference, digest))
            }
            Destination::Engine(engine) => {
                let id = match &built.place {
                    Place::Engine(id) => id.clone(),
                    Place::Layout { manifest, .. } => {
                        let layout = Layout::open(&self.images.paths.images())?;
                        engine::load(engine, &layout, manifest, &built.reference).await?
                    }
                };
                Ok(image_ref(&built.reference, id))
            }
            Destination::Registry(registry) => self.push(wanted, &built, registry).await,
        }
    }

    /// An image that is somebody else's.
    async fn resolve(&mut self, wanted: &Wanted<'_>) -> Outcome<ImageRef> {
        let reference = &wanted.reference;
        match self.destination {
            Destination::Engine(engine) => {
                let id = self.in_engine(engine, wanted).await?;
                Ok(image_ref(reference, id))
            }
            Destination::Registry(_) | Destination::Here => {
                if let Some(digest) = &reference.digest {
                    return Ok(image_ref(reference, digest.clone()));
                }
                let login = credentials::find(self.images.variables, reference.registry()).await?;
                let remote = Remote::open(reference, login, RegistryOperation::Pull).await?;
                let tag = reference.tag.as_deref().unwrap_or("latest");
                let digest = remote.digest(tag).await?.ok_or_else(|| {
                    let message = format!("there is no image `{reference}`");
                    let wrong =
                        names::at_image(self.images, wanted.service, message, Severity::Error)
                            .with_help("check the name and the tag");
                    Failure::invalid(vec![wrong], self.images.loaded.files.clone())
                })?;
                Ok(image_ref(reference, digest))
            }
        }
    }

    async fn in_engine(&self, engine: &Docker, wanted: &Wanted<'_>) -> Outcome<String> {
        let name = wanted.reference.to_string();
        let there = engine::look(engine, &name).await?;
        let policy = &wanted.service.container.pull_policy;
        match (policy, there) {
            (
                PullPolicy::Missing | PullPolicy::Never | PullPolicy::Build | PullPolicy::Every(_),
                Some(id),
            ) => Ok(id),
            (PullPolicy::Never, None) => {
                let message = format!(
                    "the image `{name}` is not in the engine, and `pull_policy: never` forbids to pull it"
                );
                let wrong = names::at_image(self.images, wanted.service, message, Severity::Error)
                    .with_help(format!(
                        "bring it in: `docker pull {name}`, or leave `pull_policy` out"
                    ));
                Err(Failure::invalid(
                    vec![wrong],
                    self.images.loaded.files.clone(),
                ))
            }
            _ => self.pull_into(engine, wanted).await,
        }
    }

    async fn pull_into(&self, engine: &Docker, wanted: &Wanted<'_>) -> Outcome<String> {
        let service = wanted.service;
        let platform = service.container.platform.as_deref();
        engine::pull(
            engine,
            &wanted.reference,
            platform,
            self.images.variables,
            &service.name,
            self.report,
        )
        .await
    }
}

impl Built {
    fn id(&self) -> &str {
        match &self.place {
            Place::Layout { manifest, .. } => &manifest.digest,
            Place::Engine(id) => id,
        }
    }
}

fn image_ref(reference: &Reference, digest: String) -> ImageRef {
    ImageRef {
        name: reference.name.clone(),
        tag: reference.tag.clone(),
        digest,
    }
}
