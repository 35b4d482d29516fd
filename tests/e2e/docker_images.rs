//! Images and a Docker engine: built by one from a Dockerfile, run by one, pulled by one.

use crate::images::{SOURCE, only, project};
use crate::support::registry::Registry;
use crate::support::{Machine, Stack, containers, docker, golden, program};
use std::os::unix::fs::PermissionsExt;
use std::rc::Rc;

const DOCKERFILE: &str = "FROM scratch\nCOPY hello /hello\nUSER 65532\nENTRYPOINT [\"/hello\"]\n";

/// A project whose image an engine builds, with the classic builder: what it answers is the same everywhere.
fn by_dockerfile(machine: &Rc<Machine>, registry: &str) -> Stack {
    machine.set("DOCKER_BUILDKIT", "0");
    let stack = machine.stack(
        "app",
        &format!("services:\n  hello:\n    build: .\n    image: {registry}/cais-e2e/hello\n"),
    );
    stack.write("hello.c", SOURCE);
    stack.write("Dockerfile", DOCKERFILE);
    stack.write(".dockerignore", "*\n!hello\n");
    compile(&stack);
    stack
}

/// Makes `hello` of `hello.c`, static.
fn compile(stack: &Stack) {
    let compiled = std::process::Command::new(program("cc"))
        .args(["-static", "-Os", "-o", "hello", "hello.c"])
        .current_dir(stack.folder())
        .status();
    assert!(compiled.unwrap().success());
}

#[test]
fn the_image_runs_read_only_without_rights_and_without_root() {
    let test = "the_image_runs_read_only_without_rights_and_without_root";
    let machine = Machine::new();
    if !docker::is_there(test) {
        return;
    }
    let Some(registry) = Registry::start(&machine, test) else {
        return;
    };
    registry.log_in(&machine);
    let stack = project(&machine, "app", &registry.host);
    let (_, digest) = only(&stack.cais("push --json").ok());
    let image = format!("{}/acme/hello@{digest}", registry.host);
    let _gone = docker::Image(image.clone());
    let words = [
        "run",
        "--rm",
        "--read-only",
        "--cap-drop",
        "ALL",
        "--user",
        "65532",
        "--network",
        "none",
        &image,
    ];
    let said = docker::run(&machine, &words);
    assert_eq!(said, "uid 65532, root read-only");
}

#[test]
fn a_dockerfiles_image_is_pushed_by_the_same_way() {
    let test = "a_dockerfiles_image_is_pushed_by_the_same_way";
    let machine = Machine::new();
    if !docker::is_there(test) {
        return;
    }
    let Some(registry) = Registry::start(&machine, test) else {
        return;
    };
    registry.log_in(&machine);
    let stack = by_dockerfile(&machine, &registry.host);
    let (tag, digest) = only(&stack.cais("push --json").ok());
    let _gone = docker::Image(format!("{}/cais-e2e/hello:{tag}", registry.host));
    let (again, second) = only(&stack.cais("push --json").ok());
    assert_eq!((&again, &second), (&tag, &digest), "nothing changed");
    let pulled = format!("{}/cais-e2e/hello@{digest}", registry.host);
    let _pulled = docker::Image(pulled.clone());
    assert_eq!(
        docker::run(
            &machine,
            &["run", "--rm", "--read-only", "--network", "none", &pulled]
        ),
        "uid 65532, root read-only"
    );
    // What `.dockerignore` leaves out changes nothing.
    stack.write("notes.txt", "left out");
    assert_eq!(only(&stack.cais("build --json").ok()).0, tag);
}

#[test]
fn a_dockerfile_that_fails_is_shown_at_its_line() {
    let test = "a_dockerfile_that_fails_is_shown_at_its_line";
    let machine = Machine::new();
    if !docker::is_there(test) {
        return;
    }
    let stack = by_dockerfile(&machine, "r.example.com");
    stack.compose("services:\n  hello:\n    build: .\n    image: r.example.com/hello:1.0\n");
    stack.write(
        "Dockerfile",
        "# the program\nFROM scratch\nCOPY hello.c /hello\nENTRYPOINT [\"/hello\"]\n",
    );
    let failed = stack.cais("--progress quiet build").ended_with(1);
    golden::check("images/dockerfile-fails", &stack, &failed);
    stack.write("Dockerfile", "FROM scratch\n\nCOPPY hello /hello\n");
    let failed = stack.cais("build").ended_with(1);
    golden::check("images/dockerfile-unknown-instruction", &stack, &failed);
    stack.write(
        "Dockerfile",
        "FROM scratch\nRUN --mount=type=cache,target=/x true\n",
    );
    let failed = stack.cais("build").ended_with(1);
    assert!(
        failed.stderr.contains("install Docker's buildx plugin"),
        "{}",
        failed.stderr
    );
    if let Some(image) = containers::image(test) {
        stack.write(
            "Dockerfile",
            &format!(
                "FROM {image}\nUSER root\nRUN echo made so far; echo out of cheese >&2; exit 3\n"
            ),
        );
        let failed = stack.cais("--progress quiet build").ended_with(1).stderr;
        let (output, failure) = failed.split_once("\nerror: ").expect("an error");
        assert!(output.contains("hello | made so far\n"), "{failed}");
        assert!(output.contains("hello | out of cheese\n"), "{failed}");
        let place =
            "failed at Dockerfile:3: `RUN echo made so far; echo out of cheese >&2; exit 3`";
        assert!(
            failure.contains(place) && failure.contains("code: 3"),
            "{failed}"
        );
        assert!(
            failure.ends_with("its output stands above; no image was made\n"),
            "{failed}"
        );
    }
    stack.remove("Dockerfile");
    golden::check(
        "images/dockerfile-missing",
        &stack,
        &stack.cais("build").ended_with(2),
    );
}

