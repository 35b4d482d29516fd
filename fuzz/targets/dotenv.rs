//! An env file of any characters is read or refused.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    let mut lookup = |name: &str| (name.len() == 1).then(|| "x".to_owned());
    let _ = cais_model::dotenv::parse(text, &mut lookup);
    let _ = cais_model::dotenv::parse_raw(text);
});
