//! A socket between cais and the engine that a test can take away and give back: the engine goes, its containers stay.

use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// The socket.
pub(crate) struct EngineProxy {
    socket: PathBuf,
    engine: PathBuf,
    open: Arc<Mutex<Vec<UnixStream>>>,
}

impl EngineProxy {
    /// In front of the engine of `DOCKER_HOST`, or the machine's; `None` where that is not a Unix socket.
    pub(crate) fn start(folder: &Path) -> Option<Self> {
        let host = std::env::var("DOCKER_HOST").unwrap_or_default();
        let engine = match host.strip_prefix("unix://") {
            Some(path) => PathBuf::from(path),
            None if host.is_empty() => PathBuf::from("/var/run/docker.sock"),
            None => return None,
        };
        let proxy = Self {
            socket: folder.join("engine.sock"),
            engine,
            open: Arc::default(),
        };
        proxy.give_back();
        Some(proxy)
    }

    /// For `DOCKER_HOST`.
    pub(crate) fn host(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    /// Nobody is accepted any more, and what is open breaks off.
    pub(crate) fn take_away(&self) {
        std::fs::remove_file(&self.socket).unwrap();
        for stream in self.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }

    /// Accepts (again).
    pub(crate) fn give_back(&self) {
        let listener = UnixListener::bind(&self.socket).unwrap();
        let (engine, open) = (self.engine.clone(), self.open.clone());
        // The listener of a socket that was removed gets no more connections; its thread ends with the test.
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = UnixStream::connect(&engine) else {
                    continue;
                };
                let mut open = open.lock().unwrap();
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    std::thread::spawn(move || {
                        let _ = std::io::copy(&mut from, &mut to);
                        let _ = to.shutdown(std::net::Shutdown::Write);
                    });
                }
                open.extend([client, server]);
            }
        });
    }
}
