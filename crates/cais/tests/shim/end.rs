//! How tasks end: what is reported, and that nothing of them survives.

use crate::process::{Signal, TaskEvent};
use crate::shim;
use crate::stack::*;
use cais_engine::event::ExitStatus;
use std::fs;
use std::time::Duration;
use tokio::time::{sleep, timeout};

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
