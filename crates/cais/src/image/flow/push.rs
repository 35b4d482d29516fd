//! A built image on its way to a registry, whoever built it.

use super::super::artifact;
use super::super::credentials::{self, Login};
use super::super::layout::{Descriptor, Layout};
use super::super::names::{self, Origin, Wanted};
use super::super::reference::Reference;
use super::super::registry::Remote;
use super::super::sbom::{self, Subject};
use super::super::{Event, ImageRef, Registry, engine};
use super::{Built, Flow, Place, image_ref};
use crate::exit::Outcome;
use oci_client::RegistryOperation;

impl Flow<'_> {
    /// Sends a built image, and what is known of its contents, to its registry.
    pub(super) async fn push(
        &mut self,
        wanted: &Wanted<'_>,
        built: &Built,
        registry: &Registry,
    ) -> Outcome<ImageRef> {
        let service = &wanted.service.name;
        let named = names::in_registry(self.images, wanted, registry)?;
        let tag = built.reference.tag.clone().unwrap_or_default();
        let target = named.tagged(&tag);
        let layout = Layout::open(&self.images.paths.images())?;
        let manifest = match &built.place {
            Place::Layout { manifest, .. } => manifest.clone(),
            Place::Engine(id) => self.take_out(wanted, built, id, &layout).await?,
        };
        self.report
            .event(service, Event::Step(&format!("pushing {target}")));
        let login = self.login(&target, registry).await?;
        let remote = Remote::open(&target, login, RegistryOperation::Push).await?;
        let progress = |what: &str, done: u64, total: u64| {
            self.report
                .event(service, Event::Bytes { what, done, total });
        };
        remote.push(&layout, &manifest, &tag, &progress).await?;
        let subject = Subject {
            name: &target.name,
            manifest: &manifest,
        };
        let document = match &built.place {
            Place::Layout {
                program, platform, ..
            } => sbom::of_program(
                &subject,
                program,
                &self.images.loaded.stack.directory,
                platform,
                match wanted.origin {
                    Origin::Artifact(it) => artifact::command_of(wanted.service, it),
                    Origin::Dockerfile(_) | Origin::Named => None,
                },
            )?,
            Place::Engine(_) => sbom::of_layers(&subject, &layout)?,
        };
        remote
            .attach(&manifest, sbom::MEDIA_TYPE, &document, sbom::FILE)
            .await?;
        Ok(image_ref(&target, manifest.digest))
    }

    /// The image out of the engine, unless an earlier push took it.
    async fn take_out(
        &mut self,
        wanted: &Wanted<'_>,
        built: &Built,
        id: &str,
        layout: &Layout,
    ) -> Outcome<Descriptor> {
        let name = built.reference.to_string();
        if let Some(taken) = layout.find(&name)?
            && layout.manifest(&taken.digest)?.config.digest == id
        {
            return Ok(taken);
        }
        let step = format!("taking {name} out of the engine");
        self.report.event(&wanted.service.name, Event::Step(&step));
        let engine = self.engine().await?;
        let manifest = engine::save(&engine, layout, id).await?;
        layout.name(&name, manifest.clone())?;
        Ok(manifest)
    }

    async fn login(&self, target: &Reference, registry: &Registry) -> Outcome<Option<Login>> {
        match &registry.credentials {
            Some(login) => Ok(Some(Login::Password(login.clone()))),
            None => credentials::find(self.images.variables, target.registry()).await,
        }
    }
}
