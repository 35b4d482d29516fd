//! What was typed, and which command it means. Every command ends here with its exit code.
#![allow(
    rustdoc::invalid_html_tags,
    reason = "much of it is help, where <NAME> stands for a name"
)]

#[cfg(feature = "aws")]
mod aws;
#[cfg(not(feature = "aws"))]
#[path = "without_aws.rs"]
mod aws;
mod build;
mod check;
mod ci;
mod clean;
mod completion;
mod config;
mod deploy;
mod down;
mod elsewhere;
mod environment;
mod exec;
mod files;
mod hidden;
mod history;
pub(crate) mod image;
mod infra;
mod init;
mod logs;
mod mask;
mod output;
mod plan;
mod progress;
mod project;
mod ps;
mod runtime;
mod secret;
mod status;
mod supervise;
mod terminal;
mod tools;
mod top;
mod up;
mod verbs;
mod verdict;
mod watch;

use crate::exit::{EXIT_CODES_HELP, Exit, Failure, Outcome};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use environment::Environment;
use std::path::PathBuf;
use std::process::ExitCode;

/// Runs, rolls out and watches the services in a standard compose.yaml.
#[derive(Debug, Parser)]
#[command(name = "cais", version, after_help = EXIT_CODES_HELP, disable_version_flag = true, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Verbs that only an environment on AWS has are not shown by a binary that cannot do them.
const WITHOUT_AWS: bool = cfg!(not(feature = "aws"));

/// Their place in every command's help: below its own.
const GLOBAL_OPTIONS: &str = "Global options";

/// Options that every command takes, under Docker Compose's names.
#[derive(Debug, Clone, Args)]
pub(crate) struct Global {
    // Before the verb only, as Docker Compose has it: after it `-f` is `logs --follow`.
    /// Compose file; repeat to merge several, `-` reads standard input
    #[arg(help_heading = GLOBAL_OPTIONS, short = 'f', long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Project name; by default `name:` in the file, else the folder's name
    #[arg(help_heading = GLOBAL_OPTIONS, short = 'p', long, value_name = "NAME", global = true)]
    project_name: Option<String>,
    /// Folder that paths in the file are relative to; by default the file's own
    #[arg(help_heading = GLOBAL_OPTIONS, long, value_name = "PATH", global = true)]
    project_directory: Option<PathBuf>,
    /// Environment: local, or one that has a compose.<NAME>.yaml beside the Compose file [default:
    /// local]
    #[arg(help_heading = GLOBAL_OPTIONS, short = 'E', long, value_name = "NAME", global = true)]
    environment: Option<Option<Environment>>,
    /// Enable a profile; repeatable
    #[arg(help_heading = GLOBAL_OPTIONS, long = "profile", value_name = "NAME", global = true)]
    profiles: Vec<String>,
    /// File of variables, instead of .env; repeatable
    #[arg(help_heading = GLOBAL_OPTIONS, long = "env-file", value_name = "PATH", global = true)]
    env_files: Vec<PathBuf>,
    /// Where tasks run: auto (by what the file needs), process or docker; CAIS_RUNTIME says the same
    #[arg(help_heading = GLOBAL_OPTIONS, long, value_enum, hide_possible_values = true, value_name = "RUNTIME", global = true)]
    runtime: Option<runtime::Choice>,
    /// Short for --runtime docker
    #[arg(help_heading = GLOBAL_OPTIONS, long, conflicts_with = "runtime", global = true)]
    docker: bool,
    /// Ask nothing: the answer is yes
    #[arg(help_heading = GLOBAL_OPTIONS, short = 'y', long, global = true)]
    yes: bool,
    /// How results are printed: table (for people) or json (for programs)
    #[arg(help_heading = GLOBAL_OPTIONS, long, value_enum, hide_possible_values = true, default_value_t = Format::Table, value_name = "FORMAT", global = true)]
    format: Format,
    /// Short for --format json
    #[arg(help_heading = GLOBAL_OPTIONS, long, global = true)]
    json: bool,
    /// How progress is shown: auto (a live tree on a terminal, lines elsewhere), tty, plain or quiet
    #[arg(help_heading = GLOBAL_OPTIONS, long, value_enum, hide_possible_values = true, env = "COMPOSE_PROGRESS", hide_env = true, default_value_t = Progress::Auto, value_name = "KIND", global = true)]
    progress: Progress,
    /// When colours and cursor movements are used: auto (on a terminal), always or never
    #[arg(help_heading = GLOBAL_OPTIONS, long, value_enum, hide_possible_values = true, env = "COMPOSE_ANSI", hide_env = true, default_value_t = Ansi::Auto, value_name = "WHEN", global = true)]
    ansi: Ansi,
}

