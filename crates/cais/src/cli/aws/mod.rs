//! The verbs for an environment on AWS: which file answers which, and what each needs first: the project for that
//! environment, a connection, and where it leads shown to the person who typed.

mod definition;
mod deploy;
mod destroy;
mod exec;
mod history;
mod images;
mod jobs;
mod lock;
mod logs;
mod plan;
mod preview;
mod rollback;
mod room;
mod scale;
mod secret;
mod show;
mod status;
mod summary;
mod verify;
mod wave;

use super::environment::Environment;
use super::project::Project;
use super::{Command, Global, output};
use crate::exit::{Exit, Failure, Outcome};
use cais_aws::sdk::{Connect, Error, Identity, Session};
use cais_aws::service::Service;
use cais_cloud::names::Names;
use cais_model::diagnostic::Diagnostic;
use cais_model::name::{EnvironmentName, ServiceName};
use std::io::{BufRead, IsTerminal, Write};

/// What `without_aws.rs` says in a binary that has none of this.
pub(super) fn dispatch(global: &Global, name: &EnvironmentName, command: Command) -> Outcome {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Error, format!("cannot start: {error}")))?
        .block_on(async {
            match command {
                Command::Plan(args) => preview::run(global, name, &args).await,
                Command::Deploy(args) => deploy::run(global, name, args).await,
                Command::Rollback(args) => rollback::run(global, name, args).await,
                Command::History(args) => history::history(global, name, &args).await,
                Command::Events(args) => history::events(global, name, &args).await,
                Command::Status(args) => status::status(global, name, &args).await,
                Command::Ps(args) => status::ps(global, name, &args).await,
                Command::Logs(args) => logs::run(global, name, &args).await,
                Command::Scale(args) => scale::run(global, name, &args).await,
                Command::Secret(args) => secret::run(global, name, &args).await,
                Command::Verify(args) => verify::run(global, name, &args).await,
                Command::Lock(args) => lock::run(global, name, &args).await,
                Command::Destroy(args) => destroy::run(global, name, &args).await,
                Command::Push(args) => images::push(global, name, args).await,
                Command::Exec(args) => exec::run(global, name, &args).await,
                _ => Err(super::elsewhere::only_here(name)),
            }
        })
}

/// One environment of the project, connected to.
pub(super) struct Target {
    pub(super) project: Project,
    pub(super) environment: String,
    pub(super) names: Names,
    pub(super) session: Session,
    pub(super) identity: Identity,
}

impl Target {
    /// Loads the project for the environment and asks AWS who calls.
    pub(super) async fn open(global: &Global, name: &EnvironmentName) -> Outcome<Self> {
        let project = Project::load_for(global, Environment::Named(name.clone()))?;
        output::print_diagnostics(&project.loaded.warnings, &project.loaded.files);
        let environment = name.to_string();
        let aws = project.loaded.stack.cloud.aws.as_ref();
        let connect = Connect {
            region: aws
                .and_then(|aws| aws.region.as_ref())
                .map(|region| region.value.clone()),
            profile: None,
        };
        let session = Session::open(&connect).await.map_err(failure)?;
        let identity = session.identity().await.map_err(failure)?;
        Ok(Self {
            names: Names::new(project.name(), &environment),
            project,
            environment,
            session,
            identity,
        })
    }

    /// Refuses what `cais infra` refuses, in its words, and prints what has no effect on AWS. Where on AWS the stack is
    /// need not be in the file: a caller's own region may lead to infrastructure that somebody else made.
    pub(super) fn accept_file(&self) -> Outcome {
        let loaded = &self.project.loaded;
        let mut found = super::infra::not_honoured(loaded);
        if loaded.stack.cloud.aws.is_some() {
            let lowered = cais_cloud::lower(&loaded.stack, &self.environment);
            found.extend(lowered.err().unwrap_or_default());
        }
        if found.iter().any(Diagnostic::is_error) {
            found.sort_by(|a, b| a.position.cmp(&b.position));
            return Err(Failure::invalid(found, loaded.files.clone()));
        }
        output::print_diagnostics(&found, &loaded.files);
        Ok(())
    }

    /// Where this leads, in one line.
    pub(super) fn place(&self) -> String {
        format!(
            "{} in {}, account {}, {}",
            self.project.name(),
            self.environment,
            self.identity.account,
            self.session.region()
        )
    }

    /// Shows where answers come from, to people.
    pub(super) fn show(&self, global: &Global) {
        if !global.json() && global.progress != super::Progress::Quiet {
            output::say(&format!(
                "{}{}{}",
                output::DIM,
                self.place(),
                output::DIM.render_reset()
            ));
        }
    }

