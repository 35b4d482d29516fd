//! `# cais:ignore ID reason`: read from the text, because a YAML tree has no comments. An ignore holds for its line, or for the next line that is no comment.

use super::finding::{Finding, Place, Severity, Tier};
use super::rules;

/// What an ignore begins with, after the `#`.
const WORD: &str = "cais:ignore";

/// One ignore comment.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ignore {
    place: Place,
    /// The line it holds for.
    line: u32,
    rule: String,
    reason: String,
}

/// Takes out what is ignored, and adds what is wrong with the ignores themselves; answers with the number taken out.
///
/// `files` are names and texts.
pub(crate) fn apply(findings: &mut Vec<Finding>, files: &[(String, String)], tier: Tier) -> usize {
    let mut ignored = 0;
    for (file, text) in files {
        for ignore in read(file, text) {
            let before = findings.len();
            if !ignore.reason.is_empty() {
                findings.retain(|finding| !ignore.means(finding));
            }
            let taken = before - findings.len();
            ignored += taken;
            findings.extend(ignore.fault(taken, tier));
        }
    }
    ignored
}

impl Ignore {
    fn means(&self, finding: &Finding) -> bool {
        finding.rule == self.rule
            && finding.place.file == self.place.file
            && finding.place.line == self.line
    }

    fn fault(&self, taken: usize, tier: Tier) -> Option<Finding> {
        let rule = &self.rule;
        let (id, message) = if rule.is_empty() || !rules::is_known_id(rule) {
            let named = match rule.as_str() {
                "" => "names no rule".to_owned(),
                rule => format!("names `{rule}`, and there is no such rule"),
            };
            ("CAIS903", format!("this ignore {named}"))
        } else if self.reason.is_empty() {
            ("CAIS901", format!("`{rule}` is ignored without a reason"))
        } else if taken == 0 && rules::by_id(rule).is_some_and(|rule| rule.severity(tier).is_some())
        {
            (
                "CAIS902",
                format!("nothing here is found by `{rule}`: this ignore has no effect"),
            )
        } else {
            return None;
        };
        let rule = rules::by_id(id)?;
        Some(Finding {
            rule: id.to_owned(),
            tool: "cais",
            severity: rule.severity(tier).unwrap_or(Severity::Note),
            message,
            why: rule.why.to_owned(),
            mend: rule.mend.to_owned(),
            services: Vec::new(),
            place: self.place.clone(),
        })
    }
}

fn read(file: &str, text: &str) -> Vec<Ignore> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let Some((start, words)) = comment(line) else {
            continue;
        };
        let alone = line[..start].trim().is_empty();
        let held = if alone {
            let next = lines.iter().skip(index + 1).position(|line| {
                let line = line.trim();
                !line.is_empty() && !line.starts_with('#')
            });
            next.map_or(index, |further| index + 1 + further)
        } else {
            index
        };
        let mut words = words.split_whitespace();
        let rule = words.next().unwrap_or_default().to_owned();
        let number = |index: usize| u32::try_from(index + 1).unwrap_or(u32::MAX);
        let column = line[..start].chars().count();
        found.push(Ignore {
            place: Place {
                width: u32::try_from(line[start..].chars().count()).unwrap_or(1),
                ..Place::line(file, number(index), number(column))
            },
            line: number(held),
            rule,
            reason: words.collect::<Vec<_>>().join(" "),
        });
    }
    found
}

/// Where the comment begins (a `#` at the line's start or after a blank), and what follows the word.
fn comment(line: &str) -> Option<(usize, &str)> {
    line.match_indices('#').find_map(|(start, _)| {
        let begins = line[..start].is_empty() || line[..start].ends_with([' ', '\t']);
        let rest = line[start + 1..].trim_start().strip_prefix(WORD)?;
        let ends = rest.is_empty() || rest.starts_with([' ', '\t']);
        (begins && ends).then_some((start, rest))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<(u32, String, String)> {
        read("compose.yaml", text)
            .into_iter()
            .map(|it| (it.line, it.rule, it.reason))
            .collect()
    }

    #[test]
    fn an_ignore_holds_for_its_line_or_the_next_that_is_no_comment() {
        let text = "a: 1 # cais:ignore CAIS101 tested here\n# cais:ignore CAIS102 two words\n# more\n\nb: 2\n";
        assert_eq!(
            lines(text),
            [
                (1, "CAIS101".into(), "tested here".into()),
                (5, "CAIS102".into(), "two words".into())
            ]
        );
    }

    #[test]
    fn other_words_are_no_ignore() {
        assert!(
            lines("a: b#cais:ignore CAIS101 x\n# cais:ignored\n# see cais:ignore\n").is_empty()
        );
    }
}
