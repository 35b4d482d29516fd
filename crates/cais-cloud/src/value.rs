//! Expressions of the graph: literals, and references as edges. How they are spelt is the printers' matter.

/// What an attribute, an argument or an output is set to.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Number(i64),
    /// A number with a fraction, as written: `99.9`.
    Decimal(String),
    /// A text; nothing in it is interpreted.
    Text(String),
    /// Texts and references, joined.
    Template(Vec<Value>),
    /// A list.
    List(Vec<Value>),
    /// A map or an object, in the order in which it is printed.
    Map(Vec<(String, Value)>),
    /// The value as JSON text.
    Json(Box<Value>),
    /// An edge.
    Reference(Reference),
    /// The attribute of every instance of a repeated resource, in key order.
    All(Reference),
    /// The only element of a set-valued attribute, or a field of it.
    Only(Reference, Option<String>),
}

/// An edge of the graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// An input of the module this stands in, or a variable of the root.
    Input(String),
    /// An attribute of a resource of the same module.
    Resource {
        /// Type, e.g. `aws_vpc`.
        kind: String,
        /// Its name in the module.
        name: String,
        /// Which instance of a repeated resource.
        key: Option<Box<Each>>,
        /// Which attribute.
        attribute: String,
    },
    /// An attribute of a data source of the same module or root.
    Data {
        /// Type, e.g. `aws_caller_identity`.
        kind: String,
        /// Its name.
        name: String,
        /// Which attribute.
        attribute: String,
    },
    /// An output of an instance of the same root.
    Instance {
        /// The instance's name.
        instance: String,
        /// Which output.
        output: String,
    },
    /// An output of the foundation, seen from the services root.
    Foundation(String),
    /// Key or value of the repetition this stands in.
    Each(Each),
    /// A field of the element that a repeated block stands for: the block's name, then the field.
    Element(String, String),
}

/// A place in a repetition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Each {
    /// The key.
    Key,
    /// The value.
    Value,
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Number(value)
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Number(i64::from(value))
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<Reference> for Value {
    fn from(value: Reference) -> Self {
        Self::Reference(value)
    }
}

impl<V: Into<Value>> From<Vec<V>> for Value {
    fn from(values: Vec<V>) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}

/// An input of the module, or a variable of the root.
pub(crate) fn input(name: &str) -> Value {
    Reference::Input(name.to_owned()).into()
}

/// `aws_vpc.this.id`: an attribute of a resource of the same module.
pub(crate) fn attribute(path: &str) -> Value {
    resource_reference(path, None).into()
}

/// The same of one instance of a repeated resource.
pub(crate) fn attribute_at(path: &str, key: Each) -> Value {
    resource_reference(path, Some(Box::new(key))).into()
}

/// The same of all instances of a repeated resource.
pub(crate) fn all(path: &str) -> Value {
    Value::All(resource_reference(path, None))
}

/// A field of the only element of a set-valued attribute.
pub(crate) fn only(path: &str, field: &str) -> Value {
    Value::Only(resource_reference(path, None), Some(field.to_owned()))
}

/// The only element of a set-valued attribute of a data source.
pub(crate) fn only_of_data(path: &str) -> Value {
    let (kind, name, attribute) = split(path);
    let edge = Reference::Data {
        kind,
        name,
        attribute,
    };
    Value::Only(edge, None)
}

/// `aws_caller_identity.current.account_id`: an attribute of a data source.
pub(crate) fn data(path: &str) -> Value {
    let (kind, name, attribute) = split(path);
    Reference::Data {
        kind,
        name,
        attribute,
    }
    .into()
}

/// An output of an instance of the same root.
pub(crate) fn output_of(instance: &str, output: &str) -> Value {
    Reference::Instance {
        instance: instance.to_owned(),
        output: output.to_owned(),
    }
    .into()
}

/// An output of the foundation.
pub(crate) fn foundation(output: &str) -> Value {
    Reference::Foundation(output.to_owned()).into()
}

/// Key of the repetition.
pub(crate) fn each_key() -> Value {
    Reference::Each(Each::Key).into()
}

/// Value of the repetition.
pub(crate) fn each_value() -> Value {
    Reference::Each(Each::Value).into()
}

/// A field of the element that the repeated block `block` stands for.
pub(crate) fn element(block: &str, field: &str) -> Value {
    Reference::Element(block.to_owned(), field.to_owned()).into()
}

/// Texts and references, joined; neighbouring texts become one.
pub(crate) fn template<const N: usize>(parts: [Value; N]) -> Value {
    join(parts.into())
}

/// [`template`] of a list.
pub(crate) fn join(parts: Vec<Value>) -> Value {
    let mut joined: Vec<Value> = Vec::new();
    for part in parts.into_iter().flat_map(flat) {
        match (joined.last_mut(), part) {
            (Some(Value::Text(before)), Value::Text(text)) => before.push_str(&text),
            (_, part) => joined.push(part),
        }
    }
    match joined.as_slice() {
        [Value::Text(text)] => Value::Text(text.clone()),
        _ => Value::Template(joined),
    }
}

fn flat(part: Value) -> Vec<Value> {
    match part {
        Value::Template(parts) => parts,
        other => vec![other],
    }
}

/// A map in this order.
pub(crate) fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Map(
        entries
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect(),
    )
}

/// A list.
pub(crate) fn list<const N: usize>(values: [Value; N]) -> Value {
    Value::List(values.into())
}

/// The value as JSON text.
pub(crate) fn json(value: Value) -> Value {
    Value::Json(Box::new(value))
}

fn resource_reference(path: &str, key: Option<Box<Each>>) -> Reference {
    let (kind, name, attribute) = split(path);
    Reference::Resource {
        kind,
        name,
        key,
        attribute,
    }
}

/// `kind.name.attribute`; the attribute may have dots.
fn split(path: &str) -> (String, String, String) {
    let mut parts = path.splitn(3, '.').map(str::to_owned);
    let mut next = || parts.next().unwrap_or_default();
    (next(), next(), next())
}
