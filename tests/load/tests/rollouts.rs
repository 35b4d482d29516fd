//! The rollout scenarios in their short form, on the real binary: nothing is lost, and cais says the truth.
//! Times are measured by the long form (`rollouts`), not asserted here.
#![expect(
    clippy::unwrap_used,
    reason = "a helper that cannot go on fails its test"
)]

use load::kind::Shape;
use load::report::{Report, describe};
use load::rollouts::stack::Programs;
use load::rollouts::{Setting, bad, disturbed, kills, updates};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

/// Long requests are short here, so that a test need not wait for them; each still outlasts a deploy's switch.
fn setting() -> Setting {
    Setting {
        programs: Programs {
            cais: cais().clone(),
            app: env!("CARGO_BIN_EXE_testapp").into(),
            image: None,
        },
        rate: 150.0,
        mix: "get=90,close=40,post=8,stream=6,ws=4,download=2"
            .parse()
            .unwrap(),
        shape: Shape {
            post: Duration::from_millis(800),
            stream: Duration::from_millis(800),
            ws: Duration::from_millis(1500),
            download: Duration::from_secs(2),
            ..Shape::default()
        },
    }
}

/// The binary under test: `CAIS_BINARY`, else the one that Cargo built beside the test app, built anew when it is older
/// than its sources (Cargo does not build another package's binaries for a test).
fn cais() -> &'static PathBuf {
    static CAIS: OnceLock<PathBuf> = OnceLock::new();
    CAIS.get_or_init(|| {
        if let Some(path) = std::env::var_os("CAIS_BINARY") {
            return std::path::absolute(path).unwrap();
        }
        let folder = Path::new(env!("CARGO_BIN_EXE_testapp")).parent().unwrap();
        let path = folder.join("cais");
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates");
        let built = path.metadata().and_then(|meta| meta.modified());
        if built.is_ok_and(|built| built > newest(&crates)) {
            return path;
        }
        let mut build = Command::new(env!("CARGO"));
        build
            .args(["build", "--package", "cais", "--target-dir"])
            .arg(folder.parent().unwrap());
        if folder.ends_with("release") {
            build.arg("--release");
        }
        assert!(build.status().unwrap().success(), "cais could not be built");
        path
    })
}

/// When the newest source below `folder` was written.
fn newest(folder: &Path) -> SystemTime {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    let times = entries.map(|entry| match entry.file_type().unwrap().is_dir() {
        true => newest(&entry.path()),
        false => entry.metadata().unwrap().modified().unwrap(),
    });
    times.max().unwrap_or(SystemTime::UNIX_EPOCH)
}

fn nothing_lost(report: &Report) {
    let total = report.total();
    let failures: Vec<String> = report.failures().map(describe).collect();
    assert!(total.sent > 0 && total.failed == 0, "{failures:#?}");
}

fn check_updates(case: &updates::Case) {
    let outcome = updates::run(&setting(), case, 2).unwrap();
    nothing_lost(&outcome.report);
    assert!(
        outcome.times.iter().all(|times| times.drain.is_some()),
        "{:?}",
        outcome.times
    );
}

#[test]
fn deploys_of_an_instant_app_lose_nothing() {
    check_updates(&updates::CASES[0]);
}

#[test]
fn deploys_of_an_app_that_needs_two_seconds_and_has_no_health_check_lose_nothing() {
    check_updates(&updates::CASES[3]);
}

/// `dies` has taken traffic when it dies: what it was answering dies with it, and nothing else may.
fn check_bad(case: &bad::Case, replicas: u32, dies: bool) {
    let outcome = bad::run(&setting(), case, replicas).unwrap();
    assert_eq!(outcome.code, bad::ROLLED_BACK, "{}", outcome.said);
    assert!(
        outcome.restored,
        "the good tasks are not back: {}",
        outcome.said
    );
    if dies {
        assert_eq!(
            outcome.report.total().failed_retryable,
            0,
            "{}",
            outcome.report.table()
        );
    } else {
        nothing_lost(&outcome.report);
    }
}

#[test]
fn a_release_that_exits_is_rolled_back_unseen() {
    check_bad(&bad::CASES[0], 3, false);
}

#[test]
fn a_release_that_never_turns_healthy_is_rolled_back_unseen() {
    check_bad(&bad::CASES[1], 1, false);
}

#[test]
fn a_release_that_turns_healthy_and_dies_is_rolled_back() {
    check_bad(&bad::CASES[2], 3, true);
    check_bad(&bad::CASES[2], 1, true);
}

#[test]
fn a_killed_task_loses_no_request_that_can_be_sent_again() {
    let outcome = kills::tasks(&setting(), 2).unwrap();
    assert_eq!(
        outcome.report.total().failed_retryable,
        0,
        "{}",
        outcome.report.table()
    );
}

#[test]
fn a_killed_supervisor_loses_nothing_and_leaves_nothing() {
    let outcome = kills::supervisors(&setting(), 3).unwrap();
    nothing_lost(&outcome.report);
    assert_eq!(
        (outcome.orphans, outcome.duplicates, outcome.gateways_lost),
        (0, 0, 0)
    );
    let (before, after) = outcome.listening;
    assert!(
        before > 0 && before == after,
        "{before} listening sockets became {after}"
    );
}

fn check_disturbed(scene: disturbed::Scene) {
    let outcome = scene(&setting()).unwrap();
    assert!(outcome.as_wanted, "{}", outcome.became);
    nothing_lost(&outcome.report);
}

#[test]
fn a_second_deploy_supersedes_the_first() {
    check_disturbed(disturbed::deploy_during_a_deploy);
}

#[test]
fn a_change_of_scale_joins_the_deploy() {
    check_disturbed(disturbed::scale_during_a_deploy);
}

#[test]
fn single_failed_probes_stop_no_deploy() {
    check_disturbed(disturbed::health_that_alternates);
}

#[test]
fn a_release_that_turns_unhealthy_within_monitor_goes_back() {
    check_disturbed(disturbed::health_that_comes_and_goes);
}

#[test]
fn tasks_that_ignore_sigterm_hold_up_nobody() {
    check_disturbed(disturbed::a_task_that_ignores_sigterm);
}

#[test]
fn what_is_held_through_a_deploy_ends_whole() {
    check_disturbed(disturbed::connections_held);
}
