//! Performs the engine's actions. Each is safe to perform twice: what is already so stays so.

use super::definition::{Definition, Run};
use super::probe::{Place, Probes};
use super::{Begun, EndWhenStarted, Input, LiveTask, Manner, Supervisor, address, resolve, table};
use crate::runtime::docker::{self, ContainerRun, ContainerSpec};
use crate::runtime::process::{self, Signal, TaskEvent, TaskSpec};
use crate::runtime::{Addresses, Runtime, TaskHandle};
use cais_engine::event::{Action, Event, ExitStatus, RevisionNumber, TaskId};
use cais_model::name::ServiceName;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

impl Supervisor {
    pub(super) async fn perform(&mut self, action: Action) {
        tracing::debug!(?action);
        match action {
            Action::StartTask {
                service,
                task,
                revision,
            } => self.start_task(&service, task, revision).await,
            Action::Probe { task, kind } => {
                let manner = self.tasks.get(&task).map(|live| live.manner.clone());
                let inbox = self.inbox.clone();
                tokio::spawn(async move {
                    let outcome = match manner {
                        Some(manner) => manner.probes.ask(kind).await,
                        None => Err("the task is not running".to_owned()),
                    };
                    let _ = inbox.send(Input::Event(Box::new(Event::Probed {
                        task,
                        kind,
                        outcome,
                    })));
                });
            }
            Action::Unroute { task } => {
                // The table without it goes out after this step; see `publish`.
                self.unrouting.entry(task).or_insert(self.table_version + 1);
            }
            Action::StopTask { task } => self.end_task(task, EndWhenStarted::Stop).await,
            Action::KillTask { task } => self.end_task(task, EndWhenStarted::Kill).await,
            Action::ForgetTask { task } => {
                self.tasks.remove(&task);
                self.unrouting.remove(&task);
                self.unrouted.remove(&task);
                self.ports.remove(&task.0);
                self.places.remove(&task.0);
                if let Err(error) = self.journal.forget_task(task.0) {
                    tracing::warn!(%error, "a task's ports stay in the journal");
                }
                if self.runtime == Runtime::Docker {
                    return self.forget_container(task.0);
                }
                let folder = self.paths.task(task.0);
                // It may wait for a parting shim: not on the loop's thread.
                tokio::task::spawn_blocking(move || {
                    if let Err(error) = process::forget(&folder) {
                        tracing::warn!(%error, %task, "a task's folder stays");
                    }
                });
            }
            Action::Finished => self.finish().await,
        }
    }

    async fn start_task(&mut self, service: &ServiceName, task: TaskId, revision: RevisionNumber) {
        if self.tasks.contains_key(&task) || !self.starting.insert(task) {
            return;
        }
        let definition = match self.definition(service, revision).await {
            Ok(definition) => definition,
            Err(failure) => {
                let _ = self.inbox.send(Input::Started(task, Err(failure.message)));
                return;
            }
        };
        match &definition.run {
            Run::Process { .. } => self.start_process(definition, task, revision),
            Run::Container(run) => {
                let run = run.clone();
                self.start_container(definition, run, task, revision);
            }
        }
    }

    fn start_process(
        &mut self,
        definition: Arc<Definition>,
        task: TaskId,
        revision: RevisionNumber,
    ) {
        let spec = self.spec(&definition, task, revision);
        let (inbox, events) = (self.inbox.clone(), self.task_events.clone());
        tokio::spawn(async move {
            let result = match spec {
                Ok(spec) => process::start(spec, events)
                    .await
                    .map(|shim| Begun {
                        handle: TaskHandle::Shim(shim),
                        addresses: None,
                        definition,
                    })
                    .map_err(|e| e.to_string()),
                Err(reason) => Err(reason),
            };
            let _ = inbox.send(Input::Started(task, result));
        });
    }

    fn start_container(
        &mut self,
        definition: Arc<Definition>,
        run: ContainerRun,
        task: TaskId,
        revision: RevisionNumber,
    ) {
        let spec = ContainerSpec {
            task,
            revision,
            task_dir: self.paths.task(task.0),
            layers: self.paths.layers(),
            service: definition.service.clone(),
            run,
            environment: definition.environment.clone(),
        };
        let engine = self.engine().cloned();
        let (inbox, events) = (self.inbox.clone(), self.task_events.clone());
        tokio::spawn(async move {
            let result = match engine {
                Ok(engine) => {
                    docker::start(&engine, spec, events)
                        .await
                        .map(|(container, addresses)| Begun {
                            handle: TaskHandle::Container(container),
                            addresses: Some(addresses),
                            definition,
                        })
                }
                Err(failure) => Err(failure.message),
            };
            let _ = inbox.send(Input::Started(task, result));
        });
    }

    /// Everything that the shim needs, with the task's ports chosen and kept.
    fn spec(
        &mut self,
        definition: &Definition,
        task: TaskId,
        revision: RevisionNumber,
    ) -> Result<TaskSpec, String> {
        let Run::Process { argv, directory } = &definition.run else {
            return Err("a container is not started as a process".to_owned());
        };
        let ports = match self.ports.get(&task.0) {
            Some(ports) => ports.clone(),
            None => {
                let wanted = definition.service.container_ports();
                let ports = address::choose_ports(&wanted, &self.ports)
                    .ok_or("no free port is left for another task between 20000 and 32000")?;
                self.journal
                    .keep_task_ports(task.0, &ports)
                    .map_err(|error| error.to_string())?;
                self.ports.insert(task.0, ports.clone());
                self.places.insert(task.0, loopback(&ports));
                ports
            }
        };
        let service = &definition.service;
        Ok(TaskSpec {
            task,
            service: service.name.clone(),
            revision,
            task_dir: self.paths.task(task.0),
            socket: self.paths.task_socket(task.0),
            argv: argv.clone(),
            env: task_environment(definition, &ports),
            cwd: directory.clone(),
            stop_signal: stop_signal(definition),
            stop_grace: service.stop_grace_period,
            log: service.log_rotation,
        })
    }

