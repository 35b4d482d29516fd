//! The modules: what each makes, whatever the stack. Which of them a stack instantiates, and with what, is `lower`'s.

mod network;

pub(crate) use network::network;

use crate::value::{Value, map};

/// A policy document.
pub(crate) fn policy(statements: Vec<Value>) -> Value {
    map([
        ("Version", "2012-10-17".into()),
        ("Statement", Value::List(statements)),
    ])
}

/// A statement that allows actions on resources.
pub(crate) fn allow(actions: &[&str], resources: impl Into<Value>) -> Value {
    map([
        ("Effect", "Allow".into()),
        ("Action", actions.to_vec().into()),
        ("Resource", resources.into()),
    ])
}

/// The document by which a service of AWS may take a role.
pub(crate) fn trust(service: &str) -> Value {
    policy(vec![map([
        ("Effect", "Allow".into()),
        ("Action", "sts:AssumeRole".into()),
        ("Principal", map([("Service", service.into())])),
    ])])
}
