//! Images, as a user makes and moves them: assembled without an engine, built by one, pushed to a real registry.

use crate::support::registry::{PASSWORD, Registry};
use crate::support::small_disk::SmallDisk;
use crate::support::{Machine, Stack, golden};
use std::os::unix::fs::PermissionsExt;
use std::rc::Rc;

/// A program that tells who it is, and whether it can write.
pub(crate) const SOURCE: &str = r#"
#include <stdio.h>
#include <unistd.h>
int main(void) {
    FILE *file = fopen("/file", "w");
    printf("uid %d, root %s\n", getuid(), file ? "writable" : "read-only");
    return 0;
}
"#;

const COMPOSE: &str = "services:
  hello:
    image: <registry>/acme/hello
    x-cais:
      image: { artifact: out/hello, build: mkdir -p out && cc -static -Os -o out/hello hello.c }
";

pub(crate) fn project(machine: &Rc<Machine>, folder: &str, registry: &str) -> Stack {
    let stack = machine.stack(folder, &COMPOSE.replace("<registry>", registry));
    stack.remove("service.py");
    stack.write("hello.c", SOURCE);
    stack
}

/// The same with a tag of the file's own: what golden files show does not depend on the compiler.
fn with_a_tag(registry: &str) -> String {
    COMPOSE.replace(
        "<registry>/acme/hello",
        &format!("{registry}/acme/hello:1.0"),
    )
}

