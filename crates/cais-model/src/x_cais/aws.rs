//! The top-level `x-cais.aws`: where on AWS a stack goes. Whether AWS has such a place is for those who render.

use super::cloud::{architecture, located, located_texts, located_word};
use super::{block, keys, word, words};
use crate::node::Node;
use crate::stack::{Aws, Github, Located, Nat, Override, Registry, registry_of};
use crate::suggest;
use crate::typed::entries;
use crate::typed::read::Reader;

/// Reads the block.
pub(super) fn aws(node: Option<&Node>, reader: &mut Reader<'_>) -> Option<Aws> {
    let node = block(node, "aws", reader)?;
    keys(node, "aws", &words::AWS, reader);
    let mut text = |key: &str| located_word(node.get(key), key, reader);
    let (region, account) = (text("region"), text("account"));
    let (domain, zone, certificate) = (text("domain"), text("zone"), text("certificate"));
    let (load_balancer, vpc) = (text("load_balancer"), text("vpc"));
    let (cidr, waf) = (text("cidr"), text("waf"));
    let mut texts = |key: &str| list(node.get(key), key, reader);
    let (peers, zones, endpoints) = (texts("peers"), texts("zones"), texts("endpoints"));
    let (public_subnets, private_subnets) = subnets(node.get("subnets"), reader);
    for arn in [&certificate, &waf].into_iter().flatten() {
        check_arn(arn, reader);
    }
    check_account(account.as_ref(), reader);
    Some(Aws {
        position: node.position.clone(),
        region,
        account,
        domain,
        zone,
        certificate,
        load_balancer,
        vpc,
        public_subnets,
        private_subnets,
        cidr,
        peers,
        zones,
        nat: nat(node.get("nat"), reader),
        endpoints,
        deletion_protection: reader
            .boolean(node.get("deletion_protection"))
            .unwrap_or(true),
        log_retention: log_retention(node.get("log_retention"), reader),
        waf,
        architecture: node
            .get("architecture")
            .and_then(|node| architecture(node, reader))
            .unwrap_or_default(),
        registry: registry(node.get("registry"), reader),
        github: github(node.get("github"), reader),
        overrides: overrides(node.get("overrides"), reader),
    })
}

fn list(node: Option<&Node>, name: &str, reader: &mut Reader<'_>) -> Vec<Located<String>> {
    node.map(|node| located_texts(node, name, reader))
        .unwrap_or_default()
}

/// `subnets: {public: […], private: […]}`.
fn subnets(
    node: Option<&Node>,
    reader: &mut Reader<'_>,
) -> (Vec<Located<String>>, Vec<Located<String>>) {
    let Some(node) = block(node, "subnets", reader) else {
        return Default::default();
    };
    keys(node, "subnets", &words::SUBNETS, reader);
    let public = list(node.get("public"), "public", reader);
    (public, list(node.get("private"), "private", reader))
}

fn nat(node: Option<&Node>, reader: &mut Reader<'_>) -> Nat {
    let Some(node) = node else {
        return Nat::default();
    };
    match word(Some(node), "nat", reader).as_deref() {
        Some("single") => Nat::Single,
        Some("per_zone") => Nat::PerZone,
        Some("none") => Nat::None,
        other => {
            let written = other.unwrap_or_default();
            let mut diagnostic = node.error(format!("`{written}` is no way to place NAT gateways"));
            diagnostic.help = suggest::did_you_mean(written, words::NAT)
                .or_else(|| Some("write `single`, `per_zone` or `none`".to_owned()));
            reader.diagnostics.push(diagnostic);
            Nat::default()
        }
    }
}

/// Days that CloudWatch Logs knows (PutRetentionPolicy).
const RETENTION: [u32; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
];

fn log_retention(node: Option<&Node>, reader: &mut Reader<'_>) -> Option<Located<u32>> {
    let node = node?;
    let written = node.scalar_text().unwrap_or_default();
    let number = written.trim_end_matches('d').trim().parse().ok();
    match number.filter(|days| RETENTION.contains(days)) {
        Some(days) => Some(located(node, days)),
        None => {
            let days: Vec<String> = RETENTION.iter().map(ToString::to_string).collect();
            let message = format!("CloudWatch does not keep logs for `{written}` days");
            let help = format!("it keeps them for {} days", days.join(", "));
            reader.diagnostics.push(node.error(message).with_help(help));
            None
        }
    }
}

fn check_arn(arn: &Located<String>, reader: &mut Reader<'_>) {
    if !arn.value.starts_with("arn:") {
        let message = format!("`{}` is not an ARN: it begins with `arn:`", arn.value);
        reader.diagnostics.push(arn.error(message));
    }
}

