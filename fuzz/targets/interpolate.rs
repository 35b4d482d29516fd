//! A text of any characters as a value: its variables are filled in or refused.
#![no_main]

mod project;

libfuzzer_sys::fuzz_target!(|text: &str| {
    // As JSON, so that every character reaches the value.
    let value = format!("{text:?}").replace("\\'", "'").replace("\\u{", "\\\\u{");
    project::check(&format!("services: {{web: {{image: i, environment: {{A: {value}}}}}}}\n"));
    cais_model::uses::variables(&[("c".into(), format!("a: {value}\n"))]);
});
