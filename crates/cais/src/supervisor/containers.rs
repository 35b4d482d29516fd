//! What the supervisor does otherwise when its tasks are containers: the engine, images, networks, volumes, and the one runtime
//! that a stack is in.

use super::definition::{Definition, Run};
use super::{Supervisor, journal_failure};
use crate::exit::{Exit, Failure, Outcome};
use crate::runtime::docker::engine::Endpoint;
use crate::runtime::docker::image::{self, Image};
use crate::runtime::docker::{self, ContainerRun, Engine, Scope, files, network, volume};
use crate::runtime::{Runtime, TaskHandle};
use cais_model::name::ServiceName;
use cais_model::stack::{MountKind, Network, NetworkMode, Service, Stack, Volume};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The journal's facts about where tasks run.
pub(crate) const RUNTIME: &str = "runtime";
pub(crate) const ENGINE: &str = "engine";

/// How long containers may take to be removed before their networks are.
const REMOVALS: Duration = Duration::from_secs(20);

impl Supervisor {
    /// The runtime that the journal has, and its engine where that is one. For a state that has tasks.
    pub(super) async fn recall_runtime(&mut self) -> Outcome {
        let kept = self.journal.fact(RUNTIME).map_err(journal_failure)?;
        self.runtime = kept.as_deref().and_then(Runtime::named).unwrap_or_default();
        if self.runtime != Runtime::Docker || self.engine.is_some() {
            return Ok(());
        }
        let kept = self.journal.fact(ENGINE).map_err(journal_failure)?;
        let endpoint = match kept.and_then(|text| serde_json::from_str(&text).ok()) {
            Some(endpoint) => endpoint,
            None => Endpoint::of(&self.boot.variables)?,
        };
        self.engine = Some(Engine::connect(endpoint, self.scope()).await?);
        Ok(())
    }

    /// Brings the stack into a runtime. Tasks never move from one to another: the stack is taken down in between.
    pub(super) async fn settle_runtime(&mut self, wanted: Runtime) -> Outcome {
        if wanted != self.runtime && !self.is_empty() {
            return Err(other_runtime(&self.boot.project, self.runtime, wanted));
        }
        if wanted == Runtime::Docker && (self.engine.is_none() || self.is_empty()) {
            let endpoint = Endpoint::of(&self.boot.variables)?;
            let text = serde_json::to_string(&endpoint)
                .map_err(|error| Failure::new(Exit::Error, error.to_string()))?;
            let engine = Engine::connect(endpoint, self.scope()).await?;
            if self.is_empty() {
                // Left by a state that was deleted: their names are those of tasks to come.
                for (task, container) in docker::found(&engine).await? {
                    engine
                        .end_orphan(cais_engine::event::TaskId(task), &container)
                        .await;
                }
            }
            self.journal
                .set_fact(ENGINE, &text)
                .map_err(journal_failure)?;
            self.engine = Some(engine);
        }
        self.journal
            .set_fact(RUNTIME, &wanted.to_string())
            .map_err(journal_failure)?;
        self.runtime = wanted;
        Ok(())
    }

    fn scope(&self) -> Scope {
        Scope::of(&self.boot.project, &self.boot.state)
    }

    /// The engine of a stack that runs in containers.
    pub(super) fn engine(&self) -> Outcome<&Engine> {
        self.engine.as_ref().ok_or_else(|| {
            Failure::new(
                Exit::Error,
                "the Docker engine was not there when this supervisor started",
            )
            .help("type `cais down`, then `cais up -d`")
        })
    }

