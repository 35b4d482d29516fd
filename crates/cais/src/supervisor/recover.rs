//! A supervisor's first minute on an old state: one lock, the gateway's sockets, every task that an
//! earlier supervisor left. Facts become events; the engine decides what they mean.

use super::{LiveTask, Supervisor};
use crate::exit::{Exit, Failure, Outcome};
use crate::paths::Paths;
use crate::runtime::{Adopted, Runtime, TaskHandle, docker, process};
use cais_engine::event::{Event, ExitStatus, TaskId};
use cais_engine::notice::TaskPhase;
use rustix::fs::{FlockOperation, flock};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;

/// Takes the project's supervisor lock; `None` when another supervisor has it.
pub(super) fn lock(paths: &Paths) -> Outcome<Option<File>> {
    let path = paths.supervisor_lock();
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(|error| {
            Failure::new(
                Exit::Error,
                format!("cannot open `{}`: {error}", path.display()),
            )
            .help(format!(
                "make sure that you own `{}` and that its disk has room",
                paths.state.display()
            ))
        })?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(Failure::new(
            Exit::Error,
            format!("cannot lock `{}`: {error}", path.display()),
        )),
    }
}

impl Supervisor {
    /// Adopts what an earlier supervisor left.
    pub(super) async fn recover(&mut self) -> Outcome {
        let mut found = self.task_folders();
        if self.is_empty() && found.is_empty() {
            return Ok(());
        }
        self.recall_runtime().await?;
        let containers = match &self.engine {
            Some(engine) => docker::found(engine).await?,
            None => BTreeMap::new(),
        };
        found.extend(containers.keys());
        // A release that cannot be loaded any more (a variable is gone) must not keep its tasks from
        // being adopted and stopped.
        if let Err(failure) = self.recall().await {
            tracing::warn!(%failure, "the last release cannot be loaded again");
        }
        let adopted_gateway = self.gateway.adopt().await;
        if !adopted_gateway && !self.listeners.is_empty() {
            let addresses: BTreeSet<SocketAddr> = self.listeners.keys().copied().collect();
            if let Err(taken) = self.gateway.bind(&addresses) {
                tracing::error!(address = %taken.address, "an address was lost while nobody supervised");
            }
            if let Err(failure) = self.gateway.ensure().await {
                tracing::error!(%failure, "no gateway");
            }
        }
        self.adopt_tasks(found, containers).await;
        self.feed(Event::Recovered).await;
        self.publish(true).await;
        Ok(())
    }

    /// Every task folder on the disk, by task.
    fn task_folders(&self) -> BTreeSet<u64> {
        std::fs::read_dir(self.paths.tasks())
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect()
    }

    async fn adopt_tasks(&mut self, found: BTreeSet<u64>, containers: BTreeMap<u64, String>) {
        let views = cais_engine::state::views(&self.state);
        let known: Vec<_> = views
            .iter()
            .flat_map(|view| {
                view.tasks.iter().map(|task| {
                    let begun = !matches!(task.phase, TaskPhase::Pending | TaskPhase::Stopped);
                    (task.task, view.service.clone(), task.revision, begun)
                })
            })
            .collect();
        // All at once: a task whose shim was killed takes its grace period to end.
        let adoptions = found.iter().map(|task| {
            let task = *task;
            let (folder, events) = (self.paths.task(task), self.task_events.clone());
            let (engine, container) = (self.engine.clone(), containers.get(&task).cloned());
            tokio::spawn(async move {
                let adopted = match engine {
                    Some(engine) => {
                        docker::adopt(&engine, &folder, container.as_deref(), events).await
                    }
                    None => process::adopt(&folder, events)
                        .await
                        .map(Adopted::from)
                        .map_err(|error| error.to_string()),
                };
                (TaskId(task), adopted)
            })
        });
        let mut facts = Vec::new();
        for adoption in adoptions.collect::<Vec<_>>() {
            let Ok((task, adopted)) = adoption.await else {
                continue;
            };
            let owner = known.iter().find(|(id, ..)| *id == task);
            let event = match (adopted, owner) {
                (Ok(Adopted::Alive(handle, addresses)), Some((_, service, revision, _))) => {
                    if let Some(addresses) = addresses {
                        self.places.insert(task.0, addresses);
                    }
                    let manner = self.manner_of(service, *revision, task.0, &handle).await;
                    self.tasks.insert(task, LiveTask { handle, manner });
                    Event::Started { task }
                }
                // Its service is gone from the state: an orphan.
                (Ok(Adopted::Alive(handle @ TaskHandle::Shim(_), _)), None) => {
                    tracing::warn!(%task, "a task that belongs to nothing is ended");
                    handle.kill().await;
                    continue;
                }
                (Ok(Adopted::Exited(status)), Some(_)) => Event::Exited { task, status },
                (Ok(Adopted::Lost), Some(_)) => Event::Exited {
                    task,
                    status: ExitStatus::Unknown,
                },
                (Ok(Adopted::NeverStarted), Some(_)) => continue,
                (Ok(_), None) => {
                    self.forget_orphan(task, containers.get(&task.0)).await;
                    continue;
                }
                (Err(error), _) => {
                    tracing::error!(%task, %error, "a task's folder cannot be read");
                    Event::Exited {
                        task,
                        status: ExitStatus::Unknown,
                    }
                }
            };
            facts.push(event);
        }
        // Only when every task that lives is held: the engine asks about all of them at once.
        for event in facts {
            self.feed(event).await;
        }
        // A task that had a process but has no folder any more: nobody will ever report its end.
        for (task, ..) in known
            .iter()
            .filter(|(task, _, _, begun)| *begun && !found.contains(&task.0))
        {
            self.feed(Event::Exited {
                task: *task,
                status: ExitStatus::Unknown,
            })
            .await;
        }
    }

    /// What is left of a task that the state does not know.
    async fn forget_orphan(&self, task: TaskId, container: Option<&String>) {
        let folder = self.paths.task(task.0);
        match (self.runtime, &self.engine) {
            (Runtime::Docker, Some(engine)) => {
                if let Some(container) = container {
                    engine.end_orphan(task, container).await;
                }
                let _ = engine.forget(&folder, None).await;
            }
            _ => {
                let _ = process::forget(&folder);
            }
        }
    }
}
