//! Tasks with real shims: what they report, what they leave on disk, and that nothing of them survives its end.
#![expect(
    dead_code,
    unused_imports,
    reason = "the modules are the binary's; a test crate uses a part of them"
)]
#![expect(clippy::unwrap_used, reason = "a test")]

#[path = "../src/logs/mod.rs"]
mod logs;
#[path = "../src/runtime/process/mod.rs"]
mod process;
#[path = "../src/shim/mod.rs"]
mod shim;

use cais_engine::event::{ExitStatus, RevisionNumber, TaskId};
use cais_model::name::ServiceName;
use cais_model::stack::LogRotation;
use process::{Adopted, Signal, TaskEvent, TaskHandle, TaskSpec};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{sleep, timeout};

/// Nothing here takes so long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// A state folder, and the events of the tasks in it.
struct Stack {
    dir: TempDir,
    events: UnboundedSender<(TaskId, TaskEvent)>,
    heard: UnboundedReceiver<(TaskId, TaskEvent)>,
}

impl Stack {
    fn new() -> Self {
        let (events, heard) = unbounded_channel();
        Self {
            dir: tempfile::tempdir().unwrap(),
            events,
            heard,
        }
    }

    fn task_dir(&self, task: u64) -> PathBuf {
        self.dir.path().join("tasks").join(task.to_string())
    }

    fn spec(&self, task: u64, argv: &[&str]) -> TaskSpec {
        let path = std::env::var("PATH").unwrap();
        TaskSpec {
            task: TaskId(task),
            service: ServiceName::parse("web").unwrap(),
            revision: RevisionNumber(1),
            task_dir: self.task_dir(task),
            socket: self.dir.path().join(format!("{task}.sock")),
            argv: argv.iter().map(|word| (*word).to_owned()).collect(),
            env: BTreeMap::from([
                ("PATH".to_owned(), path),
                ("SECRET".to_owned(), "hunter2".to_owned()),
            ]),
            cwd: self.dir.path().to_owned(),
            stop_signal: Signal::TERM,
            stop_grace: Duration::from_secs(5),
            log: LogRotation {
                max_bytes: 10 << 20,
                max_files: 3,
            },
        }
    }

    async fn start(&self, spec: TaskSpec) -> Result<TaskHandle, process::StartError> {
        process::start_with(
            Path::new(env!("CARGO_BIN_EXE_cais")),
            spec,
            self.events.clone(),
        )
        .await
    }

    async fn sh(&self, task: u64, script: &str) -> TaskHandle {
        self.start(self.spec(task, &["sh", "-c", script]))
            .await
            .unwrap()
    }

    async fn next(&mut self) -> TaskEvent {
        timeout(PATIENCE, self.heard.recv())
            .await
            .expect("an event")
            .unwrap()
            .1
    }

    /// Hears `Started`, then waits for the end.
    async fn end(&mut self) -> ExitStatus {
        match self.next().await {
            TaskEvent::Started { .. } => {}
            other => panic!("{other:?} came before the start"),
        }
        match self.next().await {
            TaskEvent::Exited(status) => status,
            other => panic!("{other:?} instead of an end"),
        }
    }

    fn log(&self, task: u64) -> String {
        String::from_utf8_lossy(&fs::read(self.task_dir(task).join("log")).unwrap()).into_owned()
    }

