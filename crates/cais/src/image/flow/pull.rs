//! Images that are somebody else's, fetched because they were asked for.

use super::super::credentials;
use super::super::layout::Layout;
use super::super::names::{self, Rule, Wanted};
use super::super::platform::Platform;
use super::super::registry::Remote;
use super::super::{Destination, Event, ImageRef, Images, Report};
use super::{Flow, image_ref};
use crate::exit::Outcome;
use bollard::Docker;
use cais_model::name::ServiceName;
use oci_client::RegistryOperation;
use std::collections::{BTreeMap, BTreeSet};

/// Where `pull` brings images.
pub(in crate::image) enum Into<'i> {
    Engine(&'i Docker),
    Layout,
}

/// Fetches the images that are somebody else's, whether they are there or not.
pub(in crate::image) async fn pull(
    images: &Images<'_>,
    services: &BTreeSet<ServiceName>,
    into: Into<'_>,
    report: &dyn Report,
) -> Outcome<BTreeMap<ServiceName, ImageRef>> {
    let (wanted, warnings) = names::wanted(images, services, Rule::Local)?;
    let mut pulled = BTreeMap::new();
    for each in wanted.iter().filter(|each| !each.is_built()) {
        let name = &each.service.name;
        if pulled.is_empty() {
            for warning in &warnings {
                report.event(name, Event::Warning(warning));
            }
        }
        let image = match into {
            Into::Engine(engine) => {
                let flow = Flow {
                    images,
                    destination: Destination::Engine(engine),
                    report,
                    engine: None,
                    ran: BTreeSet::new(),
                };
                image_ref(&each.reference, flow.pull_into(engine, each).await?)
            }
            Into::Layout => into_layout(images, each, report).await?,
        };
        report.event(name, Event::Done(&image));
        pulled.insert(name.clone(), image);
    }
    Ok(pulled)
}

async fn into_layout(
    images: &Images<'_>,
    wanted: &Wanted<'_>,
    report: &dyn Report,
) -> Outcome<ImageRef> {
    let reference = &wanted.reference;
    let service = &wanted.service.name;
    report.event(service, Event::Step(&format!("pulling {reference}")));
    let login = credentials::find(images.variables, reference.registry()).await?;
    let remote = Remote::open(reference, login, RegistryOperation::Pull).await?;
    let layout = Layout::open(&images.paths.images())?;
    let platform = wanted
        .service
        .container
        .platform
        .as_deref()
        .and_then(Platform::parse);
    let platform = platform.unwrap_or_else(Platform::of_this_machine);
    let name = reference
        .digest
        .as_deref()
        .or(reference.tag.as_deref())
        .unwrap_or("latest");
    let progress = |what: &str, done: u64, total: u64| {
        report.event(service, Event::Bytes { what, done, total });
    };
    let manifest = remote.pull(&layout, name, &platform, &progress).await?;
    layout.name(&reference.to_string(), manifest.clone())?;
    Ok(image_ref(reference, manifest.digest))
}