impl Global {
    pub(crate) fn json(&self) -> bool {
        self.json || self.format == Format::Json
    }

    /// Which environment is meant.
    pub(crate) fn environment(&self) -> Environment {
        self.environment.clone().flatten().unwrap_or_default()
    }

    /// Was `--environment` given without a name? `config` prints variables then, as Docker Compose does.
    pub(crate) fn environment_is_asked(&self) -> bool {
        self.environment == Some(None)
    }
}

/// `--format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// For programs
    Json,
    /// `config` alone, which prints it by default
    Yaml,
}

/// `--progress`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Progress {
    /// A live tree on a terminal, lines elsewhere
    Auto,
    /// A live tree
    Tty,
    /// Lines
    Plain,
    /// Nothing but errors
    Quiet,
}

/// `--ansi`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Ansi {
    /// On a terminal
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a compose.yaml for the programs in this folder
    Init(init::InitArgs),
    /// Build what needs building, then start the stack or bring it to what the file says
    Up(up::UpArgs),
    /// Stop and remove everything that `up` started
    Down(down::DownArgs),
    /// List services and their tasks
    Ps(ps::PsArgs),
    /// Show the log of all tasks in one stream
    Logs(logs::LogsArgs),
    /// Run a command where a task runs
    Exec(exec::ExecArgs),
    /// List the processes of each task
    Top(top::TopArgs),
    /// Start stopped services
    Start(verbs::WaitingArgs),
    /// Stop services; they stay known
    Stop(verbs::ServicesArgs),
    /// Replace every task by a new one of the same revision
    Restart(verbs::WaitingArgs),
    /// Set how many tasks services have
    Scale(verbs::ScaleArgs),
    /// Show what a deploy would change
    Plan(plan::PlanArgs),
    /// Build, then move services to what the file says, without losing a request
    Deploy(deploy::DeployArgs),
    /// Build, copy or restart whenever a file changes (`develop.watch`)
    Watch(watch::WatchArgs),
    /// Go back to an earlier revision
    Rollback(deploy::RollbackArgs),
    /// Explain the state of each service
    Status(status::StatusArgs),
    /// List rollouts, newest first
    History(history::HistoryArgs),
    /// Print what happened, as it was recorded
    Events(history::EventsArgs),
    /// Find what should not reach production
    Check(check::CheckArgs),
    /// Build the images of services
    Build(image::BuildArgs),
    /// Build images and push them to their registries; prints the digest of each
    Push(image::PushArgs),
    /// Pull the images that are not built here
    Pull(image::PullArgs),
    /// Write the pipeline, say what changed, run its steps here
    #[command(subcommand)]
    Ci(ci::Ci),
    /// Keep values that must not stand in a file: set, list, rotate, forget
    Secret(secret::SecretArgs),
    /// See that an environment on AWS has all that a deploy needs
    #[command(hide = WITHOUT_AWS)]
    Verify(elsewhere::VerifyArgs),
    /// Show who holds an environment's deploy lock; take it, let it go
    #[command(hide = WITHOUT_AWS)]
    Lock(elsewhere::LockArgs),
    /// Take an environment on AWS down, for good
    #[command(hide = WITHOUT_AWS)]
    Destroy(elsewhere::DestroyArgs),
    /// Print the file as cais understands it
    Config(config::ConfigArgs),
    /// Take the stack down and remove its state, volumes and built images
    Clean(clean::CleanArgs),
    /// Render what the stack is on AWS: Terraform, Pulumi
    Infra(infra::InfraArgs),
    /// Print the JSON schema of a Compose file with x-cais, for editors
    Schema,
    /// Print the script by which a shell completes verbs, services, revisions
    Completion(completion::CompletionArgs),
    /// Print the version
    Version,
    #[command(flatten)]
    Hidden(hidden::Hidden),
}

impl Command {
    /// Does it need nothing but the file, so that it can be asked about any environment?
    fn reads_files_alone(&self) -> bool {
        matches!(
            self,
            Self::Check(_)
                | Self::Ci(_)
                | Self::Config(_)
                | Self::Infra(_)
                | Self::Init(_)
                | Self::Completion(_)
                | Self::Schema
                | Self::Version
                | Self::Hidden(_)
        )
    }
}