    /// The images of the stack's services, each asked for once; what an image says completes its service. `needed` must be
    /// there.
    pub(super) async fn complete_by_images(
        &self,
        stack: &mut Stack,
        needed: &BTreeSet<ServiceName>,
        meant: &BTreeMap<ServiceName, String>,
    ) -> Outcome<BTreeMap<ServiceName, Image>> {
        let engine = self.engine()?;
        let references: BTreeMap<ServiceName, String> = stack
            .services
            .values()
            .map(|service| {
                let meant = meant.get(&service.name).cloned();
                let reference = meant.unwrap_or_else(|| image::reference(stack, service));
                (service.name.clone(), reference)
            })
            .collect();
        let looks = references
            .values()
            .collect::<BTreeSet<_>>()
            .into_iter()
            .map(async |reference| (reference, image::look(&engine.client, reference).await));
        let known: BTreeMap<&String, _> = futures_util::future::join_all(looks)
            .await
            .into_iter()
            .collect();
        let mut images = BTreeMap::new();
        for service in stack.services.values_mut() {
            let reference = &references[&service.name];
            match &known[reference] {
                Ok(Some(image)) => {
                    image.complete(service);
                    images.insert(service.name.clone(), image.clone());
                }
                Ok(None) if needed.contains(&service.name) => {
                    return Err(missing_image(service, reference));
                }
                Ok(None) => {}
                Err(error) => {
                    return Err(Failure::new(
                        Exit::Error,
                        format!("the engine does not tell about the image `{reference}`: {error}"),
                    ));
                }
            }
        }
        Ok(images)
    }

    /// Networks, volumes, folders and files that containers of these services need.
    pub(super) async fn prepare_containers(
        &self,
        stack: &Stack,
        wanted: &[&Service],
        replies: &super::Replies,
    ) -> Outcome {
        let engine = self.engine()?;
        for service in wanted {
            refuse_unreachable(service)?;
            volume::prepare_binds(service)?;
            files::prepare(
                &self.paths.container_files(),
                stack,
                service,
                &self.boot.variables,
            )?;
        }
        let mut networks = BTreeMap::new();
        let mut volumes = BTreeMap::new();
        for service in wanted {
            networks.extend(networks_of(stack, service));
            volumes.extend(volumes_of(stack, service));
        }
        let mut remarks = network::ensure(engine, networks.iter()).await?;
        remarks.extend(volume::ensure(engine, volumes.iter()).await?);
        remarks.extend(wanted.iter().filter_map(|service| remark_on_logs(service)));
        for text in remarks {
            replies.send(crate::control::Reply::Remark { text });
        }
        Ok(())
    }

    /// What a revision runs, where its image is this one.
    pub(super) fn container_definition(
        &self,
        stack: &Stack,
        service: &Service,
        image: &Image,
    ) -> Definition {
        Definition {
            service: service.clone(),
            environment: service.environment.clone(),
            run: Run::Container(ContainerRun {
                image: image.id.clone(),
                files: files::places(&self.paths.container_files(), service),
                networks: networks_of(stack, service),
                volumes: volumes_of(stack, service),
                aliases: linked_names(stack, service),
            }),
        }
    }

    /// An older revision's, from the image that it kept.
    pub(super) async fn older_container_definition(
        &self,
        stack: &Stack,
        service: &Service,
        kept: &str,
    ) -> Outcome<Definition> {
        let engine = self.engine()?;
        let name = &service.name;
        let image = image::look(&engine.client, kept)
            .await
            .map_err(|error| Failure::new(Exit::Error, error))?
            .ok_or_else(|| {
                Failure::new(
                    Exit::Error,
                    format!("the image of that revision of `{name}`, `{kept}`, is no longer in the engine"),
                )
                .help("deploy a newer one: `cais deploy`")
            })?;
        let mut service = service.clone();
        image.complete(&mut service);
        files::prepare(
            &self.paths.container_files(),
            stack,
            &service,
            &self.boot.variables,
        )?;
        Ok(self.container_definition(stack, &service, &image))
    }

    /// Removes a task's container in the background; `finish` waits for it.
    pub(super) fn forget_container(&mut self, task: u64) {
        let Some(engine) = self.engine.clone() else {
            return;
        };
        let folder = self.paths.task(task);
        while self.removals.try_join_next().is_some() {}
        self.removals.spawn(async move {
            if let Err(error) = engine.forget(&folder, None).await {
                tracing::warn!(%error, task, "a task's folder stays");
            }
        });
    }

