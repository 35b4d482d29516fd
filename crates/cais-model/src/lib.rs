//! Compose text to a typed [`Stack`](stack::Stack). Pure: files and variables come from the caller.

pub mod bytes;
mod canonical;
mod cast;
mod definition;
pub mod diagnostic;
pub mod dotenv;
pub mod duration;
mod interpolate;
mod load;
pub mod name;
pub mod node;
mod path;
pub mod port;
mod scalar;
mod schema;
pub mod source;
pub mod stack;
mod suggest;
mod typed;
mod variables;
mod volume;
mod x_cais;
mod yaml;
mod yaml_text;

pub use load::load;
pub use source::{Failed, LoadOptions, Loaded, Source, SourceError};
