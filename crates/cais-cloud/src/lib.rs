//! A stack as AWS resources, and those as text: every decision about the cloud is made once, by `lower`, and printers only
//! read its result. Pure: files, time and variables belong to the caller.

mod check;
pub mod cidr;
pub mod diagram;
pub mod fargate;
pub mod files;
pub mod github;
mod lower;
mod modules;
pub mod names;
mod pulumi;
pub mod region;
pub mod resource;
pub mod task;
mod terraform;
pub mod value;

pub use check::check;
pub use lower::lower;
pub use pulumi::{PULUMI_HEADER, merged_settings, pulumi, pulumi_type};
pub use terraform::{HEADER, terraform};
