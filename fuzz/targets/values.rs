//! Durations, sizes, ports and names of any characters are read or refused.
#![no_main]

use cais_model::name::{EnvironmentName, ProjectName, ServiceName};
use cais_model::{bytes, duration, port};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = duration::parse(text);
    let _ = bytes::parse(text);
    let _ = port::parse(text);
    let _ = port::PortRange::parse(text);
    let _ = ServiceName::parse(text);
    let _ = ProjectName::parse(text);
    let _ = EnvironmentName::parse(text);
});
