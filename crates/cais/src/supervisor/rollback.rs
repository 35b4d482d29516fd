//! Which revisions a rollback goes to: the one named, or the newest completed one before the present.

use super::request::unknown_service;
use super::{Replies, Supervisor, journal_failure};
use crate::control::{Reply, Wait};
use crate::exit::{Exit, Failure, Outcome};
use cais_engine::event::{Event, RevisionNumber, Submission};
use cais_engine::view::ServiceView;
use cais_model::name::ServiceName;
use std::collections::{BTreeMap, BTreeSet};

impl Supervisor {
    pub(super) async fn roll_back(
        &mut self,
        service: Option<ServiceName>,
        revision: Option<u32>,
        wait: Wait,
        replies: Replies,
    ) {
        let targets = match self.rollback_targets(service, revision, &replies).await {
            Ok(targets) => targets,
            Err(failure) => return replies.fail(&failure),
        };
        let awaited = targets.keys().cloned().collect();
        let events = targets
            .into_iter()
            .map(|(service, submission)| Event::Rollback {
                service,
                submission,
            })
            .collect();
        self.change(events, awaited, wait, replies).await;
    }

    /// What a rollback goes to: the revision named, or the newest completed one before the present.
    async fn rollback_targets(
        &mut self,
        service: Option<ServiceName>,
        revision: Option<u32>,
        replies: &Replies,
    ) -> Outcome<BTreeMap<ServiceName, Submission>> {
        let views = cais_engine::state::views(&self.state);
        let named: BTreeSet<ServiceName> = service.iter().cloned().collect();
        if let Some(failure) = unknown_service(&named, &self.known(), &self.skipped) {
            return Err(failure);
        }
        let newest = views.iter().filter_map(|view| self.release_of(view)).max();
        let mut targets = BTreeMap::new();
        for view in &views {
            let is_meant = match &service {
                Some(service) => service == &view.service,
                None => newest.is_some() && self.release_of(view) == newest,
            };
            if !is_meant {
                continue;
            }
            let target = match revision {
                Some(revision) => Some(RevisionNumber(revision)),
                None => self
                    .journal
                    .completed_before(&view.service, Some(view.target))
                    .map_err(journal_failure)?,
            };
            match target {
                Some(target) => {
                    let submission = self.submission_of(view, target, replies).await?;
                    targets.insert(view.service.clone(), submission);
                }
                None if service.is_some() => return Err(nothing_to_go_back_to(&view.service)),
                None => {}
            }
        }
        if targets.is_empty() {
            let failure = Failure::new(Exit::Error, "there is nothing to roll back to");
            return Err(failure.help("see what was deployed: `cais history`"));
        }
        Ok(targets)
    }

    /// The release that a service's present revision came with.
    fn release_of(&self, view: &ServiceView) -> Option<i64> {
        let revisions = self.journal.revisions(&view.service).ok()?;
        revisions
            .iter()
            .find(|revision| revision.number == view.target)
            .map(|revision| revision.release)
    }

    async fn submission_of(
        &mut self,
        view: &ServiceView,
        revision: RevisionNumber,
        replies: &Replies,
    ) -> Outcome<Submission> {
        let service = &view.service;
        let kept = self.journal.revisions(service).map_err(journal_failure)?;
        let Some(kept) = kept
            .into_iter()
            .find(|candidate| candidate.number == revision)
        else {
            let failure = Failure::new(
                Exit::Usage,
                format!("`{service}` has no revision {revision}"),
            );
            return Err(failure.help(format!("see its revisions: `cais history {service}`")));
        };
        // It must load before anything is stopped for it.
        let definition = self.definition(service, revision).await?;
        if !self.is_as_it_was(&kept, &definition)? {
            replies.send(Reply::Remark {
                text: format!(
                    "revision {revision} of `{service}` gets today's variables, secrets and configs: \
                     some have changed since, and their old values were not kept"
                ),
            });
        }
        Ok(Submission {
            revision,
            policy: kept.policy,
            desired: view.desired,
            force: false,
        })
    }
}

fn nothing_to_go_back_to(service: &ServiceName) -> Failure {
    Failure::new(
        Exit::Error,
        format!(
            "there is nothing to roll `{service}` back to: no other revision of it ever completed"
        ),
    )
    .help(format!("see what was deployed: `cais history {service}`"))
}
