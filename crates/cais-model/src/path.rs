//! Where in a tree a value stands: `services.web.ports[0]`, and whether a pattern such as `services.*.ports.*` names it.

use std::fmt;

/// Keys and indexes from the root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Path {
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Key(String),
    Index(usize),
}

impl Path {
    /// The root.
    pub(crate) fn root() -> Self {
        Self::default()
    }

    /// Goes down to a key.
    pub(crate) fn push_key(&mut self, key: &str) {
        self.segments.push(Segment::Key(key.to_owned()));
    }

    /// Goes down to an item of a list.
    pub(crate) fn push_index(&mut self, index: usize) {
        self.segments.push(Segment::Index(index));
    }

    /// Goes up.
    pub(crate) fn pop(&mut self) {
        self.segments.pop();
    }

    /// This path and a key.
    #[must_use]
    pub(crate) fn key(&self, key: &str) -> Self {
        let mut path = self.clone();
        path.push_key(key);
        path
    }

    /// This path and an index.
    #[must_use]
    pub(crate) fn index(&self, index: usize) -> Self {
        let mut path = self.clone();
        path.push_index(index);
        path
    }

    /// Does a dotted pattern name this path? `*` is any key or index.
    pub(crate) fn matches(&self, pattern: &str) -> bool {
        self.matches_after(0, pattern)
    }

    /// Does a pattern name what comes after the first `skip` segments?
    pub(crate) fn matches_after(&self, skip: usize, pattern: &str) -> bool {
        let mut parts = pattern.split('.');
        let mut segments = self.segments.iter().skip(skip);
        segments.all(|segment| match (parts.next(), segment) {
            (Some("*"), _) => true,
            (Some(part), Segment::Key(key)) => part == key,
            (Some(_) | None, _) => false,
        }) && parts.next().is_none()
    }

    /// Is it longer than a pattern, and does the pattern name its beginning?
    pub(crate) fn begins_with(&self, pattern: &str) -> bool {
        let mut segments = self.segments.iter();
        let all = pattern.split('.').all(|part| match segments.next() {
            Some(Segment::Key(key)) => part == "*" || part == key,
            Some(Segment::Index(_)) => part == "*",
            None => false,
        });
        all && segments.next().is_some()
    }

    /// The key it ends with.
    pub(crate) fn last_key(&self) -> Option<&str> {
        match self.segments.last() {
            Some(Segment::Key(key)) => Some(key),
            _ => None,
        }
    }

    /// Is it the root?
    pub(crate) fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (rank, segment) in self.segments.iter().enumerate() {
            match segment {
                Segment::Key(key) if rank == 0 => write!(f, "{key}")?,
                Segment::Key(key) => write!(f, ".{key}")?,
                Segment::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_name_paths_of_their_length() {
        let path = Path::root()
            .key("services")
            .key("web.1")
            .key("ports")
            .index(0);
        assert_eq!(path.to_string(), "services.web.1.ports[0]");
        assert!(path.matches("services.*.ports.*"));
        assert!(!path.matches("services.*.ports"));
        assert!(!path.matches("services.*.ports.*.target"));
        assert!(!path.matches("services.*.ports.0"));
        assert!(path.matches_after(2, "ports.*"));
        assert!(path.begins_with("services.*") && !path.begins_with("services.*.ports.*"));
    }
}
