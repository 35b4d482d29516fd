//! `cais infra`: renders what the stack is on AWS, compares it with what stands in a folder, and has both checked. What is
//! rendered is `cais-cloud`'s decision; files are [`folder`]'s matter, programs that check them [`tools`]'.

use super::environment::Environment;
use super::project::{self, Project};
use super::{Global, output};
use crate::exit::{Exit, Failure, Outcome};
use cais_cloud::files::Files;
use cais_cloud::resource::Infrastructure;
use cais_model::Loaded;
use cais_model::diagnostic::Diagnostic;
use cais_model::fields;
use cais_model::fields::Runtime;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

mod difference;
mod folder;
mod tools;

#[derive(Debug, Args)]
pub(crate) struct InfraArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Render Terraform: modules, and two roots for each environment
    Terraform(RenderArgs),
    /// Render a Pulumi program in TypeScript
    Pulumi(RenderArgs),
    /// Show what rendering would change, by resource
    Diff(DiffArgs),
    /// Draw the architecture, as SVG or Mermaid
    Diagram(DiagramArgs),
}

#[derive(Debug, Args)]
struct RenderArgs {
    /// Folder to write to; by default infra/terraform or infra/pulumi beside the Compose file
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Check the result with the programs that are installed (terraform, checkov, tsc)
    #[arg(long)]
    check: bool,
}

#[derive(Debug, Args)]
struct DiffArgs {
    /// Folder to compare with; by default infra/terraform or infra/pulumi beside the Compose file
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Compare the Pulumi program instead of Terraform
    #[arg(long)]
    pulumi: bool,
    /// End with 6 when something differs
    #[arg(long)]
    exit_code: bool,
}

#[derive(Debug, Args)]
struct DiagramArgs {
    /// File to write to; by default standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// What it is drawn as
    #[arg(long = "as", value_name = "FORMAT", default_value = "svg")]
    drawn_as: Drawing,
}

/// What the architecture is drawn as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Drawing {
    Svg,
    Mermaid,
}

/// What is rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Printer {
    Terraform,
    Pulumi,
}

impl Printer {
    fn folder(self) -> &'static str {
        match self {
            Self::Terraform => "terraform",
            Self::Pulumi => "pulumi",
        }
    }
}

/// Files, and whether they are all that a folder should have.
struct Rendered {
    files: Files,
    /// The environments in them.
    environments: Vec<String>,
    /// Are these all environments of the project?
    is_whole: bool,
    out: PathBuf,
}

pub(crate) fn run(global: &Global, args: &InfraArgs) -> Outcome {
    match &args.verb {
        Verb::Terraform(args) => write(global, Printer::Terraform, args),
        Verb::Pulumi(args) => write(global, Printer::Pulumi, args),
        Verb::Diff(args) => diff(global, args),
        Verb::Diagram(args) => diagram(global, args),
    }
}

/// Draws one environment: the one that is named, or the only one there is.
fn diagram(global: &Global, args: &DiagramArgs) -> Outcome {
    let name = match global.environment() {
        Environment::Named(name) => name,
        Environment::Local => {
            let all = project::environments(global)?;
            let names: Vec<String> = all.iter().map(ToString::to_string).collect();
            match (all.into_iter().next(), names.as_slice()) {
                (Some(only), [_]) => only,
                _ => {
                    let known = if names.is_empty() {
                        "none".to_owned()
                    } else {
                        names.join(", ")
                    };
                    return Err(Failure::new(
                        Exit::Usage,
                        format!("which environment is to be drawn? There are: {known}"),
                    )
                    .help("name one: `cais -E NAME infra diagram`"));
                }
            }
        }
    };
    let project = Project::load_for(global, Environment::Named(name.clone()))?;
    let mut warned = Vec::new();
    let infrastructure = lowered(&project, name.as_str(), &mut warned)?;
    output::print_diagnostics(&warned, &project.loaded.files);
    let text = match args.drawn_as {
        Drawing::Svg => cais_cloud::diagram::svg(&infrastructure),
        Drawing::Mermaid => cais_cloud::diagram::mermaid(&infrastructure),
    };
    match &args.output {
        None => output::print(text.trim_end()),
        Some(path) => std::fs::write(path, text).map_err(|error| {
            Failure::new(
                Exit::Error,
                format!("cannot write {}: {error}", path.display()),
            )
        }),
    }
}

