//! What a deploy is going to do: for each service the task definition it moves to, in which order, and what is left
//! alone. Nothing is changed here.

use super::definition::Secrets;
use super::images;
use super::{Target, failure};
use crate::exit::{Exit, Failure, Outcome};
use cais_aws::definition::{self, FINGERPRINT};
use cais_aws::service::{Service, family_revision};
use cais_model::name::ServiceName;
use cais_model::stack::{FailureAction, Threshold};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The tag that names the commit of a definition's image.
const VERSION: &str = "cais:version";

/// The tag that keeps the path which the load balancer asked when a definition was deployed.
const HEALTH: &str = "cais:health";

/// One service that is going to be moved.
#[derive(Debug, Clone)]
pub(super) struct Move {
    pub(super) service: ServiceName,
    pub(super) live: Service,
    /// The definition to register; `None` moves to `definition`, which is there already.
    pub(super) request: Option<Value>,
    /// What it moves to, where nothing is registered.
    pub(super) definition: String,
    pub(super) image: Option<String>,
    pub(super) desired: Option<i32>,
    pub(super) configuration: Option<Value>,
    pub(super) force: bool,
    /// Is there a completed deployment that ECS can go back to?
    pub(super) can_go_back: bool,
}

impl Move {
    /// `family:revision` of what runs now.
    pub(super) fn from(&self) -> &str {
        family_revision(&self.live.definition)
    }
}

/// What a deploy is asked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Wish {
    pub(super) image_only: bool,
    pub(super) force: bool,
    pub(super) images: BTreeMap<ServiceName, String>,
    pub(super) version: Option<String>,
    /// What the definitions' secrets are in Secrets Manager; not needed with `image_only`.
    pub(super) secrets: Secrets,
}

/// What a deploy is going to do.
#[derive(Debug, Clone, Default)]
pub(super) struct Plan {
    /// Moved in this order; those of one wave together.
    pub(super) waves: Vec<Vec<Move>>,
    pub(super) unchanged: Vec<(ServiceName, Service)>,
}

/// Works the plan out; asks AWS for what runs now.
pub(super) async fn make(
    target: &Target,
    services: Vec<(ServiceName, Service)>,
    wish: &Wish,
) -> Outcome<Plan> {
    let mut plan = Plan::default();
    let mut moves: BTreeMap<ServiceName, Move> = BTreeMap::new();
    for (name, live) in services {
        match one(target, &name, &live, wish).await? {
            Some(moved) => {
                moves.insert(name, moved);
            }
            None => plan.unchanged.push((name, live)),
        }
    }
    for wave in order(target, moves.keys().cloned().collect()) {
        plan.waves
            .push(wave.iter().filter_map(|name| moves.remove(name)).collect());
    }
    Ok(plan)
}

async fn one(
    target: &Target,
    name: &ServiceName,
    live: &Service,
    wish: &Wish,
) -> Outcome<Option<Move>> {
    let running = target
        .session
        .definition(&live.definition)
        .await
        .map_err(failure)?;
    let container = target.names.container(name.as_str());
    let image = wish.images.get(name);
    let request = if wish.image_only {
        from_live(target, name, &running, image.map(String::as_str))?
    } else {
        let image = image.map(String::as_str);
        super::definition::of_stack(target, name, image, &running, &wish.secrets)?
    };
    let mut fingerprinted = request.clone();
    if let Some(map) = fingerprinted.as_object_mut() {
        map.remove("tags");
    }
    let fingerprint = blake3::hash(fingerprinted.to_string().as_bytes()).to_hex();
    let is_same = definition::differences(&running, &request).is_empty();
    if is_same && !wish.force {
        return Ok(None);
    }
    let mut tags = vec![(FINGERPRINT, &fingerprint[..16])];
    tags.extend(wish.version.as_deref().map(|version| (VERSION, version)));
    let path = health_path(target, live)
        .await
        .filter(|path| fits_a_tag(path));
    tags.extend(path.as_deref().map(|path| (HEALTH, path)));
    let can_go_back = target
        .session
        .list_deployments(&target.names.cluster(), &live.name, 50)
        .await
        .map_err(failure)?
        .iter()
        .any(|one| one.status == cais_aws::deployment::Status::Successful);
    Ok(Some(Move {
        service: name.clone(),
        live: live.clone(),
        request: (!is_same).then(|| definition::with_tags(&request, &tags)),
        definition: live.definition.clone(),
        image: definition::image_of(&request, &container).map(str::to_owned),
        desired: None,
        configuration: configuration(target, name, live),
        force: is_same,
        can_go_back,
    }))
}

/// The path that the load balancer asks the service's tasks; `None` where there is none, or it may not be asked for.
async fn health_path(target: &Target, live: &Service) -> Option<String> {
    let [group] = live.target_groups.as_slice() else {
        return None;
    };
    target.session.target_group(group).await.ok()?.path
}

