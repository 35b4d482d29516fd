//! `cais destroy -E ENV`: says what goes and what stays, empties what would block, and hands over to the infrastructure
//! tool, which made it all and takes it away.

use super::lock::Held;
use super::{Target, failure};
use crate::cli::elsewhere::DestroyArgs;
use crate::cli::{Global, output};
use crate::exit::{Exit, Failure, Outcome};
use cais_aws::service::Service;
use cais_model::name::{EnvironmentName, ServiceName};
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
    let services = left(&target).await?;
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
    require_terraform()?;
    let held = Held::take(&target, "destroy", args.no_lock).await?;
    let outcome = destroy(&target, &services, &root).await;
    held.release(&target).await;
    outcome
}

/// The services that are still there; none after a destroy that came so far and is typed again.
async fn left(target: &Target) -> Outcome<Vec<(ServiceName, Service)>> {
    let cluster = target.names.cluster();
    let names = target.selection(&[])?;
    let wanted: Vec<String> = names
        .iter()
        .map(|name| target.names.service(name.as_str()))
        .collect();
    match target.session.services(&cluster, &wanted).await {
        Ok(found) => Ok(names
            .into_iter()
            .zip(wanted)
            .filter_map(|(name, ecs)| {
                let live = found.iter().find(|live| live.name == ecs)?;
                Some((name, live.clone()))
            })
            .collect()),
        Err(error) if error.code.as_deref() == Some("ClusterNotFoundException") => Ok(Vec::new()),
        Err(error) => Err(failure(error)),
    }
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

async fn destroy(target: &Target, services: &[(ServiceName, Service)], root: &Path) -> Outcome {
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
    let bucket = target.names.state_bucket(&target.identity.account);
    let mut init = vec!["init".to_owned(), "-input=false".to_owned()];
    if keeps_its_state_in_s3(root) {
        init.push(format!("-backend-config=bucket={bucket}"));
    }
    terraform(root, &init, &bucket)?;
    // Not refreshed: that would look images up by a tag which nobody knows any more, and what is gone already is no error.
    let destroy = ["destroy", "-auto-approve", "-input=false", "-refresh=false"].map(str::to_owned);
    terraform(root, &destroy, &bucket)
}

/// Asked before anything changes: a service scaled to nothing, and then no tool, would be half a destroy.
fn require_terraform() -> Outcome {
    let found = Command::new("terraform")
        .arg("version")
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status();
    match found {
        Ok(_) => Ok(()),
        Err(error) => Err(Failure::new(
            Exit::Error,
            format!("`terraform` cannot be started: {error}; nothing was changed"),
        )
        .help("install Terraform 1.11 or later, then type the command again")),
    }
}

/// Where the state is in a bucket, the bucket's name has the account in it and is said at `init`, as the README says.
fn keeps_its_state_in_s3(root: &Path) -> bool {
    let Ok(files) = std::fs::read_dir(root) else {
        return false;
    };
    files
        .filter_map(Result::ok)
        .map(|file| file.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "tf"))
        .any(|path| std::fs::read_to_string(path).is_ok_and(|text| text.contains("backend \"s3\"")))
}

fn terraform(root: &Path, words: &[String], bucket: &str) -> Outcome {
    // Variables of the rendered root that have no default; as `-var` they would be an error in a root without them.
    let status = Command::new("terraform")
        .arg(format!("-chdir={}", root.display()))
        .args(words)
        .env("TF_VAR_state_bucket", bucket)
        .env("TF_VAR_image_tag", "none-is-needed")
        .status()
        .map_err(|error| {
            Failure::new(Exit::Error, format!("`terraform` cannot be started: {error}"))
                .help("install Terraform 1.11 or later, and type the command again: it goes on where it was")
        })?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Error,
        format!("`terraform {}` failed: {status}", words[0]),
    )
    .help("read its message above, and type the command again: it goes on where it was"))
}
