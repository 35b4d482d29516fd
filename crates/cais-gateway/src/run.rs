//! Starts the gateway: one thread for each core and the control thread, which is the caller's own. It binds
//! nothing but the control socket.

use crate::control::{self, Cores};
use crate::core;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;
use tokio::net::UnixListener;
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// How to run.
#[derive(Debug, Clone)]
pub struct GatewayOptions {
    /// Where the supervisor connects; at most 107 bytes.
    pub control_socket: PathBuf,
    /// Threads that serve; at least one.
    pub cores: usize,
}

/// Why the gateway did not start or had to end.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// Another gateway answers on the control socket.
    #[error("a gateway already answers on `{0}`")]
    AlreadyRunning(PathBuf),
    /// Something that is not a socket stands where the control socket belongs.
    #[error("`{0}` exists and is not a socket")]
    NotASocket(PathBuf),
    /// The control socket could not be made.
    #[error("cannot listen on the control socket `{path}`")]
    ControlSocket {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A runtime or a thread could not be started.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
    /// SIGTERM cannot be waited for.
    #[error("cannot wait for SIGTERM")]
    Signal(#[source] io::Error),
    /// A serving thread ended by itself.
    #[error("core `{0}` ended unexpectedly")]
    CoreEnded(usize),
}

/// Runs until the supervisor says Shutdown or SIGTERM comes (then with 10 s of grace), on this thread and
/// `cores` more. SIGPIPE is left as Rust's runtime has it: ignored.
///
/// # Errors
/// When the control socket belongs to a living gateway or cannot be made, or a thread fails.
pub fn run(options: GatewayOptions) -> Result<(), GatewayError> {
    raise_descriptor_limit();
    let socket = ControlSocket::bind(&options.control_socket)?;
    let clock = Instant::now();
    let (batch_sender, batches) = mpsc::unbounded_channel();
    let (end_sender, ended) = mpsc::unbounded_channel();
    let mut commands = Vec::new();
    let mut threads = Vec::new();
    for number in 0..options.cores.max(1) {
        let (command_sender, inbox) = mpsc::unbounded_channel();
        let (batches, end) = (batch_sender.clone(), EndOfCore(number, end_sender.clone()));
        let runtime = move || -> io::Result<()> {
            let _end = end;
            local_runtime()?.block_on(core::run(clock, inbox, batches));
            Ok(())
        };
        let thread = thread::Builder::new()
            .name(format!("gateway-{number}"))
            .spawn(runtime);
        threads.push(thread.map_err(GatewayError::Thread)?);
        commands.push(command_sender);
    }
    drop((batch_sender, end_sender));
    let cores = Cores {
        commands,
        batches,
        ended,
    };
    let result = local_runtime()
        .map_err(GatewayError::Thread)?
        .block_on(async {
            let listener = socket.listener()?;
            control::run(listener, cores, clock).await
        });
    for thread in threads {
        // Its panic, if any, was reported as the core's end.
        let _ = thread.join();
    }
    result
}

/// Says that a core has ended, however it did.
struct EndOfCore(usize, mpsc::UnboundedSender<usize>);

impl Drop for EndOfCore {
    fn drop(&mut self) {
        let _ = self.1.send(self.0);
    }
}

fn local_runtime() -> io::Result<LocalRuntime> {
    Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())
}

/// Two descriptors a proxied connection: the usual soft limit of 1,024 ends at 500.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current < limit.maximum
        && let Err(error) = setrlimit(
            Resource::Nofile,
            Rlimit {
                current: limit.maximum,
                maximum: limit.maximum,
            },
        )
    {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}

/// The bound control socket; its file goes when this does.
struct ControlSocket {
    path: PathBuf,
    listener: std::os::unix::net::UnixListener,
}

impl ControlSocket {
    fn bind(path: &Path) -> Result<Self, GatewayError> {
        let fail = |source| GatewayError::ControlSocket {
            path: path.to_owned(),
            source,
        };
        match fs::symlink_metadata(path) {
            Ok(found) if !found.file_type().is_socket() => {
                return Err(GatewayError::NotASocket(path.to_owned()));
            }
            Ok(_) if UnixStream::connect(path).is_ok() => {
                return Err(GatewayError::AlreadyRunning(path.to_owned()));
            }
            // The file of a gateway that is gone.
            Ok(_) => fs::remove_file(path).map_err(fail)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(fail(error)),
        }
        let listener = std::os::unix::net::UnixListener::bind(path).map_err(fail)?;
        // Until then the folder's mode and the check of the peer's user keep others out.
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(fail)?;
        listener.set_nonblocking(true).map_err(fail)?;
        Ok(Self {
            path: path.to_owned(),
            listener,
        })
    }

    fn listener(&self) -> Result<UnixListener, GatewayError> {
        let fail = |source| GatewayError::ControlSocket {
            path: self.path.clone(),
            source,
        };
        UnixListener::from_std(self.listener.try_clone().map_err(fail)?).map_err(fail)
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}
