//! Linters of Dockerfiles, workflows, infrastructure, and the search for secrets.

use super::super::finding::{Cut, Place, Severity};
use super::{Answer, Call, Ground, Said, finding, items, json, number, text, within, words};

fn one_call(arguments: Vec<String>) -> Vec<Call> {
    vec![Call {
        folder: ".".to_owned(),
        arguments,
        subject: ".".to_owned(),
    }]
}

fn with_files(options: &[&str], files: &[String]) -> Vec<Call> {
    if files.is_empty() {
        return Vec::new();
    }
    let mut arguments = words(options);
    arguments.extend(files.iter().cloned());
    one_call(arguments)
}

pub(super) fn hadolint_calls(ground: &Ground) -> Vec<Call> {
    with_files(&["--format", "json", "--no-fail"], &ground.dockerfiles)
}

pub(super) fn hadolint(said: &Said<'_>) -> Answer {
    let answer = json(said)?;
    let found = items(&answer).iter().map(|it| {
        let severity = match text(it, "level") {
            "error" => Severity::Error,
            "warning" => Severity::Warning,
            _ => Severity::Note,
        };
        let place = Place::line(text(it, "file"), number(&it["line"]), number(&it["column"]));
        finding(
            "hadolint",
            text(it, "code"),
            severity,
            text(it, "message"),
            place,
        )
    });
    Ok(found.collect())
}

pub(super) fn actionlint_calls(ground: &Ground) -> Vec<Call> {
    with_files(&["-format", "{{json .}}"], &ground.workflows)
}

pub(super) fn actionlint(said: &Said<'_>) -> Answer {
    let answer = json(said)?;
    let found = items(&answer).iter().map(|it| {
        // It passes shellcheck's own grades on in the message.
        let message = text(it, "message");
        let is_mild = message.contains(":info:") || message.contains(":style:");
        let severity = if is_mild {
            Severity::Note
        } else {
            Severity::Error
        };
        let place = Place::line(
            text(it, "filepath"),
            number(&it["line"]),
            number(&it["column"]),
        );
        finding(
            "actionlint",
            text(it, "kind"),
            severity,
            text(it, "message"),
            place,
        )
    });
    Ok(found.collect())
}

pub(super) fn zizmor_calls(ground: &Ground) -> Vec<Call> {
    with_files(
        &[
            "--offline",
            "--quiet",
            "--no-exit-codes",
            "--format",
            "json-v1",
        ],
        &ground.workflows,
    )
}

pub(super) fn zizmor(said: &Said<'_>) -> Answer {
    let answer = json(said)?;
    let mut found = Vec::new();
    for it in items(&answer) {
        let severity = match text(&it["determinations"], "severity") {
            "High" => Severity::Error,
            "Medium" => Severity::Warning,
            _ => Severity::Note,
        };
        let locations = items(&it["locations"]);
        let primary = locations
            .iter()
            .find(|place| text(&place["symbolic"], "kind") == "Primary");
        let Some(location) = primary.or(locations.first()) else {
            continue;
        };
        let start = &location["concrete"]["location"]["start_point"];
        let place = Place::line(
            text(&location["symbolic"]["key"]["Local"], "verbatim_path"),
            number(&start["row"]).saturating_add(1),
            number(&start["column"]).saturating_add(1),
        );
        let message = format!(
            "{}: {}",
            text(it, "desc"),
            text(&location["symbolic"], "annotation")
        );
        found.push(finding(
            "zizmor",
            text(it, "ident"),
            severity,
            &message,
            place,
        ));
    }
    Ok(found)
}

pub(super) fn checkov_calls(ground: &Ground) -> Vec<Call> {
    ground
        .terraform
        .iter()
        .map(|folder| {
            let mut arguments = words(&["--framework", "terraform", "--skip-download", "--quiet"]);
            arguments.extend(words(&[
                "--compact",
                "--soft-fail",
                "--output",
                "json",
                "-d",
            ]));
            arguments.push(folder.clone());
            Call {
                folder: ".".to_owned(),
                arguments,
                subject: folder.clone(),
            }
        })
        .collect()
}

