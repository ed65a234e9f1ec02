//! What the parser makes of a file: a tree whose every node knows its place.

use std::fmt;

use super::source::Place;

/// A value and its place.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// The value.
    pub(crate) value: Value,
    /// Where it stands; for an alias, where the alias stands.
    pub(crate) place: Place,
    /// For an alias, where its anchor's value stands.
    pub(crate) anchor: Option<Place>,
}

/// A YAML value.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// A scalar.
    Scalar(Scalar),
    /// A list.
    Sequence(Vec<Node>),
    /// A map, in the order of the file; a key may stand in it twice.
    Mapping(Vec<Entry>),
}

/// A key and its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// The key.
    pub(crate) key: String,
    /// Where the key stands.
    pub(crate) place: Place,
    /// The value.
    pub(crate) value: Node,
}

/// A scalar. Its `Debug` shows no text: it may be a secret.
#[derive(Clone)]
pub(crate) struct Scalar {
    /// The text, escapes and substitutions done.
    pub(crate) text: String,
    /// Whether YAML's core schema may read it as something else than text.
    pub(crate) plain: bool,
    /// Whether something was filled in; then the text is read as its field's type.
    pub(crate) filled: bool,
    /// Whether something came by `${file:}`.
    pub(crate) from_file: bool,
    /// Whether something could not be filled in, which is reported already.
    pub(crate) broken: bool,
}

impl fmt::Debug for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scalar(…)")
    }
}

/// The types of YAML 1.2's core schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    /// Nothing, or `null`.
    Null,
    /// `true`, `false`.
    Boolean,
    /// A whole number.
    Integer,
    /// A number with a fraction or an exponent.
    Number,
    /// Text.
    Text,
    /// A list.
    List,
    /// A map.
    Map,
}

impl Type {
    /// As errors say it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Boolean => "a boolean",
            Self::Integer => "an integer",
            Self::Number => "a number",
            Self::Text => "text",
            Self::List => "a list",
            Self::Map => "a map",
        }
    }
}

impl Scalar {
    /// The type that the core schema gives it.
    pub(crate) fn resolved(&self) -> Type {
        if self.plain && !self.filled { core_type(&self.text) } else { Type::Text }
    }
}

impl Node {
    /// The type that the core schema gives it.
    pub(crate) fn resolved(&self) -> Type {
        match &self.value {
            Value::Scalar(scalar) => scalar.resolved(),
            Value::Sequence(_) => Type::List,
            Value::Mapping(_) => Type::Map,
        }
    }

    /// The entries of a map; of anything else, none.
    pub(crate) fn entries(&self) -> &[Entry] {
        if let Value::Mapping(entries) = &self.value { entries } else { &[] }
    }

    /// The first value under a key of a map.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// The text, where it is text.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(scalar) if scalar.resolved() == Type::Text => Some(&scalar.text),
            _ => None,
        }
    }

    /// Hides every scalar below from all output.
    pub(crate) fn hide(&self) {
        match &self.value {
            Value::Scalar(_) => {
                for place in std::iter::once(&self.place).chain(&self.anchor) {
                    if !place.source.text.get(place.span.clone()).is_some_and(names_a_variable) {
                        place.source.hide(place.span.clone());
                    }
                }
            }
            Value::Sequence(items) => items.iter().for_each(Self::hide),
            Value::Mapping(entries) => entries.iter().for_each(|entry| entry.value.hide()),
        }
    }
}

/// Whether a scalar's source is nothing but one `${VAR}` or `${file:PATH}`, which is no secret itself.
fn names_a_variable(source: &str) -> bool {
    let bare = source.trim().trim_matches(['"', '\'']);
    bare.strip_prefix("${")
        .and_then(|rest| rest.strip_suffix('}'))
        .is_some_and(|name| !name.contains(['{', '}', '\n']) && !name.contains(":-"))
}

/// The core schema's reading of a plain scalar (YAML 1.2.2, 10.3.2).
pub(crate) fn core_type(text: &str) -> Type {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Type::Null,
        "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => return Type::Boolean,
        ".nan" | ".NaN" | ".NAN" => return Type::Number,
        _ => {}
    }
    let digits = |text: &str, radix: u32| !text.is_empty() && text.chars().all(|c| c.is_digit(radix));
    if text.strip_prefix("0o").is_some_and(|rest| digits(rest, 8))
        || text.strip_prefix("0x").is_some_and(|rest| digits(rest, 16))
    {
        return Type::Integer;
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits(unsigned, 10) {
        return Type::Integer;
    }
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || is_float(unsigned) { Type::Number } else { Type::Text }
}

/// `(\. [0-9]+ | [0-9]+ (\. [0-9]*)?) ([eE] [-+]? [0-9]+)?`
fn is_float(text: &str) -> bool {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let all = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let exponent = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !digits.is_empty() && all(digits)
    });
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    exponent && all(whole) && all(fraction) && !(whole.is_empty() && fraction.is_empty())
}

/// Reads a core schema integer.
pub(crate) fn integer(text: &str) -> Option<i128> {
    if let Some(octal) = text.strip_prefix("0o") {
        return i128::from_str_radix(octal, 8).ok();
    }
    if let Some(hexadecimal) = text.strip_prefix("0x") {
        return i128::from_str_radix(hexadecimal, 16).ok();
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{Type, core_type, integer};

    #[test]
    fn plain_scalars_are_read_by_the_core_schema() {
        for (text, expected) in [
            ("", Type::Null),
            ("~", Type::Null),
            ("null", Type::Null),
            ("True", Type::Boolean),
            ("yes", Type::Text),
            ("12", Type::Integer),
            ("-0x1f", Type::Text),
            ("0x1F", Type::Integer),
            ("0o17", Type::Integer),
            ("1.", Type::Number),
            (".5e3", Type::Number),
            ("-.inf", Type::Number),
            (".", Type::Text),
            ("e3", Type::Text),
            ("1e", Type::Text),
            ("50%", Type::Text),
            ("2026-11-22", Type::Text),
        ] {
            assert_eq!(core_type(text), expected, "{text:?}");
        }
        assert_eq!(
            (integer("0x1F"), integer("0o17"), integer("+3"), integer("x")),
            (Some(31), Some(15), Some(3), None)
        );
    }
}
