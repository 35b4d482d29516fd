//! `cais scale -E ENV SERVICE=N`: the desired count, and where autoscaling would undo it, its bounds too.

use super::{Target, failure};
use crate::cli::verbs::ScaleArgs;
use crate::cli::{Global, output};
use crate::exit::{Exit, Failure, Outcome};
use cais_aws::sdk::scaling::Bounds;
use cais_aws::sdk::{Error, Kind};
use cais_model::name::{EnvironmentName, ServiceName};
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_secs(3);
const TIMEOUT: Duration = Duration::from_secs(600);

pub(super) async fn run(global: &Global, name: &EnvironmentName, args: &ScaleArgs) -> Outcome {
    let target = Target::open(global, name).await?;
    let named: Vec<ServiceName> = args.services.iter().map(|(name, _)| name.clone()).collect();
    let live = target.services(&named).await?;
    let cluster = target.names.cluster();
    let mut bounds = Vec::new();
    for ((service, service_now), (_, count)) in live.iter().zip(&args.services) {
        let now = target
            .session
            .scaling_bounds(&cluster, &service_now.name)
            .await
            .map_err(failure)?;
        output::say(&format!(
            "  {service:<14} {} → {count}",
            service_now.desired
        ));
        let outside = now.filter(|b| *count < b.min || *count > b.max);
        if let Some(b) = outside {
            output::note(&format!(
                "autoscaling holds `{service}` between {} and {}; the bounds move with it, until the infrastructure is applied again",
                b.min, b.max
            ));
            bounds.push((
                service_now.name.clone(),
                Bounds {
                    min: b.min.min(*count),
                    max: b.max.max(*count),
                },
            ));
        } else if let Some(b) = now {
            output::note(&format!(
                "autoscaling goes on moving `{service}` between {} and {}",
                b.min, b.max
            ));
        }
    }
    target.confirm(global, "scale")?;
    for (service, bounds) in &bounds {
        target
            .session
            .set_scaling_bounds(&cluster, service, *bounds)
            .await
            .map_err(not_the_pipelines)?;
    }
    for ((_, service_now), (_, count)) in live.iter().zip(&args.services) {
        target
            .session
            .set_desired(&cluster, &service_now.name, *count)
            .await
            .map_err(failure)?;
    }
    if args.no_wait {
        return Ok(());
    }
    let timeout = args.wait_timeout.map_or(TIMEOUT, Duration::from_secs);
    wait(&target, args, &named, timeout).await
}

/// The deploy role may not move the bounds (decision 0069).
fn not_the_pipelines(error: Error) -> Failure {
    let is_denied = error.kind == Kind::Denied;
    let failure = failure(error);
    if is_denied {
        failure.help("the deploy role does not move autoscaling's bounds: sign in as somebody who may `application-autoscaling:RegisterScalableTarget`, or change `x-cais.scale` and apply the infrastructure")
    } else {
        failure
    }
}

async fn wait(
    target: &Target,
    args: &ScaleArgs,
    named: &[ServiceName],
    timeout: Duration,
) -> Outcome {
    let began = Instant::now();
    loop {
        let now = target.services(named).await?;
        let behind: Vec<String> = now
            .iter()
            .zip(&args.services)
            .filter(|((_, live), (_, count))| live.running != *count)
            .map(|((service, live), (_, count))| {
                format!("`{service}` runs {} of {count} tasks", live.running)
            })
            .collect();
        if behind.is_empty() {
            return Ok(());
        }
        if began.elapsed() + PAUSE > timeout {
            return Err(Failure::new(Exit::TimedOut, behind.join("; "))
                .help(format!("see why: `cais status -E {}`", target.environment)));
        }
        tokio::time::sleep(PAUSE).await;
    }
}
