//! `cais ci`: writes the pipeline, says what changed, and runs the pipeline's steps here.

mod changed;
mod init;

use super::Global;
use crate::exit::Outcome;
use clap::Subcommand;

pub(super) use changed::services_changed;

#[derive(Debug, Subcommand)]
pub(crate) enum Ci {
    /// Write GitHub Actions workflows for this project
    Init(init::InitArgs),
    /// Print the services that changed since a revision, one a line
    Changed(changed::ChangedArgs),
}

pub(crate) fn run(global: &Global, command: &Ci) -> Outcome {
    match command {
        Ci::Init(args) => init::run(global, args),
        Ci::Changed(args) => changed::run(global, args),
    }
}
