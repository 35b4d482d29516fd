//! A module of the graph as a ComponentResource: a file with what it is given, and a class that makes its resources.

use super::expression::{Scope, data_variable, repetition, variable};
use super::names::{self, camel, pascal};
use super::text::{Code, Field, comment, documentation, quoted, word};
use crate::resource::{Data, ForEach, Input, Item, Kind, Module, Resource};
use crate::value::{Each, Reference, Value};
use std::fmt::Write;

/// The file of a module.
pub(super) fn component(module: &Module) -> String {
    let class = pascal(&module.name);
    let body = constructor(module);
    let mut out = format!("// {}\n\n", super::HEADER);
    // A module without AWS resources of its own does not exist, but one may need nothing of pulumi's namespace.
    out.push_str(
        "import * as aws from \"@pulumi/aws\";\nimport * as pulumi from \"@pulumi/pulumi\";\n\n",
    );
    let _ = writeln!(out, "/** What {} is given. */", article(&class));
    let _ = writeln!(out, "export interface {class}Args {{");
    for input in &module.inputs {
        out.push_str(&documentation(&input.description, 2));
        let optional = if input.default.is_some() { "?" } else { "" };
        let kind = input_type(input, module);
        let _ = writeln!(out, "  {}{optional}: {kind};", camel(&input.name));
    }
    out.push_str("}\n\n");
    out.push_str(&documentation(module.description, 0));
    let _ = writeln!(
        out,
        "export class {class} extends pulumi.ComponentResource {{"
    );
    for output in &module.outputs {
        out.push_str(&documentation(&output.description, 2));
        let kind = output_type(&output.value, module);
        let _ = writeln!(out, "  public readonly {}: {kind};", camel(&output.name));
    }
    if !module.outputs.is_empty() {
        out.push('\n');
    }
    out.push_str(&body);
    out.push_str("}\n");
    out
}

fn article(class: &str) -> String {
    let vowel = class.starts_with(['A', 'E', 'I', 'O', 'U']);
    format!("{} {{@link {class}}}", if vowel { "an" } else { "a" })
}

fn constructor(module: &Module) -> String {
    let class = pascal(&module.name);
    let scope = Scope {
        inputs: "args.",
        resources: &module.resources,
        declared: &module.inputs,
        outputs: &[],
        value: "value",
    };
    let mut out = format!(
        "  constructor(name: string, args: {class}Args, options?: pulumi.ComponentResourceOptions) {{\n"
    );
    let _ = writeln!(
        out,
        "    super({}, name, {{}}, options);",
        quoted(&format!("cais:aws:{class}"))
    );
    for data in &module.data {
        out.push('\n');
        out.push_str(&lookup(data, &scope, 4, Some("{ parent: this }")));
    }
    for resource in &module.resources {
        out.push('\n');
        let value = match resource.for_each {
            Some(ForEach::Set(_)) => "key",
            _ => "value",
        };
        out.push_str(&statement(resource, module, &Scope { value, ..scope }));
    }
    let outputs: Vec<Field> = module
        .outputs
        .iter()
        .map(|output| {
            Field::new(
                camel(&output.name),
                word(format!("this.{}", camel(&output.name))),
            )
        })
        .collect();
    if !outputs.is_empty() {
        out.push('\n');
    }
    for output in &module.outputs {
        let left = format!("    this.{} = ", camel(&output.name));
        let right = output_value(&output.value, &scope).print(4, left.len() + 1);
        let _ = writeln!(out, "{left}{right};");
    }
    let register = Code::Call(
        "this.registerOutputs(".to_owned(),
        vec![Code::Object(outputs)],
        ")",
    );
    let _ = writeln!(out, "    {};\n  }}", register.print(4, 5));
    out
}

/// A data source, or a secret value that is made anew at each run.
pub(super) fn lookup(
    data: &Data,
    scope: &Scope<'_>,
    indent: usize,
    options: Option<&str>,
) -> String {
    let name = data_variable(data.kind, &data.name);
    let mut arguments = vec![scope.body(data.kind, "", &data.body)];
    arguments.extend(options.map(word));
    let call = Code::Call(
        format!("aws.{}(", names::function(data.kind)),
        arguments,
        ")",
    );
    let pad = " ".repeat(indent);
    let left = format!("{pad}const {name} = ");
    format!("{left}{};\n", call.print(indent, left.len() + 1))
}