#[test]
fn secrets_reach_buildkit_and_no_argument_list() {
    let test = "secrets_reach_buildkit_and_no_argument_list";
    let machine = Machine::new();
    if !docker::is_there(test) {
        return;
    }
    let Some(folder) = docker::with_buildkit() else {
        return crate::support::skip(test, "no `docker` here has BuildKit");
    };
    let path = std::env::var("PATH").unwrap();
    machine.set("PATH", &format!("{}:{path}", folder.display()));
    machine.set("NPM", "s3cret-marker");
    machine.set("WHO", "argument-marker");
    let stack = machine.stack(
        "app",
        "services:
  hello:
    build:
      context: .
      network: none
      args: [WHO]
      secrets: [npm]
    image: cais-e2e/secrets
secrets:
  npm: {environment: NPM}
",
    );
    // It tells how it was started: whatever is in an argument list, every user of the machine reads.
    stack.write(
        "hello.c",
        "#include <stdio.h>\n#include <stdlib.h>\nint main(void) { char text[64] = \"\"; FILE *file = fopen(\"/run/secrets/npm\", \"r\"); \
         if (file) fgets(text, sizeof text, file); printf(\"secret of %zu, for %s\\n\", __builtin_strlen(text), getenv(\"WHO\")); return file == 0; }\n",
    );
    compile(&stack);
    stack.write(
        "Dockerfile",
        "FROM scratch\nCOPY hello /hello\nARG WHO\nRUN --mount=type=secret,id=npm [\"/hello\"]\n",
    );
    let calls = stack.folder().join("calls");
    let spy = machine.root().join("spy");
    std::fs::create_dir_all(&spy).unwrap();
    let script = format!(
        "#!/bin/sh\nprintf '%s\\n' \"$*\" >>{}\nexec {}/docker \"$@\"\n",
        calls.display(),
        folder.display()
    );
    std::fs::write(spy.join("docker"), script).unwrap();
    std::fs::set_permissions(spy.join("docker"), std::fs::Permissions::from_mode(0o755)).unwrap();
    machine.set("PATH", &format!("{}:{path}", spy.display()));
    let built = stack.cais("build --no-cache").ok();
    assert!(
        built.stderr.contains("secret of 13, for argument-marker"),
        "{}",
        built.stderr
    );
    let calls = std::fs::read_to_string(calls).unwrap();
    assert!(
        calls.contains("--secret id=npm,env=") && !calls.contains("marker"),
        "{calls}"
    );
    let line = built.stdout.split_whitespace().nth(1).unwrap().to_owned();
    let _gone = docker::Image(line);
    stack.write(
        "Dockerfile",
        "FROM scratch\nCOPY hello /hello\n\nRUN [\"/hello\"]\n",
    );
    let failed = stack.cais("build").ended_with(1);
    assert!(
        failed
            .stderr
            .contains("the build of `hello` failed at Dockerfile:4: "),
        "{}",
        failed.stderr
    );
}

#[test]
fn an_assembled_image_runs_in_the_docker_runtime() {
    let test = "an_assembled_image_runs_in_the_docker_runtime";
    let machine = Machine::new();
    if !docker::is_there(test) {
        return;
    }
    let stack = machine.stack(
        "app",
        "name: cais-e2e-assembled
services:
  hello:
    read_only: true
    cap_drop: [ALL]
    restart: 'no'
    x-cais:
      image: { artifact: hello }
",
    );
    stack.write("hello.c", SOURCE);
    compile(&stack);
    stack.cais("up --docker -d").ok();
    stack.logs_have("uid 65532, root read-only");
    stack.cais("down").ok();
    stack.cais("clean -y").ok();
    let left = docker::run(&machine, &["images", "--quiet", "cais-e2e-assembled-hello"]);
    assert_eq!(left, "", "`clean` removes what was assembled");
}

#[test]
fn a_field_that_needs_buildkit_is_refused_by_name() {
    let test = "a_field_that_needs_buildkit_is_refused_by_name";
    let machine = Machine::new();
    if !docker::is_there(test) {
        return;
    }
    let stack = by_dockerfile(&machine, "r.example.com");
    stack.compose("services:\n  hello:\n    build:\n      context: .\n      ssh: [default]\n      cache_to: ['type=local,dest=c']\n");
    golden::check(
        "images/needs-buildkit",
        &stack,
        &stack.cais("build").ended_with(2),
    );
}

#[test]
fn an_engine_that_is_down_says_how_to_start_it() {
    let machine = Machine::new();
    machine.set("DOCKER_HOST", "unix:///nowhere/docker.sock");
    let stack = by_dockerfile(&machine, "r.example.com");
    golden::check(
        "images/engine-down",
        &stack,
        &stack.cais("build").ended_with(1),
    );
}

#[test]
fn an_image_that_does_not_exist_is_told_by_its_name() {
    let test = "an_image_that_does_not_exist_is_told_by_its_name";
    let machine = Machine::new();
    if !docker::is_there(test) {
        return;
    }
    let Some(registry) = Registry::start(&machine, test) else {
        return;
    };
    registry.log_in(&machine);
    let stack = machine.stack(
        "app",
        &format!(
            "services:\n  web:\n    image: {}/acme/nothing:1\n",
            registry.host
        ),
    );
    golden::check(
        "images/pull-nothing",
        &stack,
        &stack.cais("pull").ended_with(1),
    );
}
