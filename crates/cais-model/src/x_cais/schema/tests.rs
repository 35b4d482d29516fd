//! The loader and a validator of JSON schemas, on the same files.

use super::super::words::{self, Block, Form};
use super::schema;
use crate::{LoadOptions, Source, SourceError, yaml};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;

struct OneFile<'t>(&'t str);

impl Source for OneFile<'_> {
    fn read(&self, path: &Path) -> Result<String, SourceError> {
        let is_it = path == Path::new("compose.yaml");
        is_it
            .then(|| self.0.to_owned())
            .ok_or(SourceError::NotFound)
    }

    fn variable(&self, _: &str) -> Option<String> {
        None
    }
}

/// What the loader says against a file.
fn refused_by_loader(text: &str) -> Vec<String> {
    let options = LoadOptions {
        files: vec![PathBuf::from("compose.yaml")],
        project_directory: PathBuf::from("/project"),
        ..LoadOptions::default()
    };
    let failed = crate::load(&OneFile(text), &options).err();
    let diagnostics = failed.into_iter().flat_map(|failed| failed.diagnostics);
    let errors = diagnostics.filter(|diagnostic| diagnostic.is_error());
    errors.map(|error| error.to_string()).collect()
}

/// The file as an editor's language server has it: variables not filled in.
fn json_of(text: &str) -> Option<Value> {
    let file = Arc::new(PathBuf::from("compose.yaml"));
    let mut documents = yaml::parse(&file, text).ok()?.documents;
    (!documents.is_empty()).then(|| documents.remove(0).to_json())
}

const NAME: &str = "https://example.com/compose.json";

struct Editor {
    schemas: boon::Schemas,
    index: boon::SchemaIndex,
}

impl Editor {
    fn new() -> Self {
        let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
        compiler.add_resource(NAME, schema()).unwrap();
        let index = compiler.compile(NAME, &mut schemas).unwrap();
        Self { schemas, index }
    }

    fn refuses(&self, file: &Value) -> Option<String> {
        let outcome = self.schemas.validate(file, self.index);
        outcome.err().map(|error| format!("{error:#}"))
    }
}

/// Each form of value once, at the keys of a block.
fn example(block: &Block) -> Value {
    let keys = block.keys.iter();
    Value::Object(
        keys.map(|key| (key.name.to_owned(), value(key.name, &key.form)))
            .collect(),
    )
}

fn value(name: &str, form: &Form) -> Value {
    match form {
        Form::Text => json!(match name {
            "path" | "ready" => "/ready",
            "host" | "domain" => "example.com",
            "listen" => "127.0.0.1:80",
            "email" => "ops@example.com",
            "account" => "012345678901",
            "certificate" | "waf" | "provider" => "arn:aws:x",
            "repository" => "ghcr.io/name",
            "schedule" => "rate(5 minutes)",
            "node_type" => "cache.t4g.micro",
            _ => "x",
        }),
        Form::Word(words) => json!(words.last()),
        Form::Boolean => json!(true),
        Form::Whole => json!(3),
        Form::Duration => json!("1m30s"),
        Form::Amount => match name {
            "requests" => json!("500/s"),
            "memory" => json!("70"),
            "maximum" => json!("200%"),
            "log_retention" => json!("30d"),
            "datapoints" => json!("3 of 5"),
            _ => json!(50),
        },
        Form::Command => json!(["a", 1]),
        Form::Texts => json!(["a", "b"]),
        Form::Ports => json!([443, "80"]),
        Form::Block(block) => example(block),
        Form::Blocks(block) | Form::List(block) => json!([example(block)]),
        Form::Named(block) => json!({"mine": example(block)}),
        Form::Foreign => json!({"aws_vpc.main": {"tags": {"a": 1}}}),
    }
}

/// A file with every key there is, but for those that exclude each other.
fn everything() -> Value {
    let mut service = example(&words::SERVICE);
    let breaker = service.pointer_mut("/rollout/breaker").unwrap();
    *breaker = json!({"percent": "50%", "reset_on_healthy": "yes"});
    let alarm = service.pointer_mut("/alarms/mine").unwrap();
    alarm.as_object_mut().unwrap().remove("below");
    let aws = service.get_mut("aws").unwrap();
    aws["memory"] = json!("512m");
    json!({
        "services": {"web": {"image": "web:1", "x-cais": service}},
        "secrets": {"password": {"file": "./password", "x-cais": example(&words::FILE)}},
        "configs": {"settings": {"file": "./settings", "x-cais": example(&words::FILE)}},
        "x-cais": example(&words::TOP),
    })
}

/// Both take it, or both refuse it.
#[track_caller]
fn check(editor: &Editor, file: &Value, is_right: bool) {
    let by_loader = refused_by_loader(&file.to_string());
    assert_eq!(
        by_loader.is_empty(),
        is_right,
        "loader: {by_loader:#?} {file}"
    );
    let by_editor = editor.refuses(file);
    assert_eq!(
        by_editor.is_none(),
        is_right,
        "schema: {by_editor:#?} {file}"
    );
}

#[test]
fn every_key_is_taken_by_the_loader_and_by_the_schema() {
    check(&Editor::new(), &everything(), true);
}

