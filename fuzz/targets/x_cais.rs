//! An `x-cais` block of any characters, of a service and of the file, is read or refused.
#![no_main]

mod project;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let block = |indent: &str| text.replace('\n', &format!("\n{indent}"));
    let service = block("        ");
    project::check(&format!(
        "services:\n  web:\n    image: i\n    x-cais:\n        {service}\n"
    ));
    project::check(&format!(
        "x-cais:\n  {}\nservices: {{web: {{image: i}}}}\n",
        block("  ")
    ));
});
