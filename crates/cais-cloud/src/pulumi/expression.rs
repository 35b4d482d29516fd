//! Values and bodies of the graph as TypeScript expressions: how an edge is written where it stands. Which statements they
//! stand in is the callers' matter.

use super::names::{self, Scalar, Shape, camel, pascal};
use super::text::{Code, Field, is_identifier, key, quoted, template_text, word};
use crate::resource::{Body, ForEach, Input, Item, Kind, Output, Resource};
use crate::value::{Each, Reference, Value};

/// What is around an expression: a module's constructor, or a root's program.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    /// Where inputs are read: `args.`, or nothing where they are constants of the program.
    pub(super) inputs: &'static str,
    /// The module's resources, by which references find their variable.
    pub(super) resources: &'a [Resource],
    /// What the module or root is given.
    pub(super) declared: &'a [Input],
    /// What the program tells: each is a constant of it.
    pub(super) outputs: &'a [Output],
    /// The variable that stands for the value of an entry: in a set it is the key.
    pub(super) value: &'static str,
}

impl Scope<'_> {
    /// A value.
    pub(super) fn value(&self, value: &Value) -> Code {
        match value {
            Value::Bool(value) => word(value.to_string()),
            Value::Number(value) => word(value.to_string()),
            Value::Decimal(value) => word(value.as_str()),
            Value::Text(text) => word(quoted(text)),
            Value::Template(parts) => word(self.template(parts)),
            Value::List(values) => {
                Code::Array(values.iter().map(|value| self.value(value)).collect())
            }
            Value::Map(entries) => Code::Object(
                entries
                    .iter()
                    .map(|(name, value)| Field::new(key(name), self.value(value)))
                    .collect(),
            ),
            Value::Json(inner) => Code::Call(
                "pulumi.jsonStringify(".to_owned(),
                vec![self.value(inner)],
                ")",
            ),
            Value::Reference(edge) => word(self.reference(edge)),
            Value::All(edge) => word(self.all(edge)),
            Value::Only(edge, None) => word(format!("{}[0]", self.reference(edge))),
            Value::Only(edge, Some(field)) => {
                word(format!("{}[0].{}", self.reference(edge), camel(field)))
            }
        }
    }

    /// What an input of this type is set to: an object's fields are properties, a map's keys are data.
    pub(super) fn argument(&self, value: &Value, kind: &Kind) -> Code {
        match (value, kind) {
            (Value::List(values), Kind::List(of)) => Code::Array(
                values
                    .iter()
                    .map(|value| self.argument(value, of))
                    .collect(),
            ),
            (Value::Map(entries), Kind::Map(of)) => Code::Object(
                entries
                    .iter()
                    .map(|(name, value)| Field::new(key(name), self.argument(value, of)))
                    .collect(),
            ),
            (Value::Map(entries), Kind::Object(fields)) => Code::Object(
                entries
                    .iter()
                    .map(|(name, value)| {
                        let of = fields.iter().find(|(field, _)| field == name);
                        let value = match of {
                            Some((_, of)) => self.argument(value, of),
                            None => self.value(value),
                        };
                        Field::new(camel(name), value)
                    })
                    .collect(),
            ),
            (value, _) => self.value(value),
        }
    }

    /// What a resource or a data source is set to. `kind` is its type, `path` the block: empty for the whole.
    pub(super) fn body(&self, kind: &str, path: &str, body: &Body) -> Code {
        let mut fields: Vec<Field> = Vec::new();
        for item in &body.items {
            match item {
                Item::Attribute {
                    name,
                    value,
                    comment,
                } => fields.push(self.attribute(kind, &below(path, name), value, *comment)),
                Item::Block { name, body } => {
                    let here = below(path, name);
                    let (property, shape) = names::block(kind, &here);
                    let value = self.body(kind, &here, body);
                    add(&mut fields, property, shape, value);
                }
                Item::Blocks { name, over, body } => {
                    let here = below(path, name);
                    let (property, _) = names::block(kind, &here);
                    let each = self.body(kind, &here, body);
                    let value = Code::Call(
                        format!(
                            "{}{}.map(({}) => (",
                            self.inputs,
                            camel(over),
                            element(name)
                        ),
                        vec![each],
                        "))",
                    );
                    fields.push(Field::new(property, value));
                }
            }
        }
        Code::Object(fields)
    }

    fn attribute(&self, kind: &str, path: &str, value: &Value, comment: Option<&str>) -> Field {
        let code = match names::scalar(kind, path) {
            Some(Scalar::Text) => self.as_text(value),
            Some(Scalar::Number) => self.as_number(value),
            None => self.value(value),
        };
        Field {
            key: names::attribute(kind, path),
            value: code,
            comment: comment.map(str::to_owned),
        }
    }

    fn as_text(&self, value: &Value) -> Code {
        match value {
            Value::Number(number) => word(quoted(&number.to_string())),
            Value::Reference(edge) if self.is_number(edge) => {
                word(format!("pulumi.interpolate`${{{}}}`", self.reference(edge)))
            }
            value => self.value(value),
        }
    }

    /// Of texts only keys can be numbers, and those are known.
    fn as_number(&self, value: &Value) -> Code {
        match value {
            Value::Text(text) if text.parse::<i64>().is_ok() => word(text.as_str()),
            Value::Reference(edge @ Reference::Each(_)) => {
                word(format!("Number({})", self.reference(edge)))
            }
            value => self.value(value),
        }
    }

    fn is_number(&self, edge: &Reference) -> bool {
        match edge {
            Reference::Input(name) => self
                .declared
                .iter()
                .any(|input| input.name == *name && input.kind == Kind::Number),
            _ => false,
        }
    }

    fn template(&self, parts: &[Value]) -> String {
        let body: String = parts
            .iter()
            .map(|part| match part {
                Value::Text(text) => template_text(text),
                part => format!("${{{}}}", self.value(part).print(0, 0)),
            })
            .collect();
        let is_plain = parts.iter().all(|part| match part {
            Value::Reference(Reference::Each(place)) => self.each(*place) == "key",
            Value::Reference(_) | Value::All(_) | Value::Only(..) | Value::Json(_) => false,
            _ => true,
        });
        let tag = if is_plain { "" } else { "pulumi.interpolate" };
        format!("{tag}`{body}`")
    }

    fn reference(&self, edge: &Reference) -> String {
        match edge {
            Reference::Input(name) => format!("{}{}", self.inputs, camel(name)),
            Reference::Resource {
                kind,
                name,
                key,
                attribute,
            } => {
                let resource = self.variable_of(kind, name);
                let key = key
                    .as_deref()
                    .map_or_else(String::new, |place| format!("[{}]", self.each(*place)));
                format!("{resource}{key}.{}", output(kind, attribute))
            }
            Reference::Data {
                kind,
                name,
                attribute,
            } => format!("{}.{}", data_variable(kind, name), output(kind, attribute)),
            Reference::Instance { instance, output } => {
                format!("{}.{}", self.instance(instance), camel(output))
            }
            Reference::Foundation(output) => {
                format!("foundation.requireOutput({})", quoted(&camel(output)))
            }
            Reference::Each(place) => self.each(*place).to_owned(),
            Reference::Element(block, field) => format!("{}.{}", element(block), camel(field)),
        }
    }

    /// The constant that holds an instance: an output of the same name has the name itself, because others read it by that.
    pub(super) fn instance(&self, name: &str) -> String {
        let own = camel(name);
        if self.outputs.iter().any(|output| camel(&output.name) == own) {
            format!("{own}Component")
        } else {
            own
        }
    }

    fn all(&self, edge: &Reference) -> String {
        match edge {
            Reference::Resource {
                kind,
                name,
                attribute,
                ..
            } => format!(
                "Object.values({}).map((each) => each.{})",
                self.variable_of(kind, name),
                output(kind, attribute)
            ),
            other => self.reference(other),
        }
    }

    fn each(&self, place: Each) -> &'static str {
        match place {
            Each::Key => "key",
            Each::Value => self.value,
        }
    }

    fn variable_of(&self, kind: &str, name: &str) -> String {
        let found = self
            .resources
            .iter()
            .find(|resource| (resource.kind, resource.name) == (kind, name));
        found.map_or_else(
            || camel(name),
            |resource| variable(resource, self.resources),
        )
    }
}

