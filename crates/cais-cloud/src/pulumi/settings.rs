//! A stack's settings, `Pulumi.<stack>.yaml`: rendered, and written to by `pulumi` too (`stack init`, `config set`). What is rendered is
//! set anew, what else stands there is kept.

/// A key with its lines: its own, and those below it that are indented further.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    key: String,
    lines: Vec<String>,
}

/// What is rendered, with what else stands in the file: the file as it stands where nothing of it has to change, whoever laid it out.
pub fn merged_settings(rendered: &str, standing: &str) -> String {
    let (ours, theirs) = (entries(rendered.lines()), entries(standing.lines()));
    if has_all(&theirs, &ours) {
        return standing.to_owned();
    }
    let mut out: Vec<String> = standing
        .lines()
        .take_while(|line| line.starts_with('#'))
        .map(str::to_owned)
        .collect();
    let config = |entry: &&Entry| entry.key == CONFIG;
    for entry in ours.iter().filter(|entry| !config(entry)) {
        out.extend(entry.lines.iter().cloned());
    }
    for entry in missing(&ours, &theirs).filter(|entry| !config(entry)) {
        out.extend(entry.lines.iter().cloned());
    }
    let inner = |all: &[Entry]| all.iter().find(config).map(below).unwrap_or_default();
    let (ours, theirs) = (inner(&ours), inner(&theirs));
    let extra = missing(&ours, &theirs);
    let lines: Vec<String> = ours
        .iter()
        .chain(extra)
        .flat_map(|entry| indented(&entry.lines))
        .collect();
    if !lines.is_empty() {
        out.push(format!("{CONFIG}:"));
        out.extend(lines);
    }
    out.push(String::new());
    out.join("\n")
}

/// Where the settings of programs and providers stand, each a key.
const CONFIG: &str = "config";

/// The entries of one level: a line with the indentation of the first begins one.
fn entries<'l>(lines: impl Iterator<Item = &'l str>) -> Vec<Entry> {
    let mut found: Vec<Entry> = Vec::new();
    let mut level = None;
    for line in lines {
        let text = line.trim_start();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let indentation = line.len() - text.len();
        let level = *level.get_or_insert(indentation);
        match found.last_mut() {
            Some(last) if indentation > level => last.lines.push(line.to_owned()),
            _ => found.push(Entry {
                key: key(text),
                lines: vec![line.to_owned()],
            }),
        }
    }
    found
}

/// `aws:region` of `aws:region: eu-west-1`: a colon ends a key where nothing or a space follows.
fn key(text: &str) -> String {
    let end = text.find(": ").unwrap_or(text.trim_end().len());
    let key = text[..end].trim_end().trim_end_matches(':');
    key.trim_matches(['"', '\'']).to_owned()
}

fn below(entry: &Entry) -> Vec<Entry> {
    entries(entry.lines.iter().skip(1).map(String::as_str))
}

/// Entries that are there and not among ours.
fn missing<'e>(ours: &'e [Entry], theirs: &'e [Entry]) -> impl Iterator<Item = &'e Entry> {
    theirs
        .iter()
        .filter(|entry| !ours.iter().any(|own| own.key == entry.key))
}

/// Does each of ours stand there, however it is indented and quoted?
fn has_all(theirs: &[Entry], ours: &[Entry]) -> bool {
    ours.iter().all(|own| {
        let Some(other) = theirs.iter().find(|entry| entry.key == own.key) else {
            return false;
        };
        if own.key == CONFIG {
            return has_all(&below(other), &below(own));
        }
        let bare = |entry: &Entry| -> Vec<String> {
            let lines = entry.lines.iter();
            lines
                .map(|line| line.trim().replace(['"', '\''], ""))
                .collect()
        };
        bare(own) == bare(other)
    })
}

/// Two spaces before the first line, and the others as far from it as they were.
fn indented(lines: &[String]) -> impl Iterator<Item = String> {
    let width = |line: &str| line.len() - line.trim_start().len();
    let first = lines.first().map_or(0, |line| width(line));
    lines.iter().map(move |line| {
        let further = width(line).saturating_sub(first);
        format!("  {}{}", " ".repeat(further), line.trim_start())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RENDERED: &str = "# Rendered by cais\nsecretsprovider: awskms://alias/a?region=r\nconfig:\n  aws:region: r\n  aws:defaultTags:\n    tags:\n      Project: shop\n";

    #[test]
    fn what_pulumi_wrote_is_kept_and_what_is_rendered_is_set() {
        let standing = "# Rendered by cais\nsecretsprovider: awskms://alias/a?region=r\nencryptedkey: AQ==\nconfig:\n    aws:region: old\n    shop-services:imageTag: 3f9c\n    shop-services:webhook:\n        secure: v1:abc\n";
        let merged = "# Rendered by cais\nsecretsprovider: awskms://alias/a?region=r\nencryptedkey: AQ==\nconfig:\n  aws:region: r\n  aws:defaultTags:\n    tags:\n      Project: shop\n  shop-services:imageTag: 3f9c\n  shop-services:webhook:\n      secure: v1:abc\n";
        assert_eq!(merged_settings(RENDERED, standing), merged);
        assert_eq!(merged_settings(RENDERED, merged), merged);
    }

    #[test]
    fn a_file_that_has_it_all_stays_as_pulumi_laid_it_out() {
        let standing = "config:\n    aws:defaultTags:\n        tags:\n            Project: shop\n    aws:region: \"r\"\n    shop-services:imageTag: 3f9c\nencryptedkey: AQ==\nsecretsprovider: awskms://alias/a?region=r\n";
        assert_eq!(merged_settings(RENDERED, standing), standing);
        assert_eq!(merged_settings(RENDERED, RENDERED), RENDERED);
    }

    #[test]
    fn a_file_that_somebody_emptied_is_rendered() {
        assert_eq!(merged_settings(RENDERED, "# Rendered by cais\n"), RENDERED);
    }
}
