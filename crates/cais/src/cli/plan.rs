//! `cais plan`: what a deploy would change, service by service. Reads the journal and the file;
//! builds nothing, starts nothing.

use super::Global;
use super::mask::mask;
use super::output::{self, BOLD, DIM, GREEN, RED, YELLOW};
use super::project::Project;
use super::runtime;
use crate::exit::{Exit, Failure, Outcome};
use crate::runtime::Runtime;
use crate::store::{Journal, Revision};
use crate::supervisor::definition::Definition;
use crate::supervisor::fingerprint::Fingerprint;
use crate::supervisor::resolve::Surroundings;
use crate::supervisor::{artifact, definition, journal_failure, mounts, resolve, revise, skipped};
use cais_engine::view::ServiceView;
use cais_model::Loaded;
use cais_model::name::ServiceName;
use cais_model::stack::Service;
use clap::Args;
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// End with exit code 6 when a deploy would change something
    #[arg(long)]
    exit_code: bool,
    /// Only these services
    #[arg(value_name = "SERVICE", value_parser = super::verbs::parse_service)]
    pub(super) services: Vec<ServiceName>,
}

/// What would happen to one service.
#[derive(Debug, Serialize)]
struct Planned {
    service: ServiceName,
    action: Action,
    /// The revision that runs now.
    from: Option<u32>,
    /// The revision that would run.
    to: Option<u32>,
    changes: Vec<Change>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Action {
    /// Nothing.
    Unchanged,
    /// It does not run yet.
    Start,
    /// It moves to another revision.
    Roll,
    /// Only its count changes.
    Scale,
    /// It is no longer in the file; `up` would stop it.
    Remove,
    /// Its program is not installed and it is optional.
    Skip,
}

/// Stands for a value that only its hash is known of.
const NOT_KEPT: &str = "(another value)";

/// One difference; values that look like secrets are masked.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Change {
    path: String,
    before: Option<String>,
    after: Option<String>,
}

impl Change {
    fn new(path: &str, before: Option<String>, after: Option<String>) -> Self {
        Self {
            path: path.to_owned(),
            before,
            after,
        }
    }
}

pub(crate) async fn run(global: &Global, args: &PlanArgs) -> Outcome {
    let project = Project::load(global)?;
    let images = match runtime::choose(global, &project)? {
        Runtime::Process => None,
        Runtime::Docker => Some(runtime::images(&project).await?),
    };
    let mut plan = plan(&project, images.as_ref())?;
    plan.retain(|p| args.services.is_empty() || args.services.contains(&p.service));
    let differs = plan
        .iter()
        .any(|p| !matches!(p.action, Action::Unchanged | Action::Skip));
    if global.json() {
        output::print_json(&plan)?;
    } else {
        plan.iter().try_for_each(print_one)?;
    }
    args.judge(differs)
}

impl PlanArgs {
    /// A plan that was printed, as an exit code: whoever asked for one is told of differences by it.
    pub(super) fn judge(&self, differs: bool) -> Outcome {
        if differs && self.exit_code {
            return Err(Failure::new(
                Exit::Differences,
                "a deploy would change something",
            ));
        }
        Ok(())
    }
}

/// `images` are the services' where they run in containers.
fn plan(
    project: &Project,
    images: Option<&BTreeMap<ServiceName, String>>,
) -> Outcome<Vec<Planned>> {
    let journal = Journal::look(&project.paths.journal()).map_err(journal_failure)?;
    let views = match &journal {
        Some(journal) => cais_engine::state::views(&journal.state().map_err(journal_failure)?),
        None => Vec::new(),
    };
    let stack = &project.loaded.stack;
    let skipped: BTreeSet<ServiceName> = match images {
        None => skipped(stack, &project.variables).into_keys().collect(),
        Some(_) => BTreeSet::new(),
    };
    let mut plan = Vec::new();
    for service in stack.services.values() {
        let view = views.iter().find(|view| view.service == service.name);
        if skipped.contains(&service.name) {
            plan.push(entry(&service.name, Action::Skip, None, None, Vec::new()));
            continue;
        }
        plan.push(plan_one(
            project,
            journal.as_ref(),
            &skipped,
            service,
            view,
            images,
        )?);
    }
    for view in views
        .iter()
        .filter(|view| !stack.services.contains_key(&view.service))
    {
        plan.push(entry(
            &view.service,
            Action::Remove,
            Some(view.target.0),
            None,
            Vec::new(),
        ));
    }
    Ok(plan)
}

