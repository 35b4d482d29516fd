//! What tasks write arrives whole, and stays when they are forgotten.

use crate::process;
use crate::stack::*;
use cais_engine::event::ExitStatus;
use cais_model::stack::LogRotation;
use std::fs;
use tokio::time::sleep;

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
