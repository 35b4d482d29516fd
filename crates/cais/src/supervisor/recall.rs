//! What was applied before, brought back from the journal: a revision's definition, and the stack of the newest release.
//! Nothing is started here.

use super::definition::{self, Definition};
use super::fingerprint::Fingerprint;
use super::probe::Probes;
use super::published::Kept;
use super::{Manner, Supervisor, journal_failure, mounts, resolve, table};
use crate::control::Release;
use crate::exit::{Exit, Failure, Outcome};
use crate::runtime::{Runtime, TaskHandle};
use crate::shim::signal::Signal;
use crate::store::Revision;
use cais_engine::event::RevisionNumber;
use cais_model::name::ServiceName;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

impl Supervisor {
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
        self.give_ports(&mut stack, Kept::Holds)?;
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
