//! The page and the script beside a rendered environment: the order of commands, which work without cais too.

use super::HEADER;
use crate::names::Names;
use crate::resource::{Infrastructure, Instance};
use crate::value::Value;
use cais_model::stack::registry_of;
use std::fmt::Write as _;

/// `<environment>/README.md`.
pub(super) fn readme(infrastructure: &Infrastructure) -> String {
    let names = Names::new(&infrastructure.project, &infrastructure.environment);
    let environment = &infrastructure.environment;
    let region = &infrastructure.region;
    let account = infrastructure.account.as_deref();
    let bucket = names.state_bucket(account.unwrap_or("$ACCOUNT"));
    let backend = match account {
        Some(_) => String::new(),
        None => format!(" -backend-config=bucket={bucket}"),
    };
    let state_variable = match account {
        Some(_) => String::new(),
        None => format!(" -var state_bucket={bucket}"),
    };
    let caches = instances(infrastructure, "cache");
    let mut out = format!(
        "<!-- {HEADER} -->\n\n# {project} on AWS: {environment}\n\n\
         Two roots with a state each: `foundation` is what exists before the first image, `services` is what runs. Terraform \
         owns the infrastructure; deploys own the revisions, so Terraform leaves `task_definition` and `desired_count` of \
         services alone.\n\nAll commands are typed in this folder.\n\n",
        project = infrastructure.project,
    );
    let mut step = 0;
    let mut section = |out: &mut String, title: &str, text: &str, commands: &str| {
        step += 1;
        let _ = write!(
            out,
            "## {step}. {title}\n\n{text}\n\n```sh\n{}\n```\n\n",
            commands.trim_end()
        );
    };
    let location = if region == "us-east-1" {
        String::new()
    } else {
        format!(" \\\n  --create-bucket-configuration LocationConstraint={region}")
    };
    section(
        &mut out,
        "Once: a bucket for the states",
        "Versioned, encrypted, closed to the public. Terraform locks a state with a file beside it.",
        &format!(
            "ACCOUNT=$(aws sts get-caller-identity --query Account --output text)\n\
             aws s3api create-bucket --bucket {bucket} --region {region}{location}\n\
             aws s3api put-bucket-versioning --bucket {bucket} --versioning-configuration Status=Enabled\n\
             aws s3api put-bucket-encryption --bucket {bucket} --server-side-encryption-configuration \\\n  \
             '{{\"Rules\":[{{\"ApplyServerSideEncryptionByDefault\":{{\"SSEAlgorithm\":\"aws:kms\"}},\"BucketKeyEnabled\":true}}]}}'\n\
             aws s3api put-public-access-block --bucket {bucket} --public-access-block-configuration \\\n  \
             BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true"
        ),
    );
    section(
        &mut out,
        "The foundation",
        "Network, key, repositories, places for secrets, cache, access of the pipeline.",
        &format!("terraform -chdir=foundation init{backend}\nterraform -chdir=foundation apply"),
    );
    let secrets: Vec<String> = secret_names(infrastructure)
        .into_iter()
        .filter(|name| !is_of_a_cache(name, &names, &caches))
        .collect();
    if !secrets.is_empty() {
        let mut commands = String::new();
        for name in &secrets {
            let _ = writeln!(
                commands,
                "aws secretsmanager put-secret-value --region {region} --secret-id {name} --secret-string file:///dev/stdin"
            );
        }
        section(
            &mut out,
            "The secrets' values",
            "They are read from standard input, so that no history and no process list has them, and they never pass through \
             Terraform, so that no state has them.",
            &commands,
        );
    }
    if !caches.is_empty() {
        section(
            &mut out,
            "The cache's password",
            "Makes a password, has the cache ask for it, and puts it with the cache's address where the services find it. Run \
             again, it makes another one; deploy the services after it. Needs the AWS CLI.",
            "sh set-cache-token.sh",
        );
    }
    if let Some(commands) = images(infrastructure) {
        section(
            &mut out,
            "The images",
            "One tag for the images of all services, which names this build and never moves.",
            &commands,
        );
    }
    let variables = &infrastructure.services.variables;
    let has_tag = variables.iter().any(|input| input.name == "image_tag");
    let tag = if has_tag {
        " -var image_tag=\"$TAG\""
    } else {
        ""
    };
    section(
        &mut out,
        "The services",
        "Load balancer, cluster, tasks, services, scaling, alarms.",
        &format!(
            "terraform -chdir=services init{backend}\nterraform -chdir=services apply{state_variable}{tag}"
        ),
    );
    let _ = writeln!(
        out,
        "Later revisions are deploys: push the next images, register a task definition, update the service. To take all of it \
         down: the services first, then the foundation{protection}.",
        protection = if is_protected(infrastructure) {
            "; deletion protection of the load balancer has to be turned off before (`x-cais.aws.deletion_protection: false`)"
        } else {
            ""
        },
    );
    out
}

