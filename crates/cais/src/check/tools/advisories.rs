//! What is publicly known to be wrong with the packages that a lock file names. A package that could not be looked up is a failure, not a pass.

use super::super::finding::{Finding, Place, Severity};
use super::{Answer, Call, Ground, Said, finding, items, json, text, words};
use serde_json::Value;
use std::collections::BTreeMap;

/// One call for each file, in its folder.
fn calls(files: &BTreeMap<String, String>, arguments: fn(&str) -> Vec<String>) -> Vec<Call> {
    files
        .keys()
        .map(|file| {
            let (folder, name) = file.rsplit_once('/').unwrap_or((".", file));
            Call {
                folder: folder.to_owned(),
                arguments: arguments(name),
                subject: file.clone(),
            }
        })
        .collect()
}

/// The place of a package in its lock file.
fn place(said: &Said<'_>, files: &BTreeMap<String, String>, needles: &[String]) -> Place {
    let file = &said.call.subject;
    let text = files.get(file).map_or("", String::as_str);
    let found = text.lines().position(|line| {
        let line = line.trim().to_ascii_lowercase();
        needles.iter().any(|needle| line.starts_with(needle))
    });
    let line = found.map_or(1, |index| u32::try_from(index + 1).unwrap_or(1));
    Place::line(file, line, 1)
}

pub(super) fn cargo_calls(ground: &Ground) -> Vec<Call> {
    calls(&ground.cargo, |name| {
        let mut arguments = words(&["audit", "--json", "--file"]);
        arguments.push(name.to_owned());
        arguments
    })
}

pub(super) fn cargo(said: &Said<'_>) -> Answer {
    let answer = json(said)?;
    let found = items(&answer["vulnerabilities"]["list"]).iter().map(|it| {
        let (advisory, package) = (&it["advisory"], &it["package"]);
        let (name, version) = (text(package, "name"), text(package, "version"));
        let place = place(said, &said.ground.cargo, &[format!("name = \"{name}\"")]);
        let message = format!("{name} {version}: {}", text(advisory, "title"));
        let patched: Vec<&str> = items(&it["versions"]["patched"])
            .iter()
            .filter_map(Value::as_str)
            .collect();
        let mut finding = finding(
            "cargo-audit",
            text(advisory, "id"),
            Severity::Error,
            &message,
            place,
        );
        if !patched.is_empty() {
            finding.mend = format!("`cargo update {name}`: mended in {}", patched.join(", "));
        }
        finding
    });
    Ok(found.collect())
}

pub(super) fn npm_calls(ground: &Ground) -> Vec<Call> {
    calls(&ground.npm, |_| {
        words(&["audit", "--json", "--package-lock-only"])
    })
}

pub(super) fn npm(said: &Said<'_>) -> Answer {
    let answer = json(said)?;
    let Some(vulnerable) = answer["vulnerabilities"].as_object() else {
        let reason = text(&answer, "message");
        return Err(if reason.is_empty() {
            "it gave no list".to_owned()
        } else {
            reason.to_owned()
        });
    };
    let mut found = Vec::new();
    for (name, it) in vulnerable {
        // Packages that merely depend on a vulnerable one name it as a text.
        for via in items(&it["via"]).iter().filter(|via| via.is_object()) {
            let severity = match text(via, "severity") {
                "critical" | "high" => Severity::Error,
                "moderate" => Severity::Warning,
                _ => Severity::Note,
            };
            let needle = format!("\"node_modules/{}\"", name.to_ascii_lowercase());
            let id = text(via, "url").rsplit('/').next().unwrap_or_default();
            let message = format!("{name} {}: {}", text(via, "range"), text(via, "title"));
            let place = place(said, &said.ground.npm, &[needle]);
            found.push(finding("npm", id, severity, &message, place));
        }
    }
    Ok(found)
}

pub(super) fn pip_calls(ground: &Ground) -> Vec<Call> {
    calls(&ground.pip, |name| {
        let mut arguments = words(&["--format", "json", "--progress-spinner", "off"]);
        arguments.extend(words(&["--disable-pip", "--no-deps", "--requirement"]));
        arguments.push(name.to_owned());
        arguments
    })
}

pub(super) fn pip(said: &Said<'_>) -> Answer {
    let answer = json(said)?;
    let mut found: Vec<Finding> = Vec::new();
    for package in items(&answer["dependencies"]) {
        let name = text(package, "name");
        if let Some(reason) = package["skip_reason"].as_str() {
            return Err(reason.to_owned());
        }
        for it in items(&package["vulns"]) {
            let needle = name.to_ascii_lowercase();
            let mut place = place(
                said,
                &said.ground.pip,
                &[needle.clone(), needle.replace('-', "_")],
            );
            place.width = u32::try_from(name.len()).unwrap_or(1);
            let message = format!("{name} {} has a known hole", text(package, "version"));
            let mut finding = finding(
                "pip-audit",
                text(it, "id"),
                Severity::Error,
                &message,
                place,
            );
            let mended: Vec<&str> = items(&it["fix_versions"])
                .iter()
                .filter_map(Value::as_str)
                .collect();
            if !mended.is_empty() {
                finding.mend = format!("mended in {}", mended.join(", "));
            }
            found.push(finding);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(subject: &str, file: &str, stdout: &str, read: fn(&Said<'_>) -> Answer) -> Answer {
        let files = BTreeMap::from([(subject.to_owned(), file.to_owned())]);
        let ground = Ground {
            cargo: files.clone(),
            npm: files.clone(),
            pip: files,
            ..Ground::default()
        };
        let call = Call {
            folder: ".".into(),
            arguments: Vec::new(),
            subject: subject.into(),
        };
        read(&Said {
            stdout,
            stderr: "",
            call: &call,
            ground: &ground,
        })
    }

    #[test]
    fn an_advisory_stands_at_its_package_in_the_lock_file() {
        let lock = "[[package]]\nname = \"time\"\n";
        let said = r#"{"vulnerabilities":{"list":[{"advisory":{"id":"RUSTSEC-2020-0071","title":"segfault"},"package":{"name":"time","version":"0.1.0"},"versions":{"patched":[">=0.2.23"]}}]}}"#;
        let found = ask("Cargo.lock", lock, said, cargo).unwrap();
        assert_eq!(
            (found[0].rule.as_str(), found[0].place.line),
            ("RUSTSEC-2020-0071", 2)
        );
        let said = r#"{"vulnerabilities":{"minimist":{"via":[{"url":"https://github.com/advisories/GHSA-1","title":"t","severity":"critical","range":"<1"}]},"other":{"via":["minimist"]}}}"#;
        let lock = "{\n \"node_modules/minimist\": {\n";
        let found = ask("package-lock.json", lock, said, npm).unwrap();
        assert_eq!(
            (found.len(), found[0].rule.as_str(), found[0].place.line),
            (1, "GHSA-1", 2)
        );
    }

    #[test]
    fn what_could_not_be_looked_up_is_a_failure() {
        let said = r#"{"dependencies":[{"name":"jinja2","skip_reason":"not found"}]}"#;
        assert_eq!(
            ask("requirements.txt", "", said, pip),
            Err("not found".into())
        );
        let said = r#"{"message":"405 Method Not Allowed"}"#;
        assert_eq!(
            ask("package-lock.json", "", said, npm),
            Err("405 Method Not Allowed".into())
        );
    }
}
