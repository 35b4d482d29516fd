//! From a release to submissions: load, skip what is optional and absent, number revisions, bind
//! addresses. Everything that can fail fails here, before anything is started.

use super::definition::{self, Definition, Run};
use super::fingerprint::Fingerprint;
use super::holder::{Holder, holder};
use super::probe::Probes;
use super::resolve::{self, Surroundings};
use super::{Manner, Supervisor, address, artifact, clock, journal_failure, mounts, revise, table};
use crate::control::{Apply, Release, Reply};
use crate::exit::{Exit, Failure, Outcome};
use crate::runtime::docker::files;
use crate::runtime::docker::image::Image;
use crate::runtime::{Runtime, TaskHandle};
use crate::secrets::Store;
use crate::shim::signal::Signal;
use crate::store::Revision;
use cais_engine::event::{Event, RevisionNumber, Submission};
use cais_engine::policy::Policy;
use cais_gateway::listen::BindError;
use cais_model::name::ServiceName;
use cais_model::stack::{Service, Stack};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Attempts to find a loopback address whose ports are free.
const ADDRESS_ATTEMPTS: u32 = 20;

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
    fn skipped_of(&self, stack: &Stack) -> BTreeMap<ServiceName, String> {
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

    /// Services' addresses and mounts, with an address for each that has none yet.
    pub(super) fn surroundings(
        &self,
        stack: &Stack,
        skipped: &BTreeSet<ServiceName>,
    ) -> Outcome<Surroundings> {
        if self.runtime == Runtime::Docker {
            // Containers find each other by the engine's own names.
            return Ok(Surroundings {
                addresses: BTreeMap::new(),
                skipped: skipped.clone(),
                mounts: files::all_places(&self.paths.container_files(), stack),
            });
        }
        let mut kept = self.journal.addresses().map_err(journal_failure)?;
        for service in stack
            .services
            .keys()
            .filter(|service| !kept.contains_key(service.as_str()))
            .collect::<Vec<_>>()
        {
            let taken = kept.values().copied().collect();
            let address = address::choose_address(&self.project_key(), service.as_str(), 0, &taken);
            self.journal
                .keep_address(service.as_str(), address)
                .map_err(journal_failure)?;
            kept.insert(service.to_string(), address);
        }
        Ok(Surroundings {
            addresses: definition::named_addresses(stack, &kept),
            skipped: skipped.clone(),
            mounts: resolve::mounts(stack, &self.paths.mounts()),
        })
    }

    fn project_key(&self) -> String {
        self.paths.state.display().to_string()
    }

    /// Binds every address that the stack listens on. A service's own loopback address moves on when
    /// another stack already uses it; an address that the file names does not.
    pub(super) fn bind(
        &mut self,
        stack: &Stack,
        around: &mut Surroundings,
    ) -> Outcome<BTreeMap<SocketAddr, cais_gateway::table::Serves>> {
        for attempt in 1..=ADDRESS_ATTEMPTS {
            let listeners = table::listeners(stack, &around.addresses, &around.skipped);
            let wanted: BTreeSet<SocketAddr> = listeners.keys().copied().collect();
            let Err(taken) = self.gateway.bind(&wanted) else {
                return Ok(listeners);
            };
            let own = around
                .addresses
                .iter()
                .find(|(_, address)| taken.address.ip() == **address);
            match own.map(|(service, _)| service.clone()) {
                Some(service)
                    if matches!(taken.error, BindError::AddrInUse { .. })
                        && attempt < ADDRESS_ATTEMPTS =>
                {
                    let used = around.addresses.values().copied().collect();
                    let next = address::choose_address(
                        &self.project_key(),
                        service.as_str(),
                        attempt,
                        &used,
                    );
                    self.journal
                        .keep_address(service.as_str(), next)
                        .map_err(journal_failure)?;
                    around.addresses.insert(service, next);
                }
                _ => return Err(bind_failure(stack, &taken)),
            }
        }
        unreachable!("the last attempt returns")
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
    fn key(&self) -> Outcome<[u8; 32]> {
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

    /// A revision's definition from its release's texts and today's variables.
    pub(super) async fn load_definition(
        &self,
        service: &ServiceName,
        revision: RevisionNumber,
    ) -> Outcome<Definition> {
        let gone = || {
            Failure::new(
                Exit::Error,
                format!("revision {revision} of `{service}` is no longer in the journal"),
            )
        };
        let kept = self.journal.revisions(service).map_err(journal_failure)?;
        let kept = kept
            .into_iter()
            .find(|candidate| candidate.number == revision)
            .ok_or_else(gone)?;
        let release = self
            .journal
            .release(kept.release)
            .map_err(journal_failure)?
            .ok_or_else(gone)?;
        let stack = definition::load(&release, &self.boot.variables)?.stack;
        let own = stack.services.get(service).ok_or_else(gone)?;
        let image = kept.artifact.as_deref().filter(|kept| is_image(kept));
        match (self.runtime, image) {
            (Runtime::Docker, Some(image)) => {
                return self.older_container_definition(&stack, own, image).await;
            }
            (Runtime::Process, None) => {}
            (runs, _) => return Err(of_other_runtime(service, revision, runs)),
        }
        let mut around = self.around.clone();
        around.mounts = resolve::mounts(&stack, &self.paths.mounts());
        let definition = definition::define_from(
            &stack,
            own,
            &around,
            &self.boot.variables,
            kept.artifact.is_none(),
        )?;
        Ok(match kept.artifact {
            Some(artifact) => definition.with_program(&self.paths.artifacts().join(artifact)),
            None => definition,
        })
    }

    /// Would a task of this revision see today what its first tasks saw? Values of variables and
    /// contents of secrets and configs are not kept, so they may differ.
    pub(super) fn is_as_it_was(&self, kept: &Revision, definition: &Definition) -> Outcome<bool> {
        let files = mounts::mounted_files(&definition.service, &self.around);
        let artifact = kept.artifact.as_deref();
        let fingerprint = Fingerprint::of(definition, artifact, &files, &self.key()?);
        Ok(fingerprint == kept.fingerprint)
    }

    /// Brings the stack of the newest release back, without starting anything.
    pub(super) async fn recall(&mut self) -> Outcome<Option<Release>> {
        let Some(release) = self.journal.newest_release().map_err(journal_failure)? else {
            return Ok(None);
        };
        let mut stack = definition::load(&release, &self.boot.variables)?.stack;
        if self.runtime == Runtime::Docker {
            let kept = self.kept_images()?;
            self.complete_by_images(&mut stack, &BTreeSet::new(), &kept)
                .await?;
        }
        self.skipped = self.skipped_of(&stack);
        let names = self.skipped.keys().cloned().collect();
        self.around = self.surroundings(&stack, &names)?;
        self.listeners = table::listeners(&stack, &self.around.addresses, &self.around.skipped);
        self.stack = Some(stack);
        Ok(Some(release))
    }

    /// The images of the revisions that services are at.
    fn kept_images(&self) -> Outcome<BTreeMap<ServiceName, String>> {
        let mut images = BTreeMap::new();
        for view in cais_engine::state::views(&self.state) {
            let kept = self
                .journal
                .revisions(&view.service)
                .map_err(journal_failure)?;
            let own = kept.into_iter().find(|kept| kept.number == view.target);
            let image = own
                .and_then(|own| own.artifact)
                .filter(|kept| is_image(kept));
            images.extend(image.map(|image| (view.service.clone(), image)));
        }
        Ok(images)
    }

    /// For adopted tasks.
    pub(super) async fn manner_of(
        &mut self,
        service: &ServiceName,
        revision: RevisionNumber,
        task: u64,
        handle: &TaskHandle,
    ) -> Arc<Manner> {
        match self.definition(service, revision).await {
            Ok(definition) => Arc::new(self.manner(&definition, task, handle)),
            Err(failure) => {
                tracing::warn!(%failure, %service, "an adopted task is not probed: its revision cannot be loaded");
                Arc::new(Manner {
                    probes: Probes::default(),
                    stop_signal: Signal::TERM,
                    stop_grace: Duration::from_secs(10),
                })
            }
        }
    }
}

/// Is what a revision kept the id of an image, rather than a program?
fn is_image(artifact: &str) -> bool {
    artifact.starts_with("sha256:")
}

fn of_other_runtime(service: &ServiceName, revision: RevisionNumber, runs: Runtime) -> Failure {
    let (ran, runs) = match runs {
        Runtime::Process => ("in Docker", "as processes"),
        Runtime::Docker => ("as processes", "in Docker"),
    };
    Failure::new(
        Exit::Error,
        format!("revision {revision} of `{service}` ran {ran}, and the stack runs {runs} now"),
    )
    .help(format!("see its revisions: `cais history {service}`"))
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

fn bind_failure(stack: &Stack, taken: &super::gateway::Taken) -> Failure {
    let address = taken.address;
    let owner = stack.services.values().find_map(|service| {
        let port = service
            .ports
            .iter()
            .find(|p| p.host == address.ip() && p.published == Some(address.port()))?;
        Some((service, port))
    });
    let at = owner.map_or_else(String::new, |(_, port)| format!("{}: ", port.position));
    let what = match owner {
        Some((service, _)) => format!("the published port of `{}`", service.name),
        None if stack.listen == address => "the gateway's address (x-cais.listen)".to_owned(),
        None => "a service's own loopback address".to_owned(),
    };
    match &taken.error {
        BindError::AddrInUse { .. } => {
            let (who, help) = match holder(address) {
                Holder::Stack(stack) => (
                    format!("the stack `{stack}`"),
                    "stop it with `cais down` in its folder, or choose another port".to_owned(),
                ),
                Holder::Program { name, pid } => (
                    format!("`{name}` (pid {pid})"),
                    "stop it, or choose another port".to_owned(),
                ),
                Holder::Unknown => (
                    "another program".to_owned(),
                    format!(
                        "see who has it: `sudo ss -ltnp 'sport = :{}'`; or choose another port",
                        address.port()
                    ),
                ),
            };
            Failure::new(Exit::Error, format!("{at}`{address}`, {what}, is taken by {who}")).help(help)
        }
        BindError::PermissionDenied { .. } => {
            Failure::new(Exit::Error, format!("{at}`{address}`, {what}: ports below 1024 are the administrator's"))
                .help("choose a port from 1024 up, or type `sudo sysctl net.ipv4.ip_unprivileged_port_start=0`")
        }
        error => Failure::new(Exit::Error, format!("{at}cannot listen on `{address}`, {what}: {error}"))
            .help("on macOS each loopback alias must be made first: `sudo ifconfig lo0 alias ADDRESS`"),
    }
}
