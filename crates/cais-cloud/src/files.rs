//! What a printer makes: texts by path.

use std::collections::BTreeMap;

/// Texts by path, relative to the output folder, with `/` between folders.
pub type Files = BTreeMap<String, String>;
