//! The block of `x-cais` that is checked here but not carried in the stack yet: `cache`.

use super::{block, keys, words};
use crate::node::Node;
use crate::typed::entries;
use crate::typed::read::Reader;

/// `cache: {ttl, stale_while_revalidate, stale_if_error}`.
pub(super) fn check_cache(node: Option<&Node>, reader: &mut Reader<'_>) {
    let Some(node) = block(node, "cache", reader) else {
        return;
    };
    keys(node, "cache", &words::CACHE, reader);
    for (_, entry) in entries(Some(node)) {
        reader.duration(Some(&entry.value));
    }
}
