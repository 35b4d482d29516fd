//! `cais config`: what it prints, what it hides, and that Docker Compose understands files in the same way.

use crate::support::{Stack, golden, skip};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

const RICH: &str = "name: demo
services:
  web:
    image: web:${TAG:-1}
    build: {context: ./sub, args: {API_KEY: abc, X: 1}}
    environment:
      DB_PASSWORD: ${DB_PASSWORD:-hunter2hunter2}
      URL: postgres://u:secret@db/x
      NAMED:
      COST: 5$$
    env_file: web.env
    command: [run, --pw=hunter2hunter2, '${API_TOKEN}']
    volumes: ['./data:/d', 'data:/v', '~/x:/x']
    ports: ['${PORT:-80}:80']
    depends_on: [db]
  db: {image: db, network_mode: host}
  tool: {image: t, profiles: [tools]}
volumes: {data: {}, made: {external: true}}
configs: {main: {file: ./main.conf}}
";

fn rich() -> Stack {
    let stack = Stack::new(RICH);
    stack.write(
        "web.env",
        "FROM_FILE=yes\nNAMED=file\nFILE_TOKEN=tok-tok-tok\n",
    );
    stack.machine.set("API_TOKEN", "t0k");
    stack
}

#[test]
fn the_file_is_printed_resolved_with_its_secrets_masked() {
    let stack = rich();
    for (name, words) in [
        ("resolved", "config"),
        ("as-written", "config --no-interpolate web"),
        (
            "sparing",
            "config --no-path-resolution --no-env-resolution --no-normalize db",
        ),
        ("variables", "config --variables"),
    ] {
        golden::check(&format!("config/{name}"), &stack, &stack.cais(words).ok());
    }
    let clear = stack.cais("config --show-secrets --json").ok().json();
    let web = &clear["services"]["web"];
    assert_eq!(web["environment"]["DB_PASSWORD"], "hunter2hunter2");
    assert_eq!(web["command"][2], "t0k");
    for words in ["config", "config --json", "config --environment", "plan"] {
        let ran = stack.cais(words);
        for secret in ["hunter2", "t0k", "secret@", "tok-tok"] {
            let all = format!("{}{}", ran.stdout, ran.stderr);
            assert!(!all.contains(secret), "`{words}` shows {secret}: {all}");
        }
    }
}

#[test]
fn lists_are_a_name_a_line() {
    let stack = rich();
    for (words, want) in [
        ("--services", "db web"),
        ("--services db", "db"),
        ("--images", "db web:1"),
        ("--volumes", "data made"),
        ("--networks", "default"),
        ("--profiles", "tools"),
        ("--environment", "API_TOKEN=***"),
        ("-q", ""),
    ] {
        let printed = stack.cais(&format!("config {words}")).ok().stdout;
        assert_eq!(
            printed.split_whitespace().collect::<Vec<_>>().join(" "),
            want,
            "{words}"
        );
    }
    let hashes = stack.cais("config --hash *").ok().stdout;
    let one = stack.cais("config --hash web").ok().stdout;
    assert_eq!(hashes.lines().count(), 2);
    assert!(
        hashes.contains(one.trim()) && one.starts_with("web "),
        "{one}"
    );
    stack.cais("config --hash nope").ended_with(2);
    stack.cais("config --services --images").ended_with(2);
    stack.cais("config nope").ended_with(2);
    stack.cais("ps --format yaml").ended_with(2);
    stack.cais("ps --environment").ended_with(2);
}

#[test]
fn what_is_written_to_a_file_is_the_same_project() {
    let stack = rich();
    stack.cais("config --show-secrets -o whole.yaml").ok();
    let own = stack.cais("config --json --show-secrets").ok().json();
    let again = stack
        .cais("-f whole.yaml config --json --show-secrets")
        .ok()
        .json();
    assert_eq!(own, again);
    stack.cais("config -o no/such/folder/x.yaml").ended_with(1);
}