fn below(path: &str, name: &str) -> String {
    match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    }
}

/// Adds a block; those of the same name become one array.
fn add(fields: &mut Vec<Field>, property: String, shape: Shape, value: Code) {
    match (shape, fields.iter_mut().find(|field| field.key == property)) {
        (Shape::Object, _) => fields.push(Field::new(property, value)),
        (
            Shape::Array,
            Some(Field {
                value: Code::Array(values),
                ..
            }),
        ) => values.push(value),
        (Shape::Array, _) => fields.push(Field::new(property, Code::Array(vec![value]))),
    }
}

/// The attribute of a resource as a property of its object; an attribute may go on into a block: `a.0.b`.
fn output(kind: &str, attribute: &str) -> String {
    let mut out = String::new();
    for (at, step) in attribute.split('.').enumerate() {
        match step.parse::<usize>() {
            Ok(index) => out.push_str(&format!("[{index}]")),
            Err(_) if at == 0 => out.push_str(&names::attribute(kind, step)),
            Err(_) => {
                out.push('.');
                out.push_str(&camel(step));
            }
        }
    }
    out
}

/// The constant that holds a resource, or all instances of a repeated one.
pub(super) fn variable(resource: &Resource, all: &[Resource]) -> String {
    let short = short_name(resource);
    let is_taken = |other: &&Resource| {
        (other.kind, other.name) != (resource.kind, resource.name) && short_name(other) == short
    };
    let one = match all.iter().find(is_taken) {
        Some(_) => format!("{}{}", camel(resource.name), pascal(body_of(resource.kind))),
        None => short,
    };
    match resource.for_each {
        Some(_) => names::plural(&one),
        None => one,
    }
}

