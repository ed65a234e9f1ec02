//! Types of texts: each is a string in YAML, checked by its shape.

use std::{borrow::Cow, fmt, time::Duration as StdDuration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, de};

use crate::config::shapes;

/// Makes a type that is read from a text; `format` is the word by which the validator knows it.
macro_rules! text_type {
    ($(#[$about:meta])* $name:ident($inner:ty), $format:literal, $pattern:expr, $parse:expr, $example:literal) => {
        $(#[$about])*
        #[derive(Debug, Clone)]
        pub(in crate::config) struct $name(pub(in crate::config) $inner);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                let parse: fn(&str) -> Result<$inner, String> = $parse;
                parse(&text).map(Self).map_err(de::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                let mut schema = json_schema!({ "type": "string", "format": $format, "examples": [$example] });
                let pattern: Option<&str> = $pattern;
                if let Some(pattern) = pattern {
                    schema.insert("pattern".to_owned(), pattern.into());
                }
                schema
            }
        }
    };
}

text_type!(
    /// `12h`
    Duration(StdDuration), "herald-duration", Some(shapes::DURATION), shapes::duration, "12h"
);
text_type!(
    /// `512MiB`
    Size(u64), "herald-size", Some(shapes::SIZE), shapes::size, "512MiB"
);
text_type!(
    /// `50%`
    Ratio(f64), "herald-ratio", Some(shapes::RATIO), shapes::ratio, "50%"
);
text_type!(
    /// `Europe/Berlin`
    Zone(chrono_tz::Tz), "herald-timezone", None, shapes::timezone, "Europe/Berlin"
);
text_type!(
    /// `0 6 * * *`
    Cron(crate::config::Cron), "herald-cron", None, crate::config::Cron::parse, "0 6 * * *"
);

/// Names of entries; only as the key type of maps.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(in crate::config) struct Name(pub(in crate::config) String);

impl JsonSchema for Name {
    fn schema_name() -> Cow<'static, str> {
        "Name".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": shapes::NAME })
    }
}

/// A text that no output ever shows.
#[derive(Debug, Clone)]
pub(in crate::config) struct Secret(pub(in crate::config) SecretString);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(text.into()))
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "writeOnly": true })
    }
}

/// A map in the order of the config.
#[derive(Debug, Clone)]
pub(in crate::config) struct Ordered<T>(pub(in crate::config) Vec<(String, T)>);

impl<T> Default for Ordered<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Ordered<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> de::Visitor<'de> for Visitor<T> {
            type Value = Ordered<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Ordered(entries))
            }
        }
        deserializer.deserialize_map(Visitor(std::marker::PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for Ordered<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Fields_of_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<T>();
        json_schema!({ "type": "object", "patternProperties": { (shapes::FIELD): value }, "additionalProperties": false })
    }
}

/// One text, or a list of texts.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(in crate::config) enum OneOrMany {
    /// One.
    One(String),
    /// Several, at least one.
    Many(#[schemars(length(min = 1))] Vec<String>),
}

impl OneOrMany {
    /// As a list.
    pub(in crate::config) fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}
