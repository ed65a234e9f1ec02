//! YAML → tree with places → checked config.
//!
//! ```text
//! discover ─▶ parse ─▶ substitute ─▶ merge ─▶ validate ─▶ lower
//! files       trees    ${…}          entries  by schema   references, rules, defaults
//! ```

mod cron;
mod discover;
mod load;
mod lower;
mod merge;
mod model;
mod parse;
mod places;
mod problem;
mod raw;
mod render;
mod schema;
mod shapes;
mod source;
mod substitute;
mod suggest;
mod tree;
mod validate;

pub use cron::Cron;
pub use discover::files;
pub use load::{Surroundings, data_dir, load, load_in, survey};
pub use model::{
    Activation, Alert, AlertEvent, AlertFormat, Attribute, AttributeValue, Config, Guards, Http, Keep, Key, Limit,
    OnDelete, Origin, Part, Rapid, Refresh, Rule, Scope, Segment, SendOps, Service, Sql, Table, TableFormat, Take,
    Target, Tls, Token, Traces,
};
pub use places::Places;
pub use problem::{Code, Problem, Problems};
pub(crate) use shapes::duration;
pub use source::Place;
pub use substitute::Variables;
pub(crate) use suggest::hint;

/// Whether only this machine reaches an address such as `127.0.0.1:8080`.
pub(crate) fn is_loopback(listen: &str) -> bool {
    lower::service::is_loopback(listen).unwrap_or(false)
}

/// The config's JSON Schema, draft 2020-12, over every kind of target that is compiled in.
pub fn schema() -> serde_json::Value {
    schema::for_editors(schema::schema_of(herald_destinations::KINDS))
}