fn check_account(account: Option<&Located<String>>, reader: &mut Reader<'_>) {
    let Some(account) = account else { return };
    let is_right = account.value.len() == 12 && account.value.bytes().all(|c| c.is_ascii_digit());
    if !is_right {
        let message = format!(
            "`{}` is not an account: it has twelve digits",
            account.value
        );
        let help = "write it in quotes, so that a leading zero stays";
        reader
            .diagnostics
            .push(account.error(message).with_help(help));
    }
}

/// `registry: {repository, credentials}`.
fn registry(node: Option<&Node>, reader: &mut Reader<'_>) -> Option<Registry> {
    let node = block(node, "registry", reader)?;
    keys(node, "registry", &words::REGISTRY, reader);
    let credentials = located_word(node.get("credentials"), "credentials", reader);
    let Some(repository) = located_word(node.get("repository"), "repository", reader) else {
        reader.error(
            node,
            "`registry` needs a `repository`, like `ghcr.io/acme/{service}`",
        );
        return None;
    };
    if let Some((why, help)) = wrong_repository(&repository.value) {
        let message = format!("`{}` {why}", repository.value);
        reader
            .diagnostics
            .push(repository.error(message).with_help(help));
        return None;
    }
    if let Some(credentials) = &credentials
        && !is_name_of_a_secret(&credentials.value)
    {
        let message = format!("`{}` is no name of a secret", credentials.value);
        let help = "a name has letters, digits, `-`, `_` and `.`; its value is set by `cais secret set -E ENVIRONMENT NAME`";
        reader
            .diagnostics
            .push(credentials.error(message).with_help(help));
        return None;
    }
    Some(Registry {
        repository,
        credentials,
    })
}

/// What is wrong with a repository, and what to write.
fn wrong_repository(written: &str) -> Option<(&'static str, &'static str)> {
    let help = "write registry and path without a tag, as in `ghcr.io/acme/{service}` or `docker.io/acme/{service}`";
    let bare = written.replace("{service}", "service");
    let (host, path) = bare.split_once('/').unwrap_or((&bare, ""));
    let is_ecr = host.contains(".dkr.ecr.") && host.contains(".amazonaws.com");
    let is_plain =
        |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
    let is_path = |path: &str| {
        let mut parts = path.split('/');
        parts.all(|part| !part.is_empty() && part.chars().all(is_plain))
    };
    if registry_of(&bare) != host || path.is_empty() {
        Some(("names no registry", help))
    } else if is_ecr {
        let help = "leave `registry` out: each environment has repositories of its own on ECR";
        Some(("is on ECR, which is where images go anyhow", help))
    } else if written == "docker.io/{service}" {
        Some(("names nobody's repository on Docker Hub", help))
    } else if !is_path(path.trim_end_matches('/')) {
        Some(("is not a repository", help))
    } else {
        None
    }
}

/// As `cais secret set` takes it.
fn is_name_of_a_secret(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !name.is_empty() && !name.starts_with('.') && name.len() <= 200 && name.chars().all(is_plain)
}

fn github(node: Option<&Node>, reader: &mut Reader<'_>) -> Option<Github> {
    let node = block(node, "github", reader)?;
    keys(node, "github", &words::GITHUB, reader);
    let provider = located_word(node.get("provider"), "provider", reader);
    if let Some(provider) = &provider {
        check_arn(provider, reader);
    }
    let repository_id = word(node.get("repository_id"), "repository_id", reader);
    let Some(repository) = located_word(node.get("repository"), "repository", reader) else {
        reader.error(node, "`github` needs a `repository`, like `owner/name`");
        return None;
    };
    let parts: Vec<&str> = repository.value.split('/').collect();
    if parts.len() != 2
        || parts
            .iter()
            .any(|part| part.is_empty() || part.contains('*'))
    {
        let message = format!("`{}` is not a repository", repository.value);
        reader.diagnostics.push(
            repository
                .error(message)
                .with_help("write it like `owner/name`"),
        );
        return None;
    }
    Some(Github {
        repository,
        repository_id,
        provider,
    })
}

fn overrides(node: Option<&Node>, reader: &mut Reader<'_>) -> Vec<Override> {
    let mut overrides = Vec::new();
    for (address, entry) in entries(block(node, "overrides", reader)) {
        let Some(attributes) = block(Some(&entry.value), address, reader) else {
            continue;
        };
        let serde_json::Value::Object(attributes) = attributes.to_json() else {
            continue;
        };
        let width = u32::try_from(address.chars().count()).unwrap_or(1);
        overrides.push(Override {
            address: Located {
                value: address.clone(),
                position: entry.key_position.clone(),
                width,
            },
            attributes,
        });
    }
    overrides
}
