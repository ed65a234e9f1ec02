//! Every log line that this crate writes while a case runs, as text.

use std::{
    fmt::{Debug, Write},
    sync::{Arc, Mutex, PoisonError},
};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    instrument::WithSubscriber,
    span,
};

/// Runs `work` and returns its value with all that it logged, at every level, fields and span names included.
/// What other threads log on its behalf is not seen unless they carry the subscriber on.
pub async fn captured_log<T>(work: impl Future<Output = T>) -> (T, String) {
    let text = Arc::new(Mutex::new(String::new()));
    let value = work.with_subscriber(Capture(text.clone())).await;
    let text = text.lock().unwrap_or_else(PoisonError::into_inner).clone();
    (value, text)
}

struct Capture(Arc<Mutex<String>>);

impl Capture {
    fn add(&self, record: impl FnOnce(&mut Text<'_>)) {
        let mut text = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        record(&mut Text(&mut text));
        text.push('\n');
    }
}

struct Text<'a>(&'a mut String);

impl Visit for Text<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, "{}={value:?} ", field.name());
    }
}

impl Subscriber for Capture {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        self.add(|text| {
            text.0.push_str(attributes.metadata().name());
            attributes.record(text);
        });
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        self.add(|text| values.record(text));
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        self.add(|text| event.record(text));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}
