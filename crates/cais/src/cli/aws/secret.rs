//! `cais secret -E ENV`: into Secrets Manager, under the names that the environment's task definitions read.

use super::history::at;
use super::{Target, failure};
use crate::cli::secret::{self, SecretArgs, SecretCommand, Value};
use crate::cli::{Global, output};
use crate::exit::{Exit, Failure, Outcome};
use crate::secrets::SecretName;
use cais_aws::sdk::secrets::SecretSet;
use cais_model::name::EnvironmentName;

/// Days in which a removed secret can be set again.
const RECOVERY_DAYS: u8 = 7;

pub(super) async fn run(global: &Global, name: &EnvironmentName, args: &SecretArgs) -> Outcome {
    match &args.command {
        SecretCommand::List => {
            let target = Target::open(global, name).await?;
            list(global, &target).await
        }
        SecretCommand::Set(args) => {
            let target = Target::open(global, name).await?;
            // The value is asked for last: where it comes from standard input, nobody can be asked for more.
            target.show(global);
            let value = secret::read(args)?;
            set(&target, &args.name, &value).await
        }
        SecretCommand::Rotate(args) => {
            let target = Target::open(global, name).await?;
            existing(&target, &args.name).await?;
            target.confirm(
                global,
                &format!(
                    "give the secret `{}` a new random value",
                    args.name.as_str()
                ),
            )?;
            set(&target, &args.name, &secret::random()?).await
        }
        SecretCommand::Remove(args) => {
            let target = Target::open(global, name).await?;
            existing(&target, &args.name).await?;
            target.confirm(
                global,
                &format!("remove the secret `{}`", args.name.as_str()),
            )?;
            let full = target.names.secret(args.name.as_str());
            let days = (!args.now).then_some(RECOVERY_DAYS);
            target
                .session
                .remove_secret(&full, days)
                .await
                .map_err(failure)?;
            output::say(&match days {
                Some(days) => {
                    format!("removed `{full}`; within {days} days `secret set` brings it back")
                }
                None => format!("removed `{full}` for good"),
            });
            Ok(())
        }
    }
}

async fn set(target: &Target, name: &SecretName, value: &Value) -> Outcome {
    let text = std::str::from_utf8(value.bytes()).map_err(|_| {
        Failure::new(
            Exit::Usage,
            "the value is not text, and ECS gives tasks nothing else",
        )
        .help("encode it, for example with base64, and let the service decode it")
    })?;
    let full = target.names.secret(name.as_str());
    let tags = [
        ("cais:project", target.project.name()),
        ("cais:environment", target.environment.as_str()),
    ];
    let set = target
        .session
        .set_secret(&full, text, &tags)
        .await
        .map_err(failure)?;
    secret::say_set(
        &target.project,
        name,
        set == SecretSet::Created,
        &format!(" -E {}", target.environment),
    );
    Ok(())
}

async fn existing(target: &Target, name: &SecretName) -> Outcome {
    let prefix = target.names.secret("");
    let found = target
        .session
        .list_secrets(&prefix)
        .await
        .map_err(failure)?;
    let names: Vec<String> = found
        .iter()
        .filter(|entry| entry.deletion.is_none())
        .filter_map(|entry| entry.name.strip_prefix(&prefix).map(str::to_owned))
        .collect();
    if names.iter().any(|known| known == name.as_str()) {
        Ok(())
    } else {
        Err(secret::unknown(
            name,
            &format!("in {}", target.environment),
            &names,
        ))
    }
}

async fn list(global: &Global, target: &Target) -> Outcome {
    let prefix = target.names.secret("");
    let found = target
        .session
        .list_secrets(&prefix)
        .await
        .map_err(failure)?;
    let named = |full: &str| full.strip_prefix(&prefix).unwrap_or(full).to_owned();
    if global.json() {
        let rows: Vec<_> = found
            .iter()
            .map(|entry| {
                serde_json::json!({
                    "name": named(&entry.name), "arn": entry.arn, "changed": entry.changed, "accessed": entry.accessed,
                    "deletion": entry.deletion, "services": secret::users(&target.project, &named(&entry.name)),
                })
            })
            .collect();
        return output::print_json(&rows);
    }
    target.show(global);
    if found.is_empty() {
        output::say(&format!(
            "no secrets under `{prefix}`; `cais secret set -E {} NAME` makes one",
            target.environment
        ));
        return Ok(());
    }
    let mut table = output::new_table(&["NAME", "CHANGED (UTC)", "LAST READ", "SERVICES", ""]);
    for entry in &found {
        let name = named(&entry.name);
        table.add_row([
            name.clone(),
            entry.changed.map_or_else(String::new, at),
            entry
                .accessed
                .map_or_else(String::new, |day| day.strftime("%F").to_string()),
            secret::listed(&secret::users(&target.project, &name)),
            entry.deletion.map_or_else(String::new, |day| {
                format!("is deleted on {}", day.strftime("%F"))
            }),
        ]);
    }
    output::print_table(&table)
}
