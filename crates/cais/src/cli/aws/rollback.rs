//! `cais rollback -E ENV [SERVICE] [REVISION]`: moves services to a task definition that ran before, and watches that to
//! its end as a deploy does. Nothing is built or registered, so it takes as long as its tasks do.

use super::lock::Held;
use super::plan::{self, Move};
use super::show::Display;
use super::summary::{self, Summary};
use super::wave::{self, Patience};
use super::{Target, failure};
use crate::cli::deploy::RollbackArgs;
use crate::cli::verdict::Interrupts;
use crate::cli::{Global, output};
use crate::exit::{Exit, Failure, Outcome};
use cais_aws::deployment::Status;
use cais_aws::pace::Pace;
use cais_aws::sdk::ecs::Listed;
use cais_aws::service::{Service, family_revision, revision_number};
use cais_model::name::{EnvironmentName, ServiceName};
use std::collections::BTreeMap;
use std::time::Duration;

/// Deployments that are looked through for one to go back to.
const LOOKED_AT: usize = 100;
const TIMEOUT: Duration = Duration::from_secs(30 * 60);
/// Deployments of several services that began so close to each other are one deploy.
const ONE_DEPLOY: i64 = 15 * 60;

pub(super) async fn run(global: &Global, name: &EnvironmentName, args: RollbackArgs) -> Outcome {
    let target = Target::open(global, name).await?;
    let named: Vec<ServiceName> = args.service.iter().cloned().collect();
    let Some(named) = target.with_tasks(&named) else {
        return Ok(());
    };
    let services = target.services(&named).await?;
    let mut moves = Vec::new();
    let mut newest: BTreeMap<ServiceName, Option<jiff::Timestamp>> = BTreeMap::new();
    for (service, live) in services {
        let past = Past::of(&target, &live).await?;
        newest.insert(service.clone(), past.newest());
        let back = match args.revision {
            Some(revision) => Some(past.named(&service, &live, revision)?),
            None => past.before(&live),
        };
        match back {
            Some(definition) => moves.push(to(&target, service, live, definition)),
            None if named.is_empty() => {}
            None => {
                return Err(Failure::new(
                    Exit::Error,
                    format!("`{service}` has no completed revision before the present one"),
                )
                .help(format!("see what ran: `cais history -E {name} {service}`")));
            }
        }
    }
    if named.is_empty() {
        // Without a name: all that the newest deploy changed, as it is on this machine.
        let last = moves.iter().filter_map(|one| newest[&one.service]).max();
        moves.retain(|one| {
            matches!((newest[&one.service], last), (Some(at), Some(last)) if last.duration_since(at).as_secs() <= ONE_DEPLOY)
        });
    }
    if moves.is_empty() {
        return Err(Failure::new(Exit::Error, "there is nothing to go back to")
            .help(format!("see what ran: `cais history -E {name}`")));
    }
    for one in &moves {
        output::say(&format!(
            "  {:<14} {} → {}",
            one.service,
            one.from(),
            family_revision(&one.definition)
        ));
    }
    for one in &moves {
        let moved = plan::moved_health(&target, &one.live, &one.definition).await?;
        if let Some((then, now)) = moved {
            output::note(&format!(
                "the load balancer asks `{}` at {now}, and {} was asked at {then}: if it does not answer there, ECS ends this rollback; apply the infrastructure of that commit first",
                one.service,
                family_revision(&one.definition)
            ));
        }
    }
    target.confirm(global, "roll back")?;
    let held = Held::take(&target, "rollback", args.aws.no_lock).await?;
    let outcome = go_back(global, &target, &args, moves).await;
    held.release(&target).await;
    outcome
}

async fn go_back(
    global: &Global,
    target: &Target,
    args: &RollbackArgs,
    moves: Vec<Move>,
) -> Outcome {
    let patience = Patience {
        timeout: args.waiting.timeout.unwrap_or(TIMEOUT),
        pace: args.aws.poll.map_or_else(Pace::default, Pace::every),
        wait: !args.waiting.no_wait,
    };
    let mut display = Display::new(global);
    let mut interrupts = Interrupts::new()?;
    let mut summary = Summary::of(target);
    for one in wave::run(target, moves, &patience, &mut display, &mut interrupts).await? {
        summary.done(&one);
    }
    summary::print(global, target, &summary)?;
    summary.judge(target)
}

fn to(target: &Target, service: ServiceName, live: Service, definition: String) -> Move {
    Move {
        configuration: plan::configuration(target, &service, &live),
        service,
        live,
        request: None,
        definition,
        image: None,
        desired: None,
        force: false,
        can_go_back: true,
    }
}

/// What ran of a service, newest first.
pub(super) struct Past {
    pub(super) deployments: Vec<Listed>,
    /// The task definition of each service revision.
    pub(super) definitions: BTreeMap<String, String>,
}

impl Past {
    pub(super) async fn of(target: &Target, live: &Service) -> Outcome<Self> {
        let deployments = target
            .session
            .list_deployments(&target.names.cluster(), &live.name, LOOKED_AT)
            .await
            .map_err(failure)?;
        let mut arns: Vec<String> = deployments
            .iter()
            .filter_map(|one| one.revision.clone())
            .collect();
        arns.sort();
        arns.dedup();
        let definitions = target
            .session
            .revisions(&arns)
            .await
            .map_err(failure)?
            .into_iter()
            .map(|(arn, revision)| (arn, revision.definition))
            .collect();
        Ok(Self {
            deployments,
            definitions,
        })
    }

    pub(super) fn definition(&self, listed: &Listed) -> Option<&str> {
        self.definitions
            .get(listed.revision.as_deref()?)
            .map(String::as_str)
    }

    fn newest(&self) -> Option<jiff::Timestamp> {
        self.deployments.first().and_then(|one| one.created)
    }

    /// The newest completed revision that is not the present one.
    fn before(&self, live: &Service) -> Option<String> {
        self.deployments
            .iter()
            .filter(|one| one.status == Status::Successful)
            .filter_map(|one| self.definition(one))
            .find(|definition| *definition != live.definition)
            .map(str::to_owned)
    }

    fn named(&self, service: &ServiceName, live: &Service, revision: u32) -> Outcome<String> {
        if revision_number(&live.definition) == Some(revision) {
            return Err(Failure::new(
                Exit::Usage,
                format!("`{service}` is at revision {revision} already"),
            ));
        }
        let known = || {
            self.deployments
                .iter()
                .filter_map(|one| self.definition(one))
        };
        if let Some(found) =
            known().find(|definition| revision_number(definition) == Some(revision))
        {
            return Ok(found.to_owned());
        }
        let mut numbers: Vec<u32> = known().filter_map(revision_number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
        Err(Failure::new(
            Exit::Usage,
            format!("`{service}` never ran revision {revision}"),
        )
        .help(format!("it ran: {}", numbers.join(", "))))
    }
}
