//! `infra/` in the repository is what the example stack renders to.

use crate::example;
use cais_cloud::files::Files;
use std::path::{Path, PathBuf};

/// What both environments render to, below `infra/`.
fn rendered() -> Files {
    let mut files = Files::new();
    for environment in ["staging", "production"] {
        let loaded = example(environment);
        let infrastructure = cais_cloud::lower(&loaded.stack, environment).unwrap();
        for (folder, printed) in [
            ("terraform", cais_cloud::terraform(&infrastructure)),
            ("pulumi", cais_cloud::pulumi(&infrastructure)),
        ] {
            for (path, text) in printed {
                let path = format!("{folder}/{path}");
                if let Some(other) = files.get(&path) {
                    assert_eq!(other, &text, "{path} differs between environments");
                }
                files.insert(path, text);
            }
        }
    }
    files
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra")
}

fn on_disk(folder: &Path, below: &Path, found: &mut Files) {
    for entry in std::fs::read_dir(folder.join(below)).into_iter().flatten() {
        let entry = entry.unwrap();
        let path = below.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            on_disk(folder, &path, found);
        } else {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            found.insert(path.display().to_string(), text);
        }
    }
}

#[test]
fn the_repository_holds_what_its_stack_renders_to() {
    let want = rendered();
    let folder = folder();
    if std::env::var("CAIS_BLESS").is_ok() {
        for kind in ["terraform", "pulumi"] {
            let _ = std::fs::remove_dir_all(folder.join(kind));
        }
        for (path, text) in &want {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
    }
    let mut found = Files::new();
    for kind in ["terraform", "pulumi"] {
        on_disk(&folder, Path::new(kind), &mut found);
    }
    let stale: Vec<&String> = want
        .keys()
        .chain(found.keys())
        .filter(|path| want.get(*path) != found.get(*path))
        .collect();
    assert!(
        stale.is_empty(),
        "stale: {stale:?}; run this test with CAIS_BLESS=1 to rewrite infra/"
    );
}

#[test]
fn a_stack_renders_to_the_same_bytes_twice() {
    assert_eq!(rendered(), rendered());
}

#[test]
fn the_guides_table_names_what_is_there() {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide/aws.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let report = crate::stacks::scheduled();
    let printed: String = rendered()
        .into_values()
        .chain(report.into_values())
        .collect();
    let mut found = 0;
    for word in guide.split('`').skip(1).step_by(2) {
        let block = match word.split('.').collect::<Vec<_>>().as_slice() {
            ["module", name] => format!("module \"{name}\" {{"),
            [kind, name] if kind.starts_with("aws_") => {
                format!("resource \"{kind}\" \"{name}\" {{")
            }
            _ => continue,
        };
        assert!(printed.contains(&block), "the guide names `{word}`");
        found += 1;
    }
    assert!(found > 50, "{found}");
}

#[test]
fn the_picture_in_the_documents_is_the_example_of_today() {
    let loaded = example("production");
    let infrastructure = cais_cloud::lower(&loaded.stack, "production").unwrap();
    let want = cais_cloud::diagram::svg(&infrastructure);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/images/aws.svg");
    if std::env::var("CAIS_BLESS").is_ok() {
        std::fs::write(&path, &want).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).is_ok_and(|found| found == want),
        "docs/images/aws.svg is stale; run this test with CAIS_BLESS=1 to rewrite it"
    );
}
