//! How tasks begin: once, in a world of their own, or with a sentence that says what is missing.

use crate::process::{self, Adopted, Signal, TaskEvent, TaskSpec};
use crate::shim;
use crate::stack::*;
use cais_engine::event::ExitStatus;
use std::fs;
use std::time::Duration;
use tokio::time::{sleep, timeout};

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
