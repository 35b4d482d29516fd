//! The pipeline's decisions, the same on a runner and on a laptop: which services changed, which steps are due. Starting programs and printing are `cli/ci`'s.

pub(crate) mod cargo;
pub(crate) mod changed;
pub(crate) mod git;
pub(crate) mod steps;