pub(super) fn checkov(said: &Said<'_>) -> Answer {
    let answer = json(said)?;
    // One framework gives an object, several a list.
    let reports = match &answer {
        serde_json::Value::Array(reports) => reports.as_slice(),
        report => std::slice::from_ref(report),
    };
    let mut found = Vec::new();
    for it in reports
        .iter()
        .flat_map(|report| items(&report["results"]["failed_checks"]))
    {
        let place = Place::line(
            within(&said.call.subject, text(it, "file_path")),
            number(&it["file_line_range"][0]),
            1,
        );
        let message = format!("{}: {}", text(it, "check_name"), text(it, "resource"));
        found.push(finding(
            "checkov",
            text(it, "check_id"),
            Severity::Warning,
            &message,
            place,
        ));
    }
    Ok(found)
}

pub(super) fn gitleaks_calls(_: &Ground) -> Vec<Call> {
    let mut arguments = words(&["dir", ".", "--no-banner", "--redact", "--exit-code", "0"]);
    arguments.extend(words(&[
        "--report-format",
        "json",
        "--report-path",
        "-",
        "--log-level",
        "error",
    ]));
    one_call(arguments)
}

pub(super) fn gitleaks(said: &Said<'_>) -> Answer {
    let answer = json(said)?;
    let found = items(&answer).iter().map(|it| {
        let mut place = Place::line(
            within(".", text(it, "File")),
            number(&it["StartLine"]),
            number(&it["StartColumn"]),
        );
        place.secret_from = Some(Cut::Here);
        finding(
            "gitleaks",
            text(it, "RuleID"),
            Severity::Error,
            text(it, "Description"),
            place,
        )
    });
    Ok(found.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(stdout: &str, read: fn(&Said<'_>) -> Answer) -> Vec<(String, Severity, String, u32)> {
        let call = Call {
            folder: ".".into(),
            arguments: Vec::new(),
            subject: "infra/terraform".into(),
        };
        let answer = read(&Said {
            stdout,
            stderr: "",
            call: &call,
            ground: &Ground::default(),
        });
        let found = answer.unwrap().into_iter();
        found
            .map(|it| (it.rule, it.severity, it.place.file, it.place.line))
            .collect()
    }

    #[test]
    fn each_tool_answers_in_its_own_form() {
        assert_eq!(
            said(
                r#"[{"file":"Dockerfile","line":3,"column":1,"level":"info","code":"DL3008","message":"pin."}]"#,
                hadolint
            ),
            [("DL3008".into(), Severity::Note, "Dockerfile".into(), 3)]
        );
        assert_eq!(
            said(
                r#"{"results":{"failed_checks":[{"check_id":"CKV_1","check_name":"n","resource":"r","file_path":"/a/main.tf","file_line_range":[7,9]}]}}"#,
                checkov
            ),
            [(
                "CKV_1".into(),
                Severity::Warning,
                "infra/terraform/a/main.tf".into(),
                7
            )]
        );
        assert_eq!(
            said(r#"{"passed":0,"failed":0,"resource_count":0}"#, checkov),
            []
        );
        assert_eq!(
            said(
                r#"[{"RuleID":"github-pat","Description":"d","File":"a.env","StartLine":2,"StartColumn":7}]"#,
                gitleaks
            ),
            [("github-pat".into(), Severity::Error, "a.env".into(), 2)]
        );
        assert_eq!(
            said(
                r#"[{"kind":"expression","message":"m","filepath":".github/workflows/a.yml","line":8,"column":14}]"#,
                actionlint
            ),
            [(
                "expression".into(),
                Severity::Error,
                ".github/workflows/a.yml".into(),
                8
            )]
        );
    }

    #[test]
    fn an_answer_that_cannot_be_read_is_told_in_the_tools_words() {
        let call = Call {
            folder: ".".into(),
            arguments: Vec::new(),
            subject: ".".into(),
        };
        let answer = hadolint(&Said {
            stdout: "",
            stderr: "\n no such file\n",
            call: &call,
            ground: &Ground::default(),
        });
        assert_eq!(answer, Err("no such file".to_owned()));
    }
}
