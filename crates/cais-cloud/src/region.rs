//! Which regions there are, and the letters of the zones that every account has there.

/// Regions of the standard partition and the letters of their zones (AWS, "AWS Regions and Availability Zones").
/// Where accounts see different zones, those that all see come first.
const REGIONS: [(&str, &str); 33] = [
    ("af-south-1", "abc"),
    ("ap-east-1", "abc"),
    ("ap-east-2", "abc"),
    ("ap-northeast-1", "acd"),
    ("ap-northeast-2", "abcd"),
    ("ap-northeast-3", "abc"),
    ("ap-south-1", "abc"),
    ("ap-south-2", "abc"),
    ("ap-southeast-1", "abc"),
    ("ap-southeast-2", "abc"),
    ("ap-southeast-3", "abc"),
    ("ap-southeast-4", "abc"),
    ("ap-southeast-5", "abc"),
    ("ap-southeast-7", "abc"),
    ("ca-central-1", "abd"),
    ("ca-west-1", "abc"),
    ("eu-central-1", "abc"),
    ("eu-central-2", "abc"),
    ("eu-north-1", "abc"),
    ("eu-south-1", "abc"),
    ("eu-south-2", "abc"),
    ("eu-west-1", "abc"),
    ("eu-west-2", "abc"),
    ("eu-west-3", "abc"),
    ("il-central-1", "abc"),
    ("me-central-1", "abc"),
    ("me-south-1", "abc"),
    ("mx-central-1", "abc"),
    ("sa-east-1", "abc"),
    ("us-east-1", "abcdf"),
    ("us-east-2", "abc"),
    ("us-west-1", "ac"),
    ("us-west-2", "abcd"),
];

/// The letters of a region's zones; `None` where there is no such region.
pub fn zone_letters(region: &str) -> Option<&'static str> {
    let found = REGIONS.iter().find(|(name, _)| *name == region);
    found.map(|(_, letters)| *letters)
}

/// All regions, in order.
pub fn names() -> impl Iterator<Item = &'static str> {
    REGIONS.iter().map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_has_zones_and_another_word_has_none() {
        assert_eq!(zone_letters("sa-east-1"), Some("abc"));
        assert_eq!(zone_letters("sa-est-1"), None);
        assert!(names().all(|name| zone_letters(name).is_some_and(|zones| zones.len() >= 2)));
    }
}
