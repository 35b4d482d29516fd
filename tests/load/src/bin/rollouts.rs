//! `rollouts`: plays the rollout scenarios on the real `cais` and prints Markdown tables.

use anyhow::Context;
use clap::{Parser, Subcommand, ValueEnum};
use load::kind::{Mix, Shape};
use load::rollouts::image::AppImage;
use load::rollouts::peers::Peers;
use load::rollouts::stack::Programs;
use load::rollouts::table::machine;
use load::rollouts::{MIX, Setting, bad, disturbed, kills, updates};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Rollouts of the real `cais` under open-loop load, counted to the last request.
///
/// Each scenario runs a stack of its own in a temporary folder and takes it down. The long form of each is one command:
/// `cargo run --release -p load --bin rollouts -- updates` (or `bad`, `kills --rounds 50`, `disturbed`, `all`), after
/// `cargo build --release -p cais -p load`. `--runtime docker` and `peers` need the test app as a static program too:
/// `RUSTFLAGS='-C target-feature=+crt-static' cargo build --release --target x86_64-unknown-linux-gnu -p load`.
#[derive(Debug, Parser)]
struct Arguments {
    /// The `cais` to test; by default the one beside this program
    #[arg(long, global = true)]
    cais: Option<PathBuf>,
    /// Requests a second over all kinds
    #[arg(long, global = true, default_value_t = 500.0)]
    rate: f64,
    /// Kinds and weights
    #[arg(long, global = true, default_value = MIX)]
    mix: Mix,
    /// What cais runs the app as: process or docker
    #[arg(long, global = true, value_enum, default_value_t = Runtime::Process)]
    runtime: Runtime,
    /// The test app as a static program, for images; by default where `cargo build --target` puts it
    #[arg(long, global = true)]
    app: Option<PathBuf>,
    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Runtime {
    Process,
    Docker,
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum Scenario {
    /// Good releases in a row, of an instant app and of one that needs 2 s, with and without a health check
    Updates {
        /// How many in a row
        #[arg(long, default_value_t = 10)]
        deploys: u32,
    },
    /// Releases that exit, never turn healthy, or turn healthy and die
    Bad,
    /// kill -9 of tasks, and of the supervisor within deploys
    Kills {
        /// Tasks to kill
        #[arg(long, default_value_t = 10)]
        tasks: u32,
        /// Deploys within which the supervisor is killed
        #[arg(long, default_value_t = 5)]
        rounds: u32,
    },
    /// Deploys that something comes into
    Disturbed,
    /// All of the above
    All,
    /// Good and bad releases beside Docker Swarm and a script of `docker run`; as root, with docker.io and haproxy
    Peers {
        /// Good releases in a row
        #[arg(long, default_value_t = 5)]
        deploys: u32,
        /// How often each bad release is tried
        #[arg(long, default_value_t = 3)]
        rounds: u32,
    },
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let own = std::env::current_exe()?;
    let mut programs = Programs::beside(own.parent().context("this program is in no folder")?);
    if let (Some(cais), Ok(programs)) = (&arguments.cais, &mut programs) {
        programs.cais = std::path::absolute(cais)?;
    }
    let mut programs = programs?;
    let folder = own.parent().context("this program is in no folder")?;
    let app = match &arguments.app {
        Some(app) => app.clone(),
        None => static_app(folder)?,
    };
    let image = match arguments.runtime {
        Runtime::Process => None,
        Runtime::Docker => Some(AppImage::import(&app)?),
    };
    programs.image = image.as_ref().map(|image| image.tag.clone());
    let setting = Setting {
        programs,
        rate: arguments.rate,
        mix: arguments.mix,
        shape: Shape::default(),
    };
    play(&setting, &app, arguments.scenario)?;
    say(&format!(
        "Measured by `rollouts {}` with {} on {} at {} requests/s of {}: {}.",
        std::env::args().skip(1).collect::<Vec<_>>().join(" "),
        setting.programs.cais.display(),
        jiff::Zoned::now().strftime("%Y-%m-%d %H:%M %Z"),
        setting.rate,
        setting.mix,
        machine(),
    ))
}

fn play(setting: &Setting, app: &Path, scenario: Scenario) -> anyhow::Result<()> {
    match scenario {
        Scenario::Updates { deploys } => say(&updates::table(setting, deploys)?.to_string()),
        Scenario::Bad => say(&bad::table(setting)?.to_string()),
        Scenario::Kills { tasks, rounds } => {
            say(&kills::table(setting, tasks, rounds)?.to_string())
        }
        Scenario::Disturbed => say(&disturbed::table(setting)?.to_string()),
        Scenario::Peers { deploys, rounds } => {
            let peers = Peers::start(app)?;
            let image = AppImage::import(app)?;
            let settings = [None, Some(image.tag.clone())].map(|image| {
                let mut setting = setting.clone();
                setting.programs.image = image;
                setting
            });
            say(&peers.updates_table(&settings, deploys)?.to_string())?;
            say(&peers.bad_table(&settings, rounds)?.to_string())
        }
        Scenario::All => {
            play(setting, app, Scenario::Updates { deploys: 10 })?;
            play(setting, app, Scenario::Bad)?;
            play(
                setting,
                app,
                Scenario::Kills {
                    tasks: 10,
                    rounds: 50,
                },
            )?;
            play(setting, app, Scenario::Disturbed)
        }
    }
}

/// `<target>/<this machine's target>/<profile>/testapp`, as seen from `<target>/<profile>`.
fn static_app(folder: &Path) -> anyhow::Result<PathBuf> {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let profile = folder
        .file_name()
        .context("a profile's folder has a name")?;
    let all = folder
        .parent()
        .context("a profile's folder is in another")?;
    Ok(all.join(target).join(profile).join("testapp"))
}

fn say(text: &str) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout(), "{text}")?)
}
