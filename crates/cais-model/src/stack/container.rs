//! What a service asks of its containers beyond the program: networks, files, names, rights and limits. Only the Docker
//! runtime reads most of it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The container fields of a service, under Compose's names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Container {
    /// `networks` and `network_mode`.
    pub network: NetworkMode,
    /// `volumes`.
    pub volumes: Vec<Mount>,
    /// `tmpfs`: target to options, `size=64m,mode=1770` or nothing.
    pub tmpfs: BTreeMap<String, String>,
    /// Names and name servers.
    pub names: Names,
    /// What it may do.
    pub rights: Rights,
    /// What it may use, beyond [`super::Resources`].
    pub limits: ContainerLimits,
    /// `devices`, `device_cgroup_rules`, `gpus`.
    pub devices: Devices,
    /// `labels`.
    pub labels: BTreeMap<String, String>,
    /// `annotations`.
    pub annotations: BTreeMap<String, String>,
    /// `logging.driver` and `logging.options`.
    pub logging: Logging,
    /// `init`: is there a process that reaps and passes signals on?
    pub init: Option<bool>,
    /// `tty`.
    pub tty: bool,
    /// `stdin_open`.
    pub stdin_open: bool,
    /// `platform`.
    pub platform: Option<String>,
    /// `runtime`.
    pub runtime: Option<String>,
    /// `isolation`.
    pub isolation: Option<String>,
    /// `pull_policy`.
    pub pull_policy: PullPolicy,
    /// Does the file say that the image's own health check does not count (`disable: true`, `test: NONE`)?
    pub ignores_image_healthcheck: bool,
}

/// Which networks a container is on.
#[derive(Debug, Clone, PartialEq)]
pub enum NetworkMode {
    /// These networks of the stack, by key.
    Networks(BTreeMap<String, Attachment>),
    /// `network_mode: host`.
    Host,
    /// `network_mode: none`.
    None,
    /// `network_mode: bridge`: the engine's own network, without names.
    Bridge,
    /// Anything else, as written.
    Other(String),
}

impl Default for NetworkMode {
    fn default() -> Self {
        Self::Networks(BTreeMap::from([(
            "default".to_owned(),
            Attachment::default(),
        )]))
    }
}

/// A service's place on one network.
#[derive(Debug, Clone, PartialEq)]
pub struct Attachment {
    /// `aliases`, besides the service's own name.
    pub aliases: Vec<String>,
    /// Is the service's own name an alias?
    pub use_service_name_alias: bool,
    /// `ipv4_address`.
    pub ipv4_address: Option<String>,
    /// `ipv6_address`.
    pub ipv6_address: Option<String>,
    /// `link_local_ips`.
    pub link_local_ips: Vec<String>,
    /// `mac_address`.
    pub mac_address: Option<String>,
    /// `driver_opts`.
    pub driver_opts: BTreeMap<String, String>,
    /// `priority`: the network of the highest is connected first.
    pub priority: i64,
    /// `gw_priority`: the network of the highest has the default route.
    pub gw_priority: Option<i64>,
}

impl Default for Attachment {
    fn default() -> Self {
        Self {
            aliases: Vec::new(),
            use_service_name_alias: true,
            ipv4_address: None,
            ipv6_address: None,
            link_local_ips: Vec::new(),
            mac_address: None,
            driver_opts: BTreeMap::new(),
            priority: 0,
            gw_priority: None,
        }
    }
}

/// One entry of `volumes`.
#[derive(Debug, Clone, PartialEq)]
pub struct Mount {
    /// Where in the container.
    pub target: String,
    /// `read_only`.
    pub read_only: bool,
    /// What is mounted.
    pub kind: MountKind,
}

/// What is mounted.
#[derive(Debug, Clone, PartialEq)]
pub enum MountKind {
    /// A volume of the stack by key; `None` is an anonymous one.
    Volume {
        /// Key under the top-level `volumes:`.
        source: Option<String>,
        /// Is it not filled with what the image has there?
        nocopy: bool,
        /// A folder within it.
        subpath: Option<String>,
    },
    /// A path of this machine, absolute.
    Bind {
        /// Which.
        source: PathBuf,
        /// Is a folder made where nothing is?
        create_host_path: bool,
        /// `propagation`.
        propagation: Option<String>,
        /// `z` or `Z`.
        selinux: Option<String>,
    },
    /// Memory.
    Tmpfs {
        /// `tmpfs.size`.
        size: Option<u64>,
        /// `tmpfs.mode`.
        mode: Option<u32>,
    },
    /// An image's files.
    Image {
        /// Its reference.
        source: String,
        /// A folder within it.
        subpath: Option<String>,
    },
    /// `npipe` and `cluster`, as written.
    Other(String),
}

/// What a container is called and whom it asks for names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Names {
    /// `container_name`: what others may find its tasks by.
    pub container_name: Option<String>,
    /// `hostname`.
    pub hostname: Option<String>,
    /// `domainname`.
    pub domainname: Option<String>,
    /// `mac_address`.
    pub mac_address: Option<String>,
    /// `extra_hosts`, each `name:address`.
    pub extra_hosts: Vec<String>,
    /// `dns`.
    pub dns: Vec<String>,
    /// `dns_opt`.
    pub dns_opt: Vec<String>,
    /// `dns_search`.
    pub dns_search: Vec<String>,
    /// `links`, each `service` or `service:alias`.
    pub links: Vec<String>,
}