/// `<environment>/set-cache-token.sh`, where there is a cache.
pub(super) fn cache_token(infrastructure: &Infrastructure) -> Option<String> {
    let names = Names::new(&infrastructure.project, &infrastructure.environment);
    let caches = instances(infrastructure, "cache");
    if caches.is_empty() {
        return None;
    }
    let region = &infrastructure.region;
    let mut out = format!(
        "#!/bin/sh\n# {HEADER}\n\
         # Gives the cache a new password and puts it, with the cache's address, into Secrets Manager. Nothing of it is printed,\n\
         # stands in an argument list or in a state: the commands read it from standard input.\n\
         set -eu\nexport AWS_REGION={region} AWS_PAGER=\n\n\
         rotate() {{\n  group=$1 secret=$2\n  \
         token=$(aws secretsmanager get-random-password --password-length 64 --exclude-punctuation --query RandomPassword --output text)\n  \
         host=$(aws elasticache describe-replication-groups --replication-group-id \"$group\" \\\n    \
         --query 'ReplicationGroups[0].NodeGroups[0].PrimaryEndpoint.Address' --output text)\n  \
         # The old password stays good until SET, so that running tasks keep their connections.\n  \
         for strategy in ROTATE SET; do\n    \
         aws elasticache wait replication-group-available --replication-group-id \"$group\"\n    \
         printf '{{\"ReplicationGroupId\":\"%s\",\"AuthToken\":\"%s\",\"AuthTokenUpdateStrategy\":\"%s\",\"ApplyImmediately\":true}}' \\\n      \
         \"$group\" \"$token\" \"$strategy\" |\n      \
         aws elasticache modify-replication-group --cli-input-json file:///dev/stdin >/dev/null\n  \
         done\n  \
         aws elasticache wait replication-group-available --replication-group-id \"$group\"\n  \
         printf '{{\"host\":\"%s\",\"port\":\"6379\",\"address\":\"%s:6379\",\"password\":\"%s\",\"url\":\"rediss://:%s@%s:6379\"}}' \\\n    \
         \"$host\" \"$host\" \"$token\" \"$token\" \"$host\" |\n    \
         aws secretsmanager put-secret-value --secret-id \"$secret\" --secret-string file:///dev/stdin >/dev/null\n  \
         echo \"$group: the new password is in $secret\"\n}}\n\n"
    );
    for cache in caches {
        if let Some(Value::Text(group)) = argument(cache, "name") {
            let service = group
                .strip_prefix(&format!("{}-", names.prefix()))
                .unwrap_or(group);
            let secret = names.cache_secret(service);
            let known = secret_names(infrastructure);
            let secret = known
                .iter()
                .find(|name| crate::names::slug(name) == crate::names::slug(&secret))
                .unwrap_or(&secret);
            let _ = writeln!(out, "rotate {group} {secret}");
        }
    }
    Some(out)
}

/// The commands that push the images; `None` where no image is the stack's own.
fn images(infrastructure: &Infrastructure) -> Option<String> {
    let project = &infrastructure.project;
    let elsewhere = &infrastructure.images_elsewhere;
    let mut out = "TAG=$(git rev-parse HEAD)\n".to_owned();
    let build = "docker compose --project-directory ../../.. build\n";
    if let Some(first) = elsewhere.values().next() {
        let host = registry_of(first);
        let _ = write!(out, "docker login {host}\n{build}");
        for (service, image) in elsewhere {
            let _ = writeln!(
                out,
                "docker tag {project}-{service} \"{image}:$TAG\"\ndocker push \"{image}:$TAG\""
            );
        }
        return Some(out);
    }
    let registries = instances(infrastructure, "registry");
    let services: Vec<&str> = registries.iter().map(|it| it.file.as_str()).collect();
    let first = services.first()?;
    let _ = write!(
        out,
        "address() {{ terraform -chdir=foundation output -raw \"${{1}}_repository_url\"; }}\n\
         aws ecr get-login-password --region {region} |\n  \
         docker login --username AWS --password-stdin \"$(address {first} | cut -d/ -f1)\"\n\
         {build}\
         for service in {all}; do\n  \
         docker tag \"{project}-$service\" \"$(address \"$service\"):$TAG\"\n  \
         docker push \"$(address \"$service\"):$TAG\"\n\
         done",
        region = infrastructure.region,
        all = services.join(" "),
    );
    Some(out)
}

fn instances<'i>(infrastructure: &'i Infrastructure, module: &str) -> Vec<&'i Instance> {
    let own = format!(
        "{module}_{}",
        crate::names::identifier(&infrastructure.environment)
    );
    let all = infrastructure.foundation.instances.iter();
    all.filter(|instance| instance.module == module || instance.module == own)
        .collect()
}

fn argument<'i>(instance: &'i Instance, name: &str) -> Option<&'i Value> {
    let mut arguments = instance.arguments.iter();
    arguments
        .find(|(key, _)| key == name)
        .map(|(_, value)| value)
}

fn secret_names(infrastructure: &Infrastructure) -> Vec<String> {
    instances(infrastructure, "secret")
        .into_iter()
        .filter_map(|instance| match argument(instance, "name") {
            Some(Value::Text(name)) => Some(name.clone()),
            _ => None,
        })
        .collect()
}

fn is_of_a_cache(secret: &str, names: &Names, caches: &[&Instance]) -> bool {
    caches.iter().any(|cache| match argument(cache, "name") {
        Some(Value::Text(group)) => {
            let service = group
                .strip_prefix(&format!("{}-", names.prefix()))
                .unwrap_or(group);
            crate::names::slug(secret) == crate::names::slug(&names.cache_secret(service))
        }
        _ => false,
    })
}

fn is_protected(infrastructure: &Infrastructure) -> bool {
    infrastructure
        .services
        .instances
        .iter()
        .any(|instance| argument(instance, "deletion_protection") == Some(&Value::Bool(true)))
}
