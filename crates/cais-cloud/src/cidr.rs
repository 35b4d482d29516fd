//! IPv4 networks: reading them, whether they overlap, and how a VPC's is cut into subnets.

use std::fmt;
use std::net::Ipv4Addr;

/// A network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    base: u32,
    prefix: u32,
}

/// Addresses that AWS keeps in every subnet.
const RESERVED: u64 = 5;

impl Cidr {
    /// Reads `10.0.0.0/16`.
    ///
    /// # Errors
    /// A sentence's end, after the text in backticks: why it is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (address, prefix) = text
            .split_once('/')
            .ok_or("is not a network: write it like `10.0.0.0/16`")?;
        let address: Ipv4Addr = address
            .parse()
            .map_err(|_| "is not an IPv4 network: write it like `10.0.0.0/16`")?;
        let prefix: u32 = prefix
            .parse()
            .ok()
            .filter(|prefix| *prefix <= 32)
            .ok_or("has no prefix from /0 to /32")?;
        let cidr = Self {
            base: u32::from(address) & mask(prefix),
            prefix,
        };
        if cidr.base != u32::from(address) {
            return Err(format!(
                "is not where a /{prefix} network begins: that is `{cidr}`"
            ));
        }
        Ok(cidr)
    }

    /// Its prefix: 16 of `10.0.0.0/16`.
    pub fn prefix(self) -> u32 {
        self.prefix
    }

    /// Have both an address in common?
    pub fn overlaps(self, other: Self) -> bool {
        let shorter = mask(self.prefix.min(other.prefix));
        self.base & shorter == other.base & shorter
    }

    /// Addresses that tasks can have in a subnet of this size.
    pub fn usable(self) -> u64 {
        (1_u64 << (32 - self.prefix)).saturating_sub(RESERVED)
    }

    /// The `index`-th network that is `bits` smaller; `None` where there is none.
    pub fn part(self, bits: u32, index: u32) -> Option<Self> {
        let prefix = self.prefix + bits;
        if prefix > 32 || bits >= 32 || index >> bits != 0 {
            return None;
        }
        let offset = u32::try_from(u64::from(index) << (32 - prefix)).ok()?;
        Some(Self {
            base: self.base + offset,
            prefix,
        })
    }
}

/// Subnets of the zones, in their order: large ones for tasks, small ones at the end for the load balancer.
pub fn subnets(vpc: Cidr, zones: u32) -> Option<Vec<(Cidr, Cidr)>> {
    // Quarters for up to three zones, eighths for up to six; the last part holds the public ones.
    let (bits, public_bits) = if zones <= 3 { (2, 4) } else { (3, 6) };
    let last = (1 << bits) - 1;
    let first_public = last << (public_bits - bits);
    (0..zones)
        .map(|zone| {
            let private = vpc.part(bits, zone)?;
            let public = vpc.part(public_bits, first_public + zone)?;
            // AWS has no subnet smaller than /28.
            (public.prefix <= 28).then_some((private, public))
        })
        .collect()
}

fn mask(prefix: u32) -> u32 {
    u32::MAX.checked_shl(32 - prefix).unwrap_or(0)
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.base), self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cidr(text: &str) -> Cidr {
        Cidr::parse(text).unwrap()
    }

    #[test]
    fn a_network_is_read_or_told_why_not() {
        for (text, want) in [
            ("10.0.0.0/16", Ok("10.0.0.0/16".to_owned())),
            ("0.0.0.0/0", Ok("0.0.0.0/0".to_owned())),
            (
                "10.0.1.0/16",
                Err("is not where a /16 network begins: that is `10.0.0.0/16`".to_owned()),
            ),
            (
                "10.0.0.0",
                Err("is not a network: write it like `10.0.0.0/16`".to_owned()),
            ),
            (
                "10.0.0.0/33",
                Err("has no prefix from /0 to /32".to_owned()),
            ),
        ] {
            assert_eq!(
                Cidr::parse(text).map(|cidr| cidr.to_string()),
                want,
                "{text}"
            );
        }
    }

    #[test]
    fn overlapping_is_mutual() {
        for (a, b, want) in [
            ("10.0.0.0/16", "10.0.128.0/20", true),
            ("10.0.0.0/16", "10.1.0.0/16", false),
            ("0.0.0.0/0", "10.1.0.0/16", true),
        ] {
            assert_eq!(cidr(a).overlaps(cidr(b)), want);
            assert_eq!(cidr(b).overlaps(cidr(a)), want);
        }
    }

    #[test]
    fn no_two_subnets_overlap_and_all_are_in_the_vpc() {
        for (vpc, zones) in [("10.0.0.0/16", 2), ("10.0.0.0/24", 3), ("10.0.0.0/16", 6)] {
            let subnets = subnets(cidr(vpc), zones).unwrap();
            let all: Vec<Cidr> = subnets.iter().flat_map(|(a, b)| [*a, *b]).collect();
            for (index, one) in all.iter().enumerate() {
                assert!(one.overlaps(cidr(vpc)) && one.prefix > cidr(vpc).prefix);
                assert!(all[..index].iter().all(|other| !other.overlaps(*one)));
            }
        }
        assert_eq!(subnets(cidr("10.0.0.0/26"), 2), None);
        let (private, public) = subnets(cidr("10.0.0.0/16"), 3).unwrap()[2];
        assert_eq!(
            (private.to_string(), public.to_string()),
            ("10.0.128.0/18".to_owned(), "10.0.224.0/20".to_owned())
        );
        assert_eq!(private.usable(), 16379);
    }
}