/// Letters, digits and these are what ECS takes in a tag; a path with others is not kept.
fn fits_a_tag(path: &str) -> bool {
    path.len() <= 256
        && path
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+-=._:/@".contains(c))
}

/// The path that this definition's tasks were asked at, and the one that is asked now, where they differ: the load
/// balancer has one path for both revisions while a rollback is under way, so nothing here can move it.
pub(super) async fn moved_health(
    target: &Target,
    live: &Service,
    definition: &str,
) -> Outcome<Option<(String, String)>> {
    let Some(now) = health_path(target, live).await else {
        return Ok(None);
    };
    let to = target
        .session
        .definition(definition)
        .await
        .map_err(failure)?;
    Ok(definition::tag(&to, HEALTH)
        .filter(|then| *then != now)
        .map(|then| (then.to_owned(), now.clone())))
}

/// What runs, with another image in it.
fn from_live(
    target: &Target,
    name: &ServiceName,
    running: &Value,
    image: Option<&str>,
) -> Outcome<Value> {
    let request = definition::request_of(running);
    let container = target.names.container(name.as_str());
    match image {
        Some(image) => definition::with_image(&request, &container, image)
            .map_err(|error| Failure::new(Exit::Error, format!("`{name}`: {error}"))),
        None if images::is_built(target, name) => Err(Failure::new(
            Exit::Usage,
            format!("`{name}` has no image to move to"),
        )
        .help("name one that was pushed: `--tag TAG`, or leave `--no-build` out")),
        None => Ok(request),
    }
}

/// The service's deployment configuration as it is, with the breaker of the file: its threshold is newer than the
/// infrastructure tools, so the deploy sets it.
pub(super) fn configuration(target: &Target, name: &ServiceName, live: &Service) -> Option<Value> {
    let service = target.project.loaded.stack.services.get(name)?;
    let rollout = service.rollout.as_ref();
    let action = service.update.as_ref().map(|update| update.failure_action);
    let (enable, rollback) = match action {
        None | Some(FailureAction::Rollback) => (true, true),
        Some(FailureAction::Pause) => (true, false),
        Some(FailureAction::Continue) => (false, false),
    };
    let (kind, value) = match rollout.map(|rollout| rollout.breaker) {
        Some(Threshold::Count(value)) => ("COUNT", value),
        Some(Threshold::UnboundedPercent(value)) => ("UNBOUNDED_PERCENT", value),
        Some(Threshold::BoundedPercent(value)) => ("BOUNDED_PERCENT", value),
        None => ("BOUNDED_PERCENT", 50),
    };
    let mut configuration = live
        .configuration
        .clone()
        .unwrap_or_else(|| serde_json::json!({}));
    configuration["deploymentCircuitBreaker"] = serde_json::json!({
        "enable": enable,
        "rollback": rollback,
        "resetOnHealthyTask": rollout.is_none_or(|rollout| rollout.reset_on_healthy),
        "thresholdConfiguration": { "type": kind, "value": value },
    });
    Some(configuration)
}

/// The names in waves: what a service depends on is in an earlier wave.
fn order(target: &Target, names: BTreeSet<ServiceName>) -> Vec<Vec<ServiceName>> {
    let services = &target.project.loaded.stack.services;
    waves(names, |name| {
        services
            .get(name)
            .map(|service| service.depends_on.keys().cloned().collect())
            .unwrap_or_default()
    })
}

/// Dependencies first; those that are not among `names` do not count. The file has no cycle: the loader refuses one.
fn waves(
    mut names: BTreeSet<ServiceName>,
    depends_on: impl Fn(&ServiceName) -> Vec<ServiceName>,
) -> Vec<Vec<ServiceName>> {
    let mut waves = Vec::new();
    while !names.is_empty() {
        let mut wave: Vec<ServiceName> = names
            .iter()
            .filter(|name| !depends_on(name).iter().any(|other| names.contains(other)))
            .cloned()
            .collect();
        if wave.is_empty() {
            wave = names.iter().cloned().collect();
        }
        names.retain(|name| !wave.contains(name));
        waves.push(wave);
    }
    waves
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ServiceName {
        ServiceName::parse(text).unwrap()
    }

    #[test]
    fn what_a_service_depends_on_is_moved_before_it() {
        let edges = [
            ("web", "api"),
            ("api", "auth"),
            ("worker", "auth"),
            ("web", "elsewhere"),
        ];
        let depends_on = |of: &ServiceName| {
            edges
                .iter()
                .filter(|(from, _)| *from == of.as_str())
                .map(|(_, to)| name(to))
                .collect::<Vec<_>>()
        };
        let names = ["web", "api", "auth", "worker"].map(name).into();
        let waves: Vec<Vec<String>> = waves(names, depends_on)
            .into_iter()
            .map(|wave| wave.iter().map(ToString::to_string).collect())
            .collect();
        assert_eq!(waves, [vec!["auth"], vec!["api", "worker"], vec!["web"]]);
    }
}
