//! Keeps one task from its birth to its end: signals its group, reaps, and sees to it that nothing of it is left.

use super::control::{Control, Door};
use super::fault;
use super::processes::{self, Process};
use super::protocol::Request;
use super::signal::Signal;
use super::stop::Stopping;
use crate::logs::line::Stream;
use cais_engine::event::ExitStatus;
use rustix::io::Errno;
use rustix::process::{
    Pid, WaitId, WaitIdOptions, WaitOptions, kill_process_group, waitid, waitpid,
};
use std::io;
use std::time::Duration;
use tokio::signal::unix::{Signal as ChildSignal, SignalKind, signal};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, interval, sleep, sleep_until};

/// How long children that outlive the leader may hold its pipes open.
const LINGER: Duration = Duration::from_secs(2);
/// How often the rest of a group is looked at while its grace runs.
const GLANCE: Duration = Duration::from_millis(25);
/// How often the socket's name is looked for.
const MEND: Duration = Duration::from_secs(2);
/// How long SIGKILL may take; only a process inside a broken device driver takes longer.
const LAST_WAIT: Duration = Duration::from_secs(5);

/// One running task.
pub(crate) struct Keeper {
    leader: Pid,
    /// SIGCHLD. Signals coalesce, so it only says "look": at the leader, and for orphans.
    children: ChildSignal,
    status: Option<ExitStatus>,
    stopping: Stopping,
    killed: bool,
    /// Pipes whose writers are not all gone.
    open: Vec<Stream>,
    closed: UnboundedReceiver<Stream>,
}

impl Keeper {
    /// Keeps the process group of `leader`, an unreaped child; `closed` reports each pipe's end.
    pub(crate) fn new(leader: u32, closed: UnboundedReceiver<Stream>) -> io::Result<Self> {
        let leader = i32::try_from(leader)
            .ok()
            .and_then(Pid::from_raw)
            .ok_or(io::ErrorKind::InvalidInput)?;
        Ok(Self {
            leader,
            children: signal(SignalKind::child())?,
            status: None,
            stopping: Stopping::default(),
            killed: false,
            open: vec![Stream::Stdout, Stream::Stderr],
            closed,
        })
    }

    /// Serves requests until the task is over, then ends what it left behind.
    pub(crate) async fn keep(
        mut self,
        door: &mut Door,
        control: &mut Control,
        requests: &mut UnboundedReceiver<Request>,
    ) -> ExitStatus {
        // It may have ended before we listened for SIGCHLD.
        let mut linger_until = self.look_at_children();
        let mut mend = interval(MEND);
        while !self.is_over(linger_until) {
            let wake = self.next_wake(linger_until);
            tokio::select! {
                _ = self.children.recv() => linger_until = linger_until.or(self.look_at_children()),
                Some(stream) = self.closed.recv() => self.open.retain(|open| *open != stream),
                Some(request) = requests.recv() => self.perform(&request),
                accepted = door.accept() => match accepted {
                    Ok(stream) => control.welcome(stream),
                    Err(e) => {
                        fault(format_args!("cannot accept: {e}"));
                        sleep(GLANCE).await;
                    }
                },
                () = sleep_until(wake) => self.kill_when_due(),
                _ = mend.tick() => door.mend(),
            }
        }
        self.end_the_rest().await;
        self.status.unwrap_or(ExitStatus::Unknown)
    }

    /// Reaps orphans; when the leader has ended, says until when its children may linger.
    fn look_at_children(&mut self) -> Option<Instant> {
        self.reap_orphans();
        self.status = self.status.or_else(|| self.leader_status());
        self.status.map(|_| Instant::now() + LINGER)
    }

