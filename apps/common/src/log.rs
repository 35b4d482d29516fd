//! Writes one JSON object a line on standard output: `time`, `level`, `message`, the event's fields and,
//! within a request, its `request_id`.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::fmt::Debug;
use std::io::Write;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

tokio::task_local! {
    /// The `X-Request-Id` of the request that this task answers.
    pub(crate) static REQUEST_ID: Option<String>;
}

/// Sends the program's events to standard output, from `info` up. A second call changes nothing.
pub(crate) fn start() {
    let subscriber = tracing_subscriber::registry()
        .with(LevelFilter::INFO)
        .with(JsonLines);
    drop(tracing::subscriber::set_global_default(subscriber));
}

struct JsonLines;

impl<S: Subscriber> Layer<S> for JsonLines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let line = line(event);
        // Nobody reads any more: there is no better place to say so.
        drop(std::io::stdout().lock().write_all(line.as_bytes()));
    }
}

fn line(event: &Event<'_>) -> String {
    let mut fields = Fields::default();
    event.record(&mut fields);
    let mut object = Map::new();
    object.insert("time".to_owned(), json!(format!("{:.3}", Timestamp::now())));
    object.insert(
        "level".to_owned(),
        json!(event.metadata().level().as_str().to_ascii_lowercase()),
    );
    object.insert("message".to_owned(), fields.message);
    if let Ok(Some(id)) = REQUEST_ID.try_with(Clone::clone) {
        object.insert("request_id".to_owned(), json!(id));
    }
    object.extend(fields.others);
    format!("{}\n", Value::Object(object))
}

#[derive(Default)]
struct Fields {
    message: Value,
    others: Map<String, Value>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        if field.name() == "message" {
            self.message = value;
        } else {
            self.others.insert(field.name().to_owned(), value);
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, json!(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, json!(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, json!(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, json!(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, json!(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, json!(value));
    }
}
