//! `cais destroy -E ENV`: says what goes and what stays, empties what would block, and hands over to the infrastructure
//! tool, which made it all and takes it away.

use super::lock::Held;
use super::{Target, failure};
use crate::cli::elsewhere::DestroyArgs;
use crate::cli::{Global, output};
use crate::exit::{Exit, Failure, Outcome};
use cais_model::name::EnvironmentName;
use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;
use std::process::Command;

pub(super) async fn run(global: &Global, name: &EnvironmentName, args: &DestroyArgs) -> Outcome {
    let target = Target::open(global, name).await?;
    let root = args.directory.clone().unwrap_or_else(|| {
        target
            .project
            .release
            .directory
            .join(format!("infra/terraform/{name}/services"))
    });
    if !root.is_dir() {
        return Err(Failure::new(
            Exit::Usage,
            format!("there is no Terraform root `{}`", root.display()),
        )
        .help("name the folder of the environment's services: `--directory PATH`"));
    }
    let services = target.services(&[]).await?;
    target.show(global);
    output::say("goes:");
    for (service, live) in &services {
        output::say(&format!(
            "  {service:<14} {} tasks, its load balancer rule, scaling, alarms and roles",
            live.desired
        ));
    }
    output::say(&format!("  everything else that `{}` made", root.display()));
    output::say("stays:");
    output::say(&format!(
        "  images, networks and keys of the foundation; the state bucket `{}`; secrets that were set by hand",
        target.names.state_bucket(&target.identity.account)
    ));
    confirm(global, &target)?;
    let held = Held::take(&target, "destroy", args.no_lock).await?;
    let outcome = destroy(&target, &services, &root).await;
    held.release(&target).await;
    outcome
}

/// The name has to be typed: a `y` is too near to other keys.
fn confirm(global: &Global, target: &Target) -> Outcome {
    if global.yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return target.confirm(global, "destroy");
    }
    let _ = write!(
        anstream::stderr(),
        "destroy {}\ntype `{}` to go ahead: ",
        target.place(),
        target.environment
    );
    let mut typed = String::new();
    let _ = std::io::stdin().lock().read_line(&mut typed);
    if typed.trim() == target.environment {
        Ok(())
    } else {
        Err(Failure::new(
            Exit::Error,
            "not confirmed; nothing was changed",
        ))
    }
}

async fn destroy(
    target: &Target,
    services: &[(cais_model::name::ServiceName, cais_aws::service::Service)],
    root: &Path,
) -> Outcome {
    // A service that has tasks is drained by the tool with a deadline of its own; without tasks it goes at once.
    for (service, live) in services.iter().filter(|(_, live)| live.desired > 0) {
        output::say(&format!("scaling `{service}` to 0"));
        let cluster = target.names.cluster();
        let bounds = target
            .session
            .scaling_bounds(&cluster, &live.name)
            .await
            .map_err(failure)?;
        if let Some(bounds) = bounds {
            let none = cais_aws::sdk::scaling::Bounds {
                min: 0,
                max: bounds.max,
            };
            target
                .session
                .set_scaling_bounds(&cluster, &live.name, none)
                .await
                .map_err(failure)?;
        }
        target
            .session
            .set_desired(&cluster, &live.name, 0)
            .await
            .map_err(failure)?;
    }
    for step in [
        &["init", "-input=false"][..],
        &["destroy", "-auto-approve", "-input=false"][..],
    ] {
        let status = Command::new("terraform")
            .arg(format!("-chdir={}", root.display()))
            .args(step)
            .status()
            .map_err(|error| {
                Failure::new(Exit::Error, format!("`terraform` cannot be started: {error}"))
                    .help("install Terraform 1.11 or later, and type the command again: it goes on where it was")
            })?;
        if !status.success() {
            return Err(Failure::new(
                Exit::Error,
                format!("`terraform {}` failed: {status}", step[0]),
            )
            .help("read its message above, and type the command again: it goes on where it was"));
        }
    }
    Ok(())
}