    /// Read without reaping (WNOWAIT): while the leader is a zombie neither its id nor its group's can be given away.
    fn leader_status(&self) -> Option<ExitStatus> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match waitid(WaitId::Pid(self.leader), options) {
            Ok(None) => None,
            Ok(Some(status)) => Some(match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => ExitStatus::Code(code),
                (None, Some(signal)) => ExitStatus::Signal(signal),
                (None, None) => ExitStatus::Unknown,
            }),
            Err(e) => {
                fault(format_args!(
                    "cannot learn how {} ended: {e}",
                    self.leader.as_raw_pid()
                ));
                Some(ExitStatus::Unknown)
            }
        }
    }

    /// The leader has ended, and the rest had its time: the grace where a stop was asked for
    /// (a shell's children may still be finishing requests), and until the pipes close or two seconds passed.
    fn is_over(&self, linger_until: Option<Instant>) -> bool {
        let Some(linger_until) = linger_until else {
            return false;
        };
        let now = Instant::now();
        let patient = self.stopping.is_patient(now) && !self.killed && self.group_lives();
        let quiet = self.open.is_empty() || self.killed || now >= linger_until;
        !patient && quiet
    }

    fn next_wake(&self, linger_until: Option<Instant>) -> Instant {
        let now = Instant::now();
        let kill_at = self.stopping.kill_at().filter(|_| !self.killed);
        match linger_until {
            Some(_) => now + GLANCE,
            None => kill_at.unwrap_or(now + MEND),
        }
    }

    fn kill_when_due(&mut self) {
        if self.stopping.kill_at().is_some()
            && !self.stopping.is_patient(Instant::now())
            && !self.killed
        {
            self.kill();
        }
    }

    fn perform(&mut self, request: &Request) {
        match request {
            Request::Stop { signal, grace_ms } => {
                let grace = Duration::from_millis(*grace_ms);
                if let Some(signal) = self.stopping.ask(*signal, grace, Instant::now()) {
                    self.signal_group(signal);
                    // A stopped process would not see the signal before its grace is over.
                    self.signal_group(Signal::CONT);
                }
                self.kill_when_due();
            }
            Request::Kill {} => self.kill(),
            Request::Signal { signal } => self.signal_group(*signal),
        }
    }

    fn kill(&mut self) {
        self.killed = true;
        self.signal_group(Signal::KILL);
    }

    /// Safe without a pidfd: the leader is not reaped before the end, so the group's id is still its own.
    /// (PIDFD_SIGNAL_PROCESS_GROUP, Linux 6.9, would say the same to the kernel; rustix does not offer it.)
    fn signal_group(&self, signal: Signal) {
        match kill_process_group(self.leader, signal.raw()) {
            // EPERM: a member changed its user. ESRCH cannot be while the leader is unreaped.
            Ok(()) | Err(Errno::SRCH) => {}
            Err(e) => fault(format_args!("cannot send {signal} to the group: {e}")),
        }
    }

    fn leader_id(&self) -> u32 {
        self.leader.as_raw_pid().unsigned_abs()
    }

    fn group_lives(&self) -> bool {
        let group = self.leader_id();
        processes::all()
            .iter()
            .any(|p| p.group == group && !p.zombie)
    }

    /// Orphans of the task come to us (we are its subreaper); zombies among them are let go.
    fn reap_orphans(&self) {
        let me = std::process::id();
        for zombie in processes::all()
            .iter()
            .filter(|p| p.parent == me && p.zombie && p.pid != self.leader_id())
        {
            if let Some(pid) = i32::try_from(zombie.pid).ok().and_then(Pid::from_raw) {
                let _ = waitpid(Some(pid), WaitOptions::NOHANG);
            }
        }
    }

    /// SIGKILL to the group and to every descendant outside it (a daemon that called setsid), until none is left.
    async fn end_the_rest(&mut self) {
        let deadline = Instant::now() + LAST_WAIT;
        self.signal_group(Signal::KILL);
        loop {
            self.reap_orphans();
            let living = self.living_descendants();
            for process in &living {
                if let Err(e) = processes::signal(process, Signal::KILL) {
                    fault(format_args!("cannot kill {}: {e}", process.pid));
                }
            }
            if living.is_empty() {
                break;
            }
            if Instant::now() >= deadline {
                fault(format_args!(
                    "gave up on {} processes that do not die",
                    living.len()
                ));
                break;
            }
            sleep(Duration::from_millis(5)).await;
        }
        self.wait_for_pipes(deadline).await;
        let _ = waitpid(Some(self.leader), WaitOptions::NOHANG);
    }

    fn living_descendants(&self) -> Vec<Process> {
        let mut found = processes::descendants(&processes::all(), std::process::id());
        found.retain(|p| !p.zombie);
        found
    }

    /// All writers are gone, so the readers are about to see the end; the log is complete after that.
    async fn wait_for_pipes(&mut self, deadline: Instant) {
        while !self.open.is_empty() {
            tokio::select! {
                Some(stream) = self.closed.recv() => self.open.retain(|open| *open != stream),
                () = sleep_until(deadline) => return fault(format_args!("gave up on a pipe that stays open")),
                else => return,
            }
        }
    }
}
