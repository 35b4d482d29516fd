//! `cais secret`: values of secrets go in from standard input, a file or a prompt, and never come out: here into the
//! encrypted store, for an environment on AWS into Secrets Manager.

use super::environment::Environment;
use super::project::Project;
use super::{Global, output};
use crate::exit::{Exit, Failure, Outcome};
use crate::secrets::{SecretName, Store};
use crate::supervisor::mounts;
use cais_model::name::ServiceName;
use cais_model::suggest;
use clap::{Args, Subcommand};
use rustix::termios::{LocalModes, OptionalActions};
use std::io::{BufRead, BufReader, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

/// ECS and Secrets Manager take so much; here the same, so that a stack does not work in one place alone.
const LONGEST: usize = 65_536;

#[derive(Debug, Args)]
pub(crate) struct SecretArgs {
    #[command(subcommand)]
    pub(super) command: SecretCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum SecretCommand {
    /// Give a secret a value: from standard input, from a file, or typed at a prompt that does not show it
    Set(SetArgs),
    /// List secrets, and which services use them; never values
    #[command(visible_alias = "ls")]
    List,
    /// Forget a secret
    #[command(name = "rm")]
    Remove(RemoveArgs),
    /// Give a secret a new random value
    Rotate(RotateArgs),
}

#[derive(Debug, Args)]
pub(super) struct SetArgs {
    /// Read the value from this file, as it is; by default from standard input, without its last line break
    #[arg(long, value_name = "PATH")]
    pub(super) file: Option<PathBuf>,
    /// As under `secrets:` in the file
    #[arg(value_name = "NAME")]
    pub(super) name: SecretName,
}

#[derive(Debug, Args)]
pub(super) struct RemoveArgs {
    /// On AWS: for good and at once; by default it can be set again within 7 days
    #[arg(long)]
    pub(super) now: bool,
    /// Which
    #[arg(value_name = "NAME")]
    pub(super) name: SecretName,
}

#[derive(Debug, Args)]
pub(super) struct RotateArgs {
    /// Which
    #[arg(value_name = "NAME")]
    pub(super) name: SecretName,
}

/// A value on its way. Not to be printed.
pub(super) struct Value(Vec<u8>);

impl Value {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The local half. A named environment is another file's.
pub(crate) fn run(global: &Global, args: &SecretArgs) -> Outcome {
    let project = Project::load_for(global, Environment::Local)?;
    let store = Store::of(&project.release.directory)?;
    match &args.command {
        SecretCommand::Set(args) => {
            let value = read(args)?;
            let is_new = store.set(&args.name, value.bytes())?;
            say_set(&project, &args.name, is_new, "");
        }
        SecretCommand::Rotate(args) => {
            if store.get(args.name.as_str())?.is_none() {
                return Err(unknown(&args.name, "here", &names(&store)?));
            }
            store.set(&args.name, random()?.bytes())?;
            say_set(&project, &args.name, false, "");
        }
        SecretCommand::Remove(args) => {
            if !store.remove(&args.name)? {
                return Err(unknown(&args.name, "here", &names(&store)?));
            }
            output::say(&format!("removed `{}`", args.name.as_str()));
        }
        SecretCommand::List => return list(global, &project, &store),
    }
    Ok(())
}

fn names(store: &Store) -> Outcome<Vec<String>> {
    let entries = store.list()?.into_iter();
    Ok(entries
        .map(|entry| entry.name.as_str().to_owned())
        .collect())
}

fn list(global: &Global, project: &Project, store: &Store) -> Outcome {
    let entries = store.list()?;
    if global.json() {
        let rows: Vec<_> = entries
            .iter()
            .map(|entry| {
                serde_json::json!({
                    "name": entry.name, "changed": entry.changed, "services": users(project, entry.name.as_str()),
                })
            })
            .collect();
        return output::print_json(&rows);
    }
    if entries.is_empty() {
        output::say("no secrets here; `cais secret set NAME` makes one");
        return Ok(());
    }
    let mut table = output::new_table(&["NAME", "CHANGED", "SERVICES"]);
    for entry in &entries {
        table.add_row([
            entry.name.as_str().to_owned(),
            entry
                .changed
                .map_or_else(String::new, |at| at.strftime("%F %T UTC").to_string()),
            listed(&users(project, entry.name.as_str())),
        ]);
    }
    output::print_table(&table)
}

/// The services that mount a secret.
pub(super) fn users(project: &Project, secret: &str) -> Vec<ServiceName> {
    let services = project.loaded.stack.services.values();
    services
        .filter(|service| service.secrets.iter().any(|mount| mount.source == secret))
        .map(|service| service.name.clone())
        .collect()
}

pub(super) fn listed(services: &[ServiceName]) -> String {
    let names: Vec<&str> = services.iter().map(ServiceName::as_str).collect();
    names.join(", ")
}

/// What was set, and what has to happen until services see it.
pub(super) fn say_set(project: &Project, name: &SecretName, is_new: bool, environment: &str) {
    let name = name.as_str();
    output::say(&format!(
        "{} `{name}`",
        if is_new { "set" } else { "changed" }
    ));
    let known = &project.loaded.stack.secrets;
    let users = users(project, name);
    if !known.contains_key(name) {
        let slip = suggest::did_you_mean(name, known.keys().map(String::as_str));
        output::note(&format!(
            "the file has no secret `{name}`{}; to use it, write `secrets: {{ {name}: {{ external: true }} }}` and name it in a service's `secrets`",
            slip.map_or_else(String::new, |slip| format!(": {slip}"))
        ));
    } else if !users.is_empty() {
        output::note(&format!(
            "running tasks keep the value they started with; `cais deploy{environment}{} {}` brings this one",
            if environment.is_empty() {
                ""
            } else {
                " --force"
            },
            users
                .iter()
                .map(ServiceName::as_str)
                .collect::<Vec<_>>()
                .join(" ")
        ));
    }
}

pub(super) fn unknown(name: &SecretName, place: &str, known: &[String]) -> Failure {
    let slip = suggest::did_you_mean(name.as_str(), known.iter().map(String::as_str));
    let help = match (slip, known.is_empty()) {
        (Some(slip), _) => slip.to_string(),
        (None, false) => format!("there are: {}", known.join(", ")),
        (None, true) => "there are none; `cais secret set NAME` makes one".to_owned(),
    };
    Failure::new(
        Exit::Error,
        format!("there is no secret `{}` {place}", name.as_str()),
    )
    .help(help)
}

/// 32 random bytes in hexadecimal.
pub(super) fn random() -> Outcome<Value> {
    let text: String = mounts::random_bytes()?
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Ok(Value(text.into_bytes()))
}

/// The value: from the file, from standard input, or typed.
pub(super) fn read(args: &SetArgs) -> Outcome<Value> {
    let value = match &args.file {
        Some(path) => std::fs::read(path).map_err(|error| {
            Failure::new(
                Exit::Error,
                format!("cannot read `{}`: {error}", path.display()),
            )
        })?,
        None if std::io::stdin().is_terminal() => typed(args.name.as_str())?,
        None => {
            let mut value = Vec::new();
            std::io::stdin()
                .take(LONGEST as u64 + 2)
                .read_to_end(&mut value)
                .map_err(|error| {
                    Failure::new(Exit::Error, format!("cannot read standard input: {error}"))
                })?;
            without_line_break(value)
        }
    };
    if value.is_empty() {
        return Err(Failure::new(Exit::Usage, "the value is empty").help(format!(
            "type it at the prompt of `cais secret set {0}`, or send it: `cais secret set {0} <file`",
            args.name.as_str()
        )));
    }
    if value.len() > LONGEST {
        return Err(Failure::new(
            Exit::Usage,
            format!("the value is longer than {LONGEST} bytes, which no secret may be"),
        ));
    }
    Ok(Value(value))
}

fn without_line_break(mut value: Vec<u8>) -> Vec<u8> {
    if value.last() == Some(&b'\n') {
        value.pop();
        if value.last() == Some(&b'\r') {
            value.pop();
        }
    }
    value
}

/// Asks on the terminal, with its echo off.
fn typed(name: &str) -> Outcome<Vec<u8>> {
    let cannot = |error: std::io::Error| {
        Failure::new(Exit::Error, format!("cannot ask on the terminal: {error}"))
    };
    let terminal = std::fs::File::options()
        .read(true)
        .write(true)
        .open(Path::new("/dev/tty"))
        .map_err(cannot)?;
    let before = rustix::termios::tcgetattr(&terminal).map_err(|error| cannot(error.into()))?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    rustix::termios::tcsetattr(&terminal, OptionalActions::Flush, &silent)
        .map_err(|error| cannot(error.into()))?;
    let ask = || {
        (&terminal).write_all(format!("value of `{name}` (not shown): ").as_bytes())?;
        let mut line = Vec::new();
        BufReader::new(&terminal).read_until(b'\n', &mut line)?;
        (&terminal).write_all(b"\n")?;
        Ok(line)
    };
    let line = ask().map_err(cannot);
    let _ = rustix::termios::tcsetattr(&terminal, OptionalActions::Flush, &before);
    line.map(without_line_break)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_break_is_not_part_of_what_is_sent() {
        let cases: [(&[u8], &[u8]); 5] = [
            (b"x\n", b"x"),
            (b"x\r\n", b"x"),
            (b"x\n\n", b"x\n"),
            (b"x", b"x"),
            (b"\n", b""),
        ];
        for (sent, value) in cases {
            assert_eq!(without_line_break(sent.to_vec()), value);
        }
    }
}
