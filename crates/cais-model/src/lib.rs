//! Compose text to a typed [`Stack`](stack::Stack). Pure: files and variables come from the caller.

pub mod diagnostic;
pub mod name;
pub mod stack;