    /// Every container is gone: the networks that were made for them go, too.
    pub(super) async fn finish_containers(&mut self) {
        let Some(engine) = self.engine.clone() else {
            return;
        };
        let removals = async { while self.removals.join_next().await.is_some() {} };
        if tokio::time::timeout(REMOVALS, removals).await.is_err() {
            tracing::warn!("containers take long to be removed");
        }
        // With the containers goes what was copied into them.
        let _ = std::fs::remove_dir_all(self.paths.layers());
        network::remove(&engine.client, &engine.scope).await;
    }

    /// The container of a handle.
    pub(super) fn exec_of(&self, handle: &TaskHandle) -> Option<docker::Exec> {
        match (handle, &self.engine) {
            (TaskHandle::Container(container), Some(engine)) => {
                Some(docker::Exec::new(engine, container.container()))
            }
            _ => None,
        }
    }
}

/// A stack that runs is not moved.
pub(crate) fn other_runtime(project: &str, runs: Runtime, wanted: Runtime) -> Failure {
    let shown = |runtime| match runtime {
        Runtime::Process => "as processes",
        Runtime::Docker => "in Docker",
    };
    Failure::new(
        Exit::Usage,
        format!(
            "`{project}` runs {}, and tasks do not move: it cannot go on {}",
            shown(runs),
            shown(wanted)
        ),
    )
    .help(format!(
        "take it down first: `cais down`, then `cais --runtime {wanted} up`"
    ))
}

fn missing_image(service: &Service, reference: &str) -> Failure {
    let (name, position) = (&service.name, &service.position);
    if service.build.is_some() {
        return Failure::new(
            Exit::Error,
            format!("{position}: the image of `{name}`, `{reference}`, is not built"),
        )
        .help(format!(
            "build it: `cais up --build`, or `docker build -t {reference} …`"
        ));
    }
    Failure::new(
        Exit::Error,
        format!("{position}: the image of `{name}`, `{reference}`, is not in the engine"),
    )
    .help(format!("pull it: `docker pull {reference}`"))
}

/// A port wants an address to be reached at.
fn refuse_unreachable(service: &Service) -> Outcome {
    if service.container.network == NetworkMode::None && !service.container_ports().is_empty() {
        return Err(Failure::new(
            Exit::Usage,
            format!(
                "{}: `{}` has ports, and no network to reach them by (`network_mode: none`)",
                service.position, service.name
            ),
        )
        .help("take out its ports and its route, or the network mode"));
    }
    Ok(())
}

/// With another driver than the engine's own files, what `logs` can show is up to the engine.
fn remark_on_logs(service: &Service) -> Option<String> {
    let driver = service.container.logging.driver.as_deref()?;
    let name = &service.name;
    match driver {
        "json-file" | "local" | "journald" => None,
        "none" => Some(format!(
            "`{name}` keeps no log (`logging.driver: none`): `cais logs` shows nothing of it"
        )),
        driver => Some(format!(
            "`{name}` logs through `{driver}`: `cais logs` shows the copy that the engine keeps, where it keeps one"
        )),
    }
}

/// `links: [db:database]` of another service calls `db` by one more name.
fn linked_names(stack: &Stack, service: &Service) -> Vec<String> {
    let links = stack
        .services
        .values()
        .flat_map(|other| &other.container.names.links);
    links
        .filter_map(|link| link.split_once(':'))
        .filter(|(target, _)| *target == service.name.as_str())
        .map(|(_, name)| name.to_owned())
        .collect()
}

fn networks_of(stack: &Stack, service: &Service) -> BTreeMap<String, Network> {
    let NetworkMode::Networks(on) = &service.container.network else {
        return BTreeMap::new();
    };
    on.keys()
        .filter_map(|key| Some((key.clone(), stack.networks.get(key)?.clone())))
        .collect()
}

fn volumes_of(stack: &Stack, service: &Service) -> BTreeMap<String, Volume> {
    let mounts = service.container.volumes.iter();
    mounts
        .filter_map(|mount| match &mount.kind {
            MountKind::Volume {
                source: Some(key), ..
            } => Some((key.clone(), stack.volumes.get(key)?.clone())),
            _ => None,
        })
        .collect()
}
