//! Where on AWS a stack goes: region, zones, addresses, domain. What is not there, or too small, is told with its place.

use super::{Kind, Planned};
use crate::cidr::{Cidr, subnets};
use crate::region;
use crate::task::Image;
use cais_model::diagnostic::Diagnostic;
use cais_model::stack::{Aws, Located, Nat, registry_of};
use cais_model::suggest;

/// The network that is made where the file names none.
const CIDR: &str = "10.0.0.0/16";

/// What was decided.
pub(super) struct Place {
    pub(super) region: String,
    /// Zones with the addresses of their private and public subnets.
    pub(super) zones: Vec<Zone>,
    pub(super) cidr: String,
    /// The names that requests come by, the domain first; empty where there is none.
    pub(super) hosts: Vec<String>,
    /// The Route 53 zone that they are in.
    pub(super) dns_zone: Option<String>,
}

/// An availability zone.
pub(super) struct Zone {
    pub(super) name: String,
    pub(super) private: String,
    pub(super) public: String,
}

pub(super) fn of(
    aws: &Aws,
    services: &[Planned<'_>],
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Place> {
    let before = diagnostics.len();
    // Before what returns early, so that one mistake hides no other.
    let (hosts, dns_zone) = domain(aws, services, diagnostics);
    let region = region(aws, diagnostics)?;
    let letters = zone_letters(aws, &region, diagnostics);
    existing(aws, diagnostics);
    outside(aws, services, diagnostics);
    let (cidr, zones) = if aws.vpc.is_some() {
        (String::new(), Vec::new())
    } else {
        network(aws, &region, &letters, services, diagnostics)?
    };
    (diagnostics.len() == before).then_some(Place {
        region,
        zones,
        cidr,
        hosts,
        dns_zone,
    })
}

fn region(aws: &Aws, diagnostics: &mut Vec<Diagnostic>) -> Option<String> {
    let Some(region) = &aws.region else {
        diagnostics.push(
            Diagnostic::error(&aws.position, "`aws` names no region")
                .with_help("write `region: sa-east-1`"),
        );
        return None;
    };
    if region::zone_letters(&region.value).is_some() {
        return Some(region.value.clone());
    }
    let names: Vec<&str> = region::names().collect();
    let there_are = format!("there are {}", names.join(", "));
    let help = match suggest::did_you_mean(&region.value, names.iter().copied()) {
        Some(question) => format!("{question} {there_are}"),
        None => there_are,
    };
    let message = format!("AWS has no region `{}`", region.value);
    diagnostics.push(region.error(message).with_help(help));
    None
}

/// `zones: [a, b]`, or the region's first two.
fn zone_letters(aws: &Aws, region: &str, diagnostics: &mut Vec<Diagnostic>) -> Vec<String> {
    let known = region::zone_letters(region).unwrap_or_default();
    if aws.zones.is_empty() {
        return known.chars().take(2).map(String::from).collect();
    }
    let mut letters: Vec<String> = Vec::new();
    for zone in &aws.zones {
        let letter = zone.value.strip_prefix(region).unwrap_or(&zone.value);
        let is_letter = letter.len() == 1 && letter.chars().all(|c| c.is_ascii_lowercase());
        if !is_letter {
            let message = format!("`{}` is no zone of {region}", zone.value);
            let shown: Vec<String> = known.chars().map(|c| format!("`{c}`")).collect();
            let help = format!("zones have letters: {}", shown.join(", "));
            diagnostics.push(zone.error(message).with_help(help));
        } else if letters.contains(&letter.to_owned()) {
            diagnostics.push(zone.error(format!("zone `{letter}` is named twice")));
        } else {
            letters.push(letter.to_owned());
        }
    }
    if let (1, Some(only)) = (aws.zones.len(), aws.zones.first()) {
        let help = "name another one: a load balancer wants two, and so does whoever wants to survive the loss of one";
        diagnostics.push(only.error("one zone is not enough").with_help(help));
    }
    letters
}

/// A VPC that is named instead of made, and what else has to be named then.
fn existing(aws: &Aws, diagnostics: &mut Vec<Diagnostic>) {
    let id = |value: &Located<String>, prefix: &str, what: &str| {
        (!value.value.starts_with(prefix)).then(|| {
            value.error(format!(
                "`{}` is no {what}: its id begins with `{prefix}`",
                value.value
            ))
        })
    };
    if let Some(vpc) = &aws.vpc {
        diagnostics.extend(id(vpc, "vpc-", "VPC"));
        if aws.private_subnets.is_empty() || aws.public_subnets.is_empty() {
            diagnostics.push(
                vpc.error("a VPC that is there needs its `subnets`")
                    .with_help("write `subnets: {public: [subnet-…, subnet-…], private: [subnet-…, subnet-…]}`"),
            );
        }
        let ours = [
            aws.cidr.as_ref(),
            aws.zones.first(),
            aws.endpoints.first(),
            aws.peers.first(),
        ];
        for value in ours.into_iter().flatten() {
            diagnostics.push(value.error(format!(
                "`{}` is about a VPC that is made, and `vpc` names one that is there",
                value.value
            )));
        }
    } else if let Some(subnet) = aws.public_subnets.first().or(aws.private_subnets.first()) {
        diagnostics.push(
            subnet
                .error("`subnets` belong to a VPC that is there")
                .with_help("name it: `vpc: vpc-…`"),
        );
    }
    for subnet in aws.public_subnets.iter().chain(&aws.private_subnets) {
        diagnostics.extend(id(subnet, "subnet-", "subnet"));
    }
    const ENDPOINTS: [&str; 11] = [
        "ecr.api",
        "ecr.dkr",
        "ecs",
        "kms",
        "logs",
        "monitoring",
        "secretsmanager",
        "sns",
        "sqs",
        "ssmmessages",
        "sts",
    ];
    for endpoint in &aws.endpoints {
        if !ENDPOINTS.contains(&endpoint.value.as_str()) {
            let message = format!("`{}` is no endpoint that is known here", endpoint.value);
            let help = format!("there are {}", ENDPOINTS.join(", "));
            diagnostics.push(endpoint.error(message).with_help(help));
        }
    }
    if aws.nat == Nat::None {
        let needed = ["ecr.api", "ecr.dkr", "logs", "secretsmanager"];
        let has = |name: &&str| {
            aws.endpoints
                .iter()
                .any(|endpoint| endpoint.value == **name)
        };
        let missing: Vec<&str> = needed.into_iter().filter(|name| !has(name)).collect();
        if !missing.is_empty() && aws.vpc.is_none() {
            diagnostics.push(
                Diagnostic::error(
                    &aws.position,
                    format!(
                        "without a NAT gateway no task starts: it cannot reach {}",
                        missing.join(", ")
                    ),
                )
                .with_help(format!("write `endpoints: [{}]`", needed.join(", "))),
            );
        }
    }
}

/// Images of registries that no endpoint leads to, where nothing else leads out of the network that is made.
fn outside(aws: &Aws, services: &[Planned<'_>], diagnostics: &mut Vec<Diagnostic>) {
    if aws.nat != Nat::None || aws.vpc.is_some() {
        return;
    }
    for planned in services {
        let host = match planned.task.as_ref().map(|task| &task.container.image) {
            Some(Image::Elsewhere(image) | Image::Named(image)) => registry_of(image),
            Some(Image::Own { .. }) | None => continue,
        };
        if host.contains(".dkr.ecr.") {
            continue;
        }
        let message = format!(
            "without a NAT gateway no task of `{}` starts: it cannot reach {host}",
            planned.name()
        );
        let help = "write `nat: single`, or have its image on ECR, which endpoints lead to";
        diagnostics.push(planned.error(message).with_help(help));
    }
}

fn network(
    aws: &Aws,
    region: &str,
    letters: &[String],
    services: &[Planned<'_>],
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<(String, Vec<Zone>)> {
    let place = |message: String, help: String| match &aws.cidr {
        Some(cidr) => cidr.error(message).with_help(help),
        None => Diagnostic::error(&aws.position, message).with_help(help),
    };
    let written = aws.cidr.as_ref().map_or(CIDR, |cidr| cidr.value.as_str());
    let cidr = match Cidr::parse(written) {
        Ok(cidr) => cidr,
        Err(why) => {
            diagnostics.push(place(
                format!("`{written}` {why}"),
                "a VPC has a /16 to a /28".to_owned(),
            ));
            return None;
        }
    };
    if !(16..=28).contains(&cidr.prefix()) {
        let message = format!("`{written}` is no size of a VPC: it has a /16 to a /28");
        diagnostics.push(place(message, "write `cidr: 10.0.0.0/16`".to_owned()));
        return None;
    }
    for reserved in ["127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4"] {
        if Cidr::parse(reserved).is_ok_and(|reserved| reserved.overlaps(cidr)) {
            let message = format!("`{written}` overlaps `{reserved}`, which no network may use");
            diagnostics.push(place(message, "write `cidr: 10.0.0.0/16`".to_owned()));
            return None;
        }
    }
    for peer in &aws.peers {
        match Cidr::parse(&peer.value) {
            Err(why) => diagnostics.push(peer.error(format!("`{}` {why}", peer.value))),
            Ok(other) if other.overlaps(cidr) => {
                let message = format!(
                    "`{written}` overlaps `{}`, a network it will be connected with",
                    peer.value
                );
                let help =
                    "take another range of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16".to_owned();
                diagnostics.push(place(message, help));
            }
            Ok(_) => {}
        }
    }
    let needed: u64 = services.iter().map(addresses).sum();
    let count = u32::try_from(letters.len()).unwrap_or(u32::MAX);
    let Some(parts) = subnets(cidr, count) else {
        let message = format!(
            "`{written}` cannot be cut into subnets for {count} zones: AWS has none smaller than /28"
        );
        diagnostics.push(place(message, "write a /24 or larger".to_owned()));
        return None;
    };
    let room: u64 = parts.iter().map(|(private, _)| private.usable()).sum();
    if room < needed {
        let message =
            format!("`{written}` has {room} addresses for tasks, and rollouts need up to {needed}");
        let larger = (16..cidr.prefix())
            .rev()
            .find(|prefix| room << (cidr.prefix() - prefix) >= needed);
        let help = larger.map_or("write a /16".to_owned(), |prefix| {
            format!("write a /{prefix} or larger")
        });
        diagnostics.push(place(message, help));
        return None;
    }
    let zones = letters
        .iter()
        .zip(parts)
        .map(|(letter, (private, public))| Zone {
            name: format!("{region}{letter}"),
            private: private.to_string(),
            public: public.to_string(),
        });
    Some((cidr.to_string(), zones.collect()))
}

/// Addresses that a service may have at once: each task has one, and a rollout has more of them.
fn addresses(planned: &Planned<'_>) -> u64 {
    let service = planned.service;
    if planned.kind == Kind::Cache {
        return 2;
    }
    if !planned.stays() {
        return 1;
    }
    let scaled = service.cloud.scale.as_ref().map_or(0, |scale| scale.max);
    let tasks = u64::from(scaled.max(service.replicas));
    let share = service
        .rollout
        .as_ref()
        .map_or(200, |rollout| rollout.maximum.0);
    tasks * u64::from(share) / 100
}

/// The names that requests come by, and the zone that they are in.
fn domain(
    aws: &Aws,
    services: &[Planned<'_>],
    diagnostics: &mut Vec<Diagnostic>,
) -> (Vec<String>, Option<String>) {
    let mut hosts: Vec<String> = Vec::new();
    let Some(domain) = &aws.domain else {
        for value in [&aws.zone, &aws.certificate].into_iter().flatten() {
            let message = format!("`{}` is for a `domain`, and there is none", value.value);
            diagnostics.push(
                value
                    .error(message)
                    .with_help("write `domain: example.com`"),
            );
        }
        return (hosts, None);
    };
    hosts.push(domain.value.clone());
    for planned in services {
        let routes = planned.service.routes.iter();
        for host in routes.filter_map(|route| route.host.clone()) {
            if !hosts.contains(&host) {
                hosts.push(host);
            }
        }
    }
    let zone = match &aws.zone {
        Some(zone) => Some(zone.value.clone()),
        // `example.com` is a zone of its own; of `shop.example.com` nobody can tell.
        None if domain.value.split('.').count() == 2 => Some(domain.value.clone()),
        None if aws.certificate.is_some() => None,
        None => {
            let parent = domain
                .value
                .split_once('.')
                .map_or("", |(_, parent)| parent);
            let message = format!(
                "`{}` is in a Route 53 zone, and the file does not say in which",
                domain.value
            );
            let help = format!(
                "write `zone: {parent}`; or give a `certificate`, and make the DNS record yourself"
            );
            diagnostics.push(domain.error(message).with_help(help));
            return (hosts, None);
        }
    };
    if let Some(zone) = &zone {
        for host in &hosts {
            let is_within = host == zone || host.ends_with(&format!(".{zone}"));
            if !is_within {
                let place = aws.zone.as_ref().unwrap_or(domain);
                let message = format!("`{host}` is not in the zone `{zone}`");
                diagnostics.push(
                    place
                        .error(message)
                        .with_help("name a zone that all hosts are in"),
                );
            }
        }
    }
    (hosts, zone)
}