    /// Waits until the task wrote this.
    async fn says(&self, task: u64, text: &str) {
        let seen = async {
            while !fs::read_to_string(self.task_dir(task).join("log"))
                .is_ok_and(|log| log.contains(text))
            {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, seen)
            .await
            .unwrap_or_else(|_| panic!("the task never said `{text}`"));
    }
}

/// A test that ends early, or only asked for an end, leaves nothing running.
impl Drop for Stack {
    fn drop(&mut self) {
        for entry in fs::read_dir(self.dir.path().join("tasks"))
            .into_iter()
            .flatten()
            .flatten()
        {
            if let Ok(Some(record)) = shim::record::TaskRecord::read(&entry.path())
                && let Some(leader) = shim::processes::look(record.pid)
                && leader.start == record.pid_start
            {
                let _ = shim::processes::signal(&leader, Signal::KILL);
            }
        }
    }
}

fn alive(pid: u32) -> bool {
    shim::processes::look(pid).is_some_and(|p| !p.zombie)
}

async fn check_end(script: &str, expected: ExitStatus) {
    let mut stack = Stack::new();
    let handle = stack.sh(1, script).await;
    assert_eq!(stack.end().await, expected, "{script}");
    assert!(!alive(handle.pid()));
}

#[tokio::test]
async fn the_end_is_reported_as_it_was() {
    check_end("exit 0", ExitStatus::Code(0)).await;
    check_end("exit 3", ExitStatus::Code(3)).await;
    check_end("kill -9 $$", ExitStatus::Signal(9)).await;
    check_end("kill -SEGV $$", ExitStatus::Signal(11)).await;
}

#[tokio::test]
async fn what_cannot_start_says_what_is_missing() {
    let stack = Stack::new();
    let check = async |spec: TaskSpec, expected: &str| {
        let dir = spec.task_dir.clone();
        let error = stack.start(spec).await.unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert!(matches!(
            process::adopt(&dir, stack.events.clone()).await,
            Ok(Adopted::NeverStarted)
        ));
    };
    check(
        stack.spec(1, &["no-such-program"]),
        "no such file: `no-such-program` (not in PATH)",
    )
    .await;
    check(stack.spec(2, &["./foo", "bar"]), "no such file: `./foo`").await;
    check(stack.spec(3, &[]), "the command is empty").await;
    let mut nowhere = stack.spec(4, &["true"]);
    nowhere.cwd = "/no/such/folder".into();
    check(nowhere, "no such folder: `/no/such/folder`").await;
    let script = stack.dir.path().join("script");
    fs::write(&script, "#!/no/such/interpreter\n").unwrap();
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path = script.to_str().unwrap();
    let expected = format!("cannot execute `{path}`: its interpreter does not exist");
    check(stack.spec(5, &[path]), &expected).await;
}

#[tokio::test]
async fn a_stop_reaches_the_whole_group() {
    let mut stack = Stack::new();
    // The grandchild says goodbye by itself; the shell leaves at once.
    let script = "(trap 'echo grandchild; exit 0' TERM; echo ready; while :; do sleep 0.05; done) & \
                  trap 'echo leader; exit 7' TERM; wait; wait";
    let handle = stack.sh(1, script).await;
    stack.says(1, "ready").await;
    handle.stop(Signal::TERM, Duration::from_secs(10)).await;
    assert_eq!(stack.end().await, ExitStatus::Code(7));
    let log = stack.log(1);
    assert!(
        log.contains("grandchild") && log.contains("leader"),
        "{log}"
    );
}

#[tokio::test]
async fn what_ignores_the_stop_signal_is_killed_after_the_grace() {
    let mut stack = Stack::new();
    let handle = stack
        .sh(1, "trap '' TERM; echo ready; while :; do sleep 0.05; done")
        .await;
    stack.says(1, "ready").await;
    handle.stop(Signal::TERM, Duration::from_secs(3600)).await;
    // Asking again shortens.
    handle.stop(Signal::TERM, Duration::from_millis(200)).await;
    assert_eq!(stack.end().await, ExitStatus::Signal(9));
}

#[tokio::test]
async fn a_kill_does_not_wait() {
    let mut stack = Stack::new();
    let handle = stack
        .sh(1, "trap '' TERM; echo ready; while :; do sleep 0.05; done")
        .await;
    stack.says(1, "ready").await;
    handle.kill().await;
    assert_eq!(stack.end().await, ExitStatus::Signal(9));
}

#[tokio::test]
async fn neither_a_deaf_grandchild_nor_a_daemon_survives_the_leader() {
    let mut stack = Stack::new();
    let script = "(trap '' TERM; echo deaf $(sh -c 'echo $PPID'); exec >/dev/null 2>&1; while :; do sleep 0.05; done) & \
                  setsid sh -c '(setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo daemon $!)'; \
                  while :; do sleep 0.05; done";
    let handle = stack.sh(1, script).await;
    stack.says(1, "deaf").await;
    stack.says(1, "daemon").await;
    let log = stack.log(1);
    let pid = |word: &str| -> u32 {
        let line = log.lines().find(|line| line.contains(word)).unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    let (deaf, daemon) = (pid("deaf"), pid("daemon"));
    assert!(alive(deaf) && alive(daemon));
    handle.stop(Signal::TERM, Duration::from_millis(300)).await;
    assert_eq!(stack.end().await, ExitStatus::Signal(15));
    assert!(!alive(deaf) && !alive(daemon));
}

#[tokio::test]
async fn a_child_that_holds_the_pipes_does_not_hold_the_end() {
    let mut stack = Stack::new();
    stack.sh(1, "setsid sleep 1000 & exit 4").await;
    assert_eq!(stack.end().await, ExitStatus::Code(4));
}

#[tokio::test]
async fn a_killed_shim_takes_its_task_along_and_the_end_is_unknown() {
    let mut stack = Stack::new();
    let script = "setsid sh -c '(setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo daemon $!)'; exec sleep 1000";
    let handle = stack.sh(1, script).await;
    stack.says(1, "daemon").await;
    let log = stack.log(1);
    let daemon: u32 = log.trim().rsplit(' ').next().unwrap().parse().unwrap();
    kill_shim(&stack.task_dir(1));
    assert_eq!(stack.end().await, ExitStatus::Unknown);
    assert!(!alive(handle.pid()) && !alive(daemon));
    assert!(matches!(
        process::adopt(&stack.task_dir(1), stack.events.clone()).await,
        Ok(Adopted::Lost)
    ));
}

fn shim_lives(task_dir: &Path) -> bool {
    let record = shim::record::TaskRecord::read(task_dir).unwrap().unwrap();
    alive(record.shim_pid)
}

fn kill_shim(task_dir: &Path) -> u32 {
    let record = shim::record::TaskRecord::read(task_dir).unwrap().unwrap();
    let shim = shim::processes::look(record.shim_pid).unwrap();
    shim::processes::signal(&shim, Signal::KILL).unwrap();
    record.pid
}

#[tokio::test]
async fn a_task_whose_shim_was_killed_while_nobody_watched_is_ended_at_adoption() {
    let stack = Stack::new();
    // The pipes broke with the shim; whoever writes to them now dies of SIGPIPE, a shell included.
    let script = "trap 'echo bye >told; exit' TERM; echo ready; exec 2>/dev/null; while :; do sleep 0.05; done";
    let pid = stack.left_behind(1, script).await;
    kill_shim(&stack.task_dir(1));
    while shim_lives(&stack.task_dir(1)) {
        sleep(Duration::from_millis(1)).await;
    }
    assert!(alive(pid));
    assert!(matches!(
        process::adopt(&stack.task_dir(1), stack.events.clone()).await,
        Ok(Adopted::Lost)
    ));
    assert!(!alive(pid));
    assert_eq!(
        fs::read_to_string(stack.dir.path().join("told")).unwrap(),
        "bye\n"
    );
}

impl Stack {
    /// Starts a task from a supervisor that is gone when this returns. The task has said `ready`.
    async fn left_behind(&self, task: u64, script: &str) -> u32 {
        let spec = self.spec(task, &["sh", "-c", script]);
        let supervisor = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (events, _) = unbounded_channel();
        let start = async move {
            process::start_with(Path::new(env!("CARGO_BIN_EXE_cais")), spec, events)
                .await
                .unwrap()
                .pid()
        };
        let pid = supervisor.spawn(start).await.unwrap();
        self.says(task, "ready").await;
        supervisor.shutdown_background();
        pid
    }
}

#[tokio::test]
async fn the_next_supervisor_adopts_the_same_process() {
    let mut stack = Stack::new();
    let pid = stack
        .left_behind(
            1,
            "trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done",
        )
        .await;
    let adopted = process::adopt(&stack.task_dir(1), stack.events.clone())
        .await
        .unwrap();
    let Adopted::Alive(handle) = adopted else {
        panic!("{adopted:?}")
    };
    assert_eq!(handle.pid(), pid);
    handle.stop(Signal::TERM, Duration::from_secs(10)).await;
    assert_eq!(stack.end().await, ExitStatus::Code(5));
}

#[tokio::test]
async fn an_end_that_nobody_watched_is_read_from_disk() {
    let stack = Stack::new();
    let pid = stack
        .left_behind(
            1,
            "echo ready; while [ ! -e go ]; do sleep 0.02; done; exit 6",
        )
        .await;
    fs::write(stack.dir.path().join("go"), "").unwrap();
    while alive(pid) || shim_lives(&stack.task_dir(1)) {
        sleep(Duration::from_millis(5)).await;
    }
    let adopted = process::adopt(&stack.task_dir(1), stack.events.clone())
        .await
        .unwrap();
    assert!(
        matches!(adopted, Adopted::Exited(ExitStatus::Code(6))),
        "{adopted:?}"
    );
    assert!(matches!(
        process::adopt(&stack.task_dir(9), stack.events.clone()).await,
        Ok(Adopted::NeverStarted)
    ));
}

#[tokio::test]
async fn starting_twice_runs_one_process() {
    let mut stack = Stack::new();
    let argv = ["sh", "-c", "echo ran >>runs; exec sleep 1000"];
    let (first, second) = tokio::join!(
        stack.start(stack.spec(1, &argv)),
        stack.start(stack.spec(1, &argv))
    );
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!(first.pid(), second.pid());
    assert_eq!(stack.next().await, TaskEvent::Started { pid: first.pid() });
    assert_eq!(stack.next().await, TaskEvent::Started { pid: first.pid() });
    second.kill().await;
    assert_eq!(stack.next().await, TaskEvent::Exited(ExitStatus::Signal(9)));
    assert_eq!(stack.next().await, TaskEvent::Exited(ExitStatus::Signal(9)));
    // And once more, now that it is over: its end is told, nothing runs.
    let third = stack.start(stack.spec(1, &argv)).await.unwrap();
    assert_eq!(third.pid(), first.pid());
    assert_eq!(stack.end().await, ExitStatus::Signal(9));
    assert_eq!(
        fs::read_to_string(stack.dir.path().join("runs")).unwrap(),
        "ran\n"
    );
}

#[tokio::test]
async fn a_task_gets_its_own_world_and_nothing_of_the_shims() {
    let mut stack = Stack::new();
    let script = "cat /proc/$$/environ | tr '\\0' '\\n' | sed 's/=.*//' | sort | tr '\\n' ' '; echo; umask; pwd; \
                  grep -E 'SigIgn|SigBlk' /proc/self/status; ls /proc/$$/fd; \
                  echo mark $CAIS_TASK";
    let mut spec = stack.spec(7, &["sh", "-c", script]);
    spec.cwd = stack.dir.path().canonicalize().unwrap();
    let (mark, cwd) = (
        shim::spec::mark(&spec.task_dir, spec.task),
        spec.cwd.clone(),
    );
    stack.start(spec).await.unwrap();
    assert_eq!(stack.end().await, ExitStatus::Code(0));
    let log = stack.log(7);
    let said: Vec<&str> = log
        .lines()
        .filter_map(|line| line.split_once(" F "))
        .map(|(_, text)| text)
        .collect();
    let cwd = cwd.to_str().unwrap();
    let [
        variables,
        umask,
        folder,
        blocked,
        ignored,
        ref descriptors @ ..,
        own_mark,
    ] = said[..]
    else {
        panic!("{log}")
    };
    assert_eq!(variables, "CAIS_TASK PATH SECRET ");
    assert_eq!((umask, folder), ("0022", cwd));
    for signals in [blocked, ignored] {
        // Past 31 are the C library's own and the real-time ones; whatever ran the tests decides about those.
        let set = u64::from_str_radix(signals.split('\t').next_back().unwrap(), 16).unwrap();
        assert_eq!(set & 0x7fff_ffff, 0, "{signals}");
    }
    assert_eq!(descriptors, ["0", "1", "2"]);
    assert_eq!(own_mark, format!("mark {mark}"));
}

#[tokio::test]
async fn the_spec_and_its_secrets_never_touch_the_disk() {
    let stack = Stack::new();
    let handle = stack.sh(1, "echo ready; exec sleep 1000").await;
    stack.says(1, "ready").await;
    for entry in fs::read_dir(stack.task_dir(1)).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read(&path).unwrap();
        assert!(
            !String::from_utf8_lossy(&text).contains("hunter2"),
            "{}",
            path.display()
        );
        let mode =
            std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600, "{}", path.display());
    }
    handle.kill().await;
}

