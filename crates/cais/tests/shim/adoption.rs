//! What the next supervisor finds: tasks that live, tasks that ended, and what killed shims left.

use crate::process::{self, Adopted, Signal, TaskEvent};
use crate::shim;
use crate::stack::*;
use cais_engine::event::ExitStatus;
use std::fs;
use std::time::Duration;
use tokio::time::sleep;

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
async fn a_shim_whose_socket_was_removed_is_found_again() {
    let mut stack = Stack::new();
    let mut spec = stack.spec(1, &["sh", "-c", "echo ready; exec sleep 1000"]);
    spec.socket = stack.dir.path().join("run/1.sock");
    let run = stack.dir.path().join("run");
    stack.start(spec).await.unwrap();
    stack.says(1, "ready").await;
    fs::remove_dir_all(run).unwrap();
    let adopted = process::adopt(&stack.task_dir(1), stack.events.clone())
        .await
        .unwrap();
    let Adopted::Alive(handle) = adopted else {
        panic!("{adopted:?}")
    };
    handle.kill().await;
    assert!(matches!(stack.next().await, TaskEvent::Started { .. }));
    assert!(matches!(stack.next().await, TaskEvent::Started { .. }));
    assert_eq!(stack.next().await, TaskEvent::Exited(ExitStatus::Signal(9)));
}