/// What a container may do.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rights {
    /// `group_add`.
    pub group_add: Vec<String>,
    /// `cap_add`.
    pub cap_add: Vec<String>,
    /// `cap_drop`.
    pub cap_drop: Vec<String>,
    /// `privileged`.
    pub privileged: bool,
    /// `read_only`, where the file says so or says not.
    pub read_only: Option<bool>,
    /// `security_opt`.
    pub security_opt: Vec<String>,
    /// `userns_mode`.
    pub userns_mode: Option<String>,
    /// `ipc`.
    pub ipc: Option<String>,
    /// `pid`.
    pub pid: Option<String>,
    /// `uts`.
    pub uts: Option<String>,
    /// `cgroup`.
    pub cgroup: Option<String>,
    /// `cgroup_parent`.
    pub cgroup_parent: Option<String>,
}

/// What a container may use, beyond CPUs, memory and processes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ContainerLimits {
    /// `ulimits`: name to soft and hard limit.
    pub ulimits: BTreeMap<String, (i64, i64)>,
    /// `sysctls`.
    pub sysctls: BTreeMap<String, String>,
    /// `shm_size` in bytes.
    pub shm_size: Option<u64>,
    /// `storage_opt`.
    pub storage_opt: BTreeMap<String, String>,
    /// `memswap_limit` in bytes; -1 is no limit.
    pub memswap_limit: Option<i64>,
    /// `mem_swappiness`, 0 to 100.
    pub mem_swappiness: Option<i64>,
    /// `oom_kill_disable`.
    pub oom_kill_disable: bool,
    /// `oom_score_adj`.
    pub oom_score_adj: Option<i64>,
    /// `cpu_count`.
    pub cpu_count: Option<i64>,
    /// `cpu_percent`.
    pub cpu_percent: Option<i64>,
    /// `cpu_shares`.
    pub cpu_shares: Option<i64>,
    /// `cpu_quota` in microseconds.
    pub cpu_quota: Option<i64>,
    /// `cpu_period`.
    pub cpu_period: Option<Duration>,
    /// `cpu_rt_period`.
    pub cpu_rt_period: Option<Duration>,
    /// `cpu_rt_runtime`.
    pub cpu_rt_runtime: Option<Duration>,
    /// `cpuset`.
    pub cpuset: Option<String>,
    /// `blkio_config`.
    pub blkio: BlockIo,
}

/// `blkio_config`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BlockIo {
    /// `weight`, 10 to 1000.
    pub weight: Option<i64>,
    /// `weight_device`: path to weight.
    pub weight_device: BTreeMap<String, i64>,
    /// `device_read_bps`: path to bytes a second.
    pub device_read_bps: BTreeMap<String, i64>,
    /// `device_write_bps`.
    pub device_write_bps: BTreeMap<String, i64>,
    /// `device_read_iops`: path to operations a second.
    pub device_read_iops: BTreeMap<String, i64>,
    /// `device_write_iops`.
    pub device_write_iops: BTreeMap<String, i64>,
}

/// Devices of the machine.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Devices {
    /// `devices`.
    pub devices: Vec<Device>,
    /// `device_cgroup_rules`.
    pub cgroup_rules: Vec<String>,
    /// `gpus` and `deploy.resources.reservations.devices`.
    pub requests: Vec<DeviceRequest>,
}

/// One device node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Path on the machine, or the name of a CDI device.
    pub source: String,
    /// Path in the container; `None` for a CDI device.
    pub target: Option<String>,
    /// Some of `rwm`.
    pub permissions: String,
}

/// Devices that a driver hands out.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceRequest {
    /// `driver`.
    pub driver: Option<String>,
    /// `count`; -1 is all.
    pub count: Option<i64>,
    /// `device_ids`.
    pub device_ids: Vec<String>,
    /// `capabilities`.
    pub capabilities: Vec<String>,
    /// `options`.
    pub options: BTreeMap<String, String>,
}

/// `logging`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Logging {
    /// `driver`; `None` is the engine's own choice.
    pub driver: Option<String>,
    /// `options`.
    pub options: BTreeMap<String, String>,
}

/// `pull_policy`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PullPolicy {
    /// `always`.
    Always,
    /// `never`.
    Never,
    /// `missing` or `if_not_present`; also where the file says nothing.
    #[default]
    Missing,
    /// `build`.
    Build,
    /// `daily`, `weekly` and `every_…`: pulled when the last pull is older.
    Every(Duration),
}

/// A top-level `networks:` entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// `name`, else `<project>_<key>`.
    pub name: String,
    /// `external`: somebody else makes it.
    pub external: bool,
    /// `driver`.
    pub driver: Option<String>,
    /// `driver_opts`.
    pub driver_opts: BTreeMap<String, String>,
    /// `ipam`.
    pub ipam: Option<Ipam>,
    /// `internal`.
    pub internal: bool,
    /// `attachable`.
    pub attachable: bool,
    /// `enable_ipv4`.
    pub enable_ipv4: Option<bool>,
    /// `enable_ipv6`.
    pub enable_ipv6: bool,
    /// `labels`.
    pub labels: BTreeMap<String, String>,
}

/// `ipam`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ipam {
    /// `driver`.
    pub driver: Option<String>,
    /// `options`.
    pub options: BTreeMap<String, String>,
    /// `config`.
    pub pools: Vec<IpamPool>,
}

/// One address range of a network.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct IpamPool {
    /// `subnet`.
    pub subnet: Option<String>,
    /// `ip_range`.
    pub ip_range: Option<String>,
    /// `gateway`.
    pub gateway: Option<IpAddr>,
    /// `aux_addresses`.
    pub aux_addresses: BTreeMap<String, String>,
}

/// A top-level `volumes:` entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Volume {
    /// `name`, else `<project>_<key>`.
    pub name: String,
    /// `external`: somebody else makes it.
    pub external: bool,
    /// `driver`.
    pub driver: Option<String>,
    /// `driver_opts`.
    pub driver_opts: BTreeMap<String, String>,
    /// `labels`.
    pub labels: BTreeMap<String, String>,
}
