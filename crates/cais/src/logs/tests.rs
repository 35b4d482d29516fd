//! Reading and following while tasks write, rotate and are forgotten. The writer is the shim's own.

use super::writer::LogWriter;
use super::*;
use crate::logs::line::Tag;
use crate::shim::record::TaskRecord;
use crate::shim::signal::Signal;
use cais_engine::event::RevisionNumber;
use cais_model::stack::LogRotation;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

const ROOMY: LogRotation = LogRotation {
    max_bytes: 1 << 20,
    max_files: 3,
};

struct State {
    dir: TempDir,
}

impl State {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    fn task_dir(&self, task: u64) -> PathBuf {
        self.dir.path().join("tasks").join(task.to_string())
    }

    fn record(&self, task: u64, service: &str) -> TaskRecord {
        TaskRecord {
            task: TaskId(task),
            service: ServiceName::parse(service).unwrap(),
            revision: RevisionNumber(1),
            boot_id: String::new(),
            pid: 0,
            pid_start: 0,
            shim_pid: 0,
            shim_start: 0,
            started_at_ms: 0,
            socket: PathBuf::new(),
            mark: String::new(),
            stop_signal: Signal::TERM,
            stop_grace_ms: 0,
        }
    }

    fn task(&self, task: u64, service: &str, rotation: LogRotation) -> LogWriter {
        let dir = self.task_dir(task);
        fs::create_dir_all(&dir).unwrap();
        self.record(task, service).write(&dir).unwrap();
        LogWriter::open(&dir, rotation).unwrap()
    }

    fn forget(&self, task: u64, service: &str) {
        let record = self.record(task, service);
        archive(&self.task_dir(task), &record.service, record.task).unwrap();
    }

    fn read(&self, options: &Options) -> Vec<String> {
        texts(read(self.dir.path(), options).unwrap())
    }
}

fn texts(lines: impl Iterator<Item = Line>) -> Vec<String> {
    lines
        .map(|line| format!("{}/{} {}", line.service, line.task, line.text()))
        .collect()
}

fn say(log: &mut LogWriter, text: &str) {
    write(log, Tag::Full, text);
}

fn write(log: &mut LogWriter, tag: Tag, text: &str) {
    log.begin();
    log.add(Stream::Stdout, tag, text.as_bytes()).unwrap();
    log.commit().unwrap();
}

fn check(state: &State, options: &Options, expected: &[&str]) {
    assert_eq!(state.read(options), expected, "{options:?}");
}

/// web/1: a b c; web/2: d; db/3: e f; in this order of time.
fn three_tasks() -> State {
    let state = State::new();
    let (mut one, mut two) = (state.task(1, "web", ROOMY), state.task(2, "web", ROOMY));
    let mut three = state.task(3, "db", ROOMY);
    say(&mut one, "a");
    say(&mut three, "e error");
    say(&mut one, "b");
    say(&mut two, "d");
    say(&mut one, "c error");
    say(&mut three, "f");
    state
}

#[test]
fn tasks_are_merged_by_time() {
    let all = [
        "web/1 a",
        "db/3 e error",
        "web/1 b",
        "web/2 d",
        "web/1 c error",
        "db/3 f",
    ];
    check(&three_tasks(), &Options::default(), &all);
    check(&State::new(), &Options::default(), &[]);
}

#[test]
fn filters_combine() {
    let state = three_tasks();
    let web = || [ServiceName::parse("web").unwrap()].into();
    let error = || Some("error".to_owned());
    check(
        &state,
        &Options {
            services: web(),
            ..Options::default()
        },
        &["web/1 a", "web/1 b", "web/2 d", "web/1 c error"],
    );
    check(
        &state,
        &Options {
            services: web(),
            grep: error(),
            ..Options::default()
        },
        &["web/1 c error"],
    );
    check(
        &state,
        &Options {
            tasks: [TaskId(2)].into(),
            ..Options::default()
        },
        &["web/2 d"],
    );
    check(
        &state,
        &Options {
            tail: Tail::PerTask(1),
            ..Options::default()
        },
        &["web/2 d", "web/1 c error", "db/3 f"],
    );
    check(
        &state,
        &Options {
            tail: Tail::PerService(1),
            ..Options::default()
        },
        &["web/1 c error", "db/3 f"],
    );
    check(
        &state,
        &Options {
            tail: Tail::PerTask(1),
            grep: error(),
            ..Options::default()
        },
        &["db/3 e error", "web/1 c error"],
    );
    check(
        &state,
        &Options {
            tail: Tail::PerTask(0),
            ..Options::default()
        },
        &[],
    );
    let times: Vec<Timestamp> = read(state.dir.path(), &Options::default())
        .unwrap()
        .map(|line| line.at)
        .collect();
    let (since, until) = (Some(times[2]), Some(times[3]));
    check(
        &state,
        &Options {
            since,
            until,
            ..Options::default()
        },
        &["web/1 b", "web/2 d"],
    );
    check(
        &state,
        &Options {
            since,
            tail: Tail::PerTask(9),
            until,
            ..Options::default()
        },
        &["web/1 b", "web/2 d"],
    );
}

