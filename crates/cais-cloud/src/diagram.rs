//! The graph as a picture: `read` chooses what is shown, `svg` and `mermaid` draw it.

use crate::resource::Infrastructure;

mod layout;
mod mermaid;
mod picture;
mod read;
mod svg;
mod text;

/// First line of what is rendered.
const HEADER: &str = "Rendered by `cais infra diagram` from the Compose file.";

/// The architecture as SVG.
pub fn svg(infrastructure: &Infrastructure) -> String {
    svg::svg(&read::picture(infrastructure))
}

/// The architecture as Mermaid.
pub fn mermaid(infrastructure: &Infrastructure) -> String {
    mermaid::mermaid(&read::picture(infrastructure))
}

#[cfg(test)]
mod tests {
    use super::picture::*;
    use super::*;

    fn example() -> Picture {
        let zone = |name: &str, n: u32, has_nat| Zone {
            name: format!("sa-east-1{name}"),
            public: format!("10.20.{n}.0/24"),
            private: format!("10.20.{}.0/20", n * 16),
            has_nat,
        };
        let service = |name: &str, path: &str| Service {
            name: name.to_owned(),
            detail: "0.25 vCPU · 512 MiB · 2 to 10 tasks · rolling".to_owned(),
            tasks: 3,
            routes: vec![path.to_owned()],
            uses: vec!["redis".to_owned()],
        };
        let beside = |name: &str, detail: &str| Beside {
            name: name.to_owned(),
            detail: detail.to_owned(),
            is_reached: true,
        };
        Picture {
            project: "cais-example".to_owned(),
            environment: "production".to_owned(),
            region: "sa-east-1".to_owned(),
            account: Some("123456789012".to_owned()),
            cidr: "10.20.0.0/16".to_owned(),
            zones: vec![zone("a", 0, true), zone("b", 1, true), zone("c", 2, true)],
            entry: Some(Entry {
                protocol: "HTTPS 443, TLS 1.3".to_owned(),
                names: vec!["clock.example.com, calendar.example.com".to_owned()],
                detail: "HTTP is redirected to HTTPS · access logs in S3".to_owned(),
            }),
            services: vec![
                service("calendar", "/calendar"),
                service("clock", "/clock, clock.example.com"),
            ],
            caches: vec![Cache {
                name: "redis".to_owned(),
                detail: "ElastiCache, Valkey 8 · cache.t4g.small × 2 · TLS and auth".to_owned(),
            }],
            beside: vec![
                beside(
                    "Elastic Container Registry",
                    "2 repositories, immutable tags",
                ),
                beside("Secrets Manager", "3 secrets, encrypted with KMS"),
                beside("CloudWatch Logs", "2 log groups, 365 days"),
                beside(
                    "CloudWatch alarms → SNS",
                    "4 alarms, roll a deployment back",
                ),
                beside("Application Auto Scaling", "CPU, requests per task"),
                beside("Cloud Map", "services find each other by name"),
            ],
        }
    }

    #[test]
    fn the_example_is_drawn() {
        insta::assert_snapshot!("svg", svg::svg(&example()));
        insta::assert_snapshot!("mermaid", mermaid::mermaid(&example()));
    }
}
