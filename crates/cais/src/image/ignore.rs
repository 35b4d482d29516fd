//! Which files of a build context go to the builder: `.dockerignore`, by moby's rules.
//!
//! They are not `.gitignore`'s: every pattern is anchored at the context's root, the last pattern that fits
//! decides whatever it stands for, and `!` brings back a file below an excluded folder.

use regex::Regex;
use std::path::Path;

/// The patterns of one file.
#[derive(Debug, Default)]
pub(crate) struct Ignore {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    /// `!`: brings back.
    includes: bool,
    pattern: Regex,
    /// Leading part of the pattern without a wildcard.
    literal: String,
}

impl Ignore {
    /// Reads the text of a `.dockerignore`. `Err` tells the line (from 1) and what is wrong with its pattern.
    pub(crate) fn parse(text: &str) -> Result<Self, (usize, String)> {
        let mut rules = Vec::new();
        for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            if line.starts_with('#') {
                continue;
            }
            let line = line.trim();
            let (includes, written) = match line.strip_prefix('!') {
                Some(rest) => (true, rest.trim()),
                None => (false, line),
            };
            let cleaned = clean(written);
            if cleaned.is_empty() {
                if includes {
                    return Err((index + 1, "`!` has no pattern".to_owned()));
                }
                continue;
            }
            let pattern = translate(&cleaned)
                .ok_or_else(|| (index + 1, format!("`{written}` is not a pattern")))?;
            let end = cleaned.find(['*', '?', '[', '\\']).unwrap_or(cleaned.len());
            rules.push(Rule {
                includes,
                pattern,
                literal: cleaned[..end].to_owned(),
            });
        }
        Ok(Self { rules })
    }

    /// Brings these files of the context's root back, whatever the patterns say: the builder needs them.
    pub(crate) fn always(&mut self, paths: &[&str]) {
        for path in paths.iter().map(|path| clean(path)) {
            if let Some(pattern) = translate(&escape(&path)) {
                self.rules.push(Rule {
                    includes: true,
                    pattern,
                    literal: path,
                });
            }
        }
    }

    /// Is this path (relative, with `/`) left out?
    pub(crate) fn excludes(&self, path: &str) -> bool {
        let fits = |rule: &Rule| {
            let mut end = path.len();
            loop {
                if rule.pattern.is_match(&path[..end]) {
                    return true;
                }
                match path[..end].rfind('/') {
                    Some(slash) => end = slash,
                    None => return false,
                }
            }
        };
        let last = self.rules.iter().rev().find(|rule| fits(rule));
        last.is_some_and(|rule| !rule.includes)
    }

    /// May something below this excluded folder be brought back?
    pub(crate) fn may_include_below(&self, folder: &str) -> bool {
        let below = format!("{folder}/");
        self.rules.iter().filter(|rule| rule.includes).any(|rule| {
            let literal = rule.literal.as_str();
            literal.starts_with(&below) || below.starts_with(literal)
        })
    }
}

/// A path as Go's `filepath.Clean` leaves it, without a leading slash.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn escape(path: &str) -> String {
    let special = |c: char| matches!(c, '*' | '?' | '[' | '\\');
    path.chars()
        .flat_map(|c| special(c).then_some('\\').into_iter().chain([c]))
        .collect()
}

/// A pattern as a regular expression: `*` and `?` stay within a name, `**` is any number of folders.
fn translate(pattern: &str) -> Option<Regex> {
    let mut expression = String::from("^");
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '*' if chars.next_if_eq(&'*').is_some() => {
                while chars.next_if_eq(&'*').is_some() {}
                expression.push_str(match chars.next_if_eq(&'/') {
                    Some(_) => "(.*/)?",
                    None => ".*",
                });
            }
            '*' => expression.push_str("[^/]*"),
            '?' => expression.push_str("[^/]"),
            '\\' => expression.push_str(&regex::escape(&chars.next()?.to_string())),
            '[' => {
                expression.push('[');
                if chars.next_if(|c| *c == '^').is_some() {
                    expression.push('^');
                }
                loop {
                    match chars.next()? {
                        ']' => break,
                        '\\' => expression.push_str(&regex::escape(&chars.next()?.to_string())),
                        '-' => expression.push('-'),
                        c => expression.push_str(&regex::escape(&c.to_string())),
                    }
                }
                expression.push(']');
            }
            c => expression.push_str(&regex::escape(&c.to_string())),
        }
    }
    expression.push('$');
    Regex::new(&expression).ok()
}