/// The statement that makes a resource, or one for each entry of an input.
fn statement(resource: &Resource, module: &Module, scope: &Scope<'_>) -> String {
    let name = variable(resource, &module.resources);
    let is_read = is_referenced(resource, module);
    let indent = if resource.for_each.is_some() { 6 } else { 4 };
    let class = format!("aws.{}", names::token(resource.kind));
    let made = Code::Call(
        format!("new {class}("),
        vec![
            word(logical_name(resource)),
            scope.body(resource.kind, "", &resource.body),
            options(resource, scope),
        ],
        ")",
    );
    let mut out = String::new();
    out.push_str(&comment(resource.comment, 4));
    match &resource.for_each {
        None => {
            let left = if is_read {
                format!("    const {name} = ")
            } else {
                "    ".to_owned()
            };
            let _ = writeln!(out, "{left}{};", made.print(indent, left.len() + 1));
        }
        Some(over) => {
            let (entry, entries) = repetition(over);
            if is_read {
                let _ = writeln!(out, "    const {name}: Record<string, {class}> = {{}};");
            }
            let entry = if entry.contains("value") && !uses_value(resource) {
                "key"
            } else {
                entry
            };
            let entries = match entry {
                "key" => entries.replace("Object.entries", "Object.keys"),
                _ => entries,
            };
            let _ = writeln!(out, "    for (const {entry} of {entries}) {{");
            let left = if is_read {
                format!("      {name}[key] = ")
            } else {
                "      ".to_owned()
            };
            let _ = writeln!(out, "{left}{};\n    }}", made.print(indent, left.len() + 1));
        }
    }
    out
}

/// What Pulumi knows a resource by: the instance's name, then its own.
fn logical_name(resource: &Resource) -> String {
    let own = resource.name.replace('_', "-");
    match (own.as_str(), &resource.for_each) {
        ("this", None) => "name".to_owned(),
        ("this", Some(_)) => "`${name}-${key}`".to_owned(),
        (own, None) => format!("`${{name}}-{own}`"),
        (own, Some(_)) => format!("`${{name}}-{own}-${{key}}`"),
    }
}

fn options(resource: &Resource, scope: &Scope<'_>) -> Code {
    let mut fields = vec![Field::new("parent", word("this"))];
    let after: Vec<Code> = resource
        .depends_on
        .iter()
        .filter_map(|path| {
            let (kind, name) = path.split_once('.')?;
            let found = scope
                .resources
                .iter()
                .find(|r| (r.kind, r.name) == (kind, name))?;
            let variable = variable(found, scope.resources);
            Some(match found.for_each {
                Some(_) => word(format!("...Object.values({variable})")),
                None => word(variable),
            })
        })
        .collect();
    if !after.is_empty() {
        fields.push(Field::new("dependsOn", Code::Array(after)));
    }
    let ignored: Vec<String> = resource
        .lifecycle
        .ignore_changes
        .iter()
        .map(|attribute| names::attribute(resource.kind, attribute))
        .collect();
    if !ignored.is_empty() {
        let ignored = ignored.iter().map(|name| word(quoted(name))).collect();
        fields.push(Field::new("ignoreChanges", Code::Array(ignored)));
    }
    Code::Object(fields)
}

fn uses_value(resource: &Resource) -> bool {
    let mut found = false;
    edges_of(resource, &mut |edge| {
        found |= matches!(edge, Reference::Each(Each::Value))
            || matches!(edge, Reference::Resource { key: Some(key), .. } if **key == Each::Value);
    });
    found
}

/// Does anything in the module refer to the resource?
fn is_referenced(resource: &Resource, module: &Module) -> bool {
    let mut found = false;
    let mut see = |edge: &Reference| {
        found |= matches!(edge, Reference::Resource { kind, name, .. } if (kind.as_str(), name.as_str()) == (resource.kind, resource.name));
    };
    for other in &module.resources {
        edges_of(other, &mut see);
    }
    for data in &module.data {
        edges_in(&data.body.items, &mut see);
    }
    for output in &module.outputs {
        edges(&output.value, &mut see);
    }
    let path = format!("{}.{}", resource.kind, resource.name);
    found
        || module
            .resources
            .iter()
            .any(|other| other.depends_on.contains(&path.as_str()))
}

fn edges_of(resource: &Resource, see: &mut impl FnMut(&Reference)) {
    edges_in(&resource.body.items, see);
}

fn edges_in(items: &[Item], see: &mut impl FnMut(&Reference)) {
    for item in items {
        match item {
            Item::Attribute { value, .. } => edges(value, see),
            Item::Block { body, .. } | Item::Blocks { body, .. } => edges_in(&body.items, see),
        }
    }
}

