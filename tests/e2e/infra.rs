//! `cais infra`: what is written and left alone, what a difference is, other people's checkers, and the picture.

use crate::support::Stack;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

const SHOP: &str = "name: shop
services:
  web: { build: ., x-cais: { route: { path: / } } }
  worker: { build: ., command: work, depends_on: [web] }
";

const STAGING: &str = "x-cais: { aws: { region: eu-west-1, nat: single } }\n";

fn shop() -> Stack {
    let stack = Stack::new(SHOP);
    stack.write("compose.staging.yaml", STAGING);
    // None of the machine's own tools.
    let bin = stack.machine.root().join("bin");
    std::fs::create_dir(&bin).unwrap();
    stack.machine.set("PATH", &bin.display().to_string());
    stack
}

/// A program that notes how it was called.
fn stub(stack: &Stack, name: &str, body: &str) -> PathBuf {
    let calls = stack.machine.root().join(format!("{name}.calls"));
    let path = stack.machine.root().join("bin").join(name);
    let text = format!("#!/bin/sh\necho \"$*\" >>'{}'\n{body}\n", calls.display());
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    calls
}

fn read(path: PathBuf) -> String {
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn rendering_again_changes_nothing_and_what_cais_did_not_write_stays() {
    let stack = shop();
    let first = stack.cais("infra terraform").ok();
    assert!(first.stderr.contains("0 removed"), "{}", first.stderr);
    assert_eq!(first.stdout, "");
    let again = stack.cais("infra terraform").ok();
    assert!(
        again.stderr.contains("0 changed, 0 removed"),
        "{}",
        again.stderr
    );

    let folder = stack.folder().join("infra/terraform");
    stack.write("infra/terraform/staging/services/own.tf", "# mine\n");
    stack.compose(&SHOP.replace("  worker", "  w0rker"));
    let renamed = stack.cais("infra terraform").ok();
    assert!(renamed.stderr.contains("2 removed"), "{}", renamed.stderr);
    assert!(!folder.join("staging/services/worker.tf").exists());
    assert_eq!(read(folder.join("staging/services/own.tf")), "# mine\n");

    stack.write("infra/terraform/staging/services/main.tf", "# mine too\n");
    let refused = stack.cais("infra terraform").ended_with(1);
    assert!(
        refused.stderr.contains("was not rendered by cais"),
        "{}",
        refused.stderr
    );
    let kept = read(folder.join("staging/services/main.tf"));
    assert_eq!(kept, "# mine too\n");
}

#[test]
fn a_warning_is_said_once_for_all_environments() {
    let stack = shop();
    stack.write("compose.production.yaml", STAGING);
    let ran = stack.cais("infra terraform").ok();
    let said = ran.stderr.matches("`depends_on` of service `worker`");
    assert_eq!(said.count(), 1, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("for production and staging"),
        "{}",
        ran.stderr
    );
}

#[test]
fn checkers_that_are_missing_are_named_with_how_to_get_them() {
    let stack = shop();
    let ran = stack.cais("infra terraform --check").ok();
    for line in [
        "  - terraform fmt: skipped: terraform is not installed; https://developer.hashicorp.com/terraform/install\n",
        "  - checkov: skipped: checkov is not installed; pip install checkov\n",
    ] {
        assert!(ran.stderr.contains(line), "{}", ran.stderr);
    }
    let ran = stack.cais("infra pulumi --check").ok();
    let line = "  - tsc: skipped: its packages are not installed; npm install in infra/pulumi\n";
    assert!(ran.stderr.contains(line), "{}", ran.stderr);
}

#[test]
fn each_root_is_validated_and_a_checker_that_finds_something_ends_it_with_7() {
    let stack = shop();
    let terraform = stub(&stack, "terraform", "exit 0");
    let checkov = stub(&stack, "checkov", "exit 0");
    let ran = stack.cais("infra terraform --check").ok();
    for line in [
        "  ✔ terraform fmt\n",
        "  ✔ terraform validate staging/foundation\n",
        "  ✔ terraform validate staging/services\n",
        "  ✔ checkov\n",
    ] {
        assert!(ran.stderr.contains(line), "{}", ran.stderr);
    }
    let calls = read(terraform);
    assert_eq!(calls.matches("validate -no-color").count(), 2, "{calls}");
    assert!(read(checkov).contains("--framework terraform"));

    stub(&stack, "checkov", "echo 'Check: CKV_AWS_1: FAILED'; exit 1");
    let ran = stack.cais("infra terraform --check").ended_with(7);
    assert!(
        ran.stderr.contains("  ✘ checkov\nCheck: CKV_AWS_1: FAILED"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("1 check failed"), "{}", ran.stderr);
}

#[test]
fn a_provider_that_cannot_be_had_is_no_fault_of_the_files() {
    let stack = shop();
    let body = "[ \"$1\" = init ] || exit 0\necho '│ Error: Failed to query available provider packages' >&2\nexit 1";
    let calls = stub(&stack, "terraform", body);
    let ran = stack.cais("infra terraform --check").ok();
    let line = "  - terraform validate: skipped: terraform init failed: Error: Failed to query available provider packages\n";
    assert!(ran.stderr.contains(line), "{}", ran.stderr);
    assert_eq!(read(calls).matches("init ").count(), 1);
}

#[test]
fn a_difference_is_told_by_resource_and_ends_with_6_where_that_is_asked() {
    let stack = shop();
    let nothing_yet = stack.cais("infra diff").ok();
    assert!(
        nothing_yet
            .stdout
            .contains("+ staging/services module.web_service\n"),
        "{}",
        nothing_yet.stdout
    );
    stack.cais("infra terraform").ok();
    stack.cais("infra pulumi").ok();
    stack.cais("infra diff --exit-code").ok();
    stack.cais("infra diff --pulumi --exit-code").ok();

    stack.compose(&SHOP.replace("path: /", "path: /shop"));
    let ran = stack.cais("infra diff --exit-code").ended_with(6);
    let heading = "~ staging/services module.web_route\n0 to add, 1 to change, 0 to remove\n\n--- a/staging/services/web.tf\n";
    assert!(ran.stdout.starts_with(heading), "{}", ran.stdout);
    assert!(ran.stdout.ends_with('\n'), "{}", ran.stdout);
    assert!(ran.stderr.contains("1 file differs"), "{}", ran.stderr);
    let json = stack.cais("infra diff --json").ok().json();
    assert_eq!(json["changed"][0], "staging/services module.web_route");
    let ran = stack.cais("infra diff --pulumi").ok();
    assert!(
        ran.stdout.starts_with("~ services/staging.ts\n"),
        "{}",
        ran.stdout
    );
}

#[test]
fn the_picture_is_drawn_of_one_environment() {
    let stack = shop();
    let svg = stack.cais("infra diagram").ok().stdout;
    assert!(
        svg.starts_with("<svg ") && svg.ends_with("</svg>\n"),
        "{svg}"
    );
    assert!(svg.contains("web") && svg.contains("worker"), "{svg}");
    let mermaid = stack.cais("infra diagram --as mermaid").ok().stdout;
    assert!(mermaid.contains("\nflowchart "), "{mermaid}");
    stack.cais("infra diagram -o aws.svg").ok();
    assert_eq!(read(stack.folder().join("aws.svg")), svg);

    stack.write("compose.production.yaml", STAGING);
    let ran = stack.cais("infra diagram").ended_with(2);
    assert!(ran.stderr.contains("production, staging"), "{}", ran.stderr);
    stack.cais("-E production infra diagram").ok();
}

#[test]
fn nothing_is_written_of_a_file_that_aws_does_not_take() {
    let stack = shop();
    stack.write(
        "compose.production.yaml",
        &STAGING.replace("eu-west-1", "eu-wst-1"),
    );
    let ran = stack.cais("infra terraform").ended_with(2);
    assert!(
        ran.stderr.contains("AWS has no region `eu-wst-1`"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.contains("--> compose.production.yaml:1:26"),
        "{}",
        ran.stderr
    );
    assert!(!stack.folder().join("infra").exists());

    let alone = Stack::new(SHOP);
    let ran = alone.cais("infra terraform").ended_with(2);
    assert!(
        ran.stderr.contains("there is no environment to render"),
        "{}",
        ran.stderr
    );
}