/// Files of the corpus that Debian's Docker Compose (1.29) reads as well, with what they are about.
const BOTH_READ: &[&str] = &[
    "awesome__elasticsearch-logstash-kibana__compose.yaml",
    "awesome__fastapi__compose.yaml",
    "awesome__flask-redis__compose.yaml",
    "awesome__gitea-postgres__compose.yaml",
    "awesome__nextcloud-postgres__compose.yaml",
    "awesome__nextcloud-redis-mariadb__compose.yaml",
    "awesome__pihole-cloudflared-DoH__compose.yaml",
    "awesome__portainer__compose.yaml",
    "awesome__postgresql-pgadmin__compose.yaml",
    "awesome__prometheus-grafana__compose.yaml",
    "awesome__react-nginx__compose.yaml",
    "awesome__wireguard__compose.yaml",
    "awesome__wordpress-mysql__compose.yaml",
    "composego__loader__testdata__extends__ports.yaml",
    "conformance__tests__different_networks__compose.yaml",
    "conformance__tests__scaling__compose.yaml",
    "conformance__tests__simple_configfile__compose.yaml",
    "conformance__tests__simple_network__compose.yaml",
    "conformance__tests__simple_secretfile__compose.yaml",
    "conformance__tests__simple_volume__compose.yaml",
    "conformance__tests__udp_port__compose.yaml",
    "coolify__templates__compose__browserless.yaml",
    "coolify__templates__compose__glances.yaml",
    "coolify__templates__compose__lobe-chat.yaml",
    "coolify__templates__compose__unstructured.yaml",
];

/// Docker Compose's own resolved text, read by cais, has to be what cais makes of the file itself. Nothing is left out of
/// the comparison but what the list of differences names.
#[test]
fn docker_compose_resolves_files_to_the_same_project() {
    let test = "docker_compose_resolves_files_to_the_same_project";
    let Some(corpus) = std::env::var_os("CAIS_CORPUS").map(PathBuf::from) else {
        return skip(test, "set CAIS_CORPUS");
    };
    if Command::new("docker-compose")
        .arg("version")
        .output()
        .is_err()
    {
        return skip(test, "docker-compose is not installed");
    }
    let mut differing = Vec::new();
    for name in BOTH_READ {
        let text = std::fs::read_to_string(corpus.join("compose").join(name)).unwrap();
        let stack = Stack::new(&text);
        stack.write("theirs.yaml", &docker_compose(stack.folder()));
        let json = |file: &str| {
            let words = format!("-p demo -f {file} config --json --show-secrets");
            let mut json = stack.cais(&words).ok().json();
            known_differences(&mut json);
            json
        };
        let (ours, theirs) = (json("compose.yaml"), json("theirs.yaml"));
        if ours != theirs {
            differing.push(format!("{name}\nours {ours:#}\ntheirs {theirs:#}"));
        }
    }
    eprintln!(
        "{} of {} files agree",
        BOTH_READ.len() - differing.len(),
        BOTH_READ.len()
    );
    assert!(differing.is_empty(), "{}", differing.join("\n---\n"));
}

fn docker_compose(folder: &Path) -> String {
    let ran = Command::new("docker-compose")
        .args(["-p", "demo", "config"])
        .current_dir(folder)
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{error}");
    String::from_utf8(ran.stdout).unwrap()
}

/// What Docker Compose 1.29 prints otherwise and means the same: it takes the slash off the end of a folder that is
/// mounted. Its other habits (absolute paths, `version`, short volumes, durations in seconds) are gone once its text is read.
fn known_differences(project: &mut Value) {
    let services = project["services"].as_object_mut().into_iter().flatten();
    for (_, service) in services {
        for mount in service["volumes"].as_array_mut().into_iter().flatten() {
            if let Some(source) = mount["source"].as_str().filter(|source| source.len() > 1) {
                mount["source"] = source.trim_end_matches('/').into();
            }
        }
    }
}
