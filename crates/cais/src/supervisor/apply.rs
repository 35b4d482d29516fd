//! From a release to submissions: load, skip what is optional and absent, number revisions. Everything that can fail fails
//! here, before anything is started; binding addresses is left to `bind.rs`.

use super::definition::{self, Definition, Run};
use super::published::Kept;
use super::resolve::{self, Surroundings};
use super::{Supervisor, artifact, clock, journal_failure, mounts, revise};
use crate::control::{Apply, Reply};
use crate::exit::Outcome;
use crate::runtime::Runtime;
use crate::runtime::docker::files;
use crate::runtime::docker::image::Image;
use crate::secrets::Store;
use crate::store::Revision;
use cais_engine::event::{Event, Submission};
use cais_engine::policy::Policy;
use cais_model::name::ServiceName;
use cais_model::stack::{Service, Stack};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

impl Supervisor {
    /// Takes a stack in. `Ok` means that it is on disk and under way.
    pub(super) async fn apply(&mut self, apply: &Apply, replies: &super::Replies) -> Outcome {
        self.boot.variables = apply.variables.clone();
        self.settle_runtime(apply.runtime).await?;
        let loaded = definition::load(&apply.release, &apply.variables)?;
        let mut stack = loaded.stack;
        let store = Store::of(&apply.release.directory)?;
        mounts::prepare_mounts(&stack, &self.paths.mounts(), &apply.variables, &store)?;
        let skipped = self.skipped_of(&stack);
        for text in skipped.values() {
            replies.send(Reply::Remark { text: text.clone() });
        }
        let skipped_names: BTreeSet<ServiceName> = skipped.keys().cloned().collect();
        let wanted: BTreeSet<ServiceName> = stack
            .services
            .keys()
            .filter(|name| !skipped_names.contains(*name))
            .filter(|name| apply.services.is_empty() || apply.services.contains(*name))
            .cloned()
            .collect();
        let images = match self.runtime {
            Runtime::Process => BTreeMap::new(),
            Runtime::Docker => {
                self.complete_by_images(&mut stack, &wanted, &apply.images)
                    .await?
            }
        };
        self.give_ports(&mut stack, Kept::IfFree)?;
        let wanted: Vec<&Service> = wanted.iter().map(|name| &stack.services[name]).collect();

        let mut around = self.surroundings(&stack, &skipped_names)?;
        let definitions = self.definitions(&stack, &wanted, &around, &images)?;
        let listeners = self.bind(&stack, &mut around)?;
        if self.runtime == Runtime::Docker {
            self.prepare_containers(&stack, &wanted, replies).await?;
        }

        let submissions = self.submissions(&stack, definitions, &skipped_names, apply)?;
        self.gateway.ensure().await?;
        let addresses: BTreeSet<SocketAddr> = listeners.keys().copied().collect();
        self.gateway
            .hand_over(&addresses.iter().copied().collect::<Vec<_>>())
            .await?;
        self.listeners = listeners;
        self.around = around;
        self.stack = Some(stack);
        self.skipped = skipped;
        self.try_feed(Event::Apply {
            services: submissions,
            remove_absent: apply.remove_absent,
        })
        .await
        .map_err(journal_failure)?;
        self.gateway.keep_only(&addresses).await;
        self.renew_manners();
        Ok(())
    }

    /// Optional services whose program is not installed. A container brings its own.
    pub(super) fn skipped_of(&self, stack: &Stack) -> BTreeMap<ServiceName, String> {
        match self.runtime {
            Runtime::Process => skipped(stack, &self.boot.variables),
            Runtime::Docker => BTreeMap::new(),
        }
    }

    fn definitions(
        &self,
        stack: &Stack,
        wanted: &[&Service],
        around: &Surroundings,
        images: &BTreeMap<ServiceName, Image>,
    ) -> Outcome<BTreeMap<ServiceName, Definition>> {
        let define = |service: &&Service| {
            let definition = match images.get(&service.name) {
                Some(image) => self.container_definition(stack, service, image),
                None => definition::define(stack, service, around, &self.boot.variables)?,
            };
            Ok((service.name.clone(), definition))
        };
        wanted.iter().map(define).collect()
    }

