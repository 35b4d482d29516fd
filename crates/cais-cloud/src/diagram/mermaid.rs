//! The picture as Mermaid, for places that render it from text: a pull request, a wiki.

use super::picture::{Picture, Service};
use std::fmt::Write;

/// The whole text.
pub(super) fn mermaid(picture: &Picture) -> String {
    let mut out = format!(
        "%% {}\nflowchart TB\n  accTitle: {}\n  accDescr: {}\n",
        super::HEADER,
        plain(&format!(
            "{} on AWS: {}",
            picture.project, picture.environment
        )),
        plain(&picture.sentence())
    );
    if picture.entry.is_some() {
        out.push_str("  internet([Internet])\n");
    }
    let _ = writeln!(out, "  subgraph region[\"AWS {}\"]", label(&picture.region));
    let _ = writeln!(out, "    subgraph vpc[\"VPC {}\"]", label(&picture.cidr));
    out.push_str("      subgraph public[\"public subnets\"]\n");
    if let Some(entry) = &picture.entry {
        let _ = writeln!(
            out,
            "        alb[\"{}\"]",
            two_lines("Application Load Balancer", &entry.detail)
        );
    }
    for (index, zone) in picture.zones.iter().enumerate() {
        if zone.has_nat {
            let _ = writeln!(
                out,
                "        nat{index}[\"{}\"]",
                two_lines("NAT gateway", &zone.name)
            );
        }
    }
    out.push_str("      end\n      subgraph private[\"private subnets\"]\n");
    for (index, service) in picture.services.iter().enumerate() {
        let _ = writeln!(
            out,
            "        service{index}[\"{}\"]",
            two_lines(&service.name, &tasks(service))
        );
    }
    for (index, cache) in picture.caches.iter().enumerate() {
        let _ = writeln!(
            out,
            "        cache{index}[(\"{}\")]",
            two_lines(&cache.name, &cache.detail)
        );
    }
    out.push_str("      end\n    end\n");
    for (index, beside) in picture.beside.iter().enumerate() {
        let _ = writeln!(
            out,
            "    beside{index}[\"{}\"]",
            two_lines(&beside.name, &beside.detail)
        );
    }
    out.push_str("  end\n");
    edges(picture, &mut out);
    out
}

fn edges(picture: &Picture, out: &mut String) {
    if let Some(entry) = &picture.entry {
        let _ = writeln!(out, "  internet -->|\"{}\"| alb", label(&entry.protocol));
        for (index, service) in picture.services.iter().enumerate() {
            if !service.routes.is_empty() {
                let _ = writeln!(
                    out,
                    "  alb -->|\"{}\"| service{index}",
                    label(&service.routes.join(", "))
                );
            }
        }
    }
    for (index, service) in picture.services.iter().enumerate() {
        for (at, cache) in picture.caches.iter().enumerate() {
            if service.uses.contains(&cache.name) {
                let _ = writeln!(out, "  service{index} --> cache{at}");
            }
        }
    }
    for (index, beside) in picture.beside.iter().enumerate() {
        if beside.is_reached {
            let _ = writeln!(out, "  private -.-> beside{index}");
        }
    }
}

fn tasks(service: &Service) -> String {
    service.detail.clone()
}

fn two_lines(name: &str, detail: &str) -> String {
    if detail.is_empty() {
        format!("<b>{}</b>", label(name))
    } else {
        format!("<b>{}</b><br>{}", label(name), label(detail))
    }
}

/// A text within Mermaid's quotes: its own escapes are entities.
fn label(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => out.push_str("#quot;"),
            '#' => out.push_str("#35;"),
            '<' => out.push_str("#lt;"),
            '>' => out.push_str("#gt;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// A text on a line of its own, which ends at the line's end.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}
