//! What a task may do to the machine it runs on.

use super::super::Service;
use super::Hit;
use cais_model::node::Node;

/// `privileged: true`.
pub(super) fn privileged(service: &Service<'_>, hits: &mut Vec<Hit>) {
    if let Some(node) = service.at(&["privileged"])
        && node.as_bool() == Some(true)
    {
        hits.push(Hit::on(
            node,
            "whoever breaks into this task owns the machine",
        ));
    }
}

/// Root by the file, or by a Dockerfile that never leaves it.
pub(super) fn root(service: &Service<'_>, hits: &mut Vec<Hit>) {
    if let Some(node) = service.at(&["user"]) {
        let user = node.scalar_text().unwrap_or_default();
        let name = user.split(':').next().unwrap_or_default();
        if matches!(name, "0" | "root") {
            hits.push(Hit::on(node, "runs as root"));
        }
        return;
    }
    let Some(stage) = service.dockerfile() else {
        return;
    };
    let node = service.at(&["build"]).unwrap_or(&service.entry.value);
    match stage.user.as_deref() {
        Some(user) => {
            let name = user.split(':').next().unwrap_or_default();
            if matches!(name, "0" | "root") {
                hits.push(Hit::on(node, "its Dockerfile ends as `USER root`"));
            }
        }
        None if is_root_base(&stage.base) => {
            let base = &stage.base;
            hits.push(Hit::on(
                node,
                format!("its Dockerfile sets no `USER`, and `{base}` runs as root"),
            ));
        }
        None => {}
    }
}

/// Official images whose default user is root; of others nothing is known without pulling them.
fn is_root_base(base: &str) -> bool {
    const ROOT: [&str; 24] = [
        "scratch",
        "alpine",
        "debian",
        "ubuntu",
        "busybox",
        "node",
        "python",
        "golang",
        "rust",
        "ruby",
        "php",
        "nginx",
        "httpd",
        "openjdk",
        "eclipse-temurin",
        "amazoncorretto",
        "maven",
        "gradle",
        "fedora",
        "centos",
        "rockylinux",
        "amazonlinux",
        "bun",
        "deno",
    ];
    let name = base.strip_prefix("docker.io/").unwrap_or(base);
    let name = name.strip_prefix("library/").unwrap_or(name);
    let name = name.split(['@', ':']).next().unwrap_or_default();
    ROOT.contains(&name)
}

/// A root file system that can be written to.
pub(super) fn writable_root(service: &Service<'_>, hits: &mut Vec<Hit>) {
    if service.typed.build.is_none() {
        // What a bought image writes is its maker's matter.
        return;
    }
    match service.at(&["read_only"]) {
        Some(node) if node.as_bool() == Some(true) => {}
        Some(node) => hits.push(Hit::on(node, "the root file system can be written to")),
        None => hits.push(service.hit(format!("`{}` can write to its own program", service.name))),
    }
}

/// Capabilities that are as good as root on the machine.
pub(super) fn capabilities(service: &Service<'_>, hits: &mut Vec<Hit>) {
    const GRAVE: [&str; 11] = [
        "ALL",
        "SYS_ADMIN",
        "SYS_MODULE",
        "SYS_PTRACE",
        "SYS_RAWIO",
        "SYS_BOOT",
        "NET_ADMIN",
        "DAC_READ_SEARCH",
        "DAC_OVERRIDE",
        "BPF",
        "MAC_ADMIN",
    ];
    for node in service.items("cap_add") {
        let written = node.as_str().unwrap_or_default();
        let name = written.to_ascii_uppercase();
        if GRAVE.contains(&name.trim_start_matches("CAP_")) {
            hits.push(Hit::on(node, format!("adds the capability `{written}`")));
        }
    }
}

/// The engine's socket inside a task.
pub(super) fn engine_socket(service: &Service<'_>, hits: &mut Vec<Hit>) {
    if service.image_name().contains("socket-proxy") {
        return;
    }
    for node in service.items("volumes") {
        let source = node
            .get("source")
            .and_then(Node::as_str)
            .unwrap_or_default();
        if ["/docker.sock", "/podman.sock", "/containerd.sock"]
            .iter()
            .any(|end| source.ends_with(end))
        {
            hits.push(Hit::on(
                node,
                "with the engine's socket this task can start others, as root, on the machine",
            ));
        }
    }
}

/// `network_mode: host`.
pub(super) fn host_network(service: &Service<'_>, hits: &mut Vec<Hit>) {
    host(
        service,
        "network_mode",
        "shares the machine's network: every port of it is open, none is mapped",
        hits,
    );
}

/// `pid: host`.
pub(super) fn host_processes(service: &Service<'_>, hits: &mut Vec<Hit>) {
    host(
        service,
        "pid",
        "sees and signals every process of the machine",
        hits,
    );
}

/// `ipc: host`.
pub(super) fn host_ipc(service: &Service<'_>, hits: &mut Vec<Hit>) {
    host(service, "ipc", "shares the machine's shared memory", hits);
}

fn host(service: &Service<'_>, key: &str, message: &str, hits: &mut Vec<Hit>) {
    if let Some(node) = service.at(&[key])
        && node.as_str() == Some("host")
    {
        hits.push(Hit::on(node, message));
    }
}

/// `seccomp:unconfined` and its like.
pub(super) fn unconfined(service: &Service<'_>, hits: &mut Vec<Hit>) {
    for node in service.items("security_opt") {
        let option = node.as_str().unwrap_or_default().replace('=', ":");
        if matches!(
            option.as_str(),
            "seccomp:unconfined"
                | "apparmor:unconfined"
                | "label:disable"
                | "systempaths:unconfined"
        ) {
            hits.push(Hit::on(
                node,
                format!("`{option}` switches a protection of the kernel off"),
            ));
        }
    }
}

/// A folder of the machine's own, writable.
pub(super) fn system_folder(service: &Service<'_>, hits: &mut Vec<Hit>) {
    const SYSTEM: [&str; 14] = [
        "/",
        "/etc",
        "/root",
        "/boot",
        "/usr",
        "/bin",
        "/sbin",
        "/lib",
        "/proc",
        "/sys",
        "/dev",
        "/run",
        "/var/run",
        "/var/lib/docker",
    ];
    for node in service.items("volumes") {
        let source = node
            .get("source")
            .and_then(Node::as_str)
            .unwrap_or_default();
        let is_bind = node.get("type").and_then(Node::as_str) == Some("bind");
        let is_read_only = node.get("read_only").and_then(Node::as_bool) == Some(true);
        let trimmed = if source == "/" {
            source
        } else {
            source.trim_end_matches('/')
        };
        if is_bind && !is_read_only && SYSTEM.contains(&trimmed) {
            hits.push(Hit::on(
                node,
                format!("can write to `{trimmed}` of the machine"),
            ));
        }
    }
}
