//! The table of rules: id, severity for each kind of environment, why, how to mend it, and the function that looks. The functions are in the folder, by what they look at.

use super::Service;
use super::finding::{Cut, Finding, Place, Severity, Tier};
use cais_model::diagnostic::Position;
use cais_model::node::Node;

mod data;
mod health;
mod image;
mod network;
mod privilege;
mod rollout;
mod secrets;
mod table;

pub(crate) use table::RULES;

/// A rule. Its id never changes its meaning; a rule that goes takes its id with it.
pub(crate) struct Rule {
    pub(crate) id: &'static str,
    /// A short name: `latest-tag`.
    pub(crate) name: &'static str,
    /// `None`: not looked for there.
    pub(crate) local: Option<Severity>,
    /// In a named environment.
    pub(crate) named: Option<Severity>,
    pub(crate) production: Option<Severity>,
    /// What happens if nobody minds it: a sentence.
    pub(crate) why: &'static str,
    /// What to type instead: a sentence.
    pub(crate) mend: &'static str,
    /// Looks at one service.
    pub(crate) look: fn(&Service<'_>, &mut Vec<Hit>),
}

/// A place that a rule objects to.
pub(crate) struct Hit {
    message: String,
    place: Place,
    severity: Option<Severity>,
}

impl Hit {
    pub(crate) fn new(position: &Position, width: u32, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            place: Place::of(position, width),
            severity: None,
        }
    }

    /// On a value.
    pub(crate) fn on(node: &Node, message: impl Into<String>) -> Self {
        Self::new(&node.position, node.width, message)
    }

    /// On a value that is never shown.
    pub(crate) fn on_secret(key: &Position, node: &Node, message: impl Into<String>) -> Self {
        let mut hit = Self::on(node, message);
        hit.place.secret_from = Some(if super::is_list_item(key, node) {
            Cut::AfterEquals
        } else {
            Cut::Here
        });
        hit
    }

    /// The same, graver than its rule in general.
    pub(crate) fn at_least(mut self, severity: Severity) -> Self {
        self.severity = Some(severity);
        self
    }
}

impl Rule {
    pub(crate) fn severity(&self, tier: Tier) -> Option<Severity> {
        match tier {
            Tier::Local => self.local,
            Tier::Named => self.named,
            Tier::Production => self.production,
        }
    }

    pub(crate) fn finding(&self, severity: Severity, hit: Hit, service: &str) -> Finding {
        Finding {
            rule: self.id.to_owned(),
            tool: "cais",
            severity: hit.severity.map_or(severity, |own| own.max(severity)),
            message: hit.message,
            why: self.why.to_owned(),
            mend: self.mend.to_owned(),
            services: vec![service.to_owned()],
            place: hit.place,
        }
    }
}

/// The rule of an id.
pub(crate) fn by_id(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id == id)
}

/// Is it an id that an ignore may name?
pub(crate) fn is_known_id(id: &str) -> bool {
    by_id(id).is_some()
}

/// `docs/guide/check.md` has this table between two marks; a test keeps it fresh.
#[cfg(test)]
fn markdown() -> String {
    let word = |severity: Option<Severity>| severity.map_or("–", Severity::word);
    let mut text = String::from(
        "| id | name | local | named | production | why | instead |\n|---|---|---|---|---|---|---|\n",
    );
    for rule in RULES {
        text.push_str(&format!(
            "| {} | `{}` | {} | {} | {} | {} | {} |\n",
            rule.id,
            rule.name,
            word(rule.local),
            word(rule.named),
            word(rule.production),
            rule.why,
            rule.mend
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn ids_and_names_are_given_once_and_in_order() {
        let ids: Vec<&str> = RULES.iter().map(|rule| rule.id).collect();
        let sorted: BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(ids, sorted.into_iter().collect::<Vec<_>>());
        let names: BTreeSet<&str> = RULES.iter().map(|rule| rule.name).collect();
        assert_eq!(names.len(), RULES.len());
    }

    /// What Docker alone does on a machine of one's own is nothing that ECS does.
    const OF_THE_LAPTOP: [&str; 4] = ["CAIS211", "CAIS501", "CAIS502", "CAIS504"];

    #[test]
    fn no_rule_is_milder_where_more_is_at_stake() {
        for rule in RULES
            .iter()
            .filter(|rule| !OF_THE_LAPTOP.contains(&rule.id))
        {
            assert!(rule.local <= rule.named, "{}", rule.id);
            assert!(rule.named <= rule.production, "{}", rule.id);
        }
    }

    #[test]
    fn the_guide_has_the_table_as_it_is() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guide/check.md");
        let guide = std::fs::read_to_string(file).unwrap();
        let (begin, end) = ("<!-- rules -->\n", "<!-- /rules -->");
        let (head, rest) = guide.split_once(begin).unwrap();
        let (table, tail) = rest.split_once(end).unwrap();
        if std::env::var_os("CAIS_BLESS").is_some() {
            std::fs::write(file, format!("{head}{begin}{}{end}{tail}", markdown())).unwrap();
            return;
        }
        assert!(
            table == markdown(),
            "docs/guide/check.md is stale: `just bless` writes its table anew"
        );
    }
}
