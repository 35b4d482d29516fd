//! The graph as Terraform: a folder for each module, a folder for each root of each environment. Layout and spelling of HCL
//! are [`hcl`]'s; what there is to print was decided by `lower`.

use crate::files::Files;
use crate::names::Names;
use crate::resource::{
    Data, ForEach, Infrastructure, Input, Instance, Kind, Module, Output, Resource, Root, RootKind,
};
use crate::value::{Value, map};
use hcl::{Block, Document};
use std::collections::BTreeMap;

mod hcl;
mod readme;

/// First line of every file that is rendered, after the comment sign: what bears it may be rewritten.
pub const HEADER: &str =
    "Rendered by `cais infra terraform` from the Compose file; changes belong there.";

/// Terraform that has `use_lockfile` for state in S3.
const TERRAFORM_VERSION: &str = ">= 1.11.0";
/// The provider whose schema the modules are written against.
const PROVIDER_VERSION: &str = "~> 6.25";

/// All files of one environment; paths are relative to the output folder.
pub fn terraform(infrastructure: &Infrastructure) -> Files {
    let mut files = Files::new();
    for module in infrastructure.modules.values() {
        module_files(module, &mut files);
    }
    for root in [&infrastructure.foundation, &infrastructure.services] {
        root_files(infrastructure, root, &mut files);
    }
    let environment = &infrastructure.environment;
    files.insert(
        format!("{environment}/README.md"),
        readme::readme(infrastructure),
    );
    if let Some(script) = readme::cache_token(infrastructure) {
        files.insert(format!("{environment}/set-cache-token.sh"), script);
    }
    files
}

fn module_files(module: &Module, files: &mut Files) {
    let folder = format!("modules/{}", module.name);
    let mut main = Document::new(HEADER);
    main.comment(module.description);
    for data in &module.data {
        main.push(data_block(data));
    }
    for resource in &module.resources {
        main.push(resource_block(resource));
    }
    files.insert(format!("{folder}/main.tf"), main.print());
    let mut variables = Document::new(HEADER);
    for input in &module.inputs {
        variables.push(variable_block(input));
    }
    files.insert(format!("{folder}/variables.tf"), variables.print());
    let mut outputs = Document::new(HEADER);
    for output in &module.outputs {
        outputs.push(output_block(output));
    }
    files.insert(format!("{folder}/outputs.tf"), outputs.print());
    let mut versions = Document::new(HEADER);
    versions.push(Block::new("terraform", &[]).with(|block| {
        block.attribute("required_version", TERRAFORM_VERSION);
        block.nested(required_providers());
    }));
    files.insert(format!("{folder}/versions.tf"), versions.print());
}

fn root_files(infrastructure: &Infrastructure, root: &Root, files: &mut Files) {
    let folder = format!("{}/{}", infrastructure.environment, root.kind.name());
    let names = Names::new(&infrastructure.project, &infrastructure.environment);
    let mut versions = Document::new(HEADER);
    versions.push(terraform_block(infrastructure, root.kind, &names));
    versions.push(provider_block(infrastructure));
    files.insert(format!("{folder}/versions.tf"), versions.print());

    let mut by_file: BTreeMap<&str, Document> = BTreeMap::new();
    if !root.data.is_empty() || reads_foundation(root) {
        let main = by_file
            .entry("main")
            .or_insert_with(|| Document::new(HEADER));
        if reads_foundation(root) {
            main.push(remote_state(infrastructure, &names));
        }
        for data in &root.data {
            main.push(data_block(data));
        }
    }
    for instance in &root.instances {
        let document = by_file
            .entry(instance.file.as_str())
            .or_insert_with(|| Document::new(HEADER));
        document.push(instance_block(instance));
    }
    for (name, document) in by_file {
        files.insert(format!("{folder}/{name}.tf"), document.print());
    }
    let mut variables = root.variables.clone();
    if reads_foundation(root) && infrastructure.account.is_none() {
        variables.insert(0, state_bucket_variable());
    }
    if !variables.is_empty() {
        let mut document = Document::new(HEADER);
        for input in &variables {
            document.push(variable_block(input));
        }
        files.insert(format!("{folder}/variables.tf"), document.print());
    }
    let mut outputs = Document::new(HEADER);
    for output in &root.outputs {
        outputs.push(output_block(output));
    }
    files.insert(format!("{folder}/outputs.tf"), outputs.print());
}

/// Does the root read what the other one tells?
fn reads_foundation(root: &Root) -> bool {
    root.kind == RootKind::Services
}

fn required_providers() -> Block {
    Block::new("required_providers", &[]).with(|block| {
        block.attribute(
            "aws",
            map([
                ("source", "hashicorp/aws".into()),
                ("version", PROVIDER_VERSION.into()),
            ]),
        );
    })
}

fn terraform_block(infrastructure: &Infrastructure, kind: RootKind, names: &Names) -> Block {
    Block::new("terraform", &[]).with(|block| {
        block.attribute("required_version", TERRAFORM_VERSION);
        block.nested(required_providers());
        block.nested(Block::new("backend", &["s3"]).with(|backend| {
            match &infrastructure.account {
                Some(account) => backend.attribute("bucket", names.state_bucket(account)),
                None => backend.comment("The bucket has the account in its name: terraform init -backend-config=bucket=…"),
            }
            backend.attribute("key", names.state_key(kind.name()));
            backend.attribute("region", infrastructure.region.as_str());
            backend.attribute("encrypt", true);
            backend.attribute("use_lockfile", true);
        }));
    })
}

