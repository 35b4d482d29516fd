//! A registry of a test's own: Debian's `docker-registry` with a password, in a folder of the machine's, ended with it.

use super::{Machine, holds_within, program};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

pub(crate) const USER: &str = "me";
pub(crate) const PASSWORD: &str = "s3cret-marker";

/// `me:s3cret-marker` as Docker keeps it.
const AUTH: &str = "bWU6czNjcmV0LW1hcmtlcg==";

/// A running registry that asks who is there.
pub(crate) struct Registry {
    pub(crate) host: String,
    child: Child,
}

impl Registry {
    /// Starts one; `None` where the programs are not installed, which is said.
    pub(crate) fn start(machine: &Machine, test: &str) -> Option<Self> {
        let folder = machine.root().join("registry");
        std::fs::create_dir_all(&folder).unwrap();
        Self::start_in(machine, folder, test)
    }

    /// The same with its images in this folder.
    pub(crate) fn start_in(machine: &Machine, folder: PathBuf, test: &str) -> Option<Self> {
        for name in ["docker-registry", "htpasswd"] {
            if !super::has_program(name) {
                super::skip(test, &format!("`{name}` is not installed"));
                return None;
            }
        }
        let own = machine.root().join("registry-config");
        std::fs::create_dir_all(&own).unwrap();
        let host = format!("127.0.0.1:{}", machine.port());
        let passwords = own.join("htpasswd");
        // Few rounds: every request is checked.
        let made = Command::new(program("htpasswd"))
            .args(["-nbBC", "4", USER, PASSWORD])
            .output()
            .unwrap();
        std::fs::write(&passwords, made.stdout).unwrap();
        let config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n\
             http: {{addr: '{host}'}}\nauth: {{htpasswd: {{realm: test, path: {}}}}}\n",
            folder.display(),
            passwords.display()
        );
        let file = own.join("config.yml");
        std::fs::write(&file, config).unwrap();
        let log = std::fs::File::create(own.join("log")).unwrap();
        let child = Command::new(program("docker-registry"))
            .arg("serve")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let registry = Self { host, child };
        let answers = || std::net::TcpStream::connect(&registry.host).is_ok();
        assert!(
            holds_within(Duration::from_secs(30), answers),
            "the registry does not listen"
        );
        Some(registry)
    }

    /// Lets the machine's user in, as `docker login` would.
    pub(crate) fn log_in(&self, machine: &Machine) {
        self.configure(
            machine,
            &format!(r#"{{"auths": {{"{}": {{"auth": "{AUTH}"}}}}}}"#, self.host),
        );
    }

    /// Writes Docker's configuration.
    pub(crate) fn configure(&self, machine: &Machine, text: &str) {
        let folder = machine.root().join("home/.docker");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("config.json"), text).unwrap();
    }

    /// A document of the registry's, asked for with the password.
    pub(crate) fn get(&self, path: &str) -> serde_json::Value {
        let body = self.bytes(path);
        serde_json::from_slice(&body)
            .unwrap_or_else(|_| panic!("{path}: {}", String::from_utf8_lossy(&body)))
    }

    pub(crate) fn bytes(&self, path: &str) -> Vec<u8> {
        let answer = Command::new(program("curl"))
            .args([
                "-s",
                "-u",
                &format!("{USER}:{PASSWORD}"),
                "-H",
                "Accept: application/vnd.oci.image.manifest.v1+json",
            ])
            .args(["-H", "Accept: application/vnd.oci.image.index.v1+json"])
            .arg(format!("http://{}/v2/{path}", self.host))
            .output()
            .unwrap();
        answer.stdout
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