fn read_all(stack: &Stack) -> Vec<logs::Line> {
    logs::read(stack.dir.path(), &logs::Options::default())
        .unwrap()
        .collect()
}

#[tokio::test]
async fn both_streams_arrive_whole_and_in_order() {
    let mut stack = Stack::new();
    // Each stream has a reader of its own, so only what is seen in between has an order.
    let script = "for i in 1 2 3; do echo out $i; until [ -e out$i ]; do sleep 0.01; done; \
                  echo err $i >&2; until [ -e err$i ]; do sleep 0.01; done; done; printf 'no newline'";
    stack.sh(1, script).await;
    for number in 1..=3 {
        for stream in ["out", "err"] {
            stack.says(1, &format!("{stream} {number}")).await;
            fs::write(stack.dir.path().join(format!("{stream}{number}")), "").unwrap();
        }
    }
    assert_eq!(stack.end().await, ExitStatus::Code(0));
    let got: Vec<String> = read_all(&stack)
        .iter()
        .map(|line| format!("{} {}", line.stream, line.text()))
        .collect();
    let expected = [
        "stdout out 1",
        "stderr err 1",
        "stdout out 2",
        "stderr err 2",
        "stdout out 3",
        "stderr err 3",
        "stdout no newline",
    ];
    assert_eq!(got, expected);
}

