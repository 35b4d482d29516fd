//! The graph as a Pulumi program in TypeScript: a file with a ComponentResource for each module, two projects (foundation,
//! services), and in each a program and a stack's settings for each environment. How expressions are written is
//! [`expression`]'s, how they are laid out [`text`]'s, what things are called [`names`]'; what there is to print was decided
//! by `lower`.

use crate::files::Files;
use crate::names::Names;
use crate::resource::{Infrastructure, Instance, Root, RootKind};
use crate::value::Reference;
use component::{bare, component, edges, lookup};
use expression::Scope;
use names::{camel, pascal};
use std::collections::BTreeSet;
use std::fmt::Write;
use text::{Code, Field, comment, key, quoted, word};

mod component;
mod expression;
mod names;
mod readme;
mod settings;
mod text;

pub use names::token as pulumi_type;
pub use settings::merged_settings;

/// First line of every file that is rendered, after the comment sign: what bears it may be rewritten.
pub const PULUMI_HEADER: &str = HEADER;
const HEADER: &str = "Rendered by `cais infra pulumi` from the Compose file; changes belong there.";

/// What the program is compiled against and run with.
const PACKAGES: [(&str, &str); 4] = [
    ("@pulumi/aws", "^7.48.0"),
    ("@pulumi/pulumi", "^3.270.0"),
    ("@types/node", "^22.19.1"),
    ("typescript", "~5.9.3"),
];

/// All files of one environment; paths are relative to the output folder. Those that are not the environment's own are the
/// same for every environment.
pub fn pulumi(infrastructure: &Infrastructure) -> Files {
    let mut files = Files::new();
    for module in infrastructure.modules.values() {
        files.insert(
            format!("modules/{}.ts", file_name(&module.name)),
            component(module),
        );
    }
    for root in [&infrastructure.foundation, &infrastructure.services] {
        project(infrastructure, root, &mut files);
    }
    files.insert("package.json".to_owned(), package(infrastructure));
    files.insert("tsconfig.json".to_owned(), TSCONFIG.to_owned());
    files.insert(
        ".gitignore".to_owned(),
        format!("# {HEADER}\nnode_modules/\n"),
    );
    files.insert("README.md".to_owned(), readme::readme(infrastructure));
    files
}

const TSCONFIG: &str = r#"{
  "compilerOptions": {
    "strict": true,
    "noUnusedLocals": true,
    "noImplicitReturns": true,
    "target": "es2022",
    "module": "commonjs",
    "moduleResolution": "node10",
    "skipLibCheck": true,
    "noEmit": true
  },
  "include": ["modules/*.ts", "foundation/*.ts", "services/*.ts"]
}
"#;

fn package(infrastructure: &Infrastructure) -> String {
    let packages: Vec<String> = PACKAGES
        .iter()
        .map(|(name, version)| format!("    {}: {}", quoted(name), quoted(version)))
        .collect();
    format!(
        "{{\n  \"name\": {},\n  \"private\": true,\n  \"description\": {},\n  \"dependencies\": {{\n{}\n  }}\n}}\n",
        quoted(&format!(
            "{}-infrastructure",
            crate::names::slug(&infrastructure.project)
        )),
        quoted(HEADER),
        packages.join(",\n")
    )
}

fn project(infrastructure: &Infrastructure, root: &Root, files: &mut Files) {
    let folder = root.kind.name();
    let environment = &infrastructure.environment;
    let project = project_name(infrastructure, root.kind);
    files.insert(
        format!("{folder}/Pulumi.yaml"),
        format!(
            "# {HEADER}\nname: {project}\ndescription: {}\nruntime:\n  name: nodejs\n  options:\n    packagemanager: npm\n    tsconfig: ../tsconfig.json\n",
            match root.kind {
                RootKind::Foundation => "What exists before the first image.",
                RootKind::Services => "What runs.",
            }
        ),
    );
    files.insert(
        format!("{folder}/index.ts"),
        format!(
            "// {HEADER}\n\nimport * as pulumi from \"@pulumi/pulumi\";\n\n\
             // Each environment has a program of its own, and a stack that is named after it.\n\
             module.exports = require(`./${{pulumi.getStack()}}`);\n"
        ),
    );
    files.insert(
        format!("{folder}/Pulumi.{environment}.yaml"),
        settings(infrastructure),
    );
    files.insert(
        format!("{folder}/{environment}.ts"),
        program(infrastructure, root),
    );
}

