//! Tasks with real shims: what they report, what they leave on disk, and that nothing of them survives its end.
#![expect(
    dead_code,
    unused_imports,
    reason = "the modules are the binary's; a test crate uses a part of them"
)]
#![expect(clippy::unwrap_used, reason = "a test")]

#[path = "../../src/logs/mod.rs"]
mod logs;
#[path = "../../src/runtime/process/mod.rs"]
mod process;
#[path = "../../src/shim/mod.rs"]
mod shim;

mod adoption;
mod birth;
mod end;
mod output;
mod stack;
