//! The loader against Compose files of public projects and the verdicts of the reference implementation, where `CAIS_CORPUS` names their folder.

use super::{Loading, Steps};
use crate::node::Node;
use crate::path::Path as TreePath;
use crate::source::{LoadOptions, Source, SourceError};
use crate::{canonical, merge, unique, yaml};
use serde_json::Value as Json;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The folder, or `None` after saying that the test is skipped.
#[expect(clippy::disallowed_methods, reason = "a test is its own caller")]
fn folder() -> Option<PathBuf> {
    let folder = std::env::var("CAIS_CORPUS").ok().map(PathBuf::from);
    if folder.is_none() {
        println!("SKIPPED corpus: set CAIS_CORPUS");
    }
    folder
}

#[expect(clippy::disallowed_methods, reason = "a test is its own caller")]
fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "a test is its own caller")]
fn compose_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder.join("compose")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// One file, and one answer for every variable.
struct OneFile {
    text: String,
    answer: Option<String>,
}

impl Source for OneFile {
    fn read(&self, path: &Path) -> Result<String, SourceError> {
        if path == Path::new("compose.yaml") {
            Ok(self.text.clone())
        } else {
            Err(SourceError::NotFound)
        }
    }

    fn variable(&self, name: &str) -> Option<String> {
        if name.starts_with("COMPOSE_PROJECT") {
            None
        } else {
            self.answer.clone()
        }
    }
}

/// The errors of a file looked at by itself, as the verdicts were made.
fn errors(text: &str, answer: Option<&str>) -> Vec<String> {
    let source = OneFile {
        text: text.to_owned(),
        answer: answer.map(str::to_owned),
    };
    let options = LoadOptions {
        files: vec![PathBuf::from("compose.yaml")],
        project_directory: PathBuf::from("/corpus"),
        ..LoadOptions::default()
    };
    match Loading::new(&source, &options, Steps::FileAlone).finish() {
        Ok(_) => Vec::new(),
        Err(failed) => {
            let errors = failed
                .diagnostics
                .iter()
                .filter(|diagnostic| diagnostic.is_error());
            errors.map(|diagnostic| diagnostic.to_string()).collect()
        }
    }
}

/// All figures at once. The times are told and not judged: they are a build's and a machine's.
#[test]
fn verdicts_and_merges_agree_with_the_reference_implementation() {
    let Some(folder) = folder() else { return };
    verdicts(&folder);
    merges(&folder);
}

#[expect(
    clippy::disallowed_methods,
    reason = "a figure for people; nothing depends on it"
)]
fn verdicts(folder: &Path) {
    let manifest: Json =
        serde_json::from_str(&read(&folder.join("compose-manifest.json"))).unwrap();
    let (mut accepted, mut rejected, mut wrong, mut missed) = (0, 0, Vec::new(), Vec::new());
    let text = |entry: &Json| read(&folder.join("compose").join(entry["file"].as_str().unwrap()));
    let files = manifest.as_array().unwrap().iter();
    let files: Vec<(&Json, String)> = files.map(|entry| (entry, text(entry))).collect();
    let texts: Vec<&str> = files.iter().map(|(_, text)| text.as_str()).collect();
    for (verdict, answer) in [("e0", None), ("e1", Some("1"))] {
        let (began, worked) = (std::time::Instant::now(), processor_time_ms());
        let all = errors_of_each(&texts, answer);
        let took = began.elapsed();
        println!(
            "{} files loaded in {took:.2?}, {} ms of processor time",
            files.len(),
            processor_time_ms() - worked
        );
        for ((entry, _), found) in files.iter().zip(all) {
            let file = entry["file"].as_str().unwrap();
            let want = entry["oracle"][verdict].as_str().unwrap();
            match (want.is_empty(), found.first()) {
                (true, None) => accepted += 1,
                (true, Some(error)) => wrong.push(format!("{file} {verdict}: {error}")),
                (false, Some(error)) => {
                    let place: Vec<&str> = error.splitn(4, ':').collect();
                    let has_place = place[0] == "compose.yaml"
                        && place[1..3].iter().all(|it| it.parse::<u32>().is_ok());
                    assert!(has_place, "{file} {verdict}: no position: {error}");
                    rejected += 1;
                }
                (false, None) => missed.push(format!("{file} {verdict}: {want}")),
            }
        }
    }
    println!("accepted {accepted}, wrongly rejected {}", wrong.len());
    println!(
        "rejected {rejected}, all with file, line and column; missed {}: {missed:#?}",
        missed.len()
    );
    assert_eq!(wrong, Vec::<String>::new());
    assert!(
        rejected * 100 >= (rejected + missed.len()) * 95,
        "{missed:#?}"
    );
}

