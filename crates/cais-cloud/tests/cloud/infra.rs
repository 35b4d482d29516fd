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

/// A row of the guide's table: what, modules, resources, Terraform addresses, Pulumi types, without the quotes.
type Row = [Vec<String>; 5];

fn rows_of_the_guide() -> Vec<Row> {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide/aws.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let (_, table) = guide.split_once("| what | module |").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let cells = |line: &str| {
        let cells = line.trim_matches('|').split('|');
        let words = cells.map(|cell| {
            cell.split(", ")
                .map(|it| it.trim().replace('`', ""))
                .collect()
        });
        words.collect::<Vec<_>>()
    };
    let rows = table.lines().skip(2);
    rows.map(|line| Row::try_from(cells(line)).unwrap_or_else(|_| panic!("{line}")))
        .collect()
}

#[test]
fn each_row_of_the_guides_table_is_what_the_example_renders_to() {
    let mut printed = rendered();
    for (path, text) in crate::stacks::scheduled() {
        printed.entry(format!("terraform/{path}")).or_insert(text);
    }
    let roots: String = printed
        .iter()
        .filter(|(path, _)| !path.contains("/modules/"))
        .map(|(_, text)| text.as_str())
        .collect();
    let rows = rows_of_the_guide();
    assert!(rows.len() > 20, "{}", rows.len());
    for [what, modules, resources, addresses, types] in rows {
        let bodies: String = modules
            .iter()
            .map(
                |module| match printed.get(&format!("terraform/modules/{module}/main.tf")) {
                    Some(text) => text.as_str(),
                    None => panic!("{what:?}: there is no module `{module}`"),
                },
            )
            .collect();
        let mut want: Vec<String> = Vec::new();
        for resource in &resources {
            let (kind, name) = resource.split_once('.').unwrap();
            let block = format!("resource \"{kind}\" \"{name}\" {{");
            assert!(bodies.contains(&block), "{modules:?} has no `{resource}`");
            let kind = pulumi_type(kind);
            if !want.contains(&kind) {
                want.push(kind);
            }
        }
        assert_eq!(types, want, "{what:?}");
        for address in &addresses {
            let name = address.strip_prefix("module.").unwrap();
            let is_there = modules.iter().any(|module| {
                let call = format!("module \"{name}\" {{\n  source = \"../../modules/{module}\"\n");
                roots.contains(&call)
            });
            assert!(is_there, "`{address}` is none of {modules:?}");
        }
    }
}

/// TypeScript wants a constant before its use; Terraform does not care.
#[test]
fn no_module_uses_a_resource_before_it_is_there() {
    let mut printed = rendered();
    printed.extend(crate::stacks::scheduled());
    let modules = printed
        .iter()
        .filter(|(path, _)| path.contains("modules/") && path.ends_with("/main.tf"));
    let mut seen = 0;
    for (path, text) in modules {
        let blocks: Vec<&str> = text.split("\nresource \"").skip(1).collect();
        for (index, block) in blocks.iter().enumerate() {
            for later in &blocks[index + 1..] {
                let mut words = later.split('"');
                let address = format!("{}.{}.", words.next().unwrap(), words.nth(1).unwrap());
                assert!(
                    !block.contains(&address),
                    "{path}: {address} is used before it"
                );
                seen += 1;
            }
        }
    }
    assert!(seen > 50, "{seen}");
}

#[test]
fn the_guides_table_has_all_that_a_deployment_is_made_of() {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide/aws.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let (_, page) = guide.split_once("## What is there").unwrap();
    for word in [
        "VPC",
        "subnets",
        "Route tables",
        "Security groups",
        "Service discovery",
        "Redis with TLS and a password",
        "Fargate",
        "CloudWatch Logs",
        "IAM",
        "ECR",
        "ELB",
        "Metrics",
        "alarms",
        "Notifications",
        "Secrets vault",
        "DNS",
        "TLS",
        "Auto scaling",
        "circuit breaker",
        "Health checks",
        "staging",
    ] {
        assert!(page.contains(word), "{word}");
    }
}

/// `aws_lb_listener` → `aws:lb/listener:Listener`, as states and previews have it.
fn pulumi_type(kind: &str) -> String {
    let token = cais_cloud::pulumi_type(kind);
    let (namespace, class) = token.split_once('.').unwrap();
    let module = class[..1].to_lowercase() + &class[1..];
    format!("aws:{namespace}/{module}:{class}")
}

#[test]
fn nothing_of_the_example_is_refused_on_aws() {
    use cais_model::fields::{Runtime, unsupported};
    for environment in ["staging", "production"] {
        let loaded = example(environment);
        let mut found = unsupported(&loaded, Runtime::Aws);
        found.extend(cais_cloud::check(&loaded));
        let errors: Vec<String> = found
            .iter()
            .filter(|it| it.is_error())
            .map(ToString::to_string)
            .collect();
        assert!(errors.is_empty(), "{errors:?}");
    }
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