fn entry(
    service: &ServiceName,
    action: Action,
    from: Option<u32>,
    to: Option<u32>,
    changes: Vec<Change>,
) -> Planned {
    Planned {
        service: service.clone(),
        action,
        from,
        to,
        changes,
    }
}

fn plan_one(
    project: &Project,
    journal: Option<&Journal>,
    skipped: &BTreeSet<ServiceName>,
    service: &Service,
    view: Option<&ServiceView>,
    images: Option<&BTreeMap<ServiceName, String>>,
) -> Outcome<Planned> {
    let stack = &project.loaded.stack;
    let around = Surroundings {
        addresses: BTreeMap::new(),
        skipped: skipped.clone(),
        mounts: resolve::mounts(stack, &project.paths.mounts()),
    };
    let definition = match images {
        None => definition::define_from(stack, service, &around, &project.variables, false)?,
        Some(images) => {
            // What a build would make is not known before it is made: the running one stands for it.
            let runs = || view.and_then(|view| running_image(journal, view));
            Definition::of_image(service, images.get(&service.name).cloned().or_else(runs))
        }
    };
    let artifact = artifact::program_digest(&definition)?;
    let files = mounts::mounted_files(service, &around);
    // Without a key nothing was ever deployed, and any key tells nothing from nothing.
    let key = revise::key(&project.paths.state).unwrap_or_default();
    let known = revise::known(journal, &service.name)?;
    let revised = revise::revise(&known, &definition, artifact.as_deref(), &files, &key);
    let to = Some(revised.number.0);
    let Some(view) = view else {
        return Ok(entry(&service.name, Action::Start, None, to, Vec::new()));
    };
    let from = Some(view.target.0);
    let mut changes = Vec::new();
    if service.replicas != view.desired {
        changes.push(Change {
            path: "replicas".to_owned(),
            before: Some(view.desired.to_string()),
            after: Some(service.replicas.to_string()),
        });
    }
    if revised.number == view.target {
        let action = if changes.is_empty() {
            Action::Unchanged
        } else {
            Action::Scale
        };
        return Ok(entry(&service.name, action, from, to, changes));
    }
    let kept = known.iter().find(|kept| kept.number == view.target);
    changes.extend(differences(
        project,
        journal,
        service,
        kept,
        &revised.fingerprint,
    )?);
    Ok(entry(&service.name, Action::Roll, from, to, changes))
}

/// The image of the revision that runs.
fn running_image(journal: Option<&Journal>, view: &ServiceView) -> Option<String> {
    let known = revise::known(journal, &view.service).ok()?;
    let runs = known.into_iter().find(|kept| kept.number == view.target)?;
    runs.artifact
}

/// What differs between the running revision and the file: what the texts say, and what they name.
fn differences(
    project: &Project,
    journal: Option<&Journal>,
    service: &Service,
    kept: Option<&Revision>,
    fingerprint: &Fingerprint,
) -> Outcome<Vec<Change>> {
    let after = flat(&project.loaded, &service.name);
    let before = match (journal, kept) {
        (Some(journal), Some(kept)) => earlier(project, journal, service, kept)?,
        _ => None,
    };
    let mut changes: BTreeMap<String, Change> = BTreeMap::new();
    if let Some(before) = before {
        let paths: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for path in paths {
            let (before, after) = (before.get(path).cloned(), after.get(path).cloned());
            if before != after {
                changes.insert(path.clone(), Change::new(path, before, after));
            }
        }
    }
    // Values that came from variables, programs and files: their old content was not kept, only
    // that it was another one.
    for part in kept
        .iter()
        .flat_map(|kept| fingerprint.differences(&kept.fingerprint))
    {
        let told = matches!(part, "definition" | "command") && !changes.is_empty();
        if !told && !changes.contains_key(part) {
            let before = Some(NOT_KEPT.to_owned());
            let change = Change::new(part, before, after.get(part).cloned());
            changes.insert(part.to_owned(), change);
        }
    }
    Ok(changes.into_values().collect())
}