fn git(stack: &Stack, words: &str) -> String {
    let output = std::process::Command::new("git")
        .args(["-c", "user.name=t", "-c", "user.email=t@t"])
        .args(words.split(' '))
        .current_dir(stack.folder())
        .output()
        .unwrap();
    assert!(output.status.success(), "git {words}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The one image of `--json`.
pub(crate) fn only(ran: &crate::support::run::Ran) -> (String, String) {
    let images = ran.json();
    assert_eq!(images.as_array().unwrap().len(), 1, "{images}");
    let text = |name: &str| images[0][name].as_str().unwrap().to_owned();
    (text("tag"), text("digest"))
}

#[test]
fn the_same_source_on_two_paths_is_the_same_image() {
    let machine = Machine::new();
    let one = project(&machine, "one", "r.example.com");
    let two = project(&machine, "two/deeper", "r.example.com");
    let first = only(&one.cais("build --json").ok());
    let second = only(&two.cais("build --json").ok());
    assert_eq!(first, second);
    // Without a repository the tag is what went in.
    assert!(
        first.1.starts_with(&format!("sha256:{}", first.0)),
        "{first:?}"
    );
    two.write("hello.c", &SOURCE.replace("root", "the root"));
    assert_ne!(only(&two.cais("build --json").ok()).1, first.1);
}

#[test]
fn the_tag_is_the_commit_and_says_when_the_tree_is_not_clean() {
    let machine = Machine::new();
    let stack = project(&machine, "app", "r.example.com");
    stack.write(".gitignore", "out\n");
    git(&stack, "init -q");
    git(&stack, "add .");
    git(&stack, "commit -qm one");
    let commit = &git(&stack, "rev-parse HEAD")[..12];
    let (tag, clean) = only(&stack.cais("build --json").ok());
    assert_eq!(tag, commit);
    stack.write("notes.txt", "not committed");
    let (tag, dirty) = only(&stack.cais("build --json").ok());
    assert_eq!(tag, format!("{commit}-dirty-{}", &dirty[7..19]));
    assert_ne!(clean, dirty, "its label says that it is dirty");
}

#[test]
fn a_push_needs_the_login_and_gives_the_digest_of_the_build() {
    let test = "a_push_needs_the_login_and_gives_the_digest_of_the_build";
    let machine = Machine::new();
    let Some(registry) = Registry::start(&machine, test) else {
        return;
    };
    let stack = project(&machine, "app", &registry.host);
    let (tag, built) = only(&stack.cais("build --json").ok());
    stack.compose(&with_a_tag(&registry.host));
    let refused = stack.cais("push").ended_with(1);
    golden::check("images/push-denied", &stack, &refused);
    stack.compose(&COMPOSE.replace("<registry>", &registry.host));

    registry.log_in(&machine);
    let pushed = stack.cais("push").ok();
    assert_eq!(
        pushed.stdout.trim(),
        format!("hello        {}/acme/hello@{built}", registry.host)
    );
    assert!(!format!("{pushed:?}").contains(PASSWORD));
    let manifest = registry.get(&format!("acme/hello/manifests/{tag}"));
    assert_eq!(
        manifest["mediaType"],
        "application/vnd.oci.image.manifest.v1+json"
    );
    // Again: everything is there.
    assert_eq!(
        only(&stack.cais("push --no-build --json").ok()),
        (tag, built)
    );
}

#[test]
fn a_pushed_image_says_what_is_in_it() {
    let test = "a_pushed_image_says_what_is_in_it";
    let machine = Machine::new();
    let Some(registry) = Registry::start(&machine, test) else {
        return;
    };
    registry.log_in(&machine);
    let stack = project(&machine, "app", &registry.host);
    let (_, digest) = only(&stack.cais("push --json").ok());
    stack.cais("push").ok();
    // This registry has no list of referrers: it is under the tag that stands for it, once.
    let list = registry.get(&format!(
        "acme/hello/manifests/{}",
        digest.replace(':', "-")
    ));
    let entries = list["manifests"].as_array().unwrap();
    assert_eq!(entries.len(), 1, "{list}");
    assert_eq!(entries[0]["artifactType"], "application/vnd.cyclonedx+json");
    let manifest = registry.get(&format!(
        "acme/hello/manifests/{}",
        entries[0]["digest"].as_str().unwrap()
    ));
    assert_eq!(manifest["subject"]["digest"], digest.as_str());
    let layer = manifest["layers"][0]["digest"].as_str().unwrap();
    let document = registry.get(&format!("acme/hello/blobs/{layer}"));
    assert_eq!(document["bomFormat"], "CycloneDX");
    assert_eq!(
        document["metadata"]["component"]["version"],
        digest.as_str()
    );
    let names: Vec<_> = document["components"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["hello", "Mozilla root certificates"],
        "no more than is known"
    );
}

#[test]
fn a_helper_gives_the_login_and_its_secret_is_shown_nowhere() {
    let test = "a_helper_gives_the_login_and_its_secret_is_shown_nowhere";
    let machine = Machine::new();
    let Some(registry) = Registry::start(&machine, test) else {
        return;
    };
    let stack = project(&machine, "app", &registry.host);
    let folder = machine.root().join("bin");
    std::fs::create_dir_all(&folder).unwrap();
    let helper = folder.join("docker-credential-stub");
    let script = format!(
        "#!/bin/sh\nread -r server\n[ \"$1 $server\" = 'get {}' ] || exit 1\necho '{{\"Username\":\"me\",\"Secret\":\"{PASSWORD}\"}}'\n",
        registry.host
    );
    std::fs::write(&helper, script).unwrap();
    std::fs::set_permissions(&helper, std::fs::Permissions::from_mode(0o755)).unwrap();
    machine.set(
        "PATH",
        &format!("{}:{}", folder.display(), std::env::var("PATH").unwrap()),
    );
    registry.configure(&machine, r#"{"credsStore": "stub"}"#);
    let pushed = stack.cais("push").ok();
    assert!(!format!("{pushed:?}").contains(PASSWORD));
    registry.configure(&machine, r#"{"credsStore": "gone"}"#);
    stack.compose(&with_a_tag(&registry.host));
    let refused = stack.cais("push").ended_with(1);
    golden::check("images/helper-missing", &stack, &refused);
}

#[test]
fn what_cannot_be_an_image_is_refused_with_what_to_type() {
    let machine = Machine::new();
    let stack = project(&machine, "app", "r.example.com");
    let compose = COMPOSE.replace("<registry>", "r.example.com");
    stack.compose(&compose.replace("-static ", ""));
    golden::check(
        "images/dynamic-program",
        &stack,
        &stack.cais("build").ended_with(1),
    );
    stack.compose(&compose.replace("hello.c", "other.c"));
    stack.write("other.c", "int main(void) { return x; }\n");
    let failed = stack.cais("build").ended_with(1);
    assert!(
        failed.stderr.contains("hello | other.c:1:")
            && failed
                .stderr
                .contains("the build of `hello` failed with exit code 1"),
        "{failed:?}"
    );
    stack.compose(&compose.replace("artifact: out/hello", "artifact: out/helo"));
    golden::check(
        "images/artifact-missing",
        &stack,
        &stack.cais("build").ended_with(1),
    );
    stack.compose(&compose.replace("acme/hello", "acme/hello:latest"));
    golden::check(
        "images/latest-pushed",
        &stack,
        &stack.cais("push").ended_with(2),
    );
    stack.compose(&compose.replace("    image: r.example.com/acme/hello\n", ""));
    golden::check(
        "images/nowhere-to-push",
        &stack,
        &stack.cais("push").ended_with(2),
    );
    stack.compose(&compose.replace("acme/hello", "Acme/hello"));
    golden::check(
        "images/name-in-capitals",
        &stack,
        &stack.cais("build").ended_with(2),
    );
}

#[test]
fn a_registry_that_is_not_there_is_told_at_once() {
    let machine = Machine::new();
    let host = format!("127.0.0.1:{}", machine.port());
    let stack = project(&machine, "app", &host);
    stack.compose(&with_a_tag(&host));
    let refused = stack.cais("push").ended_with(1);
    golden::check("images/registry-down", &stack, &refused);
}

#[test]
fn a_registry_without_room_says_so() {
    let test = "a_registry_without_room_says_so";
    let machine = Machine::new();
    let folder = machine.root().join("registry");
    std::fs::create_dir_all(&folder).unwrap();
    let Some(disk) = SmallDisk::mount(&folder) else {
        return crate::support::skip(test, "only root may mount a small disk");
    };
    let Some(registry) = Registry::start_in(&machine, folder.clone(), test) else {
        return;
    };
    registry.log_in(&machine);
    let stack = project(&machine, "app", &registry.host);
    disk.fill();
    let refused = stack.cais("push").ended_with(1);
    assert!(
        refused.stderr.contains("no space left on its disk"),
        "{}",
        refused.stderr
    );
    assert!(
        refused.stderr.contains("make room on the registry's disk"),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_full_disk_here_is_told_with_its_folder() {
    let test = "a_full_disk_here_is_told_with_its_folder";
    let machine = Machine::new();
    let folder = machine.root().join("state");
    let Some(disk) = SmallDisk::mount(&folder) else {
        return crate::support::skip(test, "only root may mount a small disk");
    };
    let stack = project(&machine, "app", "r.example.com");
    stack.cais("build").ok();
    disk.fill();
    stack.write("hello.c", &SOURCE.replace("root", "other"));
    let refused = stack.cais("build").ended_with(1);
    assert!(
        refused.stderr.contains("No space left on device"),
        "{}",
        refused.stderr
    );
    assert!(
        refused
            .stderr
            .contains("set XDG_STATE_HOME to a folder on another"),
        "{}",
        refused.stderr
    );
}

#[test]
fn an_image_is_pulled_where_there_is_no_engine() {
    let test = "an_image_is_pulled_where_there_is_no_engine";
    let machine = Machine::new();
    let Some(registry) = Registry::start(&machine, test) else {
        return;
    };
    registry.log_in(&machine);
    let stack = project(&machine, "app", &registry.host);
    let (tag, digest) = only(&stack.cais("push --json").ok());
    let reader = machine.stack(
        "reader",
        &format!(
            "services:\n  hello:\n    image: {}/acme/hello:{tag}\n",
            registry.host
        ),
    );
    let pulled = reader.cais("--runtime process pull --json").ok();
    assert_eq!(only(&pulled).1, digest);
    let images = reader.state().join("images");
    let index = std::fs::read_to_string(images.join("index.json")).unwrap();
    assert!(index.contains(&digest) && images.join("blobs/sha256").join(&digest[7..]).is_file());
    // Somebody said that there is an engine.
    machine.set("DOCKER_HOST", "unix:///nowhere/docker.sock");
    reader.cais("pull").ended_with(1);
}
