//! From a release to submissions: load, skip what is optional and absent, number revisions, bind
//! addresses. Everything that can fail fails here, before anything is started.

use super::definition::{self, Definition};
use super::fingerprint::Fingerprint;
use super::holder::{Holder, holder};
use super::probe::Probes;
use super::resolve::{self, Surroundings};
use super::{Manner, Supervisor, address, artifact, clock, journal_failure, mounts, revise, table};
use crate::control::{Apply, Release, Reply};
use crate::exit::{Exit, Failure, Outcome};
use crate::runtime::process::Signal;
use crate::store::Revision;
use cais_engine::event::{Event, RevisionNumber, Submission};
use cais_engine::policy::Policy;
use cais_gateway::listen::BindError;
use cais_model::name::ServiceName;
use cais_model::stack::{Service, Stack};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Attempts to find a loopback address whose ports are free.
const ADDRESS_ATTEMPTS: u32 = 20;

impl Supervisor {
    /// Takes a stack in. `Ok` means that it is on disk and under way.
    pub(super) async fn apply(&mut self, apply: &Apply, replies: &super::Replies) -> Outcome {
        self.boot.variables = apply.variables.clone();
        let loaded = definition::load(&apply.release, &apply.variables)?;
        let stack = loaded.stack;
        mounts::prepare_mounts(&stack, &self.paths.mounts(), &apply.variables)?;
        let skipped = skipped(&stack, &apply.variables);
        for text in skipped.values() {
            replies.send(Reply::Remark { text: text.clone() });
        }
        let skipped_names: BTreeSet<ServiceName> = skipped.keys().cloned().collect();
        let wanted: Vec<&Service> = stack
            .services
            .values()
            .filter(|service| !skipped_names.contains(&service.name))
            .filter(|service| apply.services.is_empty() || apply.services.contains(&service.name))
            .collect();

        let mut around = self.surroundings(&stack, &skipped_names)?;
        let definitions: BTreeMap<ServiceName, Definition> = wanted
            .iter()
            .map(|service| {
                let definition = definition::define(&stack, service, &around, &apply.variables)?;
                Ok((service.name.clone(), definition))
            })
            .collect::<Outcome<_>>()?;
        let listeners = self.bind(&stack, &mut around)?;

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

    /// How running tasks are asked and stopped follows the file, although it makes no new revision.
    fn renew_manners(&mut self) {
        for view in cais_engine::state::views(&self.state) {
            for task in &view.tasks {
                let known = self
                    .definitions
                    .get(&(view.service.clone(), task.revision.0));
                let Some(definition) = known else { continue };
                if let Some(live) = self.tasks.get_mut(&task.task) {
                    let ports = self.ports.get(&task.task.0).cloned().unwrap_or_default();
                    live.manner = Arc::new(super::perform::manner(definition, &ports));
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
            mounts: resolve::mounts(stack, &self.paths.mounts()),
        };
        let mut submissions = BTreeMap::new();
        for (name, mut definition) in definitions {
            let service = &definition.service;
            let mut policy = Policy::of(service, stack);
            policy
                .depends_on
                .retain(|dependency, _| !skipped.contains(dependency));
            let artifact = artifact::keep_program(&definition, &self.paths.artifacts())?;
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
            if let Some(artifact) = artifact {
                definition.argv[0] = self.paths.artifacts().join(artifact).display().to_string();
            }
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

    /// A revision's definition from its release's texts and today's variables.
    pub(super) fn load_definition(
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
        let mut around = self.around.clone();
        around.mounts = resolve::mounts(&stack, &self.paths.mounts());
        let mut definition = definition::define_from(
            &stack,
            own,
            &around,
            &self.boot.variables,
            kept.artifact.is_none(),
        )?;
        if let Some(artifact) = kept.artifact {
            definition.argv[0] = self.paths.artifacts().join(artifact).display().to_string();
        }
        Ok(definition)
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
    pub(super) fn recall(&mut self) -> Outcome<Option<Release>> {
        let Some(release) = self.journal.newest_release().map_err(journal_failure)? else {
            return Ok(None);
        };
        let stack = definition::load(&release, &self.boot.variables)?.stack;
        self.skipped = skipped(&stack, &self.boot.variables);
        let names = self.skipped.keys().cloned().collect();
        self.around = self.surroundings(&stack, &names)?;
        self.listeners = table::listeners(&stack, &self.around.addresses, &self.around.skipped);
        self.stack = Some(stack);
        Ok(Some(release))
    }

    /// For adopted tasks.
    pub(super) fn manner_of(
        &mut self,
        service: &ServiceName,
        revision: RevisionNumber,
        task: u64,
    ) -> Arc<Manner> {
        let ports = self.ports.get(&task).cloned().unwrap_or_default();
        match self.definition(service, revision) {
            Ok(definition) => Arc::new(super::perform::manner(&definition, &ports)),
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