/// The places of all mappings whose keys are known, as JSON pointers.
fn blocks(at: &str, block: &Block, found: &mut Vec<String>) {
    found.push(at.to_owned());
    for key in block.keys {
        let at = format!("{at}/{}", key.name);
        match &key.form {
            Form::Block(block) => blocks(&at, block, found),
            Form::Blocks(block) | Form::List(block) => blocks(&format!("{at}/0"), block, found),
            Form::Named(block) => blocks(&format!("{at}/mine"), block, found),
            _ => {}
        }
    }
}

#[test]
fn an_unknown_key_is_refused_by_both_wherever_it_stands() {
    let (editor, mut places) = (Editor::new(), Vec::new());
    blocks("/services/web/x-cais", &words::SERVICE, &mut places);
    blocks("/secrets/password/x-cais", &words::FILE, &mut places);
    blocks("/configs/settings/x-cais", &words::FILE, &mut places);
    blocks("/x-cais", &words::TOP, &mut places);
    assert!(places.len() > 15, "{places:?}");
    for place in places {
        let mut file = everything();
        let block = file.pointer_mut(&place).unwrap();
        block["surely_unknown"] = json!("x");
        check(&editor, &file, false);
    }
}

#[test]
fn values_of_another_form_are_refused_by_both() {
    let editor = Editor::new();
    for (place, value) in [
        ("/services/web/x-cais", json!([])),
        ("/services/web/x-cais/process", json!("cargo run")),
        ("/services/web/x-cais/process/build", json!(["a"])),
        ("/services/web/x-cais/process/command", json!([])),
        ("/services/web/x-cais/process/command", json!([["a"]])),
        ("/services/web/x-cais/process/optional", json!("perhaps")),
        ("/services/web/x-cais/process/optional", json!([true])),
        ("/services/web/x-cais/route", json!("/clock")),
        ("/services/web/x-cais/health/interval", json!("soon")),
        ("/services/web/x-cais/health/interval", json!(["1s"])),
        ("/services/web/x-cais/health/retries", json!(-1)),
        ("/services/web/x-cais/health/retries", json!({})),
        ("/services/web/x-cais/rollout/strategy", json!("rollling")),
        (
            "/services/web/x-cais/rollout/minimum_healthy",
            json!("half"),
        ),
        ("/services/web/x-cais/rollout/alarms", json!("errors")),
        ("/services/web/x-cais/alarms/mine/metric", json!("error")),
        ("/services/web/x-cais/alarms/mine/missing", json!("no")),
        ("/services/web/x-cais/aws/memory", json!(["512m"])),
        ("/services/web/x-cais/aws/egress", json!(443)),
        ("/services/web/x-cais/aws/permissions", json!({})),
        (
            "/services/web/x-cais/aws/permissions/0/actions",
            json!([["a"]]),
        ),
        ("/services/web/x-cais/aws/architecture", json!("sparc")),
        ("/secrets/password/x-cais/generate", json!("perhaps")),
        ("/x-cais/notify", json!(["ops"])),
        ("/x-cais/aws/nat", json!("two")),
        ("/x-cais/aws/overrides", json!({"aws_vpc.main": "x"})),
    ] {
        let mut file = everything();
        *file.pointer_mut(place).unwrap() = value;
        check(&editor, &file, false);
    }
}

#[test]
fn a_variable_may_stand_for_any_value() {
    let editor = Editor::new();
    for (place, text) in [
        ("/services/web/x-cais/process/optional", "${V:-true}"),
        ("/services/web/x-cais/health/interval", "${V:-1s}"),
        ("/services/web/x-cais/health/retries", "${V:-3}"),
        ("/services/web/x-cais/rollout/strategy", "${V:-rolling}"),
        ("/services/web/x-cais/scale/requests", "${V:-5/s}"),
        ("/x-cais/aws/nat", "${V:-none}"),
    ] {
        let mut file = everything();
        *file.pointer_mut(place).unwrap() = json!(text);
        check(&editor, &file, true);
    }
}

#[expect(clippy::disallowed_methods, reason = "a test is its own caller")]
fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "a test is its own caller")]
fn pages(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn the_example_and_the_guide_hold_by_the_schema() {
    let (editor, root) = (Editor::new(), Path::new(env!("CARGO_MANIFEST_DIR")));
    let root = root.join("../..");
    let mut seen = 0;
    for name in [
        "compose.yaml",
        "compose.staging.yaml",
        "compose.production.yaml",
    ] {
        let file = json_of(&read(&root.join(name))).unwrap();
        assert_eq!(editor.refuses(&file), None, "{name}");
        seen += 1;
    }
    for page in pages(&root.join("docs/guide")) {
        let text = read(&page);
        let fences = text.split("```yaml\n").skip(1);
        for text in fences.filter_map(|fence| fence.split("```").next()) {
            let file = json_of(text).unwrap_or_default();
            if file.get("services").is_none() && file.get("x-cais").is_none() {
                continue;
            }
            assert_eq!(editor.refuses(&file), None, "{}: {text}", page.display());
            seen += 1;
        }
    }
    println!("{seen} files and examples");
    assert!(seen >= 6, "{seen}");
}
