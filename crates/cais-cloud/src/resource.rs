//! The graph that every printer reads: modules of resources, and roots that instantiate modules. It says what there is and
//! what refers to what, under the names of the Terraform provider's schema; how that is spelt is the printers' matter.
//!
//! A module has no conditionals. What is optional is a module of its own, which a root instantiates or does not.

use crate::value::Value;
use std::collections::BTreeMap;

/// All that a stack is on AWS, in one environment.
#[derive(Debug, Clone, PartialEq)]
pub struct Infrastructure {
    /// The Compose project.
    pub project: String,
    /// The environment, e.g. `staging`.
    pub environment: String,
    /// The region, e.g. `sa-east-1`.
    pub region: String,
    /// The account that both roots refuse to leave, where the file names it.
    pub account: Option<String>,
    /// Services whose images are the stack's own and in another registry than ECR, with the images' names without a tag.
    pub images_elsewhere: BTreeMap<String, String>,
    /// Modules that a root instantiates, by name.
    pub modules: BTreeMap<String, Module>,
    /// What exists before the first image: network, registry, keys, cache, the pipeline's access.
    pub foundation: Root,
    /// What runs.
    pub services: Root,
}

/// One of the two programs that are applied by themselves, with a state of their own.
#[derive(Debug, Clone, PartialEq)]
pub struct Root {
    /// Which.
    pub kind: RootKind,
    /// What the caller gives.
    pub variables: Vec<Input>,
    /// What is looked up.
    pub data: Vec<Data>,
    /// Instances of modules, in reading order.
    pub instances: Vec<Instance>,
    /// What the root tells the other one and people.
    pub outputs: Vec<Output>,
}

/// Which root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RootKind {
    /// Applied first.
    Foundation,
    /// Applied when the images are there; reads the outputs of the foundation.
    Services,
}

impl RootKind {
    /// Its folder, and its part of the state's key.
    pub fn name(self) -> &'static str {
        match self {
            Self::Foundation => "foundation",
            Self::Services => "services",
        }
    }
}

/// A set of resources that belong together.
#[derive(Debug, Clone, PartialEq)]
pub struct Module {
    /// Its folder: `network`; with the environment behind it where that overrides it.
    pub name: String,
    /// What it makes, in a sentence.
    pub description: &'static str,
    /// What an instance is given.
    pub inputs: Vec<Input>,
    /// What is looked up.
    pub data: Vec<Data>,
    /// What is made, in reading order.
    pub resources: Vec<Resource>,
    /// What an instance tells.
    pub outputs: Vec<Output>,
}

/// A module put to use in a root.
#[derive(Debug, Clone, PartialEq)]
pub struct Instance {
    /// The module's name.
    pub module: String,
    /// Its own: `clock_service`.
    pub name: String,
    /// The file of the root it is read in: `main`, or the service's name.
    pub file: String,
    /// What a reader should know before it.
    pub comment: Option<String>,
    /// What its inputs are set to.
    pub arguments: Vec<(String, Value)>,
    /// Instances that are there before it, besides those that its arguments refer to.
    pub depends_on: Vec<String>,
}

/// An input of a module or a variable of a root.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// snake_case.
    pub name: String,
    /// Its type.
    pub kind: Kind,
    /// A sentence.
    pub description: String,
    /// What it is where nobody sets it.
    pub default: Option<Value>,
    /// A regular expression that a text must match, and what to say otherwise.
    pub pattern: Option<(String, String)>,
}

/// The type of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// A number.
    Number,
    /// A boolean.
    Bool,
    /// A list of one type.
    List(Box<Kind>),
    /// A map from texts to one type.
    Map(Box<Kind>),
    /// Named fields.
    Object(Vec<(String, Kind)>),
}

/// An output of a module or a root.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// snake_case.
    pub name: String,
    /// A sentence.
    pub description: String,
    /// What it is.
    pub value: Value,
}

/// A data source.
#[derive(Debug, Clone, PartialEq)]
pub struct Data {
    /// Type: `aws_caller_identity`.
    pub kind: &'static str,
    /// Its name in the module or root.
    pub name: String,
    /// What it is asked for.
    pub body: Body,
}

/// A resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// Type: `aws_vpc`.
    pub kind: &'static str,
    /// Its name in the module.
    pub name: &'static str,
    /// What a reader should know before it.
    pub comment: Option<&'static str>,
    /// One instance for each entry of this input.
    pub for_each: Option<ForEach>,
    /// What it is set to.
    pub body: Body,
    /// How changes of it are handled.
    pub lifecycle: Lifecycle,
    /// Resources of the module, `kind.name`, that are there before it, besides those it refers to.
    pub depends_on: Vec<&'static str>,
    /// Findings of checkov that are accepted.
    pub skips: Vec<Skip>,
}

/// What a resource is repeated over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForEach {
    /// The entries of a map-typed input.
    Map(&'static str),
    /// The elements of a list-typed input; key and value are the element.
    Set(&'static str),
}

/// How changes of a resource are handled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lifecycle {
    /// A replacement is there before the old one goes.
    pub create_before_destroy: bool,
    /// Attributes that others own.
    pub ignore_changes: Vec<&'static str>,
}

/// An accepted finding of checkov.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skip {
    /// `CKV_AWS_31`.
    pub id: &'static str,
    /// Why it is accepted.
    pub reason: &'static str,
}

/// Attributes and nested blocks, in reading order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Body {
    /// Its entries.
    pub items: Vec<Item>,
}

