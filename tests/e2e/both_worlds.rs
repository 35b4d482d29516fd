//! The repository's own Compose file, unchanged, in containers: by cais and by docker-compose 1.29, images built from the
//! Dockerfiles as they stand; and nothing is left of either. Where no registry is reached, `tests/support/stand-ins` makes
//! the images that the files name, and says what a build on those proves.

use crate::support::http::get;
use crate::support::{Machine, Stack, docker, eventually, has_program, program, skip};
use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

const NAME: &str = "the_example_runs_in_both_worlds_and_leaves_nothing";
/// What compose.yaml says for itself: its ports cannot be asked to be others.
const GATEWAY: u16 = 8080;
const PORTS: std::ops::RangeInclusive<u16> = GATEWAY..=8090;

#[test]
fn the_example_runs_in_both_worlds_and_leaves_nothing() {
    if !docker::is_there(NAME) {
        return;
    }
    for (program, package) in [
        ("docker-compose", "docker-compose"),
        ("redis-server", "redis-server"),
        ("busybox", "busybox-static"),
    ] {
        if !has_program(program) {
            return skip(
                NAME,
                &format!("{program} is not installed: apt-get install {package}"),
            );
        }
    }
    let Some(_ports) = ports() else {
        return skip(
            NAME,
            "a port from 8080 to 8090, which compose.yaml names, is taken",
        );
    };
    let machine = Machine::new();
    let stand_ins = StandIns::make();
    let example = Example::new(&machine);

    example.by_cais();
    example.by_docker_compose();
    example.stack.cais("clean -y").ok();
    assert_eq!(example.left(), "", "of {stand_ins:?}");
}

/// The example in a folder of its own, under a project name of its own.
struct Example {
    stack: Stack,
    project: String,
}

impl Example {
    fn new(machine: &Rc<Machine>) -> Self {
        let project = format!("both-worlds-{}", std::process::id());
        // The environment goes before .env, for both.
        machine.set("COMPOSE_PROJECT_NAME", &project);
        machine.set("DOCKER_BUILDKIT", "1");
        prebuilt(machine);
        let stack = machine.stack("example", "");
        let files = Command::new("git")
            .args(["-C", root().to_str().unwrap(), "ls-files", "-z", "--cached"])
            .output()
            .unwrap();
        assert!(files.status.success(), "git lists the repository's files");
        let files = String::from_utf8(files.stdout).unwrap();
        for file in files.split_terminator('\0') {
            let (from, to) = (root().join(file), stack.folder().join(file));
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::copy(from, to).unwrap();
        }
        Self { stack, project }
    }

    fn by_cais(&self) {
        self.stack.cais("--docker up --build -d --wait").ok();
        for service in ["clock", "calendar"] {
            assert_eq!(self.stack.healthy(service).len(), 2);
            let path = format!("/{service}/time");
            let first = get(GATEWAY, &path).unwrap();
            // Whichever task answers: what one stored, the other finds.
            for _ in 0..4 {
                assert_eq!(get(GATEWAY, &path).unwrap().body, first.body);
            }
        }
        self.stack.cais("down").ok();
    }

    fn by_docker_compose(&self) {
        self.docker_compose(&["up", "--build", "--detach"]);
        for service in ["clock", "calendar"] {
            let path = format!("/{service}/time");
            let bodies: Vec<String> = ["1", "2"]
                .iter()
                .map(|index| {
                    let found = self.docker_compose(&["port", "--index", index, service, "8080"]);
                    let (_, port) = found.trim().rsplit_once(':').unwrap();
                    let port = port.parse().unwrap();
                    eventually("it answers", || get(port, &path).is_ok());
                    get(port, &path).unwrap().body
                })
                .collect();
            // Two containers tell the same time: it came from Redis, with the password that both could read.
            assert_eq!(bodies[0], bodies[1]);
        }
        self.docker_compose(&["down", "--rmi", "local", "--volumes"]);
    }

    #[track_caller]
    fn docker_compose(&self, words: &[&str]) -> String {
        let mut command = self
            .stack
            .on_this_machine(Command::new(program("docker-compose")));
        // It calls `docker`, which needs BuildKit in it, as Debian's own has.
        let path = format!("/usr/bin:{}", std::env::var("PATH").unwrap());
        let output = command.env("PATH", path).args(words).output().unwrap();
        assert!(
            output.status.success(),
            "docker-compose {words:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// Everything of the engine's that bears the project's name or was built for it, and every process of the stack's.
    fn left(&self) -> String {
        let mut left = String::new();
        for words in [
            &["ps", "--all", "--format", "container {{.Names}}"][..],
            &["image", "ls", "--format", "image {{.Repository}}:{{.Tag}}"],
            &["volume", "ls", "--format", "volume {{.Name}}"],
            &["network", "ls", "--format", "network {{.Name}}"],
        ] {
            let all = docker::run(&self.stack.machine, words);
            let own = all.lines().filter(|line| line.contains(&self.project));
            left.extend(own.map(|line| format!("{line}\n")));
        }
        left
    }
}

/// The images that were made for this test.
#[derive(Debug)]
struct StandIns(Vec<String>);

impl StandIns {
    fn make() -> Self {
        let made = support("stand-ins", &[]);
        Self(made.lines().map(str::to_owned).collect())
    }
}

/// Runs a script of tests/support with the target folder of this test.
fn support(script: &str, words: &[&str]) -> String {
    let output = Command::new(root().join("tests/support").join(script))
        .args(words)
        .env("CARGO_TARGET_DIR", target())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{script}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Gives the machine a `cargo` that hands out programs which were built before: that they compile, other tests prove.
fn prebuilt(machine: &Rc<Machine>) {
    support("images", &["clock", "calendar"]);
    let host = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let built = target().join(&host).join("debug");
    let folder = machine.root().join("bin");
    std::fs::create_dir(&folder).unwrap();
    let to = format!("\"$CARGO_TARGET_DIR/{host}/release\"");
    // Without what a debugger wants: they are packed, sent and mounted here.
    let strip = |name: &str| format!("strip -o {to}/{name} {}/{name}", built.display());
    for (name, text) in [
        ("rustc", format!("echo {host}")),
        (
            "cargo",
            format!(
                "mkdir -p {to} && {} && {}",
                strip("clock"),
                strip("calendar")
            ),
        ),
    ] {
        let path = folder.join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = std::env::var("PATH").unwrap();
    machine.set("PATH", &format!("{}:{path}", folder.display()));
    let target = machine.root().join("target");
    machine.set("CARGO_TARGET_DIR", target.to_str().unwrap());
}

/// Cargo's folder, from `<target>/<profile>/cais`.
fn target() -> PathBuf {
    let profile = Path::new(env!("CARGO_BIN_EXE_cais")).parent().unwrap();
    profile.parent().unwrap().to_owned()
}

impl Drop for StandIns {
    fn drop(&mut self) {
        for image in &self.0 {
            drop(docker::Image(image.clone()));
        }
    }
}

/// The ports of the example, for this test alone among all that run here.
fn ports() -> Option<File> {
    let lock = File::create(std::env::temp_dir().join("cais-e2e-example")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let mut ports = PORTS;
    ports
        .all(|port| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok())
        .then_some(lock)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
