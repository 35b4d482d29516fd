//! The rules against planted faults, and against Compose files of public projects.

use super::finding::{Finding, Tier};
use super::rules::RULES;
use super::{Subject, check};
use cais_model::source::{LoadOptions, Source, SourceError};
use cais_model::{Loaded, load_without_consistency};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// One file; what it names beside itself is there, and empty.
struct OneFile(String);

impl Source for OneFile {
    fn read(&self, path: &Path) -> Result<String, SourceError> {
        let is_yaml = path
            .extension()
            .is_some_and(|end| end == "yaml" || end == "yml");
        match path.to_str() {
            Some("compose.yaml") => Ok(self.0.clone()),
            _ if is_yaml => Err(SourceError::NotFound),
            _ => Ok(String::new()),
        }
    }

    fn variable(&self, _: &str) -> Option<String> {
        None
    }
}

fn loaded(text: &str) -> Option<Loaded> {
    let options = LoadOptions {
        files: vec![PathBuf::from("compose.yaml")],
        project_directory: PathBuf::from("/project"),
        project_name: Some("project".into()),
        profiles: vec!["*".into()],
        ..LoadOptions::default()
    };
    load_without_consistency(&OneFile(text.to_owned()), &options).ok()
}

fn findings(text: &str, environment: &str) -> Vec<Finding> {
    let loaded = loaded(text).unwrap_or_else(|| panic!("does not load:\n{text}"));
    check(&Subject {
        loaded: &loaded,
        tier: Tier::of(environment),
        dockerfiles: BTreeMap::new(),
    })
    .findings
}

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

/// Each file of `tests/check/planted` has one fault, and the same without it.
#[test]
fn every_rule_finds_its_fault_and_nothing_in_the_mended_file() {
    for rule in RULES {
        let file = repository(&format!("tests/check/planted/{}.yaml", rule.id));
        let text = std::fs::read_to_string(&file)
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let environment = text
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("# environment: "))
            .expect("the first line names the environment");
        let (fault, mended) = text.split_once("# ---- mended\n").unwrap();
        let found = findings(fault, environment);
        let places: Vec<(&str, u32)> = found
            .iter()
            .map(|finding| (finding.rule.as_str(), finding.place.line))
            .collect();
        assert_eq!(
            places,
            [(rule.id, marked_line(fault))],
            "{}: {found:#?}",
            rule.id
        );
        assert_eq!(findings(mended, environment), [], "{} mended", rule.id);
    }
}

/// `# <- here` marks its own line, `# ^ here` the one above.
fn marked_line(text: &str) -> u32 {
    let at = |mark: &str| text.lines().position(|line| line.contains(mark));
    let index = at("# <- here")
        .map(|index| index + 1)
        .or_else(|| at("# ^ here"));
    index
        .and_then(|index| index.try_into().ok())
        .expect("a mark")
}

/// No message, why or help has the value of a planted secret.
#[test]
fn no_finding_repeats_a_secret() {
    for id in ["CAIS401", "CAIS402", "CAIS404", "CAIS405"] {
        let text =
            std::fs::read_to_string(repository(&format!("tests/check/planted/{id}.yaml"))).unwrap();
        let (fault, _) = text.split_once("# ---- mended\n").unwrap();
        for finding in findings(fault, "production") {
            let said = format!("{finding:?}");
            assert!(
                !said.contains("hunter2") && !said.contains("ghp_a8"),
                "{said}"
            );
        }
    }
}

#[test]
fn services_that_share_a_line_by_an_anchor_share_the_finding() {
    let text = "x-env: &env\n  DB_PASSWORD: hunter2\nservices:\n  a: { image: \"a:1\", environment: *env }\n  b: { image: \"b:1\", environment: *env }\n";
    let found = findings(text, "local");
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].services, ["a", "b"]);
    assert_eq!(found[0].place.line, 2);
}

/// Findings by rule over the corpus, for the eye; `CAIS_CHECK_SAMPLE=N` prints every Nth with its line.
#[test]
fn public_files_are_checked_without_a_panic() {
    let Some(corpus) = std::env::var_os("CAIS_CORPUS").map(PathBuf::from) else {
        println!("SKIPPED public_files_are_checked_without_a_panic: set CAIS_CORPUS");
        return;
    };
    let step: Option<usize> = std::env::var("CAIS_CHECK_SAMPLE")
        .ok()
        .and_then(|step| step.parse().ok());
    let mut files: Vec<PathBuf> = std::fs::read_dir(corpus.join("compose"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    for environment in ["local", "production"] {
        let began = std::time::Instant::now();
        let (mut checked, mut clean, mut all) = (0, 0, Vec::new());
        for file in &files {
            let text = std::fs::read_to_string(file).unwrap();
            let Some(_) = loaded(&text) else { continue };
            let found = findings(&text, environment);
            checked += 1;
            clean += usize::from(found.is_empty());
            all.extend(found.into_iter().map(|finding| (file.clone(), finding)));
        }
        let mut by_rule: BTreeMap<&str, (usize, BTreeSet<&Path>)> = BTreeMap::new();
        for (file, finding) in &all {
            let (count, files) = by_rule.entry(&finding.rule).or_default();
            *count += 1;
            files.insert(file);
        }
        println!(
            "{environment}: {checked} of {} files loaded, {} findings, {clean} files clean, {:?}",
            files.len(),
            all.len(),
            began.elapsed()
        );
        for (rule, (count, files)) in by_rule {
            println!("  {rule} {count} in {} files", files.len());
        }
        for (file, finding) in all
            .iter()
            .step_by(step.unwrap_or(usize::MAX))
            .filter(|_| step.is_some())
        {
            let text = std::fs::read_to_string(file).unwrap();
            let line = text
                .lines()
                .nth(finding.place.line as usize - 1)
                .unwrap_or_default();
            let name = file.file_name().unwrap().to_string_lossy();
            println!(
                "{} {name}:{} {}\n    | {line}",
                finding.rule, finding.place.line, finding.message
            );
        }
        assert!(checked * 10 > files.len() * 7, "most of the corpus loads");
    }
}
