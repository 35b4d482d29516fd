//! What is in the picture of a stack: the few things of the graph that a reader wants to see, in the order in which they are
//! drawn. Where they stand is decided by the drawing.

/// The picture of one environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Picture {
    pub(super) project: String,
    pub(super) environment: String,
    pub(super) region: String,
    pub(super) account: Option<String>,
    /// The addresses of the VPC, or its id where it was there before.
    pub(super) cidr: String,
    pub(super) zones: Vec<Zone>,
    /// How requests come in; none where no service has a route.
    pub(super) entry: Option<Entry>,
    pub(super) services: Vec<Service>,
    pub(super) caches: Vec<Cache>,
    /// What stands outside of the VPC.
    pub(super) beside: Vec<Beside>,
}

/// An availability zone with its two subnets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Zone {
    pub(super) name: String,
    pub(super) public: String,
    pub(super) private: String,
    pub(super) has_nat: bool,
}

/// The load balancer and the way to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// `HTTPS 443, TLS 1.3`.
    pub(super) protocol: String,
    /// Host names.
    pub(super) names: Vec<String>,
    /// A line about the load balancer.
    pub(super) detail: String,
}

/// A service of ECS, or a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Service {
    pub(super) name: String,
    pub(super) detail: String,
    pub(super) tasks: u32,
    /// `/clock`, `api.example.com`.
    pub(super) routes: Vec<String>,
    /// Names of caches.
    pub(super) uses: Vec<String>,
}

/// A cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cache {
    pub(super) name: String,
    pub(super) detail: String,
}

/// A managed service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Beside {
    pub(super) name: String,
    pub(super) detail: String,
    /// Do tasks or the load balancer speak to it?
    pub(super) is_reached: bool,
}

impl Picture {
    /// The picture in a sentence, for those who do not see it.
    pub(super) fn sentence(&self) -> String {
        let count = |n: usize, one: &str, many: &str| match n {
            1 => format!("1 {one}"),
            n => format!("{n} {many}"),
        };
        let mut parts = vec![count(self.services.len(), "service", "services")];
        if !self.caches.is_empty() {
            parts.push(count(self.caches.len(), "cache", "caches"));
        }
        parts.push(count(
            self.zones.len(),
            "availability zone",
            "availability zones",
        ));
        let place = match &self.entry {
            Some(_) => "behind a load balancer, ",
            None => "",
        };
        format!(
            "{} {place}in {}",
            parts[..parts.len() - 1].join(" and "),
            parts[parts.len() - 1]
        )
    }
}