/// An entry of a body.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// `name = value`.
    Attribute {
        /// snake_case.
        name: String,
        /// What it is set to.
        value: Value,
        /// What a reader should know before it.
        comment: Option<&'static str>,
    },
    /// A nested block.
    Block {
        /// snake_case.
        name: String,
        /// What stands in it.
        body: Body,
    },
    /// A nested block for each element of a list-typed input; [`crate::value::Reference::Element`] is the element's field.
    Blocks {
        /// snake_case.
        name: String,
        /// The input.
        over: String,
        /// What stands in each.
        body: Body,
    },
}

impl Body {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// With an attribute more.
    pub(crate) fn set(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.items.push(Item::Attribute {
            name: name.to_owned(),
            value: value.into(),
            comment: None,
        });
        self
    }

    /// With an attribute more, and why it is what it is.
    pub(crate) fn because(
        mut self,
        comment: &'static str,
        name: &str,
        value: impl Into<Value>,
    ) -> Self {
        self.items.push(Item::Attribute {
            name: name.to_owned(),
            value: value.into(),
            comment: Some(comment),
        });
        self
    }

    /// With a nested block more.
    pub(crate) fn block(mut self, name: &str, body: Body) -> Self {
        self.items.push(Item::Block {
            name: name.to_owned(),
            body,
        });
        self
    }

    /// With a nested block for each element of an input.
    pub(crate) fn blocks(mut self, name: &str, over: &str, body: Body) -> Self {
        self.items.push(Item::Blocks {
            name: name.to_owned(),
            over: over.to_owned(),
            body,
        });
        self
    }
}

impl Resource {
    /// A resource that is set to this.
    pub(crate) fn new(kind: &'static str, name: &'static str, body: Body) -> Self {
        Self {
            kind,
            name,
            comment: None,
            for_each: None,
            body,
            lifecycle: Lifecycle::default(),
            depends_on: Vec::new(),
            skips: Vec::new(),
        }
    }

    /// With a comment before it.
    pub(crate) fn comment(mut self, comment: &'static str) -> Self {
        self.comment = Some(comment);
        self
    }

    /// Repeated.
    pub(crate) fn for_each(mut self, over: ForEach) -> Self {
        self.for_each = Some(over);
        self
    }

    /// With a replacement made before the old one goes.
    pub(crate) fn create_before_destroy(mut self) -> Self {
        self.lifecycle.create_before_destroy = true;
        self
    }

    /// With attributes that others own.
    pub(crate) fn ignore_changes(mut self, attributes: &[&'static str]) -> Self {
        self.lifecycle.ignore_changes = attributes.to_vec();
        self
    }

    /// After these, too.
    pub(crate) fn after(mut self, resources: &[&'static str]) -> Self {
        self.depends_on = resources.to_vec();
        self
    }

    /// With an accepted finding.
    pub(crate) fn skip(mut self, id: &'static str, reason: &'static str) -> Self {
        self.skips.push(Skip { id, reason });
        self
    }
}

impl Module {
    /// A module without anything in it yet.
    pub(crate) fn new(name: &str, description: &'static str) -> Self {
        Self {
            name: name.to_owned(),
            description,
            inputs: Vec::new(),
            data: Vec::new(),
            resources: Vec::new(),
            outputs: Vec::new(),
        }
    }

    /// With an input more.
    pub(crate) fn input(mut self, name: &str, kind: Kind, description: &str) -> Self {
        self.inputs.push(Input::new(name, kind, description));
        self
    }

    /// With a data source more.
    pub(crate) fn data(mut self, kind: &'static str, name: &str, body: Body) -> Self {
        self.data.push(Data {
            kind,
            name: name.to_owned(),
            body,
        });
        self
    }

    /// With a resource more.
    pub(crate) fn resource(mut self, resource: Resource) -> Self {
        self.resources.push(resource);
        self
    }

    /// With an output more.
    pub(crate) fn output(mut self, name: &str, description: &str, value: impl Into<Value>) -> Self {
        self.outputs.push(Output {
            name: name.to_owned(),
            description: description.to_owned(),
            value: value.into(),
        });
        self
    }
}

impl Input {
    /// An input that has to be given.
    pub(crate) fn new(name: &str, kind: Kind, description: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            description: description.to_owned(),
            default: None,
            pattern: None,
        }
    }
}

impl Kind {
    /// A list of texts.
    pub(crate) fn texts() -> Self {
        Self::List(Box::new(Self::Text))
    }

    /// A map of texts.
    pub(crate) fn text_map() -> Self {
        Self::Map(Box::new(Self::Text))
    }
}

impl Instance {
    /// An instance of a module, read in this file of the root.
    pub(crate) fn new(module: &str, name: impl Into<String>, file: &str) -> Self {
        Self {
            module: module.to_owned(),
            name: name.into(),
            file: file.to_owned(),
            comment: None,
            arguments: Vec::new(),
            depends_on: Vec::new(),
        }
    }

    /// With an argument more.
    pub(crate) fn set(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.arguments.push((name.to_owned(), value.into()));
        self
    }

    /// With a comment before it.
    pub(crate) fn comment(mut self, comment: impl Into<String>) -> Self {
        self.comment = Some(comment.into());
        self
    }

    /// After these, too.
    pub(crate) fn after(mut self, instances: Vec<String>) -> Self {
        self.depends_on = instances;
        self
    }
}
