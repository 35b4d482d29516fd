//! `cais check`, `cais ci`: exit codes, forms of output, other people's tools, and what a pipeline is made of.

use crate::support::{Stack, skip};
use std::process::Command;

const FAULTY: &str = "services:
  web:
    image: web:latest
    environment:
      - DB_PASSWORD=hunter2
";

const SOUND: &str = "services:
  web:
    image: web:1.4
";

#[test]
fn a_finding_ends_the_check_with_7_and_no_secret_is_shown() {
    let stack = Stack::new(FAULTY);
    for form in ["text", "json", "sarif", "github"] {
        let ran = stack
            .cais(&format!("check --no-tools --output {form}"))
            .ended_with(7);
        assert!(!format!("{ran:?}").contains("hunter2"), "{form}: {ran:?}");
        for rule in ["CAIS102", "CAIS401"] {
            assert!(ran.stdout.contains(rule), "{form}: {}", ran.stdout);
        }
    }
    let ran = stack.cais("check --no-tools").ended_with(7);
    assert!(
        ran.stdout.contains("--> compose.yaml:3:12"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("DB_PASSWORD=***"), "{}", ran.stdout);
}

#[test]
fn the_severity_that_fails_is_the_callers_choice() {
    let stack = Stack::new(FAULTY);
    stack.cais("check --no-tools --fail-on error").ok();
    stack.cais("check --no-tools --fail-on never").ok();
    stack.compose(SOUND);
    stack.cais("check --no-tools --fail-on note").ok();
}

#[test]
fn the_same_file_is_judged_harder_for_production() {
    let stack = Stack::new(SOUND);
    stack.write(
        "compose.production.yaml",
        "services: { web: { environment: { NODE_ENV: development } } }\n",
    );
    let found = stack
        .cais("-E production check --no-tools --json")
        .ended_with(7)
        .json();
    let rules: Vec<&str> = found["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["rule"].as_str().unwrap())
        .collect();
    assert!(
        rules.contains(&"CAIS506") && rules.contains(&"CAIS103"),
        "{rules:?}"
    );
    assert_eq!(found["version"], 1);
}

/// A tool as a stub, so that the way there and back is known without it.
#[test]
fn an_installed_tool_is_asked_and_a_missing_one_is_named() {
    let stack = Stack::new("services: { web: { build: ., user: \"65532\" } }\n");
    stack.write("Dockerfile", "FROM scratch\n");
    let bin = stack.machine.root().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let hadolint = bin.join("hadolint");
    std::fs::write(
        &hadolint,
        "#!/bin/sh\necho '[{\"file\":\"Dockerfile\",\"line\":1,\"column\":1,\"level\":\"error\",\"code\":\"DL9999\",\"message\":\"no.\"}]'\n",
    )
    .unwrap();
    let made = Command::new("chmod")
        .arg("+x")
        .arg(&hadolint)
        .status()
        .unwrap();
    assert!(made.success());
    stack
        .machine
        .set("PATH", &format!("{}:/usr/bin:/bin", bin.display()));
    let ran = stack.cais("check").ended_with(7);
    assert!(ran.stdout.contains("hadolint/DL9999"), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("gitleaks is not installed"),
        "{}",
        ran.stdout
    );
    stack
        .cais("check --fail-on never --require-tools")
        .ended_with(7);
}

#[test]
fn workflows_are_written_kept_and_found_stale() {
    let stack = Stack::new(SOUND);
    let digest = "0123456789abcdef".repeat(4);
    stack.cais("ci init").ended_with(2);
    stack.write("compose.production.yaml", "services: {}\n");
    stack.cais("ci init").ended_with(2);
    stack.cais("ci init --check").ended_with(2);
    // Where images go is the file's to say, for all environments alike.
    let init = format!("ci init --registry ghcr --cais https://example.com/cais#sha256={digest}");
    let ran = stack.cais(&init).ended_with(2);
    assert!(
        ran.stderr.contains("ghcr.io/OWNER/{service}"),
        "{}",
        ran.stderr
    );
    let elsewhere = "services: {}\nx-cais: {aws: {registry: {repository: 'ghcr.io/acme/{service}', credentials: pull}}}\n";
    stack.write("compose.production.yaml", elsewhere);
    stack.cais(&init).ok();
    stack.cais("ci init --check").ok();
    let ran = stack.cais("ci init --check --registry ecr").ended_with(2);
    assert!(
        ran.stderr.contains("go to ghcr, and not to ecr"),
        "{}",
        ran.stderr
    );
    stack.write("compose.staging.yaml", "services: {}\n");
    let ran = stack.cais("ci init --check").ended_with(2);
    assert!(
        ran.stderr.contains("go to different registries"),
        "{}",
        ran.stderr
    );
    stack.write("compose.staging.yaml", elsewhere);
    stack.cais("ci init --check").ended_with(6);
    stack.cais("ci init").ok();
    stack.cais("ci init --check").ok();
    stack.write(".github/workflows/deploy.yml", "name: mine\n");
    let ran = stack
        .cais(&format!(
            "ci init --cais https://example.com/cais#sha256={digest}"
        ))
        .ended_with(1);
    assert!(
        ran.stderr.contains("was not written by cais"),
        "{}",
        ran.stderr
    );
}

/// Makes the stack's folder a repository of Git's; false where there is no Git.
fn is_repository(stack: &Stack) -> bool {
    let done = Command::new("git")
        .args(["init", "--quiet"])
        .arg(stack.folder())
        .output();
    done.is_ok_and(|done| done.status.success())
}

#[test]
fn what_passed_is_not_run_again_until_a_file_changes() {
    let stack = Stack::new(
        "services: { web: { image: \"web:1.4\", x-cais: { process: { build: echo built >>build.log, command: sleep 60 } } } }\n",
    );
    if !is_repository(&stack) {
        return skip(
            "what_passed_is_not_run_again_until_a_file_changes",
            "git is not installed",
        );
    }
    stack.write(".gitignore", "build.log\n");
    stack.machine.set("PATH", "/usr/bin:/bin");
    let verdict = || {
        let ran = stack.cais("ci run --from build --json").ok().json();
        ran[0]["verdict"].as_str().unwrap().to_owned()
    };
    assert_eq!([verdict(), verdict()], ["passed", "cached"]);
    stack.write("main.c", "int main;\n");
    assert_eq!(verdict(), "passed");
    let built = std::fs::read_to_string(stack.folder().join("build.log")).unwrap();
    assert_eq!(built, "built\nbuilt\n");
}

/// Two services that have a linter and a test each: a change of one runs its own again and no other's.
#[test]
fn a_change_of_one_service_runs_its_steps_alone() {
    let stack = Stack::new(
        "services:
  web: { build: ./web, x-cais: { ci: { lint: 'echo web lint >>ran.log', test: 'echo web test >>ran.log' } } }
  api: { build: ./api, x-cais: { ci: { lint: 'echo api lint >>ran.log', test: 'echo api test >>ran.log' } } }
",
    );
    for service in ["web", "api"] {
        std::fs::create_dir(stack.folder().join(service)).unwrap();
        stack.write(
            &format!("{service}/Dockerfile"),
            "FROM scratch\nCOPY main.c /\n",
        );
        stack.write(&format!("{service}/main.c"), "int main;\n");
    }
    stack.write(".gitignore", "ran.log\n");
    if !is_repository(&stack) {
        return skip(
            "a_change_of_one_service_runs_its_steps_alone",
            "git is not installed",
        );
    }
    // Nothing is built: no engine answers there, and that is where the run ends.
    stack.machine.set("PATH", "/usr/bin:/bin");
    stack
        .machine
        .set("DOCKER_HOST", "unix:///nowhere/docker.sock");
    let run = || {
        let _ = std::fs::remove_file(stack.folder().join("ran.log"));
        let rows = stack.cais("ci run --json").ended_with(7).json();
        let before = rows
            .as_array()
            .unwrap()
            .iter()
            .filter(|row| row["verdict"] == "cached")
            .count();
        let ran = std::fs::read_to_string(stack.folder().join("ran.log")).unwrap_or_default();
        (ran, before)
    };
    let all = "api lint\nweb lint\napi test\nweb test\n";
    assert_eq!(run(), (all.to_owned(), 0));
    assert_eq!(run(), (String::new(), 5));
    stack.write("web/main.c", "int main; // better\n");
    // The check of the whole project is the fifth.
    assert_eq!(run(), ("web lint\nweb test\n".to_owned(), 2));
}
