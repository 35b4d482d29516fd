//! The loader as its callers use it: files in, stack or diagnostics out.

use cais_model::{LoadOptions, Loaded, Source, SourceError, load};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

#[derive(Default)]
struct Memory {
    files: BTreeMap<PathBuf, String>,
    variables: BTreeMap<String, String>,
}

impl Memory {
    fn file(mut self, path: &str, text: &str) -> Self {
        self.files.insert(PathBuf::from(path), text.to_owned());
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    fn load(&self) -> Result<Loaded, Vec<String>> {
        let options = LoadOptions {
            files: vec![PathBuf::from("compose.yaml")],
            project_directory: PathBuf::from("/project"),
            ..LoadOptions::default()
        };
        load(self, &options)
            .map_err(|failed| failed.diagnostics.iter().map(ToString::to_string).collect())
    }
}

impl Source for Memory {
    fn read(&self, path: &Path) -> Result<String, SourceError> {
        self.files.get(path).cloned().ok_or(SourceError::NotFound)
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }
}

fn one(text: &str) -> Memory {
    Memory::default().file("compose.yaml", text)
}

#[test]
fn a_file_becomes_a_stack() {
    let loaded = one("name: shop
services:
  web:
    image: nginx:${TAG:-1}
    command: serve --on 'a b'
    environment: [A=1, 'SECRET=${TOKEN}', HOME]
    ports: ['8080:80', '127.0.0.2:53:53/udp']
    depends_on: [db]
    deploy: {replicas: 2, update_config: {order: start-first, monitor: 5s}}
    x-cais:
      route: {path: /shop/}
      health: {path: /healthz, interval: 2s}
      rollout: {minimum_healthy: 50%, maximum: 150%, breaker: {count: 4}}
  db:
    image: postgres
x-cais: {listen: '127.0.0.1:9000'}
")
    .variable("TOKEN", "hunter2")
    .variable("HOME", "/root")
    .load()
    .unwrap();
    let web = &loaded.stack.services["web"];
    assert_eq!(loaded.stack.name.as_str(), "shop");
    assert_eq!(loaded.stack.listen.port(), 9000);
    assert_eq!(
        web.command.as_deref(),
        Some(&["serve", "--on", "a b"].map(String::from)[..])
    );
    assert_eq!(web.environment["SECRET"], "hunter2");
    assert_eq!(web.environment["HOME"], "/root");
    assert_eq!(web.replicas, 2);
    assert_eq!(web.ports[0].published, Some(8080));
    assert!(!web.ports[0].host_is_explicit && web.ports[0].host.is_loopback());
    assert!(web.ports[1].host_is_explicit);
    assert_eq!(
        web.route.as_ref().map(|route| route.path.as_str()),
        Some("/shop")
    );
    assert!(web.definition.contains("${TOKEN}") && !web.definition.contains("hunter2"));
    assert_eq!(
        web.used_variables
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>(),
        ["HOME", "TAG", "TOKEN"]
    );
    assert_eq!(loaded.variables["TOKEN"].as_deref(), Some("hunter2"));
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let diagnostics = one("services:
  web:
    imgae: nginx
    ports: [web]
    deploy: {replicas: many}
    x-cais: {rout: {path: /}}
    stop_grace_period: soon
")
    .load()
    .unwrap_err();
    assert_eq!(
        diagnostics,
        [
            "compose.yaml:3:5: error: unknown key `imgae` in services.web (did you mean `image`?)",
            "compose.yaml:4:13: error: services.web.ports[0]: `web` is not a port: write a number from 1 to 65535, or a range like `8000-8010`",
            "compose.yaml:5:24: error: services.web.deploy.replicas: `many` is not a whole number",
            "compose.yaml:6:14: error: unknown key `rout` in x-cais (did you mean `route`?)",
            "compose.yaml:7:24: error: `soon` is not a duration: write it like `1m30s`, `10s` or `500ms`",
        ]
    );
}
