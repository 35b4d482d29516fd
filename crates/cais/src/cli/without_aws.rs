//! What a binary that was built without AWS says to `-E staging`: how to get one that was built with it.

use super::{Command, Global};
use crate::exit::{Exit, Failure, Outcome};
use cais_model::name::EnvironmentName;

pub(super) fn dispatch(_global: &Global, name: &EnvironmentName, command: Command) -> Outcome {
    if !is_of_environments(&command) {
        return Err(super::elsewhere::only_here(name));
    }
    Err(Failure::new(
        Exit::Usage,
        format!("`{name}` is on AWS, and this cais was built without it"),
    )
    .help("take a release, or build it from the source: `cargo build --release --features aws -p cais` (Rust 1.94.1 or later)"))
}

/// Does the command mean something for an environment on AWS?
fn is_of_environments(command: &Command) -> bool {
    matches!(
        command,
        Command::Plan(_)
            | Command::Deploy(_)
            | Command::Rollback(_)
            | Command::History(_)
            | Command::Events(_)
            | Command::Status(_)
            | Command::Ps(_)
            | Command::Logs(_)
            | Command::Scale(_)
            | Command::Secret(_)
            | Command::Verify(_)
            | Command::Lock(_)
            | Command::Push(_)
            | Command::Exec(_)
            | Command::Destroy(_)
    )
}