/// `aws_vpc.this` → `vpc`, `aws_cloudwatch_log_group.flow` → `flowLogGroup`.
fn short_name(resource: &Resource) -> String {
    let token = names::token(resource.kind);
    let class = token.rsplit('.').next().unwrap_or(&token);
    let name = camel(resource.name);
    if resource.name == "this" {
        let mut chars = class.chars();
        let first = chars.next().map(|c| c.to_ascii_lowercase());
        let short: String = first.into_iter().chain(chars).collect();
        return if RESERVED.contains(&short.as_str()) {
            camel(body_of(resource.kind))
        } else {
            short
        };
    }
    if pascal(resource.name).ends_with(class) && !RESERVED.contains(&name.as_str()) {
        name
    } else {
        format!("{name}{class}")
    }
}

/// Names that a module's constructor has for other things, and TypeScript's own.
const RESERVED: &[&str] = &[
    "args", "aws", "key", "name", "options", "parent", "pulumi", "value", "function", "package",
    "export",
];

fn body_of(kind: &str) -> &str {
    kind.strip_prefix("aws_").unwrap_or(kind)
}

/// The constant that holds what a data source said.
pub(super) fn data_variable(kind: &str, name: &str) -> String {
    match name {
        "current" | "this" => camel(body_of(kind)),
        name => format!("{}{}", camel(name), pascal(body_of(kind))),
    }
}

/// The variable that stands for an element of a repeated block's list.
fn element(block: &str) -> String {
    let name = camel(block);
    let singular = name.strip_suffix('s').unwrap_or(&name).to_owned();
    if is_identifier(&singular) && !RESERVED.contains(&singular.as_str()) {
        singular
    } else {
        "each".to_owned()
    }
}

/// The input that a resource is repeated over, and the variables that stand for an entry.
pub(super) fn repetition(over: &ForEach) -> (&'static str, String) {
    match over {
        ForEach::Map(input) => (
            "[key, value]",
            format!("Object.entries(args.{})", camel(input)),
        ),
        ForEach::Set(input) => ("key", format!("args.{}", camel(input))),
    }
}
