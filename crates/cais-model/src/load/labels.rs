//! `label_file`: labels that stand in files join the service's own, which win. From here on there are labels alone.

use super::Loading;
use crate::dotenv;
use crate::node::{Mapping, Node};
use crate::paths;

impl Loading<'_> {
    /// Reads the label files of every service and job.
    pub(super) fn label_files(&mut self, tree: &mut Node) {
        for block in ["services", "jobs"] {
            let entries = tree
                .as_mapping_mut()
                .and_then(|top| top.get_mut(block))
                .and_then(Node::as_mapping_mut);
            for (_, entry) in entries.into_iter().flat_map(Mapping::iter_mut) {
                if let Some(fields) = entry.value.as_mapping_mut() {
                    self.labels(fields);
                }
            }
        }
    }

    fn labels(&mut self, service: &mut Mapping) {
        let Some(files) = service.remove("label_file") else {
            return;
        };
        let mut all = Mapping::default();
        for file in files.value.as_sequence().unwrap_or_default() {
            for (name, value) in self.label_file(file).unwrap_or_default() {
                all.set(name, Node::string_at(value.unwrap_or_default(), file));
            }
        }
        let own = service.remove("labels");
        let mut labels = Node::mapping_at(own.as_ref().map_or(&files.value, |own| &own.value));
        let own = own.and_then(|own| own.value.as_mapping().cloned());
        for (name, entry) in own.into_iter().flatten() {
            all.insert(name, entry);
        }
        labels.value = crate::node::Value::Mapping(all);
        service.set("labels", labels);
    }

    fn label_file(&mut self, file: &Node) -> Option<dotenv::Variables> {
        let written = file.as_str()?;
        let path = paths::normalise(&self.options.project_directory.join(written));
        let text = match self.source.read(&path) {
            Ok(text) => text,
            Err(error) => {
                let message = format!("label file `{written}` cannot be read: {error}");
                self.diagnostics.push(file.error(message));
                return None;
            }
        };
        // A label's value has no variables: what looks like one stays.
        let parsed = dotenv::parse(&text.replace('$', "$$"), &mut |_| None);
        parsed
            .map_err(|error| {
                let message = format!("{written}:{}: {}", error.line, error.reason);
                self.diagnostics.push(file.error(message));
            })
            .ok()
    }
}
