//! `cais ci`: writes the pipeline, says what changed, and runs the pipeline's steps here.

mod changed;
mod init;
mod run;
mod tree;

use super::Global;
use crate::exit::Outcome;
use clap::Subcommand;

pub(crate) use changed::services_changed;

#[derive(Debug, Subcommand)]
pub(crate) enum Ci {
    /// Write GitHub Actions workflows for this project
    Init(init::InitArgs),
    /// Print the services that changed since a revision, one a line
    Changed(changed::ChangedArgs),
    /// Lint, test, check, build and plan here, as the pipeline does
    Run(run::RunArgs),
}

pub(crate) fn run(global: &Global, command: &Ci) -> Outcome {
    match command {
        Ci::Init(args) => init::run(global, args),
        Ci::Changed(args) => changed::run(global, args),
        Ci::Run(args) => run::run(global, args),
    }
}
