//! How requests come in: the load balancer, its listener and certificates, names, and for each service its target group and rules.

use super::foundation::tell;
use super::{Plan, Planned, instance};
use crate::resource::{Instance, Root};
use crate::task::seconds;
use crate::value::{Value, data, foundation, only_of_data, output_of, template};
use cais_model::stack::{Service, Strategy};

impl Plan<'_> {
    /// An output of the load balancer, made or found.
    pub(super) fn balancer(&self, output: &str) -> Value {
        if self.aws.load_balancer.is_none() {
            return output_of("load_balancer", output);
        }
        match output {
            "security_group_id" => only_of_data("aws_lb.main.security_groups"),
            other => data(&format!("aws_lb.main.{other}")),
        }
    }

    fn listener(&self) -> Value {
        if self.aws.load_balancer.is_some() {
            data("aws_lb_listener.main.arn")
        } else {
            output_of("listener", "arn")
        }
    }

    pub(super) fn edge(&self, root: &mut Root) {
        let has_domain = !self.place.hosts.is_empty();
        if self.makes_load_balancer() {
            let ports: Vec<&str> = if has_domain {
                vec!["80", "443"]
            } else {
                vec!["80"]
            };
            root.instances.push(
                Instance::new("load_balancer", "load_balancer", "main")
                    .set("name", self.names.load_balancer())
                    .set("vpc_id", foundation("vpc_id"))
                    .set("subnet_ids", foundation("public_subnet_ids"))
                    .set("ports", ports)
                    .set("log_bucket", foundation("log_bucket"))
                    .set("deletion_protection", self.aws.deletion_protection),
            );
        }
        let certificates = self.certificates(root);
        if self.makes_load_balancer() {
            let listener = match certificates.first() {
                Some(certificate) => Instance::new("https_listener", "listener", "main")
                    .set("load_balancer_arn", output_of("load_balancer", "arn"))
                    .set("certificate_arn", certificate.clone()),
                None => Instance::new("http_listener", "listener", "main")
                    .set("load_balancer_arn", output_of("load_balancer", "arn")),
            };
            root.instances.push(listener);
        }
        for (index, certificate) in certificates.iter().enumerate().skip(1) {
            root.instances.push(
                Instance::new(
                    "additional_certificate",
                    format!("additional_certificate_{index}"),
                    "main",
                )
                .set("listener_arn", self.listener())
                .set("certificate_arn", certificate.clone()),
            );
        }
        if self.place.dns_zone.is_some() {
            for (index, host) in self.place.hosts.iter().enumerate() {
                root.instances.push(
                    Instance::new("dns_record", numbered("dns_record", index), "main")
                        .set("name", host.as_str())
                        .set("zone_id", data("aws_route53_zone.main.zone_id"))
                        .set("target", self.balancer("dns_name"))
                        .set("target_zone_id", self.balancer("zone_id")),
                );
            }
        }
        if let Some(waf) = &self.aws.waf {
            root.instances.push(
                Instance::new("web_acl_association", "web_acl_association", "main")
                    .set("load_balancer_arn", self.balancer("arn"))
                    .set("web_acl_arn", waf.value.as_str()),
            );
        }
        let address: Value = match self.place.hosts.first() {
            Some(host) => format!("https://{host}").into(),
            None => template(["http://".into(), self.balancer("dns_name")]),
        };
        tell(root, "url", "Where the stack answers.", address);
    }

    /// The certificates of the hosts, the domain's first.
    fn certificates(&self, root: &mut Root) -> Vec<Value> {
        if let Some(certificate) = &self.aws.certificate {
            return vec![certificate.value.as_str().into()];
        }
        if self.place.dns_zone.is_none() {
            return Vec::new();
        }
        let hosts = self.place.hosts.iter().enumerate();
        hosts
            .map(|(index, host)| {
                let name = numbered("certificate", index);
                root.instances.push(
                    Instance::new("certificate", name.clone(), "main")
                        .set("domain", host.as_str())
                        .set("zone_id", data("aws_route53_zone.main.zone_id")),
                );
                output_of(&name, "arn")
            })
            .collect()
    }

    pub(super) fn routes(&self, root: &mut Root, planned: &Planned<'_>, strategy: Strategy) {
        let service = planned.service;
        let health = service.health.as_ref();
        let path = health
            .and_then(|health| health.ready.clone().or_else(|| health.path.clone()))
            .unwrap_or_else(|| "/".to_owned());
        let timing = health.map(|health| health.timing);
        let interval = timing
            .map_or(10, |timing| seconds(timing.interval))
            .clamp(5, 300);
        let timeout = timing
            .map_or(5, |timing| seconds(timing.timeout))
            .clamp(2, 120);
        let target_group = |suffix: &str, name: String| {
            instance("target_group", planned, suffix)
                .set("name", name)
                .set("vpc_id", foundation("vpc_id"))
                .set("health_path", path.as_str())
                .set("interval", interval)
                .set("timeout", timeout.min(interval - 1))
                .set(
                    "unhealthy_threshold",
                    timing.map_or(3, |timing| timing.retries).clamp(2, 10),
                )
                .set("deregistration_delay", deregistration_delay(service))
        };
        root.instances.push(target_group(
            "target_group",
            self.names.target_group(planned.name()),
        ));
        let shifts = strategy != Strategy::Rolling;
        if shifts {
            root.instances.push(target_group(
                "alternate_target_group",
                self.names.alternate_target_group(planned.name()),
            ));
            root.instances.push(
                instance("traffic_role", planned, "traffic_role")
                    .set("name", self.names.traffic_role(planned.name())),
            );
        }
        let group = |suffix: &str| output_of(&format!("{}_{suffix}", planned.id), "arn");
        let count = service.routes.len();
        for (index, route) in service.routes.iter().enumerate() {
            let suffix = if count == 1 {
                "route".to_owned()
            } else {
                format!("route_{}", index + 1)
            };
            let hosts = vec![route.host.clone().unwrap_or_else(|| "*".to_owned())];
            let paths = match route.path.as_str() {
                "/" => vec!["/*".to_owned()],
                path => vec![path.to_owned(), format!("{path}/*")],
            };
            let module = if shifts { "shifting_route" } else { "route" };
            let mut rule = instance(module, planned, &suffix)
                .set("listener_arn", self.listener())
                .set("priority", self.priority(route))
                .set("hosts", hosts)
                .set("paths", paths)
                .set("target_group_arn", group("target_group"));
            if shifts {
                rule = rule.set(
                    "alternate_target_group_arn",
                    group("alternate_target_group"),
                );
            }
            root.instances.push(rule);
        }
    }

    /// A number for a route: a host before any host, a longer path before a shorter one. Ten apart, for rules by hand.
    fn priority(&self, route: &cais_model::stack::Route) -> u32 {
        let mut all: Vec<_> = self
            .services
            .iter()
            .flat_map(|it| &it.service.routes)
            .collect();
        all.sort_by_key(|it| {
            (
                it.host.is_none(),
                usize::MAX - it.path.len(),
                &it.host,
                &it.path,
            )
        });
        let place = all
            .iter()
            .position(|other| *other == route)
            .unwrap_or_default();
        u32::try_from(place + 1).unwrap_or(u32::MAX) * 10
    }
}

fn numbered(name: &str, index: usize) -> String {
    match index {
        0 => name.to_owned(),
        _ => format!("{name}_{index}"),
    }
}

/// What the file says, else 30 s, but not longer than a task has to stop.
fn deregistration_delay(service: &Service) -> u32 {
    let own = service
        .rollout
        .as_ref()
        .and_then(|rollout| rollout.deregistration_delay);
    match own {
        Some(delay) => seconds(delay).min(3600),
        None => seconds(service.stop_grace_period).clamp(5, 30),
    }
}