#[tokio::test]
async fn long_lines_and_any_bytes_survive() {
    let mut stack = Stack::new();
    let script = "import os,sys; w=sys.stdout.buffer.write; w(b'x'*100000+b'\\n'); w(bytes(b for b in range(256) if b!=10)+b'\\n'); w(b'\\n'); w(b'end')";
    stack
        .start(stack.spec(1, &["python3", "-c", script]))
        .await
        .unwrap();
    assert_eq!(stack.end().await, ExitStatus::Code(0));
    let bytes: Vec<u8> = (0..=255).filter(|byte| *byte != b'\n').collect();
    let got: Vec<Vec<u8>> = read_all(&stack).into_iter().map(|line| line.text).collect();
    assert_eq!(
        got,
        [vec![b'x'; 100_000], bytes, Vec::new(), b"end".to_vec()]
    );
}

#[tokio::test]
async fn a_burst_loses_no_line() {
    let mut stack = Stack::new();
    let script = "import sys\nfor i in range(50000): sys.stdout.write(f'{i} ' + 'x' * 80 + '\\n')";
    let mut spec = stack.spec(1, &["python3", "-c", script]);
    spec.log = LogRotation {
        max_bytes: 1 << 20,
        max_files: 100,
    };
    stack.start(spec).await.unwrap();
    assert_eq!(stack.end().await, ExitStatus::Code(0));
    let lines = read_all(&stack);
    assert_eq!(lines.len(), 50_000);
    for (number, line) in lines.iter().enumerate() {
        assert!(
            line.text().starts_with(&format!("{number} x")),
            "{number}: {}",
            line.text()
        );
    }
    assert!(stack.task_dir(1).join("log.5").exists());
    for entry in fs::read_dir(stack.task_dir(1)).unwrap() {
        assert!(entry.unwrap().metadata().unwrap().len() <= 1 << 20);
    }
}