    pub(super) async fn task_started(&mut self, task: TaskId, result: Result<Begun, String>) {
        self.starting.remove(&task);
        match result {
            Ok(begun) => {
                if let Some(addresses) = begun.addresses {
                    self.places.insert(task.0, addresses);
                }
                let handle = begun.handle;
                let manner = Arc::new(self.manner(&begun.definition, task.0, &handle));
                self.tasks.insert(task, LiveTask { handle, manner });
                self.feed(Event::Started { task }).await;
                if let Some(end) = self.end_when_started.remove(&task) {
                    self.end_task(task, end).await;
                }
            }
            Err(reason) => {
                self.end_when_started.remove(&task);
                self.feed(Event::StartFailed { task, reason }).await;
            }
        }
    }

    pub(super) async fn task_said(&mut self, task: TaskId, event: TaskEvent) {
        match event {
            TaskEvent::Started { .. } => {}
            TaskEvent::Exited(status) => {
                self.tasks.remove(&task);
                self.feed(Event::Exited { task, status }).await;
            }
        }
    }

    async fn end_task(&mut self, task: TaskId, how: EndWhenStarted) {
        if self.starting.contains(&task) {
            self.end_when_started.insert(task, how);
            return;
        }
        let Some(live) = self.tasks.get(&task) else {
            // Nobody holds it: it is over, and its end was reported or will never be.
            let _ = self.inbox.send(Input::Event(Box::new(Event::Exited {
                task,
                status: ExitStatus::Unknown,
            })));
            return;
        };
        match how {
            EndWhenStarted::Stop => {
                live.handle
                    .stop(live.manner.stop_signal, live.manner.stop_grace)
                    .await;
            }
            EndWhenStarted::Kill => live.handle.kill().await,
        }
    }

    /// Sends the gateway a table when it would differ from the last one.
    pub(super) async fn publish(&mut self, again: bool) {
        let traffic = cais_engine::state::traffic(&self.state);
        let mut next = table::table(self.table_version, &self.listeners, &traffic, &self.places);
        let in_table = |task: &TaskId| {
            next.pools
                .values()
                .any(|p| p.targets.iter().any(|t| t.task == task.0))
        };
        // What the gateway never knew needs no acknowledgement.
        let unknown: Vec<TaskId> = self
            .unrouting
            .keys()
            .filter(|task| !in_table(task) || self.gateway.pid().is_none())
            .copied()
            .collect();
        for task in unknown {
            self.unrouting.remove(&task);
            self.unrouted.remove(&task);
            let _ = self
                .inbox
                .send(Input::Event(Box::new(Event::Unrouted { task })));
            let _ = self
                .inbox
                .send(Input::Event(Box::new(Event::Drained { task })));
        }
        let awaited = self
            .unrouting
            .values()
            .any(|since| *since > self.table_version);
        if !again && !awaited && self.published.as_ref() == Some(&next) {
            return;
        }
        self.table_version += 1;
        next.version = self.table_version;
        for since in self.unrouting.values_mut() {
            if again {
                *since = self.table_version;
            }
        }
        self.gateway.publish(next.clone()).await;
        self.published = Some(next);
    }

    /// The definition of a revision: as applied, or loaded again from its release's texts.
    pub(super) async fn definition(
        &mut self,
        service: &ServiceName,
        revision: RevisionNumber,
    ) -> Result<Arc<Definition>, crate::exit::Failure> {
        if let Some(known) = self.definitions.get(&(service.clone(), revision.0)) {
            return Ok(known.clone());
        }
        let definition = Arc::new(self.load_definition(service, revision).await?);
        self.definitions
            .insert((service.clone(), revision.0), definition.clone());
        Ok(definition)
    }
}

/// The task's whole environment.
fn task_environment(
    definition: &Definition,
    ports: &BTreeMap<u16, u16>,
) -> BTreeMap<String, String> {
    let mut environment = definition.environment.clone();
    environment.extend(resolve::port_variables(&definition.service, ports));
    environment
}

/// A process listens on loopback.
pub(super) fn loopback(ports: &BTreeMap<u16, u16>) -> Addresses {
    ports
        .iter()
        .map(|(container, own)| (*container, SocketAddr::from((Ipv4Addr::LOCALHOST, *own))))
        .collect()
}

/// The loader refuses what is no signal.
fn stop_signal(definition: &Definition) -> Signal {
    definition
        .service
        .stop_signal
        .parse()
        .unwrap_or(Signal::TERM)
}

impl Supervisor {
    /// How a task of this definition is asked and stopped.
    pub(super) fn manner(&self, definition: &Definition, task: u64, handle: &TaskHandle) -> Manner {
        let service = &definition.service;
        let place = match (&definition.run, self.exec_of(handle)) {
            (Run::Process { directory, .. }, _) => {
                let ports = self.ports.get(&task).cloned().unwrap_or_default();
                Some(Place::Process {
                    environment: task_environment(definition, &ports),
                    directory: directory.clone(),
                })
            }
            (Run::Container(_), exec) => exec.map(Place::Container),
        };
        let first = service.container_ports().first().copied();
        let address = first.and_then(|port| self.places.get(&task)?.get(&port).copied());
        Manner {
            probes: Probes::of(service, address, place.as_ref()),
            stop_signal: stop_signal(definition),
            stop_grace: service.stop_grace_period,
        }
    }
}