fn write(global: &Global, printer: Printer, args: &RenderArgs) -> Outcome {
    let rendered = render(global, printer, args.out.as_ref())?;
    let written = folder::write(&rendered)?;
    output::say(&format!(
        "{}: {} files for {}, {} changed, {} removed",
        folder::shown(&rendered.out),
        rendered.files.len(),
        rendered.environments.join(" and "),
        written.changed,
        written.removed
    ));
    if args.check {
        return tools::check(printer, &rendered);
    }
    for path in rendered
        .files
        .keys()
        .filter(|path| path.ends_with("README.md"))
    {
        let page = folder::shown(&rendered.out.join(path));
        output::say(&format!("the order of commands: {page}"));
    }
    Ok(())
}

fn diff(global: &Global, args: &DiffArgs) -> Outcome {
    let printer = if args.pulumi {
        Printer::Pulumi
    } else {
        Printer::Terraform
    };
    let rendered = render(global, printer, args.out.as_ref())?;
    let standing = folder::read(&rendered)?;
    let differences = difference::of(&standing, &rendered.files);
    if global.json() {
        output::print_json(&differences)?;
    } else if differences.is_empty() {
        output::say("no differences");
    } else {
        output::print(differences.to_string().trim_end())?;
    }
    if args.exit_code && !differences.is_empty() {
        return Err(Failure::new(
            Exit::Differences,
            match differences.files() {
                1 => "1 file differs from what the Compose file renders to".to_owned(),
                n => format!("{n} files differ from what the Compose file renders to"),
            },
        )
        .help(format!("write them: `cais infra {}`", printer.folder())));
    }
    Ok(())
}

/// Renders the environment that is meant, or all of them. Everything is in memory before anything is written.
fn render(global: &Global, printer: Printer, out: Option<&PathBuf>) -> Outcome<Rendered> {
    let all = project::environments(global)?;
    let meant = match global.environment() {
        Environment::Named(name) => vec![name],
        Environment::Local => all.iter().cloned().collect(),
    };
    if meant.is_empty() {
        return Err(Failure::new(
            Exit::Usage,
            "there is no environment to render: no compose.<name>.yaml stands beside the Compose file",
        )
        .help("write compose.staging.yaml with `x-cais: {aws: {region: sa-east-1}}`, or name it: `cais -E NAME infra terraform`"));
    }
    let mut rendered = Rendered {
        files: Files::new(),
        environments: meant.iter().map(ToString::to_string).collect(),
        is_whole: meant.len() == all.len(),
        out: PathBuf::new(),
    };
    let (mut warned, mut sources) = (Vec::new(), Vec::new());
    for name in meant {
        let project = Project::load_for(global, Environment::Named(name.clone()))?;
        let infrastructure = lowered(&project, name.as_str(), &mut warned)?;
        sources.extend(project.loaded.files);
        rendered.files.extend(match printer {
            Printer::Terraform => cais_cloud::terraform(&infrastructure),
            Printer::Pulumi => cais_cloud::pulumi(&infrastructure),
        });
        rendered.out = match out {
            Some(out) => out.clone(),
            None => project
                .release
                .directory
                .join("infra")
                .join(printer.folder()),
        };
    }
    output::print_diagnostics(&warned, &sources);
    if printer == Printer::Pulumi {
        folder::keep_settings(&mut rendered);
    }
    Ok(rendered)
}

/// What one environment is on AWS; what AWS does not honour is added to `warned`, what another environment said before not.
fn lowered(
    project: &Project,
    environment: &str,
    warned: &mut Vec<Diagnostic>,
) -> Outcome<Infrastructure> {
    let loaded = &project.loaded;
    let mut diagnostics = loaded.warnings.clone();
    diagnostics.extend(not_honoured(loaded));
    let infrastructure = cais_cloud::lower(&loaded.stack, environment);
    let infrastructure = match infrastructure {
        Ok(infrastructure) if !diagnostics.iter().any(|found| found.is_error()) => infrastructure,
        other => {
            diagnostics.extend(other.err().unwrap_or_default());
            diagnostics.sort_by(|a, b| a.position.cmp(&b.position));
            return Err(Failure::invalid(diagnostics, loaded.files.clone()));
        }
    };
    diagnostics.retain(|found| !warned.contains(found));
    warned.extend(diagnostics);
    Ok(infrastructure)
}

/// What of the file AWS refuses or gives no effect, field by field.
pub(super) fn not_honoured(loaded: &Loaded) -> Vec<Diagnostic> {
    let mut diagnostics = fields::unsupported(loaded, Runtime::Aws);
    diagnostics.extend(cais_cloud::check(loaded));
    diagnostics
}