#[tokio::test]
async fn a_forgotten_task_leaves_its_log_and_nothing_else() {
    let mut stack = Stack::new();
    stack.sh(1, "echo last words").await;
    let dir = stack.task_dir(1);
    stack.end().await;
    process::forget(&dir).unwrap();
    process::forget(&dir).unwrap();
    assert!(!dir.exists());
    assert!(!stack.dir.path().join("1.sock").exists());
    assert_eq!(
        read_all(&stack)
            .iter()
            .map(|line| line.text().into_owned())
            .collect::<Vec<_>>(),
        ["last words"]
    );
    let handle = stack.sh(2, "exec sleep 1000").await;
    let error = process::forget(&stack.task_dir(2)).unwrap_err();
    assert!(
        error.to_string().ends_with("tasks/2` still has a shim"),
        "{error}"
    );
    handle.kill().await;
}

#[tokio::test]
async fn what_ran_before_its_record_was_written_is_found_by_its_mark() {
    let mut stack = Stack::new();
    let spec = stack.spec(1, &["sh", "-c", "echo again"]);
    let mark = shim::spec::mark(&spec.task_dir, spec.task);
    // As a shim leaves it that is killed between the spawn and the record.
    fs::create_dir_all(&spec.task_dir).unwrap();
    fs::write(spec.task_dir.join(shim::record::LOCK), "").unwrap();
    // Orphaned, as a task is by its shim's death.
    let stray = || -> u32 {
        let mut shell = std::process::Command::new("sh");
        let output = shell
            .args(["-c", "sleep 1000 >/dev/null 2>&1 & echo $!"])
            .env("CAIS_TASK", &mark)
            .output();
        String::from_utf8(output.unwrap().stdout)
            .unwrap()
            .trim()
            .parse()
            .unwrap()
    };
    let first = stray();
    assert!(alive(first));
    assert!(matches!(
        process::adopt(&spec.task_dir, stack.events.clone()).await,
        Ok(Adopted::Lost)
    ));
    assert!(!alive(first));
    assert!(matches!(
        process::adopt(&spec.task_dir, stack.events.clone()).await,
        Ok(Adopted::NeverStarted)
    ));
    let second = stray();
    stack.start(spec).await.unwrap();
    assert!(!alive(second));
    assert_eq!(stack.end().await, ExitStatus::Code(0));
}

