//! `cais check`: reads what there is to look at, asks the rules and the installed tools, prints what they found, and fails at the severity that was asked for.

use super::project::Project;
use super::{Global, output, tools};
use crate::check::finding::{Severity, Tier};
use crate::check::report::{self, Report, Texts};
use crate::check::{self, Subject, dockerfile, rules};
use crate::exit::{Exit, Failure, Outcome};
use cais_model::name::ServiceName;
use cais_model::stack::Stack;
use clap::{Args, ValueEnum};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Fail with exit code 7 at findings this grave: note, warning, error or never
    #[arg(long, value_enum, hide_possible_values = true, default_value_t = FailOn::Warning, value_name = "SEVERITY")]
    fail_on: FailOn,
    /// How findings are printed: text, json, sarif (code scanning) or github (annotations)
    #[arg(long, value_enum, hide_possible_values = true, value_name = "FORM")]
    output: Option<Form>,
    /// Look at the Compose file only; ask no other tool
    #[arg(long)]
    no_tools: bool,
    /// Fail with exit code 7 when a tool that has something to look at is missing or gives no answer
    #[arg(long, conflicts_with = "no_tools")]
    require_tools: bool,
    /// Print the rules, and nothing else
    #[arg(long)]
    list_rules: bool,
}

/// `--fail-on`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// At anything
    Note,
    /// At warnings and errors
    Warning,
    /// At errors
    Error,
    /// Not at all
    Never,
}

impl FailOn {
    fn severity(self) -> Option<Severity> {
        match self {
            Self::Note => Some(Severity::Note),
            Self::Warning => Some(Severity::Warning),
            Self::Error => Some(Severity::Error),
            Self::Never => None,
        }
    }
}

/// `--output`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people
    Text,
    /// One JSON object
    Json,
    /// SARIF 2.1.0
    Sarif,
    /// GitHub's workflow commands
    Github,
}

pub(crate) fn run(global: &Global, args: &CheckArgs) -> Outcome {
    if args.list_rules {
        return list_rules(global);
    }
    let project = load(global)?;
    output::print_diagnostics(&project.loaded.warnings, &project.loaded.files);
    let environment = global.environment().to_string();
    let stack = &project.loaded.stack;
    let checked = check::check(&Subject {
        loaded: &project.loaded,
        tier: Tier::of(&environment),
        dockerfiles: dockerfiles(stack),
    });
    let (tools, found) = if args.no_tools {
        (Vec::new(), Vec::new())
    } else {
        tools::ask_all(stack, &stack.directory)
    };
    let mut findings = checked.findings;
    findings.extend(found);
    let report = Report {
        environment,
        findings,
        ignored: checked.ignored,
        tools,
        secrets: checked.secrets,
    };
    print(
        &report,
        &project,
        args.output.unwrap_or(if global.json() {
            Form::Json
        } else {
            Form::Text
        }),
    )?;
    verdict(&report, args)
}

/// Services behind every profile are looked at, where that makes a stack that holds together.
fn load(global: &Global) -> Outcome<Project> {
    if global.profiles.is_empty() {
        let all = Global {
            profiles: vec!["*".to_owned()],
            ..global.clone()
        };
        if let Ok(project) = Project::load(&all) {
            return Ok(project);
        }
    }
    Project::load(global)
}

fn verdict(report: &Report, args: &CheckArgs) -> Outcome {
    let limit = args.fail_on.severity();
    let grave = report
        .findings
        .iter()
        .filter(|finding| limit.is_some_and(|limit| finding.severity >= limit))
        .count();
    if grave > 0 {
        let plural = if grave == 1 { "" } else { "s" };
        return Err(Failure::new(Exit::CheckFailed, format!("{grave} finding{plural} to mend")).help(
            "mend them, or write `# cais:ignore ID reason` above the line; `--fail-on error` lets warnings pass",
        ));
    }
    let blind: Vec<&str> = report
        .tools
        .iter()
        .filter(|run| run.is_blind())
        .map(|run| run.tool)
        .collect();
    if args.require_tools && !blind.is_empty() {
        return Err(Failure::new(
            Exit::CheckFailed,
            format!("without an answer: {}", blind.join(", ")),
        )
        .help("install them, or leave `--require-tools` out"));
    }
    Ok(())
}

fn print(report: &Report, project: &Project, form: Form) -> Outcome {
    match form {
        Form::Json => output::print_json(&report::json(report)),
        Form::Sarif => output::print_json(&report::sarif(report)),
        Form::Github => output::print(report::github(report).trim_end()),
        Form::Text => print_text(report, project),
    }
}

fn print_text(report: &Report, project: &Project) -> Outcome {
    let texts = texts(report, project);
    let colour = !matches!(
        anstream::stdout().current_choice(),
        anstream::ColorChoice::Never
    );
    let mut said = BTreeSet::new();
    for finding in &report.findings {
        output::print(&report::finding_text(
            finding, report, &texts, &mut said, colour,
        ))?;
    }
    for line in report::summary(report) {
        output::print(&line)?;
    }
    Ok(())
}

/// The texts of all files that something was found in.
fn texts(report: &Report, project: &Project) -> Texts {
    let loaded = project.loaded.files.iter();
    let mut texts: Texts = loaded
        .map(|(path, text)| (path.display().to_string(), text.clone()))
        .collect();
    for finding in &report.findings {
        let file = &finding.place.file;
        if !texts.contains_key(file)
            && let Ok(text) = std::fs::read_to_string(project.loaded.stack.directory.join(file))
        {
            texts.insert(file.clone(), text);
        }
    }
    texts
}

/// What the Dockerfiles of the services end with; one that cannot be read is left out.
fn dockerfiles(stack: &Stack) -> BTreeMap<ServiceName, dockerfile::FinalStage> {
    let mut found = BTreeMap::new();
    for (name, service) in &stack.services {
        let Some(build) = &service.build else {
            continue;
        };
        let path = stack
            .directory
            .join(&build.context)
            .join(build.dockerfile.as_deref().unwrap_or("Dockerfile"));
        if let Some(stage) =
            read(&path).and_then(|text| dockerfile::final_stage(&text, build.target.as_deref()))
        {
            found.insert(name.clone(), stage);
        }
    }
    found
}

fn read(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

fn list_rules(global: &Global) -> Outcome {
    if global.json() {
        let rules: Vec<_> = rules::RULES
            .iter()
            .map(|rule| {
                serde_json::json!({
                    "id": rule.id, "name": rule.name, "local": rule.local, "named": rule.named,
                    "production": rule.production, "why": rule.why, "mend": rule.mend,
                })
            })
            .collect();
        return output::print_json(&rules);
    }
    let mut table = output::new_table(&["ID", "NAME", "LOCAL", "NAMED", "PRODUCTION"]);
    for rule in rules::RULES {
        let word = |severity: Option<Severity>| severity.map_or("-", Severity::word);
        table.add_row([
            rule.id,
            rule.name,
            word(rule.local),
            word(rule.named),
            word(rule.production),
        ]);
    }
    output::print_table(&table)
}
