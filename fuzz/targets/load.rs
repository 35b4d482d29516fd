//! A file of any bytes: the loader answers, what it refuses is shown with its place, and what it accepts prints as a file that loads as the same.
#![no_main]

mod project;

libfuzzer_sys::fuzz_target!(|text: &str| {
    project::check(text);
});