    /// Asks before something changes, unless `-y`.
    pub(super) fn confirm(&self, global: &Global, what: &str) -> Outcome {
        if global.yes {
            output::say(&format!("{what}: {}", self.place()));
            return Ok(());
        }
        if !std::io::stdin().is_terminal() {
            return Err(
                Failure::new(Exit::Usage, format!("this would {what}: {}", self.place()))
                    .help("nobody can be asked here; add `-y` to go ahead"),
            );
        }
        let _ = write!(
            anstream::stderr(),
            "{what}: {}\n  as {}\ngo ahead? [y/N] ",
            self.place(),
            self.identity.arn
        );
        let mut answer = String::new();
        let _ = std::io::stdin().lock().read_line(&mut answer);
        if matches!(answer.trim(), "y" | "Y" | "yes") {
            Ok(())
        } else {
            Err(Failure::new(
                Exit::Error,
                "not confirmed; nothing was changed",
            ))
        }
    }

    /// The named services, or all; a name that is not in the file is an error.
    pub(super) fn selection(&self, named: &[ServiceName]) -> Outcome<Vec<ServiceName>> {
        let known = &self.project.loaded.stack.services;
        if let Some(name) = named.iter().find(|name| !known.contains_key(*name)) {
            return Err(self.project.unknown_service(name));
        }
        if named.is_empty() {
            Ok(known.keys().cloned().collect())
        } else {
            Ok(named.to_vec())
        }
    }

    /// Those services of the selection that are ECS services, as they are now.
    pub(super) async fn services(
        &self,
        named: &[ServiceName],
    ) -> Outcome<Vec<(ServiceName, Service)>> {
        let selected = self.selection(named)?;
        let wanted: Vec<String> = selected
            .iter()
            .map(|name| self.names.service(name.as_str()))
            .collect();
        let cluster = self.names.cluster();
        let found = self
            .session
            .services(&cluster, &wanted)
            .await
            .map_err(|error| self.explained(&error))?;
        let mut pairs = Vec::new();
        for name in selected {
            let ecs = self.names.service(name.as_str());
            match found.iter().find(|service| service.name == ecs) {
                Some(service) => pairs.push((name, service.clone())),
                None if named.contains(&name) => {
                    return Err(Failure::new(
                        Exit::Error,
                        format!("there is no ECS service `{ecs}` in the cluster `{cluster}`"),
                    )
                    .help(self.infrastructure_help()));
                }
                // Not an ECS service: a cache that AWS runs, a one-shot task.
                None => {}
            }
        }
        if pairs.is_empty() {
            return Err(Failure::new(
                Exit::Error,
                format!("the cluster `{cluster}` has none of the file's services"),
            )
            .help(self.infrastructure_help()));
        }
        Ok(pairs)
    }

    /// The named services that tasks run: what AWS runs itself has no revisions, is left out and said. `None` where nothing is left
    /// of what was named.
    pub(super) fn with_tasks(&self, named: &[ServiceName]) -> Option<Vec<ServiceName>> {
        let services = &self.project.loaded.stack.services;
        let (managed, left): (Vec<_>, Vec<_>) = named.iter().cloned().partition(|name| {
            let aws = services.get(name).map(|service| &service.cloud.aws);
            aws.is_some_and(|aws| aws.managed.is_some())
        });
        for name in &managed {
            output::note(&format!(
                "AWS runs `{name}` itself in {}: it belongs to the infrastructure, and no deploy changes it",
                self.environment
            ));
        }
        (managed.is_empty() || !left.is_empty()).then_some(left)
    }

    /// AWS's no, with what to do where the infrastructure is not there.
    pub(super) fn explained(&self, error: &Error) -> Failure {
        if error.code.as_deref() == Some("ClusterNotFoundException") {
            return Failure::new(
                Exit::Error,
                format!("there is no cluster `{}`: {error}", self.names.cluster()),
            )
            .help(self.infrastructure_help());
        }
        failure(error.clone())
    }

    pub(super) fn infrastructure_help(&self) -> String {
        format!(
            "make the infrastructure first: `cais infra terraform -E {}` writes it, and its README says in which order to apply it",
            self.environment
        )
    }
}

/// AWS's no as a failure of the command.
pub(super) fn failure(error: Error) -> Failure {
    let failure = Failure::new(Exit::Error, error.to_string());
    match error.help() {
        Some(help) => failure.help(help),
        None => failure,
    }
}