/// The ignore file of a Dockerfile: its own (`Dockerfile.dockerignore`) before the context's.
pub(crate) fn file_for(context: &Path, dockerfile: &Path) -> Option<std::path::PathBuf> {
    let mut own = dockerfile.as_os_str().to_owned();
    own.push(".dockerignore");
    [own.into(), context.join(".dockerignore")]
        .into_iter()
        .find(|path: &std::path::PathBuf| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Moby's own examples and the corners where `.gitignore` would answer otherwise.
    #[test]
    fn patterns_mean_what_docker_says() {
        let cases: &[(&str, &[&str], &[&str])] = &[
            // patterns, left out, sent
            ("", &[], &["a", ".dockerignore"]),
            ("# docs\n\n  \n", &[], &["# docs", "docs"]),
            (
                "docs",
                &["docs", "docs/a", "docs/b/c"],
                &["src/docs", "docs2"],
            ),
            ("/docs/", &["docs", "docs/a"], &["src/docs"]),
            ("./a/../b", &["b", "b/c"], &["a"]),
            ("*.md", &["README.md"], &["docs/README.md", "README.mdx"]),
            (
                "**/*.md",
                &["README.md", "docs/README.md", "a/b/c.md"],
                &["a.mdx"],
            ),
            (
                "*/temp*",
                &["somedir/temporary.txt", "somedir/temp"],
                &["temp", "a/b/temp"],
            ),
            ("*/*/temp*", &["a/b/temporary.txt"], &["a/temp"]),
            ("temp?", &["tempa", "tempb/c"], &["temp", "tempaa"]),
            ("**", &["a", "a/b"], &[]),
            (
                "target/**",
                &["target/a", "target/a/b"],
                &["target", "targets/a"],
            ),
            (
                "**/target",
                &["target", "a/target", "a/b/target/c"],
                &["targets"],
            ),
            ("a/**/z", &["a/z", "a/b/z", "a/b/c/z"], &["z", "a/zz"]),
            ("[a-c].txt", &["b.txt"], &["d.txt"]),
            ("[^a-c].txt", &["d.txt"], &["b.txt"]),
            ("a\\*b", &["a*b"], &["axb"]),
            ("*.md\n!README.md", &["a.md"], &["README.md"]),
            (
                "*.md\n!README*.md\nREADME-secret.md",
                &["a.md", "README-secret.md"],
                &["README.md", "README-1.md"],
            ),
            (
                "*.md\nREADME-secret.md\n!README*.md",
                &["a.md"],
                &["README-secret.md", "README.md"],
            ),
            // The last pattern that fits decides, even where it names a folder above.
            ("!docs/README.md\ndocs", &["docs/README.md"], &[]),
            (
                "docs\n!docs/README.md",
                &["docs/a", "docs"],
                &["docs/README.md"],
            ),
            (
                "*\n!src\n!Cargo.*",
                &["target", "a/b"],
                &["src", "src/a/b", "Cargo.toml", "Cargo.lock"],
            ),
            ("*\n!**/*.rs", &["a/b.txt", "a"], &["a/b.rs", "c.rs"]),
            ("a+b(c)", &["a+b(c)"], &["aab(c)"]),
        ];
        for (text, left_out, sent) in cases {
            let ignore = Ignore::parse(text).unwrap();
            for path in *left_out {
                assert!(ignore.excludes(path), "{text:?} leaves out {path}");
            }
            for path in *sent {
                assert!(!ignore.excludes(path), "{text:?} sends {path}");
            }
        }
    }

    #[test]
    fn a_folder_is_entered_only_where_something_in_it_may_come_back() {
        let ignore = Ignore::parse("*\n!src/main.rs\n!docs/*.md").unwrap();
        for (folder, want) in [
            ("src", true),
            ("docs", true),
            ("target", false),
            ("src/bin", false),
        ] {
            assert_eq!(ignore.may_include_below(folder), want, "{folder}");
        }
        assert!(
            Ignore::parse("*\n!**/x")
                .unwrap()
                .may_include_below("target")
        );
    }

    #[test]
    fn the_dockerfile_is_sent_although_everything_is_left_out() {
        let mut ignore = Ignore::parse("**").unwrap();
        ignore.always(&["docker/Dockerfile.[x]"]);
        assert!(!ignore.excludes("docker/Dockerfile.[x]") && ignore.excludes("docker/a"));
        assert!(ignore.may_include_below("docker"));
    }

    #[test]
    fn a_pattern_that_is_none_is_told_with_its_line() {
        assert_eq!(
            Ignore::parse("a\n!\n").unwrap_err(),
            (2, "`!` has no pattern".to_owned())
        );
        assert_eq!(
            Ignore::parse("\n[a-").unwrap_err(),
            (2, "`[a-` is not a pattern".to_owned())
        );
    }
}
