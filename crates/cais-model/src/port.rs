//! The short form of `ports`: `[host:][published:]target[/protocol]`, ranges and IPv6 included (Compose Specification, "Ports").

use std::net::IpAddr;

/// Why a text is no port mapping.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    /// Nothing where a port should be.
    #[error("`{0}` names no container port")]
    NoTarget(String),
    /// Not a number from 1 to 65535, nor a range of them.
    #[error("`{0}` is not a port: write a number from 1 to 65535, or a range like `8000-8010`")]
    NotAPort(String),
    /// The part before the ports is no address.
    #[error("`{0}` is not an IP address")]
    NotAnAddress(String),
    /// The part after `/`.
    #[error("`{0}` is not a protocol: write `tcp` or `udp`")]
    NotAProtocol(String),
    /// Both sides are ranges, of different lengths.
    #[error("the ranges `{published}` and `{target}` differ in length")]
    RangesDiffer {
        /// The host's range.
        published: String,
        /// The container's range.
        target: String,
    },
}

/// Ports from `first` to `last`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortRange {
    /// Lowest.
    pub first: u16,
    /// Highest; equal to `first` for a single port.
    pub last: u16,
}

/// One mapping, its target a single port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortSpec {
    /// Address on the host, where the text names one.
    pub host: Option<IpAddr>,
    /// Port on the host, or the range to choose one from.
    pub published: Option<PortRange>,
    /// Port in the container.
    pub target: u16,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: &'static str,
}

impl PortRange {
    /// Reads `80` or `8000-8010`; `0` on its own lets the system choose, as in Docker.
    ///
    /// # Errors
    /// When a side is no port or the range runs backwards.
    pub fn parse(text: &str) -> Result<Self, PortError> {
        let error = || PortError::NotAPort(text.to_owned());
        let number = |digits: &str| -> Result<u16, PortError> {
            if digits.is_empty() || !digits.bytes().all(|c| c.is_ascii_digit()) {
                return Err(error());
            }
            digits.parse().map_err(|_| error())
        };
        let (first, last) = match text.split_once('-') {
            Some((first, last)) => (number(first)?, number(last)?),
            None => (number(text)?, number(text)?),
        };
        if first > last {
            Err(error())
        } else {
            Ok(Self { first, last })
        }
    }

    fn len(self) -> u32 {
        u32::from(self.last) - u32::from(self.first) + 1
    }
}

/// Reads the short form; a range of targets gives one mapping each.
///
/// # Errors
/// See [`PortError`].
pub fn parse(text: &str) -> Result<Vec<PortSpec>, PortError> {
    let (ports, protocol) = match text.split_once('/') {
        Some((ports, protocol)) => (ports, protocol_name(protocol)?),
        None => (text, "tcp"),
    };
    let (before, target) = ports.rsplit_once(':').unwrap_or(("", ports));
    let (host, published) = split_host(before)?;
    if target.is_empty() {
        return Err(PortError::NoTarget(text.to_owned()));
    }
    let targets = PortRange::parse(target)?;
    if targets.first == 0 {
        return Err(PortError::NotAPort(target.to_owned()));
    }
    let published_range = if published.is_empty() {
        None
    } else {
        Some(PortRange::parse(published)?)
    };
    if let Some(range) = published_range
        && range.len() != targets.len()
        && targets.len() != 1
    {
        return Err(PortError::RangesDiffer {
            published: published.to_owned(),
            target: target.to_owned(),
        });
    }
    let spec = |target: u16| {
        let published = published_range.map(|range| {
            if targets.len() == 1 {
                return range;
            }
            let port = range.first + (target - targets.first);
            PortRange {
                first: port,
                last: port,
            }
        });
        PortSpec {
            host,
            published,
            target,
            protocol,
        }
    };
    Ok((targets.first..=targets.last).map(spec).collect())
}

/// Splits `host:published`, `published` or nothing; an IPv6 host stands in brackets or is told by its colons.
fn split_host(before: &str) -> Result<(Option<IpAddr>, &str), PortError> {
    let Some((host, published)) = before.rsplit_once(':') else {
        return Ok((None, before));
    };
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    if bare.is_empty() {
        return Ok((None, published));
    }
    let host = bare
        .parse()
        .map_err(|_| PortError::NotAnAddress(host.to_owned()))?;
    Ok((Some(host), published))
}

fn protocol_name(text: &str) -> Result<&'static str, PortError> {
    match text.to_ascii_lowercase().as_str() {
        "tcp" => Ok("tcp"),
        "udp" => Ok("udp"),
        "sctp" => Ok("sctp"),
        _ => Err(PortError::NotAProtocol(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(text: &str) -> String {
        match parse(text) {
            Err(error) => format!("error: {error}"),
            Ok(specs) => {
                let one = |spec: &PortSpec| {
                    let host = spec.host.map_or("*".to_owned(), |host| host.to_string());
                    let published = match spec.published {
                        None => "?".to_owned(),
                        Some(range) if range.first == range.last => range.first.to_string(),
                        Some(range) => format!("{}-{}", range.first, range.last),
                    };
                    format!("{host} {published}>{}/{}", spec.target, spec.protocol)
                };
                specs.iter().map(one).collect::<Vec<_>>().join(", ")
            }
        }
    }

    #[test]
    fn every_short_form_is_read() {
        for (text, want) in [
            ("80", "* ?>80/tcp"),
            ("8080:80", "* 8080>80/tcp"),
            ("127.0.0.1:8080:80", "127.0.0.1 8080>80/tcp"),
            ("127.0.0.1::80", "127.0.0.1 ?>80/tcp"),
            ("53:53/udp", "* 53>53/udp"),
            ("[::1]:8080:80", "::1 8080>80/tcp"),
            ("::1:8080:80", "::1 8080>80/tcp"),
            ("3000-3001", "* ?>3000/tcp, * ?>3001/tcp"),
            ("9090-9091:8080-8081", "* 9090>8080/tcp, * 9091>8081/tcp"),
            ("8000-9000:80", "* 8000-9000>80/tcp"),
            ("0.0.0.0:80:80/TCP", "0.0.0.0 80>80/tcp"),
        ] {
            assert_eq!(shown(text), want, "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for (text, want) in [
            ("", "error: `` names no container port"),
            ("8080:", "error: `8080:` names no container port"),
            (
                "web",
                "error: `web` is not a port: write a number from 1 to 65535, or a range like `8000-8010`",
            ),
            (
                "70000",
                "error: `70000` is not a port: write a number from 1 to 65535, or a range like `8000-8010`",
            ),
            (
                "90-80",
                "error: `90-80` is not a port: write a number from 1 to 65535, or a range like `8000-8010`",
            ),
            ("localhost:80:80", "error: `localhost` is not an IP address"),
            (
                "80/http",
                "error: `http` is not a protocol: write `tcp` or `udp`",
            ),
            (
                "80-82:80-81",
                "error: the ranges `80-82` and `80-81` differ in length",
            ),
        ] {
            assert_eq!(shown(text), want, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "[0-9a-f:./\\[\\]-]{0,24}") {
            let _ = parse(&text);
        }
    }
}
