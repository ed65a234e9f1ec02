//! Scalars: their type, their shape, their range.

use serde_json::{Number, Value as Json};

use super::{At, Validator};
use crate::config::{
    Code, shapes, suggest,
    tree::{self, Scalar, Type},
};

/// What to do where YAML reads something else than the text that is wanted.
pub(super) const QUOTE: &str = "put it in quotes";

impl Validator<'_> {
    pub(super) fn scalar(&mut self, at: At<'_, '_>, scalar: &Scalar, schema: &Json, wanted: &[&str]) -> Option<Json> {
        if scalar.broken {
            return None;
        }
        // What was filled in is read as the type of its field, whatever its quotes.
        let found = if scalar.filled && !wanted.is_empty() && !wanted.contains(&"string") {
            tree::core_type(scalar.text.trim())
        } else {
            scalar.resolved()
        };
        let takes = |kind: &str| wanted.is_empty() || wanted.contains(&kind);
        let text = scalar.text.trim();
        let value = match found {
            Type::Text if takes("string") => return self.text(at, scalar, schema),
            Type::Boolean if takes("boolean") => Some(Json::Bool(text.eq_ignore_ascii_case("true"))),
            Type::Integer if takes("integer") || takes("number") => match tree::integer(text).and_then(number) {
                Some(number) => return self.range(at, number, schema),
                None => {
                    self.fault(at, Code::InvalidValue, "the number is too large", None);
                    return None;
                }
            },
            Type::Number if takes("number") => text.parse().ok().and_then(Number::from_f64).map(Json::Number),
            _ => None,
        };
        if value.is_none() {
            self.wrong_type_of(at, scalar, found, schema, wanted);
        }
        value
    }

    fn wrong_type_of(&mut self, at: At<'_, '_>, scalar: &Scalar, found: Type, schema: &Json, wanted: &[&str]) {
        let format = schema.get("format").and_then(Json::as_str);
        let unit = match format {
            Some("herald-ratio") => Some("write a share with a percent sign, such as 50%"),
            Some("herald-size") => Some("write a size with its unit, such as 512MiB"),
            Some("herald-duration") => Some("write a duration with its unit, such as 15m"),
            _ => None,
        };
        let remedy = match unit {
            Some(unit) => Some(unit.to_owned()),
            None if wanted.contains(&"string") => Some(QUOTE.to_owned()),
            None if wanted.contains(&"boolean") => Some("write `true` or `false`, without quotes".to_owned()),
            None if found == Type::Text && !scalar.plain && !scalar.filled => {
                Some("write it without quotes".to_owned())
            }
            None => None,
        };
        if unit.is_some() {
            let example = schema.pointer("/examples/0").and_then(Json::as_str).unwrap_or_default();
            let message = format!("a text such as `{example}` is wanted, not {}", found.name());
            self.fault(at, Code::WrongType, &message, remedy);
        } else {
            self.wrong_type(at, found, wanted, remedy);
        }
    }

    fn text(&mut self, at: At<'_, '_>, scalar: &Scalar, schema: &Json) -> Option<Json> {
        let text = scalar.text.as_str();
        let hidden = scalar.from_file || self.places.hidden(at.path);
        let words: Vec<&str> = match (schema.get("enum"), schema.get("const")) {
            (Some(Json::Array(words)), _) => words.iter().filter_map(Json::as_str).collect(),
            (_, Some(Json::String(word))) => vec![word],
            _ => Vec::new(),
        };
        if !words.is_empty() && !words.contains(&text) {
            let hint = if hidden { String::new() } else { suggest::hint(text, words.iter().copied()) };
            let given = if hidden { "the value".to_owned() } else { format!("`{}`", short(text)) };
            let message = format!("{given} is not one of {}{hint}", suggest::list(words.iter().copied()));
            self.fault(at, Code::InvalidValue, &message, None);
            return None;
        }
        let length = text.chars().count() as u64;
        let bound = |key: &str| schema.get(key).and_then(Json::as_u64);
        let format = schema.get("format").and_then(Json::as_str).unwrap_or_default();
        let fault = match format {
            "herald-duration" => shapes::duration(text).err(),
            "herald-size" => shapes::size(text).err(),
            "herald-ratio" => shapes::ratio(text).err(),
            "herald-timezone" => shapes::timezone(text).err(),
            "herald-cron" => crate::config::Cron::parse(text).err(),
            _ if bound("minLength").is_some_and(|least| length < least) => Some("the text is empty".to_owned()),
            _ if bound("maxLength").is_some_and(|most| length > most) => Some("the text is too long".to_owned()),
            _ => None,
        };
        match fault {
            None => Some(Json::String(text.to_owned())),
            Some(message) => {
                let shown = if hidden || text.is_empty() || !format.starts_with("herald-") {
                    message
                } else {
                    let zones = || chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
                    let hint = if format == "herald-timezone" { suggest::hint(text, zones()) } else { String::new() };
                    format!("{message}, not `{}`{hint}", short(text))
                };
                self.fault(at, Code::InvalidValue, &shown, None);
                None
            }
        }
    }

    fn range(&mut self, at: At<'_, '_>, number: Number, schema: &Json) -> Option<Json> {
        let value = number.as_i128().unwrap_or_default();
        let (of_least, of_most) = match schema.get("format").and_then(Json::as_str).unwrap_or_default() {
            "uint8" => (0, i128::from(u8::MAX)),
            "uint16" => (0, i128::from(u16::MAX)),
            "uint32" => (0, i128::from(u32::MAX)),
            "uint64" | "uint" => (0, i128::from(u64::MAX)),
            "int8" => (i128::from(i8::MIN), i128::from(i8::MAX)),
            "int16" => (i128::from(i16::MIN), i128::from(i16::MAX)),
            "int32" => (i128::from(i32::MIN), i128::from(i32::MAX)),
            _ => (i128::from(i64::MIN), i128::from(u64::MAX)),
        };
        let bound = |key: &str| schema.get(key).and_then(Json::as_number).and_then(Number::as_i128);
        let least = bound("minimum").unwrap_or(of_least).max(of_least);
        let most = bound("maximum").unwrap_or(of_most).min(of_most);
        if value < least {
            self.fault(at, Code::InvalidValue, &format!("at least {least} is wanted"), None);
            return None;
        }
        if value > most {
            self.fault(at, Code::InvalidValue, &format!("at most {most} is wanted"), None);
            return None;
        }
        Some(Json::Number(number))
    }
}

fn number(value: i128) -> Option<Number> {
    i64::try_from(value).map(Number::from).or_else(|_| u64::try_from(value).map(Number::from)).ok()
}

/// Enough of a text to know it by.
fn short(text: &str) -> String {
    if text.chars().count() <= 60 {
        text.to_owned()
    } else {
        format!("{}…", text.chars().take(60).collect::<String>())
    }
}
