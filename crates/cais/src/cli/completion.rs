//! `cais completion`: the script that a shell loads. The script asks cais itself what may follow, so that it knows the project's services, revisions, environments and profiles.

use super::environment::Environment;
use super::project::{self, Project};
use super::{Global, history, output};
use crate::exit::{Exit, Failure, Outcome};
use crate::store::{Journal, PastRollout};
use clap::{Arg, Args, Command, Parser, ValueEnum};
use clap_complete::CompleteEnv;
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use clap_complete::env::Shells;
use std::ffi::OsString;

/// The variable by which a script says that it asks; its value is the shell's name.
const VARIABLE: &str = "CAIS_COMPLETE";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct CompletionArgs {
    /// Which shell: bash, zsh, fish or powershell
    #[arg(value_name = "SHELL", value_enum, hide_possible_values = true)]
    shell: Shell,
}

const HELP: &str = "\
Load it where your shell starts:
  bash        echo 'source <(cais completion bash)' >> ~/.bashrc
  zsh         echo 'source <(cais completion zsh)' >> ~/.zshrc
  fish        echo 'cais completion fish | source' >> ~/.config/fish/config.fish
  powershell  cais completion powershell | Out-String | Invoke-Expression
In zsh after compinit; in PowerShell the line goes into $PROFILE.";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
    Powershell,
}

impl Shell {
    fn name(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Zsh => "zsh",
            Self::Fish => "fish",
            Self::Powershell => "powershell",
        }
    }
}

/// Answers a shell that asks what may follow, and ends the process then; else does nothing.
pub(crate) fn answer(command: fn() -> Command) {
    if std::env::var_os(VARIABLE).is_some() {
        CompleteEnv::with_factory(move || with_names(command()))
            .var(VARIABLE)
            .complete();
    }
}

/// Prints the script.
pub(crate) fn run(args: &CompletionArgs) -> Outcome {
    let name = args.shell.name();
    let failed = |what: String| Failure::new(Exit::Error, format!("no script for {name}: {what}"));
    let shells = Shells::builtins();
    let shell = shells
        .completer(name)
        .ok_or_else(|| failed("it is not known".to_owned()))?;
    let mut script = Vec::new();
    shell
        .write_registration(VARIABLE, "cais", "cais", "cais", &mut script)
        .map_err(|error| failed(error.to_string()))?;
    output::print(String::from_utf8_lossy(&script).trim_end())
}

/// Every argument that takes a service, a revision, an environment or a profile offers those that there are. Options stand
/// back behind them until a dash is typed: what is hidden is offered only where nothing else fits.
fn with_names(command: Command) -> Command {
    let is_option = is_option();
    let offered = move |arg: Arg| match arg.is_positional() || is_option {
        true => with_candidates(arg),
        false => with_candidates(arg).hide(true),
    };
    command
        .disable_help_flag(!is_option)
        .mut_args(offered)
        .mut_subcommands(with_names)
}

/// Is an option being typed?
fn is_option() -> bool {
    let index = std::env::var("_CLAP_COMPLETE_INDEX").ok();
    let word = match index.and_then(|index| index.parse().ok()) {
        Some(index) => words().nth(index),
        None => words().last(),
    };
    word.is_some_and(|word| word.as_encoded_bytes().starts_with(b"-"))
}

fn with_candidates(arg: Arg) -> Arg {
    let value = arg.get_value_names().and_then(|names| names.first());
    let value = value.map(ToString::to_string).unwrap_or_default();
    let candidates = match (arg.get_id().as_str(), value.as_str()) {
        (_, "SERVICE") => ArgValueCandidates::new(|| candidates(services())),
        (_, "SERVICE=N") => ArgValueCandidates::new(|| {
            candidates(services().into_iter().map(|name| format!("{name}=")))
        }),
        ("revision", "REVISION") => ArgValueCandidates::new(revisions),
        ("environment", _) => {
            // Alone it is `config`'s; a shell would be told verbs in its place.
            let arg = arg.num_args(1);
            return arg.add(ArgValueCandidates::new(|| candidates(environments())));
        }
        ("profiles", "NAME") => ArgValueCandidates::new(|| candidates(profiles())),
        _ => return arg,
    };
    arg.add(candidates)
}

fn candidates(names: impl IntoIterator<Item = String>) -> Vec<CompletionCandidate> {
    names.into_iter().map(CompletionCandidate::new).collect()
}

/// The line as it stands so far: a shell gives its words after `--`.
fn words() -> impl Iterator<Item = OsString> {
    std::env::args_os().skip_while(|word| word != "--").skip(1)
}

/// The options of the line that say which project is meant.
fn global() -> Option<Global> {
    #[derive(Debug, Parser)]
    #[command(ignore_errors = true, disable_help_flag = true)]
    struct Line {
        #[command(flatten)]
        global: Global,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<OsString>,
    }
    let line = Line::try_parse_from(words()).ok()?;
    // What follows the verb may name the project too: `cais ps -p shop`.
    let verb = line.rest.iter().position(|word| !word.is_empty());
    let after = verb.map_or(&[][..], |verb| &line.rest[verb + 1..]);
    let rest = Line::try_parse_from([OsString::new()].iter().chain(after)).ok();
    let mut global = line.global;
    if let Some(later) = rest.map(|line| line.global) {
        global.project_name = global.project_name.or(later.project_name);
        global.project_directory = global.project_directory.or(later.project_directory);
        global.environment = global.environment.or(later.environment);
        global.profiles.extend(later.profiles);
        global.env_files.extend(later.env_files);
    }
    Some(global)
}

/// As lenient as can be: a file that is being written has its names already.
fn project() -> Option<Project> {
    Project::look(&global()?, true, true).ok()
}

fn services() -> Vec<String> {
    let project = project();
    let services = project.iter();
    let services = services.flat_map(|project| project.loaded.stack.services.keys());
    services.map(ToString::to_string).collect()
}

/// Those that the service of the line can go back to, the newest first, each with the time of its rollout. What runs on AWS is
/// not asked for: a Tab waits for no network.
fn revisions() -> Vec<CompletionCandidate> {
    let is_here = global().is_some_and(|global| global.environment() == Environment::Local);
    let Some(project) = project().filter(|_| is_here) else {
        return Vec::new();
    };
    let mut services = project.loaded.stack.services.keys();
    let Some(named) = services.find(|name| words().any(|word| word == name.as_str())) else {
        return Vec::new();
    };
    let journal = Journal::look(&project.paths.journal()).ok().flatten();
    let ways = journal.and_then(|journal| journal.ways_back(named).ok());
    let candidate = |rollout: PastRollout| {
        let at = history::moment(rollout.started_ms, "%Y-%m-%d %H:%M UTC");
        CompletionCandidate::new(rollout.to.to_string()).help(Some(format!("of {at}").into()))
    };
    ways.into_iter().flatten().map(candidate).collect()
}

fn environments() -> Vec<String> {
    let named = global().and_then(|global| project::environments(&global).ok());
    let named = named.into_iter().flatten().map(|name| name.to_string());
    std::iter::once("local".to_owned()).chain(named).collect()
}

fn profiles() -> Vec<String> {
    let names = global().and_then(|global| Project::all_profiles(&global).ok());
    names.into_iter().flatten().collect()
}
