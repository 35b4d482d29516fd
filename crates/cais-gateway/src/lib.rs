//! The data plane: listens, routes, balances, proxies. It obeys the last [`RouteTable`](table::RouteTable)
//! that it was given and reports what it did; it decides nothing about tasks.

mod answer;
mod attempt;
mod balance;
pub mod client;
mod connection;
mod control;
mod core;
mod download;
mod eject;
mod fdpass;
pub mod framing;
mod guard;
mod headers;
pub mod listen;
mod pool;
pub mod protocol;
mod proxy;
mod record;
mod route;
pub mod run;
mod sniff;
mod supervisor;
pub mod table;
mod target;
mod tcp;
mod tunnel;
mod upload;

pub use fdpass::FrameError;
