//! The deploy lock: taken and let go around a change; `cais lock` shows it, takes it by hand, and lets it go.

use super::{Target, failure};
use crate::cli::elsewhere::LockArgs;
use crate::cli::{Global, output};
use crate::exit::{Exit, Failure, Outcome};
use cais_aws::sdk::lock::{Holder, Locking};
use cais_aws::sdk::{Error, Kind};
use cais_model::name::EnvironmentName;
use jiff::Timestamp;

/// A lock that is held by this command, or none where none was wanted.
pub(super) struct Held(Option<Holder>);

impl Held {
    /// Takes the environment's lock.
    pub(super) async fn take(target: &Target, reason: &str, without: bool) -> Outcome<Self> {
        if without {
            output::note("no lock was taken: another deploy may run at the same time");
            return Ok(Self(None));
        }
        let holder = holder(target, reason)?;
        let (bucket, key) = place(target);
        match target.session.lock(&bucket, &key, &holder).await {
            Ok(Locking::Held) => Ok(Self(Some(holder))),
            Ok(Locking::HeldBy(other)) => Err(held_by(target, &other)),
            Err(error) => Err(no_bucket(target, &bucket, error)),
        }
    }

    /// Lets it go. A lock that cannot be let go is said, and is no failure of the deploy.
    pub(super) async fn release(self, target: &Target) {
        let Some(holder) = self.0 else { return };
        let (bucket, key) = place(target);
        if let Err(error) = target.session.unlock(&bucket, &key, &holder.id).await {
            output::note(&format!(
                "the deploy lock stays: {error}; let it go with `cais lock -E {} --release`",
                target.environment
            ));
        }
    }
}

/// `cais lock`.
pub(super) async fn run(global: &Global, name: &EnvironmentName, args: &LockArgs) -> Outcome {
    let target = Target::open(global, name).await?;
    let (bucket, key) = place(&target);
    if let Some(reason) = &args.take {
        let held = Held::take(&target, reason, false).await?;
        drop(held); // not released: it stays until somebody lets it go
        output::say(&format!("locked {}", target.place()));
        return Ok(());
    }
    let holder = target
        .session
        .lock_holder(&bucket, &key)
        .await
        .map_err(|error| no_bucket(&target, &bucket, error))?;
    if args.release {
        let Some(holder) = holder else {
            output::say("there is no lock");
            return Ok(());
        };
        target.confirm(global, &format!("let go of the lock of {}", holder.owner))?;
        target
            .session
            .unlock(&bucket, &key, &holder.id)
            .await
            .map_err(failure)?;
        output::say("the lock is gone");
        return Ok(());
    }
    if global.json() {
        return output::print_json(&holder);
    }
    target.show(global);
    match holder {
        Some(holder) => output::print(&sentence(&holder)),
        None => output::print("not locked"),
    }
}

fn place(target: &Target) -> (String, String) {
    (
        target.names.state_bucket(&target.identity.account),
        target.names.lock_key(),
    )
}

fn holder(target: &Target, reason: &str) -> Outcome<Holder> {
    let random: String = crate::supervisor::mounts::random_bytes()?[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let host = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    let variable = |name: &str| std::env::var(name).ok();
    let run = match (
        variable("GITHUB_SERVER_URL"),
        variable("GITHUB_REPOSITORY"),
        variable("GITHUB_RUN_ID"),
    ) {
        (Some(server), Some(repository), Some(id)) => {
            Some(format!("{server}/{repository}/actions/runs/{id}"))
        }
        _ => None,
    };
    Ok(Holder {
        id: random,
        owner: target.identity.arn.clone(),
        place: run.unwrap_or(host),
        reason: reason.to_owned(),
        since: Timestamp::now(),
    })
}

fn sentence(holder: &Holder) -> String {
    let age = Timestamp::now()
        .duration_since(holder.since)
        .as_secs()
        .max(0);
    let age = std::time::Duration::from_secs(u64::try_from(age).unwrap_or(0));
    format!(
        "locked by {} on {} for {}, since {} ({} ago)",
        holder.owner,
        holder.place,
        holder.reason,
        holder.since.strftime("%F %T UTC"),
        humantime::format_duration(age),
    )
}

fn held_by(target: &Target, holder: &Holder) -> Failure {
    let environment = &target.environment;
    Failure::new(Exit::Locked, sentence(holder)).help(format!(
        "wait until it is done; if nobody works there any more, let it go: `cais lock -E {environment} --release`"
    ))
}

fn no_bucket(target: &Target, bucket: &str, error: Error) -> Failure {
    if error.code.as_deref() == Some("NoSuchBucket") || error.kind == Kind::NotFound {
        return Failure::new(
            Exit::Error,
            format!("the state bucket `{bucket}` is not there, so no lock can be taken: {error}"),
        )
        .help(format!(
            "{}; to deploy without a lock: --no-lock",
            target.infrastructure_help()
        ));
    }
    failure(error)
}