#[test]
fn a_long_line_is_one_line_again_also_across_files() {
    let state = State::new();
    let mut log = state.task(
        1,
        "web",
        LogRotation {
            max_bytes: 50,
            max_files: 9,
        },
    );
    say(&mut log, "before");
    write(&mut log, Tag::Partial, "one ");
    log.add(Stream::Stderr, Tag::Full, b"between").unwrap();
    write(&mut log, Tag::Partial, "two ");
    say(&mut log, "three");
    assert!(state.task_dir(1).join("log.3").exists());
    check(
        &state,
        &Options::default(),
        &["web/1 before", "web/1 between", "web/1 one two three"],
    );
    for lines in 1..3 {
        let all = ["web/1 before", "web/1 between", "web/1 one two three"];
        check(
            &state,
            &Options {
                tail: Tail::PerTask(lines),
                ..Options::default()
            },
            &all[3 - lines..],
        );
    }
}

#[test]
fn a_write_that_a_full_disk_cut_off_harms_no_other_line() {
    let state = State::new();
    let mut log = state.task(1, "web", ROOMY);
    say(&mut log, "a");
    let path = state.task_dir(1).join("log");
    fs::OpenOptions::new()
        .append(true)
        .open(&path)
        .map(|mut file| std::io::Write::write_all(&mut file, b"2026-07-"))
        .unwrap()
        .unwrap();
    let mut log = LogWriter::open(&state.task_dir(1), ROOMY).unwrap();
    say(&mut log, "b");
    check(&state, &Options::default(), &["web/1 a", "web/1 b"]);
}

#[test]
fn forgotten_tasks_are_still_read_and_the_oldest_go() {
    let state = State::new();
    for task in 1..=25 {
        say(&mut state.task(task, "web", ROOMY), "x");
        state.forget(task, "web");
    }
    let kept: Vec<String> = (6..=25).map(|task| format!("web/{task} x")).collect();
    assert_eq!(state.read(&Options::default()), kept);
    assert!(!state.task_dir(25).exists());
}

#[test]
fn a_service_named_with_dots_stays_in_its_folder() {
    let state = State::new();
    say(&mut state.task(1, "..", ROOMY), "x");
    state.forget(1, "..");
    check(&state, &Options::default(), &["../1 x"]);
    assert!(state.dir.path().join("logs/dots2/1/log").exists());
}

async fn next(lines: &mut Receiver<Line>) -> String {
    let line = timeout(Duration::from_secs(20), lines.recv())
        .await
        .expect("a line in time");
    texts(line.into_iter()).concat()
}

#[tokio::test]
async fn following_gives_history_then_news_of_tasks_old_and_new() {
    let state = three_tasks();
    let end = CancellationToken::new();
    let options = Options {
        tail: Tail::PerService(1),
        ..Options::default()
    };
    let mut lines = follow(state.dir.path(), options, end.clone()).unwrap();
    assert_eq!(next(&mut lines).await, "web/1 c error");
    assert_eq!(next(&mut lines).await, "db/3 f");
    let mut two = LogWriter::open(&state.task_dir(2), ROOMY).unwrap();
    say(&mut two, "new line");
    assert_eq!(next(&mut lines).await, "web/2 new line");
    let mut four = state.task(4, "web", ROOMY);
    say(&mut four, "new task");
    assert_eq!(next(&mut lines).await, "web/4 new task");
    say(&mut four, "last");
    end.cancel();
    assert_eq!(next(&mut lines).await, "web/4 last");
    assert_eq!(
        timeout(Duration::from_secs(20), lines.recv()).await,
        Ok(None)
    );
}

#[tokio::test]
async fn following_through_rotation_and_forgetting_gives_every_line_once() {
    let state = State::new();
    // About 25 lines a file, and files enough that none is dropped between two looks.
    let mut log = state.task(
        1,
        "web",
        LogRotation {
            max_bytes: 1500,
            max_files: 1000,
        },
    );
    let end = CancellationToken::new();
    let mut lines = follow(state.dir.path(), Options::default(), end.clone()).unwrap();
    let writer = std::thread::spawn(move || {
        for number in 0..5000 {
            say(&mut log, &number.to_string());
            if number % 100 == 0 {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    });
    for number in 0..2500 {
        assert_eq!(next(&mut lines).await, format!("web/1 {number}"));
    }
    writer.join().unwrap();
    state.forget(1, "web");
    end.cancel();
    for number in 2500..5000 {
        assert_eq!(next(&mut lines).await, format!("web/1 {number}"));
    }
    assert_eq!(
        timeout(Duration::from_secs(20), lines.recv()).await,
        Ok(None)
    );
}
