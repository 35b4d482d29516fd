//! `develop.watch`: which changes count and what they bring about (`rules`, pure), and how they are noticed (`changes`).
//! Building, copying and rolling out is the verb's (`cli/watch.rs`).

pub(crate) mod changes;
pub(crate) mod rules;

pub(crate) use changes::Changes;
pub(crate) use rules::{Rules, Work};