    /// How running tasks are asked and stopped follows the file, although it makes no new revision.
    fn renew_manners(&mut self) {
        for view in cais_engine::state::views(&self.state) {
            for task in &view.tasks {
                let known = self
                    .definitions
                    .get(&(view.service.clone(), task.revision.0));
                let (Some(definition), Some(live)) = (known, self.tasks.get(&task.task)) else {
                    continue;
                };
                let manner = Arc::new(self.manner(definition, task.task.0, &live.handle));
                if let Some(live) = self.tasks.get_mut(&task.task) {
                    live.manner = manner;
                }
            }
        }
    }

    fn submissions(
        &mut self,
        stack: &Stack,
        definitions: BTreeMap<ServiceName, Definition>,
        skipped: &BTreeSet<ServiceName>,
        apply: &Apply,
    ) -> Outcome<BTreeMap<ServiceName, Submission>> {
        let key = self.key()?;
        let at_ms = clock::epoch_ms();
        let release = self
            .journal
            .keep_release(&apply.release, at_ms)
            .map_err(journal_failure)?;
        self.journal
            .set_fact("release", &release.to_string())
            .map_err(journal_failure)?;
        let around = Surroundings {
            addresses: BTreeMap::new(),
            skipped: skipped.clone(),
            mounts: self.mounts_of(stack),
        };
        let mut submissions = BTreeMap::new();
        for (name, definition) in definitions {
            let service = &definition.service;
            let mut policy = Policy::of(service, stack);
            policy
                .depends_on
                .retain(|dependency, _| !skipped.contains(dependency));
            let artifact = match &definition.run {
                Run::Process { .. } => {
                    artifact::keep_program(&definition, &self.paths.artifacts())?
                }
                Run::Container(run) => Some(run.image.clone()),
            };
            let files = mounts::mounted_files(service, &around);
            let known = revise::known(Some(&self.journal), &name)?;
            let revised = revise::revise(&known, &definition, artifact.as_deref(), &files, &key);
            if !revised.is_known {
                let revision = Revision {
                    service: name.clone(),
                    number: revised.number,
                    fingerprint: revised.fingerprint,
                    release,
                    policy: policy.clone(),
                    artifact: artifact.clone(),
                    created_ms: at_ms,
                };
                self.journal
                    .keep_revision(&revision)
                    .map_err(journal_failure)?;
            }
            let number = revised.number;
            let desired = apply.scale.get(&name).copied().unwrap_or(service.replicas);
            let definition = match artifact {
                Some(artifact) => definition.with_program(&self.paths.artifacts().join(artifact)),
                None => definition,
            };
            // Kept as it is now: a later caller's variables make a later revision, not this one.
            self.definitions
                .insert((name.clone(), number.0), Arc::new(definition));
            submissions.insert(
                name.clone(),
                Submission {
                    revision: number,
                    policy,
                    desired,
                    force: apply.force,
                },
            );
        }
        Ok(submissions)
    }

    /// The project's key for fingerprints; made once.
    pub(super) fn key(&self) -> Outcome<[u8; 32]> {
        if let Some(key) = revise::key(&self.paths.state) {
            return Ok(key);
        }
        let key = mounts::random_bytes()?;
        mounts::write_private(&self.paths.state.join("key"), &key)?;
        Ok(key)
    }

    /// Where the secrets and configs of every service are on this machine.
    fn mounts_of(&self, stack: &Stack) -> BTreeMap<ServiceName, BTreeMap<String, PathBuf>> {
        match self.runtime {
            Runtime::Process => resolve::mounts(stack, &self.paths.mounts()),
            Runtime::Docker => files::all_places(&self.paths.container_files(), stack),
        }
    }
}

/// Optional services whose program is not installed, each with the line that says so.
pub(crate) fn skipped(
    stack: &Stack,
    variables: &BTreeMap<String, String>,
) -> BTreeMap<ServiceName, String> {
    stack
        .services
        .values()
        .filter(|service| service.process.as_ref().is_some_and(|process| process.optional))
        .map(|service| (service, definition::missing_programs(stack, service, variables)))
        .filter(|(_, missing)| !missing.is_empty())
        .map(|(service, missing)| {
            let name = &service.name;
            let program = missing.join("`, `");
            let text = format!(
                "`{name}` is skipped: `{program}` is not installed and the service is optional; variables that name it are left unset"
            );
            (name.clone(), text)
        })
        .collect()
}