fn provider_block(infrastructure: &Infrastructure) -> Block {
    Block::new("provider", &["aws"]).with(|block| {
        block.attribute("region", infrastructure.region.as_str());
        if let Some(account) = &infrastructure.account {
            block.comment("Refuses to work in another account.");
            block.attribute("allowed_account_ids", vec![account.as_str()]);
        }
        block.nested(Block::new("default_tags", &[]).with(|tags| {
            tags.attribute(
                "tags",
                map([
                    ("Project", infrastructure.project.as_str().into()),
                    ("Environment", infrastructure.environment.as_str().into()),
                    ("ManagedBy", "terraform".into()),
                ]),
            );
        }));
    })
}

fn remote_state(infrastructure: &Infrastructure, names: &Names) -> Block {
    let bucket = match &infrastructure.account {
        Some(account) => Value::from(names.state_bucket(account)),
        None => crate::value::input("state_bucket"),
    };
    let config = map([
        ("bucket", bucket),
        ("key", names.state_key(RootKind::Foundation.name()).into()),
        ("region", infrastructure.region.as_str().into()),
    ]);
    Block::new("data", &["terraform_remote_state", "foundation"]).with(|block| {
        block.attribute("backend", "s3");
        block.attribute("config", config);
    })
}

fn state_bucket_variable() -> Input {
    Input::new(
        "state_bucket",
        Kind::Text,
        "The bucket that holds the state of the foundation.",
    )
}

fn data_block(data: &Data) -> Block {
    Block::new("data", &[data.kind, &data.name]).with(|block| block.body(&data.body))
}

fn resource_block(resource: &Resource) -> Block {
    let mut block = Block::new("resource", &[resource.kind, resource.name]);
    if let Some(comment) = resource.comment {
        block.before(comment);
    }
    for skip in &resource.skips {
        block.skip(skip.id, skip.reason);
    }
    if let Some(over) = &resource.for_each {
        block.for_each(match over {
            ForEach::Map(input) => format!("var.{input}"),
            ForEach::Set(input) => format!("toset(var.{input})"),
        });
    }
    block.body(&resource.body);
    let lifecycle = &resource.lifecycle;
    if lifecycle.create_before_destroy || !lifecycle.ignore_changes.is_empty() {
        block.nested(Block::new("lifecycle", &[]).with(|block| {
            if lifecycle.create_before_destroy {
                block.attribute("create_before_destroy", true);
            }
            if !lifecycle.ignore_changes.is_empty() {
                block.raw_list("ignore_changes", &lifecycle.ignore_changes);
            }
        }));
    }
    if !resource.depends_on.is_empty() {
        block.gap();
        block.raw_list("depends_on", &resource.depends_on);
    }
    block
}

fn instance_block(instance: &Instance) -> Block {
    let mut block = Block::new("module", &[&instance.name]);
    if let Some(comment) = &instance.comment {
        block.before(comment);
    }
    block.attribute("source", format!("../../modules/{}", instance.module));
    block.gap();
    for (name, value) in &instance.arguments {
        block.attribute(name, value.clone());
    }
    if !instance.depends_on.is_empty() {
        let modules: Vec<String> = instance
            .depends_on
            .iter()
            .map(|name| format!("module.{name}"))
            .collect();
        block.gap();
        block.raw_list("depends_on", &modules);
    }
    block
}

fn variable_block(input: &Input) -> Block {
    Block::new("variable", &[&input.name]).with(|block| {
        block.attribute("description", input.description.as_str());
        block.raw("type", kind(&input.kind));
        if let Some(default) = &input.default {
            block.attribute("default", default.clone());
        }
        if let Some((pattern, otherwise)) = &input.pattern {
            block.nested(Block::new("validation", &[]).with(|validation| {
                let pattern = hcl::single(&Value::from(pattern.as_str()));
                validation.raw(
                    "condition",
                    format!("can(regex({pattern}, var.{}))", input.name),
                );
                validation.attribute("error_message", otherwise.as_str());
            }));
        }
    })
}

fn output_block(output: &Output) -> Block {
    Block::new("output", &[&output.name]).with(|block| {
        block.attribute("description", output.description.as_str());
        block.attribute("value", output.value.clone());
    })
}

fn kind(kind_of: &Kind) -> String {
    match kind_of {
        Kind::Text => "string".to_owned(),
        Kind::Number => "number".to_owned(),
        Kind::Bool => "bool".to_owned(),
        Kind::List(of) => format!("list({})", kind(of)),
        Kind::Map(of) => format!("map({})", kind(of)),
        Kind::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(name, of)| format!("{name} = {}", kind(of)))
                .collect();
            format!("object({{ {} }})", fields.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_printed_as_a_careful_person_would() {
        let mut files = Files::new();
        module_files(&crate::modules::module("network").unwrap(), &mut files);
        let paths: Vec<&str> = files.keys().map(String::as_str).collect();
        let want = ["main", "outputs", "variables", "versions"]
            .map(|name| format!("modules/network/{name}.tf"));
        assert_eq!(paths, want);
        insta::assert_snapshot!(files["modules/network/main.tf"]);
    }
}
