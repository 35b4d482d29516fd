//! Services that are moved together: their updates are sent, and each deployment is watched to its end. The first Ctrl-C
//! asks ECS to take them back, the second leaves them to themselves.

use super::plan::Move;
use super::show::Display;
use super::{Target, failure};
use crate::cli::output;
use crate::cli::verdict::Interrupts;
use crate::exit::{Exit, Failure, Outcome as CommandOutcome};
use cais_aws::definition::UpdateRequest;
use cais_aws::follow::follow;
use cais_aws::outcome::Outcome;
use cais_aws::pace::Pace;
use cais_aws::sdk::poller::{Poller, Watched};
use cais_aws::watch::{Happening, Subject, Watch};
use jiff::Timestamp;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// One service's way through a deploy.
#[derive(Debug, Clone)]
pub(super) struct Done {
    pub(super) moved: Move,
    /// The task definition that was registered for it, or that it goes back to.
    pub(super) definition: String,
    pub(super) deployment: String,
    /// `None`: nobody watched.
    pub(super) outcome: Option<Outcome>,
    pub(super) took: Duration,
}

/// How long and how often to look.
#[derive(Debug, Clone)]
pub(super) struct Patience {
    pub(super) timeout: Duration,
    pub(super) pace: Pace,
    pub(super) wait: bool,
}

/// Moves these services and watches them to their end.
pub(super) async fn run(
    target: &Target,
    moves: Vec<Move>,
    patience: &Patience,
    display: &mut Display,
    interrupts: &mut Interrupts,
) -> CommandOutcome<Vec<Done>> {
    let began = Instant::now();
    // What ECS notes and which tasks end counts from here; its clock may be a little behind ours.
    let since = Timestamp::now()
        .checked_sub(jiff::SignedDuration::from_secs(5))
        .unwrap_or(Timestamp::UNIX_EPOCH);
    let mut done = Vec::new();
    let mut refused = None;
    for one in moves {
        match send(target, &one, display).await {
            Ok((definition, deployment)) => done.push(Done {
                moved: one,
                definition,
                deployment,
                outcome: None,
                took: Duration::ZERO,
            }),
            Err(error) => {
                refused = Some((one.service.to_string(), error));
                break;
            }
        }
    }
    if let Some((service, error)) = &refused {
        display.remark(&format!(
            "{RED}error{RED:#}: {service} was not updated: {error}",
            RED = output::RED
        ));
    }
    if patience.wait && !done.is_empty() {
        let began = (since, began);
        watch(target, &mut done, patience, began, display, interrupts).await?;
    }
    match refused {
        // Those that were sent before have their outcome, and are told; then the refusal is the command's.
        Some((_, error)) if done.is_empty() => Err(error),
        Some((service, error)) => {
            let sent: Vec<String> = done.iter().map(told).collect();
            Err(Failure::new(
                error.exit,
                format!(
                    "`{service}` was not updated: {error}; before it: {}",
                    sent.join(", ")
                ),
            )
            .help(error.help.unwrap_or_else(|| {
                format!("see what runs: `cais status -E {}`", target.environment)
            })))
        }
        None => Ok(done),
    }
}

fn told(done: &Done) -> String {
    let word = done.outcome.as_ref().map_or("under way", Outcome::word);
    format!("`{}` {word}", done.moved.service)
}

/// Registers and updates; answers with the definition and the deployment that this made.
async fn send(
    target: &Target,
    one: &Move,
    display: &mut Display,
) -> CommandOutcome<(String, String)> {
    let name = one.service.to_string();
    let definition = match &one.request {
        Some(request) => {
            display.step(&name, "registering its task definition");
            target.session.register(request).await.map_err(failure)?
        }
        None => one.definition.clone(),
    };
    display.step(&name, "updating");
    let request = UpdateRequest {
        cluster: target.names.cluster(),
        service: one.live.name.clone(),
        definition: Some(definition.clone()),
        desired: one.desired,
        configuration: one.configuration.clone(),
        force: one.force,
    };
    let deployment = target
        .session
        .update(&request, &one.live)
        .await
        .map_err(failure)?;
    Ok((definition, deployment))
}

async fn watch(
    target: &Target,
    done: &mut [Done],
    patience: &Patience,
    (since, began): (Timestamp, Instant),
    display: &mut Display,
    interrupts: &mut Interrupts,
) -> CommandOutcome {
    let subjects: Vec<Subject> = done
        .iter()
        .map(|one| Subject {
            service: one.moved.service.to_string(),
            deployment: one.deployment.clone(),
        })
        .collect();
    let watched = done.iter().map(|one| Watched {
        service: one.moved.service.to_string(),
        name: one.moved.live.name.clone(),
        group: target.names.log_group(one.moved.service.as_str()),
    });
    let mut poller = Poller::new(
        target.session.clone(),
        &target.names.cluster(),
        watched.collect(),
        since,
    );
    let mut watch = Watch::new(subjects.clone(), patience.pace.clone(), patience.timeout);
    let display = RefCell::new(display);
    let open: RefCell<BTreeSet<String>> =
        RefCell::new(subjects.iter().map(|s| s.service.clone()).collect());
    let ended_at: RefCell<Vec<(String, Duration)>> = RefCell::default();
    let tell = |happening: &Happening| {
        if let Happening::Ended { service, .. } = happening {
            open.borrow_mut().remove(service);
            ended_at
                .borrow_mut()
                .push((service.clone(), began.elapsed()));
        }
        display.borrow_mut().happened(happening);
    };
    let detached = {
        let following = follow(&mut watch, async |open| poller.ask(open).await, tell);
        tokio::pin!(following);
        tokio::select! {
            () = &mut following => false,
            () = interrupts.next() => {
                display.borrow_mut().remark("rolling back; Ctrl-C again leaves it to itself");
                let still: Vec<&Subject> = subjects.iter().filter(|s| open.borrow().contains(&s.service)).collect();
                let taking_back = take_back(target, &still, &display);
                tokio::pin!(taking_back);
                let mut asked = false;
                loop {
                    tokio::select! {
                        () = &mut following => break false,
                        () = &mut taking_back, if !asked => asked = true,
                        () = interrupts.next() => break true,
                    }
                }
            }
        }
    };
    display.borrow_mut().finish();
    if detached {
        return Err(
            Failure::new(Exit::Error, "detached; the rollback goes on without you").help(format!(
                "see how it ends: `cais status -E {}`",
                target.environment
            )),
        );
    }
    let outcomes = watch.outcomes();
    for one in done.iter_mut() {
        let service = one.moved.service.to_string();
        one.outcome = outcomes
            .iter()
            .find(|(subject, _)| subject.deployment == one.deployment)
            .map(|(_, outcome)| outcome.clone());
        let took = ended_at
            .borrow()
            .iter()
            .find(|(name, _)| *name == service)
            .map(|(_, at)| *at);
        one.took = took.unwrap_or_else(|| began.elapsed());
    }
    Ok(())
}

/// Asks ECS to roll these back. What cannot be asked is said, and the watch goes on.
async fn take_back(target: &Target, subjects: &[&Subject], display: &RefCell<&mut Display>) {
    for subject in subjects {
        let text = match target.session.roll_back(&subject.deployment).await {
            Ok(true) => continue,
            Ok(false) => format!("{}: it had ended before", subject.service),
            Err(error) => format!("{}: cannot be rolled back: {error}", subject.service),
        };
        display.borrow_mut().remark(&text);
    }
}