/// Of each file in its turn, on all cores.
fn errors_of_each(texts: &[&str], answer: Option<&str>) -> Vec<Vec<String>> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let share = texts.len().div_ceil(cores).max(1);
    std::thread::scope(|scope| {
        let shares = texts.chunks(share).map(|share| {
            scope.spawn(move || {
                let each = share.iter().map(|text| errors(text, answer));
                each.collect::<Vec<_>>()
            })
        });
        let running: Vec<_> = shares.collect();
        let done = running.into_iter().flat_map(|it| it.join().unwrap());
        done.collect()
    })
}

/// What this process has had of the processors so far (proc(5): `utime` and `stime`, in hundredths of a second).
fn processor_time_ms() -> u64 {
    let stat = read(Path::new("/proc/self/stat"));
    let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let fields = after_name.split(' ').skip(11).take(2);
    10 * fields.map(|it| it.parse::<u64>().unwrap()).sum::<u64>()
}

/// A file by itself with no variable set.
fn loaded(text: &str) -> Option<crate::Loaded> {
    let source = OneFile {
        text: text.to_owned(),
        answer: None,
    };
    let options = LoadOptions {
        files: vec![PathBuf::from("compose.yaml")],
        project_directory: PathBuf::from("/corpus"),
        ..LoadOptions::default()
    };
    Loading::new(&source, &options, Steps::FileAlone)
        .finish()
        .ok()
}

#[test]
fn what_is_printed_loads_as_the_same_tree() {
    let Some(folder) = folder() else { return };
    let mut differing = Vec::new();
    for path in compose_files(&folder) {
        let Some(first) = loaded(&read(&path)) else {
            continue;
        };
        let text = first.tree.escaped().to_yaml();
        let again = loaded(&text).map(|again| again.tree.to_yaml());
        if again.as_ref() != Some(&first.tree.to_yaml()) {
            differing.push(path);
        }
    }
    assert_eq!(differing, Vec::<PathBuf>::new());
}

#[test]
fn damaged_files_are_answered() {
    let Some(folder) = folder() else { return };
    for path in compose_files(&folder) {
        let text = read(&path);
        let characters: Vec<char> = text.chars().collect();
        // Cut at one of three places, and once more with the line there gone.
        let part = 1 + characters.len() % 3;
        let cut: String = characters[..characters.len() * part / 4].iter().collect();
        errors(&cut, Some("1"));
        let lines: Vec<&str> = text.lines().collect();
        let at = lines.len() * part / 4;
        let kept = lines.iter().enumerate().filter(|(index, _)| *index != at);
        let kept: Vec<&str> = kept.map(|(_, line)| *line).collect();
        errors(&kept.join("\n"), None);
    }
}

fn tree(text: &str) -> Node {
    let file = Arc::new(PathBuf::from("t.yaml"));
    let mut tree = yaml::parse(&file, text).unwrap().documents.remove(0);
    canonical::long_forms(&mut tree, &mut Vec::new());
    tree
}

fn merges(folder: &Path) {
    let triples: Json =
        serde_json::from_str(&read(&folder.join("compose-merge-triples.json"))).unwrap();
    let mut wrong = Vec::new();
    for triple in triples.as_array().unwrap() {
        let text = |key: &str| triple[key].as_str().unwrap();
        let mut diagnostics = Vec::new();
        let mut merged = merge::merge(
            tree(text("base")),
            tree(text("override")),
            &mut TreePath::root(),
            &mut diagnostics,
        );
        merge::strip_tags(&mut merged);
        unique::enforce(&mut merged);
        let want = tree(text("want"));
        if merged != want || !diagnostics.is_empty() {
            wrong.push(format!(
                "{}\n{}\nwant\n{}\n{diagnostics:?}",
                text("name"),
                merged.to_yaml(),
                want.to_yaml()
            ));
        }
    }
    let all = triples.as_array().unwrap().len();
    println!("{} of {all} merges as wanted", all - wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n---\n"));
}
