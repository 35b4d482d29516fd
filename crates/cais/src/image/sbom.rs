//! What is in an image, as a CycloneDX document that says no more than is known, and is the same for the same image:
//! the packages of a Rust program, or the layers of an image that a Dockerfile made.

use super::layout::{Descriptor, Layout};
use super::platform::Platform;
use super::version::digest;
use crate::exit::Outcome;
use serde_json::{Value, json};
use std::path::Path;

mod cargo;

/// The document's media type, and the type of the artifact that it is in a registry.
pub(super) const MEDIA_TYPE: &str = "application/vnd.cyclonedx+json";

/// The document's file name.
pub(super) const FILE: &str = "sbom.cdx.json";

/// The image that is described.
pub(super) struct Subject<'s> {
    /// Registry and repository.
    pub(super) name: &'s str,
    pub(super) manifest: &'s Descriptor,
}

/// The document for an image that was assembled from a program.
pub(super) fn of_program(
    subject: &Subject<'_>,
    program: &Path,
    folder: &Path,
    platform: &Platform,
    command: Option<&str>,
) -> Outcome<Vec<u8>> {
    let bytes = std::fs::read(program).map_err(|error| super::layout::trouble(program, &error))?;
    let name = program
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or("app");
    let packages = cargo::packages(name, folder, platform);
    let mut own = json!({
        "type": "application",
        "bom-ref": "program",
        "name": name,
        "hashes": [{ "alg": "SHA-256", "content": &digest(&bytes)[7..] }],
    });
    let (components, dependencies, known) = match packages {
        Some(packages) => {
            if let Some(version) = packages.root_version() {
                own["version"] = json!(version);
            }
            // Cargo was asked about the default features.
            let has_own_features = command.is_some_and(|command| command.contains("features"));
            let known = if has_own_features {
                "unknown"
            } else {
                "complete"
            };
            (packages.components(), packages.dependencies(), known)
        }
        None => (
            Vec::new(),
            vec![json!({ "ref": "program", "dependsOn": [] })],
            "unknown",
        ),
    };
    let certificates = json!({
        "type": "data",
        "bom-ref": "certificates",
        "name": "Mozilla root certificates",
        "description": "/etc/ssl/certs/ca-certificates.crt",
    });
    let mut all = vec![own, certificates];
    all.extend(components);
    Ok(document(
        subject,
        &all,
        dependencies,
        &json!([
            { "aggregate": "complete", "assemblies": ["image"] },
            { "aggregate": known, "dependencies": ["program"] },
        ]),
    ))
}

/// The document for an image that an engine built: its layers, and nothing about the files in them.
pub(super) fn of_layers(subject: &Subject<'_>, layout: &Layout) -> Outcome<Vec<u8>> {
    let manifest = layout.manifest(&subject.manifest.digest)?;
    let config: Value =
        serde_json::from_slice(&layout.read(&manifest.config.digest)?).unwrap_or_default();
    let history = config["history"].as_array().cloned().unwrap_or_default();
    let mut steps = history.iter().filter(|step| step["empty_layer"] != true);
    let mut components = Vec::new();
    for layer in &manifest.layers {
        let made_by = steps
            .next()
            .and_then(|step| step["created_by"].as_str())
            .unwrap_or_default();
        components.push(json!({
            "type": "file",
            "bom-ref": layer.digest,
            "name": layer.digest,
            "description": made_by,
            "hashes": [{ "alg": "SHA-256", "content": &layer.digest[7..] }],
        }));
    }
    Ok(document(
        subject,
        &components,
        Vec::new(),
        &json!([{ "aggregate": "incomplete", "assemblies": ["image"] }]),
    ))
}

fn document(
    subject: &Subject<'_>,
    components: &[Value],
    dependencies: Vec<Value>,
    compositions: &Value,
) -> Vec<u8> {
    let hex = &subject.manifest.digest[7..];
    let last = subject.name.rsplit('/').next().unwrap_or(subject.name);
    let image = json!({
        "type": "container",
        "bom-ref": "image",
        "name": subject.name,
        "version": subject.manifest.digest,
        "purl": format!("pkg:oci/{last}@sha256%3A{hex}"),
    });
    let mut document = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": serial(hex),
        "version": 1,
        "metadata": {
            "tools": { "components": [{ "type": "application", "name": "cais", "version": env!("CARGO_PKG_VERSION") }] },
            "component": image,
        },
        "components": components,
        "compositions": compositions,
    });
    if !dependencies.is_empty() {
        document["dependencies"] = Value::Array(dependencies);
    }
    serde_json::to_vec_pretty(&document).unwrap_or_default()
}

/// A number for the document that follows from the image: a UUID of version 8 (RFC 9562).
fn serial(hex: &str) -> String {
    format!(
        "urn:uuid:{}-{}-8{}-8{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[13..16],
        &hex[17..20],
        &hex[20..32]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_serial_number_follows_from_the_image() {
        let hex = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        assert_eq!(serial(hex), "urn:uuid:01234567-89ab-8def-8123-456789abcdef");
    }
}