/// The running revision's texts, loaded with today's variables.
fn earlier(
    project: &Project,
    journal: &Journal,
    service: &Service,
    kept: &Revision,
) -> Outcome<Option<BTreeMap<String, String>>> {
    let release = journal.release(kept.release).map_err(journal_failure)?;
    Ok(release
        .and_then(|release| definition::load(&release, &project.variables).ok())
        .map(|loaded| flat(&loaded, &service.name)))
}

/// A service's resolved definition as paths and values, without what scaling changes.
fn flat(loaded: &Loaded, service: &ServiceName) -> BTreeMap<String, String> {
    let mut tree = loaded.tree.clone();
    mask(&mut tree, &loaded.variables);
    let mut flat = BTreeMap::new();
    if let Some(node) = tree.at(&["services", service.as_str()]) {
        flatten("", &node.to_json(), &mut flat);
    }
    // What places a service but makes no revision.
    flat.retain(|path, _| {
        let places = [
            "deploy.",
            "scale",
            "depends_on.",
            "profiles.",
            "x-cais.route",
            "x-cais.rollout",
            "x-cais.health",
            "x-cais.scale",
            "x-cais.alarms",
            "x-cais.aws",
        ];
        path.starts_with("deploy.resources") || !places.iter().any(|place| path.starts_with(place))
    });
    flat
}

fn flatten(path: &str, value: &Value, flat: &mut BTreeMap<String, String>) {
    let below = |key: &str| {
        if path.is_empty() {
            key.to_owned()
        } else {
            format!("{path}.{key}")
        }
    };
    match value {
        Value::Object(map) => map
            .iter()
            .for_each(|(key, value)| flatten(&below(key), value, flat)),
        Value::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                flatten(&below(&index.to_string()), value, flat);
            }
        }
        Value::String(text) => {
            flat.insert(path.to_owned(), text.clone());
        }
        other => {
            flat.insert(path.to_owned(), other.to_string());
        }
    }
}

fn print_one(planned: &Planned) -> Outcome {
    let name = &planned.service;
    let number = |revision: Option<u32>| revision.map_or_else(String::new, |n| n.to_string());
    let (from, to) = (number(planned.from), number(planned.to));
    let line = match planned.action {
        Action::Unchanged => format!("{DIM}unchanged, revision {to}{DIM:#}"),
        Action::Start => format!("{GREEN}starts{GREEN:#} at revision {to}"),
        Action::Roll => format!("{YELLOW}rolls{YELLOW:#} from revision {from} to {to}"),
        Action::Scale => format!("{YELLOW}scales{YELLOW:#}"),
        Action::Remove => format!("{RED}is no longer in the file{RED:#}; `cais up` stops it"),
        Action::Skip => format!("{DIM}skipped: its program is not installed{DIM:#}"),
    };
    output::print(&format!("{BOLD}{name:<14}{BOLD:#} {line}"))?;
    for Change {
        path,
        before,
        after,
    } in &planned.changes
    {
        let line = match (before, after) {
            (None, None) => format!("  ~ {path}"),
            (None, Some(after)) => format!("  {GREEN}+ {path}: {after}{GREEN:#}"),
            (Some(before), None) if before == NOT_KEPT => format!("  {YELLOW}~ {path}{YELLOW:#}"),
            (Some(before), None) => format!("  {RED}- {path}: {before}{RED:#}"),
            (Some(before), Some(after)) => {
                format!("  {YELLOW}~ {path}: {before} → {after}{YELLOW:#}")
            }
        };
        output::print(&line)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_flattened_to_paths() {
        let mut flat = BTreeMap::new();
        flatten(
            "",
            &serde_json::json!({"a": {"b": ["x", 1]}, "c": true}),
            &mut flat,
        );
        let want = [("a.b.0", "x"), ("a.b.1", "1"), ("c", "true")];
        assert_eq!(
            flat,
            want.map(|(path, value)| (path.to_owned(), value.to_owned()))
                .into()
        );
    }
}