/// Parses, runs, prints what failed, and answers with the exit code.
pub(crate) fn run() -> ExitCode {
    completion::answer(Cli::command);
    let cli = match parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() {
                Exit::Usage.code()
            } else {
                0
            });
        }
    };
    output::set_colours(cli.global.ansi);
    let json = cli.global.json();
    match dispatch(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::print_failure(&failure, json);
            failure.exit_code()
        }
    }
}

fn parse() -> Result<Cli, clap::Error> {
    let mut command = Cli::command();
    for (option, variable) in [("progress", "COMPOSE_PROGRESS"), ("ansi", "COMPOSE_ANSI")] {
        // Empty is as good as unset.
        if std::env::var_os(variable).is_some_and(|value| value.is_empty()) {
            command = command.mut_arg(option, |arg| arg.env(None::<&str>));
        }
    }
    let matches = command.try_get_matches()?;
    Cli::from_arg_matches(&matches)
}

fn dispatch(cli: Cli) -> Outcome {
    let global = cli.global;
    if let Environment::Named(name) = global.environment()
        && !cli.command.reads_files_alone()
    {
        return aws::dispatch(&global, &name, cli.command);
    }
    if global.environment_is_asked() && !matches!(cli.command, Command::Config(_)) {
        return Err(Failure::new(Exit::Usage, "`--environment` needs a name")
            .help("name it: `-E staging`; `cais config --environment` alone prints variables"));
    }
    if global.format == Format::Yaml && !matches!(cli.command, Command::Config(_)) {
        return Err(Failure::new(Exit::Usage, "only `cais config` prints YAML")
            .help("use `--format json` or `--format table`"));
    }
    match cli.command {
        // These build their own runtimes, or none: they are processes of their own.
        Command::Hidden(hidden) => hidden::run(hidden),
        Command::Version => output::print_version(&global),
        Command::Check(args) => check::run(&global, &args),
        Command::Ci(command) => ci::run(&global, &command),
        Command::Config(args) => config::run(&global, &args),
        Command::Secret(args) => secret::run(&global, &args),
        Command::Verify(_) | Command::Lock(_) | Command::Destroy(_) => Err(elsewhere::not_here()),
        Command::Infra(args) => infra::run(&global, &args),
        Command::History(args) => history::history(&global, &args),
        Command::Schema => output::print_json(&cais_model::editor_schema()),
        Command::Init(args) => init::run(&global, &args),
        Command::Completion(args) => completion::run(&args),
        command => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::new(Exit::Error, format!("cannot start: {error}")))?
            .block_on(async {
                match command {
                    Command::Plan(args) => plan::run(&global, &args).await,
                    Command::Up(args) => up::run(&global, args).await,
                    Command::Down(args) => down::run(&global, args).await,
                    Command::Ps(args) => ps::run(&global, args).await,
                    Command::Logs(args) => logs::run(&global, args).await,
                    Command::Exec(args) => exec::run(&global, args).await,
                    Command::Top(args) => top::run(&global, args).await,
                    Command::Clean(args) => clean::run(&global, args).await,
                    Command::Start(args) => verbs::start(&global, args).await,
                    Command::Stop(args) => verbs::stop(&global, args).await,
                    Command::Restart(args) => verbs::restart(&global, args).await,
                    Command::Scale(args) => verbs::scale(&global, args).await,
                    Command::Deploy(args) => deploy::deploy(&global, args).await,
                    Command::Watch(args) => watch::run(&global, &args).await,
                    Command::Rollback(args) => deploy::rollback(&global, args).await,
                    Command::Status(args) => status::run(&global, args).await,
                    Command::Build(args) => image::build(&global, args).await,
                    Command::Push(args) => image::push(&global, args).await,
                    Command::Pull(args) => image::pull(&global, args).await,
                    Command::Events(args) => history::events(&global, args).await,
                    Command::Hidden(_)
                    | Command::Version
                    | Command::Check(_)
                    | Command::Ci(_)
                    | Command::Config(_)
                    | Command::Secret(_)
                    | Command::Verify(_)
                    | Command::Lock(_)
                    | Command::Destroy(_)
                    | Command::Infra(_)
                    | Command::Init(_)
                    | Command::Completion(_)
                    | Command::Schema
                    | Command::History(_) => {
                        unreachable!("dispatched above")
                    }
                }
            }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
