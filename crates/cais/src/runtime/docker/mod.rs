//! Tasks as containers of a Docker engine.

pub(crate) mod engine;
