//! `build` in full, and `x-cais.image`.

use crate::{one, web};
use std::collections::BTreeMap;

#[test]
fn every_field_of_build_is_typed() {
    let service = one("
services:
  web:
    build:
      context: app
      dockerfile: web.Dockerfile
      target: final
      args: [VERSION=1, TOKEN]
      labels: {team: web}
      cache_from: [app:cache]
      cache_to: ['type=local,dest=cache']
      additional_contexts: {docs: ./docs}
      platforms: [linux/amd64, linux/arm64]
      network: none
      extra_hosts: {db: 10.0.0.2}
      shm_size: 64m
      secrets: [npm, {source: pip, target: pip-token}]
      ssh: [default]
      tags: ['app:1.2']
      no_cache: true
      pull: true
      privileged: true
      entitlements: [network.host]
secrets:
  npm: {environment: NPM}
  pip: {environment: PIP}
")
    .service();
    let build = service.build.unwrap();
    assert_eq!(build.context, "app");
    assert_eq!(build.dockerfile.as_deref(), Some("web.Dockerfile"));
    assert_eq!(build.target.as_deref(), Some("final"));
    let args = [("VERSION", Some("1")), ("TOKEN", None)];
    let args = args.map(|(name, value)| (name.to_owned(), value.map(str::to_owned)));
    assert_eq!(build.args, BTreeMap::from(args));
    assert_eq!(build.labels["team"], "web");
    assert_eq!(build.cache_from, ["app:cache"]);
    assert_eq!(build.cache_to, ["type=local,dest=cache"]);
    assert!(build.additional_contexts["docs"].ends_with("docs"));
    assert_eq!(build.platforms, ["linux/amd64", "linux/arm64"]);
    assert_eq!(build.network.as_deref(), Some("none"));
    assert_eq!(build.extra_hosts, ["db=10.0.0.2"]);
    assert_eq!(build.shm_size, Some(64 << 20));
    let ids =
        |secret: &cais_model::stack::FileMount| format!("{}={}", secret.target, secret.source);
    let ids: Vec<String> = build.secrets.iter().map(ids).collect();
    assert_eq!(ids, ["npm=npm", "pip-token=pip"]);
    assert_eq!(build.ssh, BTreeMap::from([("default".to_owned(), None)]));
    assert_eq!(build.tags, ["app:1.2"]);
    assert!(build.no_cache && build.pull);
    assert_eq!(build.entitlements, ["network.host", "security.insecure"]);
}

#[test]
fn an_inline_dockerfile_is_kept_as_it_is() {
    let build = web("build: {dockerfile_inline: \"FROM scratch\\nCOPY a /a\\n\"}")
        .service()
        .build
        .unwrap();
    assert_eq!(
        build.dockerfile_inline.as_deref(),
        Some("FROM scratch\nCOPY a /a\n")
    );
}

#[test]
fn an_artifact_is_something_to_run() {
    let loaded = one("services: {web: {x-cais: {image: {artifact: web}}}}\n").load();
    assert!(loaded.stack.services["web"].image.is_none());
}

#[test]
fn an_artifact_names_its_file_and_maybe_its_command() {
    let artifact = web("x-cais: {image: {artifact: target/web, build: make web}}")
        .service()
        .artifact
        .unwrap();
    assert_eq!(artifact.path, "target/web");
    assert_eq!(artifact.build.as_deref(), Some("make web"));
    assert_eq!(
        web("x-cais: {image: {build: make}}").errors(),
        [
            "1:44: error: `image` needs an `artifact` (name the program's file: `image: {artifact: target/release/clock}`)"
        ]
    );
    assert_eq!(
        web("x-cais: {image: {artefact: a, artifact: b}}").errors(),
        ["1:45: error: unknown key `artefact` in image (did you mean `artifact`?)"]
    );
}