fn project_name(infrastructure: &Infrastructure, kind: RootKind) -> String {
    format!(
        "{}-{}",
        crate::names::slug(&infrastructure.project),
        kind.name()
    )
}

/// The stack's settings: where it goes, how its secrets are encrypted, what everything is tagged with.
fn settings(infrastructure: &Infrastructure) -> String {
    let names = Names::new(&infrastructure.project, &infrastructure.environment);
    let region = &infrastructure.region;
    let mut out = format!("# {HEADER}\n");
    let _ = writeln!(
        out,
        "secretsprovider: awskms://{}?region={region}",
        names.pulumi_key_alias()
    );
    let _ = writeln!(out, "config:\n  aws:region: {region}");
    if let Some(account) = &infrastructure.account {
        let _ = writeln!(
            out,
            "  # Refuses to work in another account.\n  aws:allowedAccountIds:\n    - \"{account}\""
        );
    }
    let _ = write!(
        out,
        "  aws:defaultTags:\n    tags:\n      Project: {}\n      Environment: {}\n      ManagedBy: pulumi\n",
        infrastructure.project, infrastructure.environment
    );
    out
}

/// The program of a root in one environment.
fn program(infrastructure: &Infrastructure, root: &Root) -> String {
    let scope = Scope {
        inputs: "",
        resources: &[],
        declared: &root.variables,
        outputs: &root.outputs,
        value: "value",
    };
    let mut body = String::new();
    for instance in in_order(&root.instances) {
        body.push('\n');
        body.push_str(&statement(infrastructure, root, instance, &scope));
    }
    if !root.outputs.is_empty() {
        body.push('\n');
    }
    for output in &root.outputs {
        body.push_str(&comment(Some(&output.description), 0));
        let left = format!("export const {} = ", camel(&output.name));
        let _ = writeln!(
            body,
            "{left}{};",
            scope.value(&output.value).print(0, left.len() + 1)
        );
    }

    let mut out = format!("// {HEADER}\n\n");
    let mut preamble = preamble(infrastructure, root, &scope, &body);
    if preamble.contains("aws.") || body.contains("aws.") {
        out.push_str("import * as aws from \"@pulumi/aws\";\n");
    }
    if preamble.contains("pulumi.") || body.contains("pulumi.") {
        out.push_str("import * as pulumi from \"@pulumi/pulumi\";\n");
    }
    let modules: BTreeSet<&str> = root
        .instances
        .iter()
        .map(|instance| instance.module.as_str())
        .collect();
    for module in modules {
        let _ = writeln!(
            out,
            "import {{ {} }} from \"../modules/{}\";",
            pascal(module),
            file_name(module)
        );
    }
    if !preamble.is_empty() {
        preamble.insert(0, '\n');
    }
    out + &preamble + &body
}

/// What the program reads before it makes anything: settings, the foundation's outputs, data sources.
fn preamble(infrastructure: &Infrastructure, root: &Root, scope: &Scope<'_>, body: &str) -> String {
    let mut out = String::new();
    if !root.variables.is_empty() {
        out.push_str("const config = new pulumi.Config();\n");
    }
    for input in &root.variables {
        out.push_str(&comment(Some(&input.description), 0));
        let _ = writeln!(out, "{}", variable(input));
    }
    if body.contains("foundation.requireOutput(") {
        let stack = format!(
            "organization/{}/{}",
            project_name(infrastructure, RootKind::Foundation),
            infrastructure.environment
        );
        let _ = writeln!(
            out,
            "const foundation = new pulumi.StackReference({});",
            quoted(&stack)
        );
    }
    for data in &root.data {
        out.push_str(&lookup(data, scope, 0, None));
    }
    out
}