#[tokio::test]
async fn a_spec_that_was_cut_off_starts_nothing() {
    use std::io::Write;
    let mut shim = std::process::Command::new(env!("CARGO_BIN_EXE_cais"));
    let piped = std::process::Stdio::piped;
    let mut shim = shim
        .arg("shim")
        .stdin(piped())
        .stdout(piped())
        .stderr(piped())
        .spawn()
        .unwrap();
    shim.stdin
        .take()
        .unwrap()
        .write_all(b"{\"task\":1,\"argv\":[\"touch")
        .unwrap();
    let output = shim.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.starts_with(r#"{"failed":"not a task's spec: EOF"#),
        "{said}"
    );
}

#[tokio::test]
async fn several_supervisors_may_talk_to_one_shim_and_nonsense_is_answered() {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    let mut stack = Stack::new();
    let handle = stack
        .sh(
            1,
            "trap 'echo hup' HUP; echo ready; while :; do sleep 0.05; done",
        )
        .await;
    stack.says(1, "ready").await;
    let socket = stack.dir.path().join("1.sock");
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&socket).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let mut lines = BufReader::new(tokio::net::UnixStream::connect(&socket).await.unwrap());
    let mut heard = String::new();
    lines.read_line(&mut heard).await.unwrap();
    assert!(
        heard.starts_with(&format!(r#"{{"started":{{"pid":{}"#, handle.pid())),
        "{heard}"
    );
    lines
        .write_all(b"{\"dance\":{}}\n{\"signal\":{\"signal\":\"SIGTREM\"}}\n")
        .await
        .unwrap();
    for expected in ["unknown variant `dance`", "no such signal: `SIGTREM`"] {
        heard.clear();
        lines.read_line(&mut heard).await.unwrap();
        assert!(
            heard.starts_with("{\"error\":") && heard.contains(expected),
            "{heard}"
        );
    }
    lines
        .write_all(b"{\"signal\":{\"signal\":\"HUP\"}}\n")
        .await
        .unwrap();
    stack.says(1, "hup").await;
    lines.write_all(b"{\"kill\":{}}\n").await.unwrap();
    heard.clear();
    lines.read_line(&mut heard).await.unwrap();
    assert_eq!(heard, "{\"exited\":{\"signal\":9}}\n");
    heard.clear();
    assert_eq!(lines.read_line(&mut heard).await.unwrap(), 0);
    assert_eq!(stack.end().await, ExitStatus::Signal(9));
}

#[tokio::test]
async fn signals_to_the_shim_do_not_end_its_task() {
    let mut stack = Stack::new();
    let handle = stack.sh(1, "echo ready; exec sleep 1000").await;
    stack.says(1, "ready").await;
    let record = shim::record::TaskRecord::read(&stack.task_dir(1))
        .unwrap()
        .unwrap();
    let shim = shim::processes::look(record.shim_pid).unwrap();
    assert_eq!((record.pid, shim.start), (handle.pid(), record.shim_start));
    for name in ["HUP", "INT", "TERM", "QUIT", "USR1"] {
        shim::processes::signal(&shim, name.parse().unwrap()).unwrap();
    }
    let status = fs::read_to_string(format!("/proc/{}/status", record.shim_pid)).unwrap();
    // For information: what one shim costs in this build.
    for line in status
        .lines()
        .filter(|line| line.starts_with("VmRSS") || line.starts_with("RssAnon"))
    {
        println!("shim {line}");
    }
    // It still answers: a request that comes after the signals is performed.
    handle.stop(Signal::TERM, Duration::from_secs(10)).await;
    assert_eq!(stack.end().await, ExitStatus::Signal(15));
}

/// Live processes that carry the task's mark.
fn marked(spec: &TaskSpec) -> Vec<u32> {
    let mark = shim::spec::mark(&spec.task_dir, spec.task);
    let living = shim::processes::all().into_iter().filter(|p| !p.zombie);
    living
        .map(|p| p.pid)
        .filter(|pid| shim::processes::carries(*pid, &mark))
        .collect()
}

#[tokio::test]
async fn a_start_cut_off_at_any_moment_and_repeated_runs_one_process() {
    for delay_ms in 0..12 {
        let stack = Stack::new();
        let spec = stack.spec(1, &["sh", "-c", "echo ran >>runs; exec sleep 1000"]);
        // As when the supervisor is killed: the future ends where it stands.
        let cut_off = timeout(
            Duration::from_millis(delay_ms * 3),
            stack.start(spec.clone()),
        )
        .await;
        drop(cut_off);
        let handle = stack.start(spec.clone()).await.unwrap();
        let ran = async {
            while !stack.dir.path().join("runs").exists() {
                sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(PATIENCE, ran).await.expect("the task runs");
        assert_eq!(
            marked(&spec),
            [handle.pid()],
            "cut off after {} ms",
            delay_ms * 3
        );
        assert_eq!(
            fs::read_to_string(stack.dir.path().join("runs")).unwrap(),
            "ran\n"
        );
    }
}

/// The shim of a task that may have no record yet: whoever has its lock file as standard error.
fn find_shim(spec: &TaskSpec) -> Option<shim::processes::Process> {
    let lock = spec.task_dir.join(shim::record::LOCK);
    let has_lock = |p: &shim::processes::Process| {
        fs::read_link(format!("/proc/{}/fd/2", p.pid)).is_ok_and(|file| file == lock)
    };
    shim::processes::all().into_iter().find(has_lock)
}

#[tokio::test]
async fn a_shim_killed_at_any_moment_of_its_birth_leaves_one_process_or_none() {
    for delay_ms in 0..12 {
        let stack = Stack::new();
        let spec = stack.spec(1, &["sh", "-c", "exec sleep 1000"]);
        let murder = async {
            let shim = loop {
                match find_shim(&spec) {
                    Some(shim) => break shim,
                    None => sleep(Duration::from_millis(1)).await,
                }
            };
            sleep(Duration::from_millis(delay_ms * 2)).await;
            shim::processes::signal(&shim, Signal::KILL).unwrap();
        };
        let (first, ()) = tokio::join!(stack.start(spec.clone()), murder);
        let what = format!(
            "killed after {} ms, first start: {:?}",
            delay_ms * 2,
            first.map(|handle| handle.pid())
        );
        let second = stack.start(spec.clone()).await.unwrap();
        // Either it was over before (and is not run again), or exactly one runs now.
        let settled = async {
            loop {
                let ended = spec.task_dir.join("exit.json").exists();
                match marked(&spec).as_slice() {
                    [] if ended => break,
                    [pid] if !ended && *pid == second.pid() && find_shim(&spec).is_some() => break,
                    _ => sleep(Duration::from_millis(5)).await,
                }
            }
        };
        timeout(PATIENCE, settled)
            .await
            .unwrap_or_else(|_| panic!("{what}: {:?} run", marked(&spec)));
    }
}

#[tokio::test]
async fn a_daemon_whose_first_thread_has_ended_is_still_alive_and_ended() {
    let mut stack = Stack::new();
    // Python's main thread leaves by pthread_exit; the other one sleeps on.
    let daemon = "import ctypes,os,threading,time\n\
                  threading.Thread(target=time.sleep,args=(1000,)).start()\n\
                  os.setsid() if os.getpid()!=os.getsid(0) else None\n\
                  print('daemon',os.getpid(),flush=True)\n\
                  os.close(1); os.close(2)\n\
                  ctypes.CDLL(None).pthread_exit(None)";
    let script =
        format!("python3 -c \"{daemon}\" & while [ ! -e go ]; do sleep 0.02; done; exit 8");
    stack.sh(1, &script).await;
    stack.says(1, "daemon").await;
    let log = stack.log(1);
    let pid: u32 = log.trim().rsplit(' ').next().unwrap().parse().unwrap();
    let first_thread_ends = async {
        while !fs::read_to_string(format!("/proc/{pid}/stat"))
            .unwrap()
            .contains(") Z ")
        {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, first_thread_ends).await.unwrap();
    assert!(alive(pid));
    fs::write(stack.dir.path().join("go"), "").unwrap();
    assert_eq!(stack.end().await, ExitStatus::Code(8));
    assert!(!alive(pid));
}
