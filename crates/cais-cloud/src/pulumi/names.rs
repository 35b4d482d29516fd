//! What Pulumi's AWS package calls the things that the Terraform provider's schema names: resource types, data sources,
//! properties, and where it wants an array, an object or another type.
//!
//! The rule: names become camelCase; a block that may stand more than once becomes an array with a plural name, any other
//! block an object. What the rule cannot know, [`REPEATED`] and the tables after it say. `tests/cloud/verify pulumi` holds
//! all of them against the provider's schema and against @pulumi/aws.

mod table;

use table::{ATTRIBUTES, BLOCKS, EC2, NAMESPACES, REPEATED, SCALARS, TOKENS, TOP_LEVEL_DATA};

/// How a block is written in TypeScript.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// One object.
    Object,
    /// An array of objects.
    Array,
}

/// `aws_lb_listener` → `lb.Listener`: namespace and class below `aws`.
pub fn token(kind: &str) -> String {
    let body = kind.strip_prefix("aws_").unwrap_or(kind);
    if let Some((_, token)) = TOKENS.iter().find(|(name, _)| *name == body) {
        return (*token).to_owned();
    }
    if EC2.contains(&body) {
        return format!("ec2.{}", pascal(body));
    }
    let (namespace, rest) = NAMESPACES
        .iter()
        .find_map(|(prefix, namespace)| Some((*namespace, body.strip_prefix(prefix)?)))
        .or_else(|| body.split_once('_'))
        .unwrap_or(("", body));
    match namespace {
        "" => pascal(rest),
        namespace => format!("{namespace}.{}", pascal(rest)),
    }
}

/// `aws_route53_zone` → `route53.getZoneOutput`: the function that looks a data source up.
pub(super) fn function(kind: &str) -> String {
    let body = kind.strip_prefix("aws_").unwrap_or(kind);
    if TOP_LEVEL_DATA.contains(&body) {
        return format!("get{}Output", pascal(body));
    }
    let token = token(kind);
    match token.rsplit_once('.') {
        Some((namespace, class)) => format!("{namespace}.get{class}Output"),
        None => format!("get{token}Output"),
    }
}

/// The property of a block: its name and its shape. `path` is where it stands: `service_connect_configuration.service`.
pub(super) fn block(kind: &str, path: &str) -> (String, Shape) {
    let own = last(path);
    if let Some((_, _, name, shape)) = BLOCKS.iter().find(|(k, p, ..)| (*k, *p) == (kind, path)) {
        return ((*name).to_owned(), *shape);
    }
    let is_repeated = REPEATED
        .iter()
        .any(|(name, paths)| *name == kind && paths.contains(&path));
    if is_repeated {
        (plural(&camel(own)), Shape::Array)
    } else {
        (camel(own), Shape::Object)
    }
}

/// The property of an attribute.
pub(super) fn attribute(kind: &str, path: &str) -> String {
    let renamed = ATTRIBUTES.iter().find(|(k, p, _)| (*k, *p) == (kind, path));
    renamed.map_or_else(|| camel(last(path)), |(_, _, name)| (*name).to_owned())
}

/// A type that Pulumi insists on, where Terraform converts whatever is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalar {
    /// A text.
    Text,
    /// A number.
    Number,
}

/// The type that Pulumi insists on for an attribute which is rendered in another one.
pub(super) fn scalar(kind: &str, path: &str) -> Option<Scalar> {
    let found = SCALARS.iter().find(|(k, p, _)| (*k, *p) == (kind, path));
    found.map(|(_, _, scalar)| *scalar)
}

/// `cidr_block` → `cidrBlock`.
pub(super) fn camel(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut is_first_of_word = false;
    for c in name.chars() {
        match c {
            '_' | '-' => is_first_of_word = !out.is_empty(),
            c if is_first_of_word => {
                out.push(c.to_ascii_uppercase());
                is_first_of_word = false;
            }
            c => out.push(c),
        }
    }
    out
}

/// `cidr_block` → `CidrBlock`.
pub(super) fn pascal(name: &str) -> String {
    let camel = camel(name);
    let mut chars = camel.chars();
    let first = chars.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}

/// Pulumi's plural of a camelCase name; what ends in a single `s` is taken to be one.
pub(super) fn plural(name: &str) -> String {
    let is_vowel = |c: char| matches!(c, 'a' | 'e' | 'i' | 'o' | 'u');
    if name.ends_with('s') && !name.ends_with("ss") {
        name.to_owned()
    } else if ["ss", "x", "ch", "sh"]
        .iter()
        .any(|end| name.ends_with(end))
    {
        format!("{name}es")
    } else {
        match name.strip_suffix('y') {
            Some(stem) if !stem.ends_with(is_vowel) => format!("{stem}ies"),
            _ => format!("{name}s"),
        }
    }
}

fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_the_packages_names() {
        let cases = [
            ("aws_vpc", "ec2.Vpc"),
            ("aws_lb", "lb.LoadBalancer"),
            ("aws_lb_target_group", "lb.TargetGroup"),
            ("aws_ecs_service", "ecs.Service"),
            (
                "aws_service_discovery_http_namespace",
                "servicediscovery.HttpNamespace",
            ),
            ("aws_cloudwatch_log_group", "cloudwatch.LogGroup"),
            (
                "aws_vpc_security_group_ingress_rule",
                "vpc.SecurityGroupIngressRule",
            ),
        ];
        for (kind, want) in cases {
            assert_eq!(token(kind), want);
        }
        assert_eq!(function("aws_caller_identity"), "getCallerIdentityOutput");
        assert_eq!(function("aws_route53_zone"), "route53.getZoneOutput");
    }

    #[test]
    fn properties_follow_the_rule_or_stand_in_a_table() {
        assert_eq!(attribute("aws_vpc", "cidr_block"), "cidrBlock");
        assert_eq!(
            attribute("aws_cloudwatch_metric_alarm", "alarm_name"),
            "name"
        );
        let cases = [
            ("aws_lb", "access_logs", "accessLogs", Shape::Object),
            (
                "aws_cloudwatch_metric_alarm",
                "metric_query",
                "metricQueries",
                Shape::Array,
            ),
            (
                "aws_s3_bucket_lifecycle_configuration",
                "rule.filter",
                "filter",
                Shape::Object,
            ),
        ];
        for (kind, path, name, shape) in cases {
            assert_eq!(block(kind, path), (name.to_owned(), shape));
        }
    }
}