/// A setting of the stack.
fn variable(input: &crate::resource::Input) -> String {
    use crate::resource::Kind;
    let name = camel(&input.name);
    let (method, of) = match &input.kind {
        Kind::Text => ("", String::new()),
        Kind::Number => ("Number", String::new()),
        Kind::Bool => ("Boolean", String::new()),
        kind => ("Object", format!("<{}>", bare(kind))),
    };
    match &input.default {
        None => format!(
            "const {name} = config.require{method}{of}({});",
            quoted(&name)
        ),
        Some(default) => {
            let scope = Scope {
                inputs: "",
                resources: &[],
                declared: &[],
                outputs: &[],
                value: "value",
            };
            let default = scope.argument(default, &input.kind).print(0, 60);
            format!(
                "const {name} = config.get{method}{of}({}) ?? {default};",
                quoted(&name)
            )
        }
    }
}

/// Instances in reading order, but each after those that it refers to: a constant has to be there before it is used.
fn in_order(instances: &[Instance]) -> Vec<&Instance> {
    let mut left: Vec<&Instance> = instances.iter().collect();
    let mut out: Vec<&Instance> = Vec::new();
    while !left.is_empty() {
        let is_ready = |instance: &&Instance| {
            needs(instance)
                .iter()
                .all(|need| !left.iter().any(|other| other.name == *need))
        };
        let next = left.iter().position(is_ready).unwrap_or_default();
        out.push(left.remove(next));
    }
    out
}

/// Does anything in the root refer to the instance?
fn is_read(instance: &Instance, root: &Root) -> bool {
    let mut found = root
        .instances
        .iter()
        .any(|other| needs(other).contains(&instance.name));
    for output in &root.outputs {
        edges(&output.value, &mut |edge| {
            found |= matches!(edge, Reference::Instance { instance: name, .. } if *name == instance.name);
        });
    }
    found
}

/// The instances that an instance refers to.
fn needs(instance: &Instance) -> Vec<String> {
    let mut found = instance.depends_on.clone();
    for (_, value) in &instance.arguments {
        edges(value, &mut |edge| {
            if let Reference::Instance { instance, .. } = edge {
                found.push(instance.clone());
            }
        });
    }
    found
}

fn statement(
    infrastructure: &Infrastructure,
    root: &Root,
    instance: &Instance,
    scope: &Scope<'_>,
) -> String {
    let module = infrastructure.modules.get(&instance.module);
    let arguments = instance
        .arguments
        .iter()
        .map(|(name, value)| {
            let input =
                module.and_then(|module| module.inputs.iter().find(|input| input.name == *name));
            let value = match input {
                Some(input) => scope.argument(value, &input.kind),
                None => scope.value(value),
            };
            Field::new(key(&camel(name)), value)
        })
        .collect();
    let mut parts = vec![
        word(quoted(&instance.name.replace('_', "-"))),
        Code::Object(arguments),
    ];
    if !instance.depends_on.is_empty() {
        let after = instance
            .depends_on
            .iter()
            .map(|name| word(scope.instance(name)))
            .collect();
        parts.push(Code::Object(vec![Field::new(
            "dependsOn",
            Code::Array(after),
        )]));
    }
    let made = Code::Call(format!("new {}(", pascal(&instance.module)), parts, ")");
    let left = if is_read(instance, root) {
        format!("const {} = ", scope.instance(&instance.name))
    } else {
        String::new()
    };
    let mut out = comment(instance.comment.as_deref(), 0);
    let _ = writeln!(out, "{left}{};", made.print(0, left.len() + 1));
    out
}

/// `load_balancer` → `loadBalancer`: the file of a module, without its extension.
fn file_name(module: &str) -> String {
    camel(module)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_a_component_as_a_careful_person_would_write_it() {
        insta::assert_snapshot!(component(&crate::modules::module("network").unwrap()));
    }
}
