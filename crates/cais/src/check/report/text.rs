//! Findings for people: the source line, what is wrong with it, why, and what to write instead. A line with a secret is cut off before it.

use super::super::finding::{Cut, Finding, Place, Severity};
use super::super::tools::State;
use super::Report;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use std::collections::{BTreeMap, BTreeSet};

/// Texts of the files that findings are in, by the name that the findings use.
pub(crate) type Texts = BTreeMap<String, String>;

/// One finding, ending with a newline. `said` are the rules whose why was told already.
pub(crate) fn finding_text(
    finding: &Finding,
    report: &Report,
    texts: &Texts,
    said: &mut BTreeSet<String>,
    colour: bool,
) -> String {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let title = if finding.services.len() > 1 {
        format!("{} ({})", finding.message, finding.services.join(", "))
    } else {
        finding.message.clone()
    };
    let line = texts
        .get(&finding.place.file)
        .and_then(|text| text.lines().nth(index(finding.place.line)))
        .map(|line| concealed(line, &finding.place, &report.secrets));
    let id = match finding.tool {
        "cais" => finding.rule.clone(),
        tool => format!("{tool}/{}", finding.rule),
    };
    let mut group = Group::with_title(level.primary_title(title.as_str()).id(id.as_str()));
    group = match &line {
        Some(line) => group.element(
            Snippet::source(line.as_str())
                .line_start(index(finding.place.line) + 1)
                .path(finding.place.file.as_str())
                .annotation(AnnotationKind::Primary.span(span(line, &finding.place))),
        ),
        None => group.element(
            Origin::path(finding.place.file.as_str())
                .line(index(finding.place.line) + 1)
                .char_column(index(finding.place.column) + 1),
        ),
    };
    // Once is enough: a file with thirty ports does not need the reason thirty times.
    if said.insert(id.clone()) {
        if !finding.why.is_empty() {
            group = group.element(Level::NOTE.with_name("why").message(finding.why.as_str()));
        }
        if !finding.mend.is_empty() {
            group = group.element(Level::HELP.message(finding.mend.as_str()));
        }
    }
    let renderer = if colour {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let mut text = renderer.render(&[group]);
    text.push('\n');
    text
}

fn index(one_based: u32) -> usize {
    usize::try_from(one_based).unwrap_or(1).saturating_sub(1)
}

/// The line without its secrets, whichever finding it is shown for.
fn concealed(line: &str, place: &Place, secrets: &[Place]) -> String {
    let cut = secrets
        .iter()
        .chain(std::iter::once(place))
        .filter(|secret| secret.file == place.file && secret.line == place.line)
        .filter_map(|secret| {
            let start = byte(line, index(secret.column));
            match secret.secret_from? {
                Cut::Here => Some(start),
                Cut::AfterEquals => {
                    let equals = line[start..].find('=');
                    Some(equals.map_or(start, |equals| start + equals + 1))
                }
            }
        })
        .min();
    match cut {
        Some(cut) => format!("{}***", &line[..cut]),
        None => line.to_owned(),
    }
}

fn byte(line: &str, characters: usize) -> usize {
    line.char_indices()
        .nth(characters)
        .map_or(line.len(), |(index, _)| index)
}

fn span(line: &str, place: &Place) -> std::ops::Range<usize> {
    let start = byte(line, index(place.column)).min(line.len());
    let width = usize::try_from(place.width).unwrap_or(1).max(1);
    start..byte(line, index(place.column) + width).max(start)
}

/// The last lines: which tools ran, which are missing, and the count.
pub(crate) fn summary(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    let names = |wanted: fn(&State) -> bool| {
        let named = report.tools.iter().filter(|run| wanted(&run.state));
        named.map(|run| run.tool).collect::<Vec<_>>()
    };
    let ran = names(|state| matches!(state, State::Ran { .. }));
    if !ran.is_empty() {
        lines.push(format!("also asked: {}", ran.join(", ")));
    }
    for run in &report.tools {
        match &run.state {
            State::Missing => lines.push(format!(
                "not looked at: {}: {} is not installed ({})",
                run.what, run.tool, run.install
            )),
            State::Failed { reason } => {
                lines.push(format!(
                    "not looked at: {}: {} failed: {reason}",
                    run.what, run.tool
                ));
            }
            State::Ran { .. } => {}
        }
    }
    let counted: Vec<String> = [Severity::Error, Severity::Warning, Severity::Note]
        .into_iter()
        .map(|severity| (report.count(severity), severity.word()))
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}{}", if count == 1 { "" } else { "s" }))
        .collect();
    let all = report.findings.len();
    let ignored = match report.ignored {
        0 => String::new(),
        ignored => format!(", {ignored} ignored"),
    };
    let environment = &report.environment;
    lines.push(if counted.is_empty() {
        format!("{environment}: 0 findings{ignored}")
    } else {
        let plural = if all == 1 { "" } else { "s" };
        format!(
            "{environment}: {all} finding{plural}: {}{ignored}",
            counted.join(", ")
        )
    });
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_before_its_secret_for_every_finding_on_it() {
        let mut secret = Place::line("c.yaml", 3, 9);
        secret.secret_from = Some(Cut::AfterEquals);
        let other = Place::line("c.yaml", 3, 1);
        let line = "      - TOKEN=hunter2";
        assert_eq!(
            concealed(line, &other, &[secret.clone()]),
            "      - TOKEN=***"
        );
        secret.secret_from = Some(Cut::Here);
        assert_eq!(
            concealed(
                "  A: { TOKEN: hunter2 }",
                &Place {
                    column: 15,
                    ..secret
                },
                &[]
            ),
            "  A: { TOKEN: ***"
        );
    }
}
