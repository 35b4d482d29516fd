//! Compose text to a typed [`Stack`](stack::Stack). Pure: files and variables come from the caller.

pub mod bytes;
mod canonical;
mod cast;
mod consistency;
mod definition;
pub mod diagnostic;
pub mod dotenv;
pub mod duration;
pub mod fields;
mod interpolate;
mod load;
mod merge;
pub mod name;
pub mod node;
mod path;
mod paths;
pub mod port;
mod profiles;
mod render;
mod scalar;
mod schema;
pub mod source;
pub mod stack;
pub mod suggest;
mod syntax;
mod typed;
mod unique;
mod variables;
mod volume;
mod x_cais;
mod yaml;
mod yaml_text;

pub use load::{load, load_without_consistency};
pub use render::render;
pub use source::{Failed, LoadOptions, Loaded, Source, SourceError};
