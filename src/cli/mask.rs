//! Values of a sample, so that their type and shape can be seen but nobody in them.

use serde_json::Value;

const DOT: char = '•';
const RUN: &str = "•••";
/// A longer word is a token or a hash; its shape tells nothing.
const LONGEST_WORD: usize = 24;

/// Masks each value: of text the first letter stays at most, of numbers nothing; nulls stay.
pub(super) fn mask(value: &Value) -> Value {
    match value {
        Value::Null => Value::Null,
        Value::Bool(_) | Value::Number(_) => Value::String(DOT.to_string()),
        Value::String(text) => Value::String(mask_text(text)),
        Value::Array(items) => Value::Array(items.iter().map(mask).collect()),
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(name, value)| (name.clone(), mask(value))).collect())
        }
    }
}

fn mask_text(text: &str) -> String {
    if let Some((user, _)) = text.split_once('@') {
        return format!("{}{RUN}@{RUN}", first_letter(user));
    }
    if text.chars().count() > LONGEST_WORD && text.chars().all(char::is_alphanumeric) {
        return RUN.to_owned();
    }
    let mut masked = String::new();
    // The initial of a short text, such as a code of two letters, would give it away.
    if text.chars().filter(|symbol| symbol.is_alphabetic()).count() > 3 {
        masked.push_str(&first_letter(text));
    }
    let mut in_word = false;
    for symbol in text.chars() {
        match symbol {
            _ if symbol.is_numeric() => masked.push(DOT),
            _ if symbol.is_ascii() && !symbol.is_alphanumeric() => masked.push(symbol),
            // Whatever else there is, marks and symbols too, belongs to a word.
            _ if !in_word => masked.push_str(RUN),
            _ => {}
        }
        in_word = !symbol.is_ascii() || symbol.is_alphabetic();
    }
    masked
}

fn first_letter(text: &str) -> String {
    text.chars().next().filter(|symbol| symbol.is_alphabetic()).map(String::from).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::mask;

    #[test]
    fn the_shape_stays_and_the_value_goes() {
        for (value, masked) in [
            (json!("anna.schmidt@example.com"), json!("a•••@•••")),
            (json!("+49 151 2345"), json!("+•• ••• ••••")),
            (json!("Anna Schmidt"), json!("A••• •••")),
            (json!("Zoë"), json!("•••")),
            (json!("DE"), json!("•••")),
            (json!("2024-01-31"), json!("••••-••-••")),
            (json!("0f".repeat(32)), json!("•••")),
            (json!(""), json!("")),
            (json!(42.5), json!("•")),
            (json!(true), json!("•")),
            (json!(null), json!(null)),
            (json!(["a@b.c", "9"]), json!(["a•••@•••", "•"])),
            (json!({"city": "Köln"}), json!({"city": "K•••"})),
        ] {
            assert_eq!(mask(&value), masked, "{value}");
        }
    }

    #[test]
    fn no_digit_and_no_second_letter_survives() {
        let masked = mask(&json!("Łukasz Müller, Straße 12b, 東京 ١٢٣")).to_string();
        assert!(masked.chars().filter(|symbol| symbol.is_alphanumeric()).eq(['Ł']), "{masked}");
    }
}
