//! What a binary that was built without AWS says to `-E staging`: how to get one that was built with it.

use super::{Command, Global};
use crate::exit::{Exit, Failure, Outcome};
use cais_model::name::EnvironmentName;

pub(super) fn dispatch(_global: &Global, name: &EnvironmentName, command: Command) -> Outcome {
    if !super::elsewhere::is_of_environments(&command) {
        return Err(super::elsewhere::only_here(name));
    }
    Err(Failure::new(
        Exit::Usage,
        format!("`{name}` is on AWS, and this cais was built without it"),
    )
    .help("take a release, or build it from the source: `cargo build --release --features aws -p cais` (Rust 1.94.1 or later)"))
}