/// Every edge in a value.
pub(super) fn edges(value: &Value, see: &mut impl FnMut(&Reference)) {
    match value {
        Value::Template(values) | Value::List(values) => {
            for value in values {
                edges(value, see);
            }
        }
        Value::Map(entries) => {
            for (_, value) in entries {
                edges(value, see);
            }
        }
        Value::Json(inner) => edges(inner, see),
        Value::Reference(edge) | Value::All(edge) | Value::Only(edge, _) => see(edge),
        Value::Bool(_) | Value::Number(_) | Value::Decimal(_) | Value::Text(_) => {}
    }
}

/// The type of an input. What a resource or a block is repeated over has to be known before anything is made, so it is no
/// `pulumi.Input` itself.
fn input_type(input: &Input, module: &Module) -> String {
    let is_repeated = module.resources.iter().any(|resource| {
        matches!(&resource.for_each, Some(ForEach::Map(over) | ForEach::Set(over)) if *over == input.name)
            || has_blocks_over(&resource.body.items, &input.name)
    });
    if !is_repeated {
        return wrapped(&input.kind);
    }
    let is_set = module.resources.iter().any(
        |resource| matches!(&resource.for_each, Some(ForEach::Set(over)) if *over == input.name),
    );
    match &input.kind {
        Kind::List(_) if is_set => "string[]".to_owned(),
        Kind::Map(_) if has_keys_as_values(&input.name, module) => {
            "Record<string, string>".to_owned()
        }
        Kind::List(of) => format!("{}[]", bare(of)),
        kind => bare(kind),
    }
}

/// Do the values of a map choose among the instances of another repeated resource?
fn has_keys_as_values(input: &str, module: &Module) -> bool {
    let mut found = false;
    for resource in &module.resources {
        if matches!(&resource.for_each, Some(ForEach::Map(over)) if *over == input) {
            edges_of(resource, &mut |edge| {
                found |= matches!(edge, Reference::Resource { key: Some(key), .. } if **key == Each::Value);
            });
        }
    }
    found
}

fn has_blocks_over(items: &[Item], input: &str) -> bool {
    items.iter().any(|item| match item {
        Item::Attribute { .. } => false,
        Item::Block { body, .. } => has_blocks_over(&body.items, input),
        Item::Blocks { over, body, .. } => over == input || has_blocks_over(&body.items, input),
    })
}

/// A type whose value may be known only later.
pub(super) fn wrapped(kind: &Kind) -> String {
    format!("pulumi.Input<{}>", bare(kind))
}

/// A type whose value is known, with parts that may not be.
pub(super) fn bare(kind: &Kind) -> String {
    match kind {
        Kind::Text => "string".to_owned(),
        Kind::Number => "number".to_owned(),
        Kind::Bool => "boolean".to_owned(),
        Kind::List(of) => format!("{}[]", wrapped(of)),
        Kind::Map(of) => format!("Record<string, {}>", wrapped(of)),
        Kind::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(name, of)| format!("{}: {}", camel(name), wrapped(of)))
                .collect();
            format!("{{ {} }}", fields.join("; "))
        }
    }
}

/// An output that is one of the inputs becomes an output of the component, whatever it was.
fn output_value(value: &Value, scope: &Scope<'_>) -> Code {
    let code = scope.value(value);
    match value {
        Value::Reference(Reference::Input(_))
        | Value::Text(_)
        | Value::Number(_)
        | Value::Bool(_) => Code::Call("pulumi.output(".to_owned(), vec![code], ")"),
        _ => code,
    }
}

fn output_type(value: &Value, module: &Module) -> String {
    match value {
        Value::All(_) => "pulumi.Output<string>[]".to_owned(),
        Value::List(values) => match values.first() {
            Some(first) => format!("{}[]", output_type(first, module)),
            None => "never[]".to_owned(),
        },
        Value::Map(entries) => match entries.first() {
            Some((_, first)) => format!("Record<string, {}>", output_type(first, module)),
            None => "Record<string, never>".to_owned(),
        },
        Value::Number(_) | Value::Decimal(_) => "pulumi.Output<number>".to_owned(),
        Value::Bool(_) => "pulumi.Output<boolean>".to_owned(),
        Value::Reference(Reference::Input(name)) => {
            let kind = module
                .inputs
                .iter()
                .find(|input| input.name == *name)
                .map(|input| &input.kind);
            match kind {
                Some(Kind::Number) => "pulumi.Output<number>".to_owned(),
                Some(Kind::Bool) => "pulumi.Output<boolean>".to_owned(),
                Some(Kind::List(of)) if **of == Kind::Text => "pulumi.Output<string[]>".to_owned(),
                _ => "pulumi.Output<string>".to_owned(),
            }
        }
        _ => "pulumi.Output<string>".to_owned(),
    }
}
