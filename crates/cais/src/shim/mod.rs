//! `cais shim`: holds exactly one task, so that the supervisor may die and come back without the task noticing.
//!
//! Started by `runtime::process`, with the spec on standard input, the handshake on standard output
//! and the locked file as standard error. It writes the task's log, records its end and answers on a
//! socket; it decides nothing.

mod control;
pub(crate) mod descriptors;
mod keeper;
mod output;
pub(crate) mod processes;
pub(crate) mod protocol;
pub(crate) mod record;
pub(crate) mod signal;
mod spawn;
pub(crate) mod spec;
mod stop;

use crate::logs::line::Stream;
use crate::logs::writer::LogWriter;
use control::{Control, Door};
use keeper::Keeper;
use protocol::{Answer, Handshake};
use record::{ExitRecord, TaskRecord};
use rustix::fs::Mode;
use rustix::process::{Pid, kill_process_group};
use spec::TaskSpec;
use std::fmt;
use std::io::{self, Read, Write};
use std::process::Child;
use std::sync::{Arc, Mutex};
use tokio::signal::unix::SignalKind;
use tokio::sync::mpsc;

/// Runs the shim; returns when its task is over.
///
/// # Errors
/// Why the task could not be held, when the supervisor was told already.
pub(crate) fn run() -> Result<(), String> {
    let result = prepare().and_then(|spec| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.map_err(|e| format!("cannot start the shim: {e}"))?;
        runtime.block_on(serve(&spec))
    });
    if let Err(reason) = &result {
        answer(&Handshake::Failed(reason.clone()));
    }
    result
}

/// Writes one of the shim's own faults to standard error, which is the lock file.
fn fault(text: fmt::Arguments<'_>) {
    let now = jiff::Timestamp::now();
    // There is nobody left to tell when this fails.
    let _ = writeln!(io::stderr(), "{now:.3} {text}");
}

/// Leaves the supervisor's session and reads what to do.
fn prepare() -> Result<TaskSpec, String> {
    descriptors::close_inherited();
    // EPERM: already a session leader, which is as good.
    let _ = rustix::process::setsid();
    let _ = rustix::thread::set_name(c"cais-shim");
    rustix::process::umask(Mode::from_raw_mode(0o077));
    std::env::set_current_dir("/").map_err(|e| format!("cannot enter `/`: {e}"))?;
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
        .map_err(|e| format!("cannot become the subreaper: {e}"))?;
    let mut text = Vec::new();
    io::stdin()
        .read_to_end(&mut text)
        .map_err(|e| format!("cannot read the spec: {e}"))?;
    serde_json::from_slice(&text).map_err(|e| format!("not a task's spec: {e}"))
}

async fn serve(spec: &TaskSpec) -> Result<(), String> {
    catch_signals().map_err(|e| format!("cannot catch signals: {e}"))?;
    let cannot =
        |path: &std::path::Path, e: io::Error| format!("cannot use `{}`: {e}", path.display());
    let mut door = Door::open(&spec.socket).map_err(|e| cannot(&spec.socket, e))?;
    let log = LogWriter::open(&spec.task_dir, spec.log).map_err(|e| cannot(&spec.task_dir, e))?;
    // From here on the shim's own files name their mode; the task gets the customary mask.
    rustix::process::umask(Mode::from_raw_mode(0o022));
    hold(spec, &mut door, log).await
}

/// Caught and dropped: only the task's end ends a shim. Not ignored, for that would be inherited by the task.
fn catch_signals() -> io::Result<()> {
    for kind in [
        SignalKind::hangup(),
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::quit(),
        SignalKind::user_defined1(),
        SignalKind::user_defined2(),
        SignalKind::alarm(),
    ] {
        // The handler stays for the life of the process, also when the stream is dropped.
        drop(tokio::signal::unix::signal(kind)?);
    }
    Ok(())
}

async fn hold(spec: &TaskSpec, door: &mut Door, log: LogWriter) -> Result<(), String> {
    let mut child = spawn::spawn(spec)?;
    let (closed, pipes) = mpsc::unbounded_channel();
    let born = Keeper::new(child.id(), pipes)
        .and_then(|keeper| Ok((keeper, announce(spec, child.id())?)))
        .and_then(|(keeper, record)| collect(&mut child, log, &closed).map(|()| (keeper, record)));
    drop(closed);
    let (keeper, record) = match born {
        Ok(born) => born,
        Err(e) => {
            if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                let _ = kill_process_group(group, signal::Signal::KILL.raw());
            }
            let _ = child.wait();
            return Err(format!("cannot keep the task: {e}"));
        }
    };
    answer(&Handshake::Started { pid: record.pid });
    let (sender, mut requests) = mpsc::unbounded_channel();
    let started = Answer::Started {
        pid: record.pid,
        at_ms: record.started_at_ms,
    };
    let mut control = Control::new(started, sender);
    let status = keeper.keep(door, &mut control, &mut requests).await;
    if let Err(e) = ExitRecord::now(status).write(&spec.task_dir) {
        fault(format_args!("cannot record the end {status:?}: {e}"));
    }
    // Never closed by us: they end with the process, together with the lock.
    std::mem::forget(control.farewell(status).await);
    Ok(())
}

/// Puts the task's identity on disk before anybody hears of it.
fn announce(spec: &TaskSpec, pid: u32) -> io::Result<TaskRecord> {
    let gone = || io::Error::other("the process cannot be seen in /proc");
    let shim_pid = std::process::id();
    let record = TaskRecord {
        task: spec.task,
        service: spec.service.clone(),
        revision: spec.revision,
        boot_id: processes::boot_id()?,
        pid,
        pid_start: processes::look(pid).ok_or_else(gone)?.start,
        shim_pid,
        shim_start: processes::look(shim_pid).ok_or_else(gone)?.start,
        started_at_ms: jiff::Timestamp::now().as_millisecond(),
        socket: spec.socket.clone(),
        mark: spec::mark(&spec.task_dir, spec.task),
        stop_signal: spec.stop_signal,
        stop_grace_ms: u64::try_from(spec.stop_grace.as_millis()).unwrap_or(u64::MAX),
    };
    record.write(&spec.task_dir)?;
    Ok(record)
}

fn collect(
    child: &mut Child,
    log: LogWriter,
    closed: &mpsc::UnboundedSender<Stream>,
) -> io::Result<()> {
    let log = Arc::new(Mutex::new(log));
    if let Some(pipe) = child.stdout.take() {
        output::collect(pipe, Stream::Stdout, Arc::clone(&log), closed.clone())?;
    }
    if let Some(pipe) = child.stderr.take() {
        output::collect(pipe, Stream::Stderr, log, closed.clone())?;
    }
    Ok(())
}

/// Answers the supervisor that started us; that it is gone already is no fault of the task's.
fn answer(handshake: &Handshake) {
    if let Ok(mut line) = serde_json::to_vec(handshake) {
        line.push(b'\n');
        let mut stdout = io::stdout();
        let _ = stdout.write_all(&line).and_then(|()| stdout.flush());
    }
}
