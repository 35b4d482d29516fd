//! Commands for environments that are not this machine: the arguments of those that this machine
//! has no use for.

use crate::exit::{Exit, Failure};
use cais_model::name::{EnvironmentName, ServiceName};
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// Options of `deploy` and `rollback` that only an environment on AWS has.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct AwsOptions {
    /// With -E: do not take the environment's deploy lock
    #[arg(long, hide = super::WITHOUT_AWS)]
    pub(crate) no_lock: bool,
    /// Ask AWS so often
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, hide = true)]
    pub(crate) poll: Option<Duration>,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// Only these; all when none is named
    #[arg(value_name = "SERVICE", value_parser = super::verbs::parse_service)]
    pub(crate) services: Vec<ServiceName>,
}

#[derive(Debug, Args)]
pub(crate) struct LockArgs {
    /// Let it go, whoever holds it
    #[arg(long, conflicts_with = "take")]
    pub(crate) release: bool,
    /// Take it, so that nobody deploys until it is let go
    #[arg(long, value_name = "REASON")]
    pub(crate) take: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct DestroyArgs {
    /// The Terraform root that made the environment's services; by default infra/terraform/<environment>/services
    #[arg(long, value_name = "PATH")]
    pub(crate) directory: Option<PathBuf>,
    /// Do not take the environment's deploy lock
    #[arg(long)]
    pub(crate) no_lock: bool,
}

/// A command that acts on this machine's tasks, for an environment that is not here.
pub(super) fn only_here(name: &EnvironmentName) -> Failure {
    Failure::new(
        Exit::Usage,
        format!("this command acts on this machine, and `{name}` is another environment"),
    )
    .help(format!(
        "leave `-E {name}` out; what it has otherwise shows `cais config -E {name}`"
    ))
}

/// A command that only an environment elsewhere has, without one.
pub(super) fn not_here() -> Failure {
    Failure::new(
        Exit::Usage,
        "this command is about an environment on AWS, and none is named",
    )
    .help("name it: `-E staging`")
}
