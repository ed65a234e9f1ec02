//! `${VAR}`, `${VAR:-default}`, `${file:PATH}` and `$${` inside text.

use std::{fmt, path::Path};

use super::{
    Code, Problem, Problems,
    tree::{Node, Scalar, Type, Value},
};

/// Largest file that `${file:}` reads, in bytes.
const MAX_FILE: u64 = 1 << 20;
/// Defaults within defaults.
const MAX_DEPTH: usize = 8;

/// Where variables are looked up.
pub type Variables<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// Fills in every text of a tree. `path`: dotted path of the node, for errors.
pub(super) fn fill(node: &mut Node, path: &str, variables: &Variables<'_>, problems: &mut Problems) {
    let join = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match &mut node.value {
        Value::Scalar(scalar) if scalar.text.contains("${") && scalar.resolved() == Type::Text => {
            if let Err(Fault { code, message, remedy }) = fill_scalar(scalar, &node.place.source.folder, variables) {
                let message = format!("{path}: {message}");
                scalar.broken = true;
                problems.push(Problem::new(Some(node.place.clone()), code, message).remedy(remedy));
            }
        }
        Value::Scalar(_) => {}
        Value::Sequence(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                fill(item, &format!("{path}[{index}]"), variables, problems);
            }
        }
        Value::Mapping(entries) => {
            for entry in entries {
                fill(&mut entry.value, &join(&entry.key), variables, problems);
            }
        }
    }
}

struct Fault {
    code: Code,
    message: String,
    remedy: String,
}

fn fill_scalar(scalar: &mut Scalar, folder: &Path, variables: &Variables<'_>) -> Result<(), Fault> {
    let mut filler = Filler { folder, variables, filled: false, from_file: false };
    let text = filler.fill(&scalar.text, 0);
    scalar.filled |= filler.filled;
    scalar.from_file |= filler.from_file;
    scalar.text = text?;
    Ok(())
}

struct Filler<'a> {
    folder: &'a Path,
    variables: &'a Variables<'a>,
    filled: bool,
    from_file: bool,
}

impl Filler<'_> {
    fn fill(&mut self, text: &str, depth: usize) -> Result<String, Fault> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            if rest[..at].ends_with('$') {
                out.push_str(&rest[..at - 1]);
                out.push_str("${");
                rest = &rest[at + 2..];
                continue;
            }
            out.push_str(&rest[..at]);
            let inner = &rest[at + 2..];
            let end = closing(inner).ok_or_else(|| malformed("a `${` has no closing `}`"))?;
            self.filled = true;
            self.one(&inner[..end], depth, &mut out)?;
            rest = &inner[end + 1..];
        }
        out.push_str(rest);
        Ok(out)
    }

    fn one(&mut self, inner: &str, depth: usize, out: &mut String) -> Result<(), Fault> {
        if let Some(path) = inner.strip_prefix("file:") {
            self.from_file = true;
            out.push_str(&self.file(path)?);
            return Ok(());
        }
        let (name, default) = match inner.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inner, None),
        };
        if !is_variable(name) {
            return Err(malformed("a `${…}` holds neither a variable's name nor `file:PATH`"));
        }
        match ((self.variables)(name), default) {
            (Some(value), None) => out.push_str(&value),
            (Some(value), Some(_)) if !value.is_empty() => out.push_str(&value),
            (_, Some(_)) if depth >= MAX_DEPTH => return Err(malformed("too many defaults within defaults")),
            (_, Some(default)) => out.push_str(&self.fill(default, depth + 1)?),
            (None, None) => {
                return Err(Fault {
                    code: Code::MissingVariable,
                    message: format!("the environment variable {name} is not set"),
                    remedy: format!("set {name}, or give a default: `${{{name}:-default}}`"),
                });
            }
        }
        Ok(())
    }

    fn file(&self, path: &str) -> Result<String, Fault> {
        let missing = |why: &dyn fmt::Display| Fault {
            code: Code::MissingFile,
            message: format!("the file `{path}` can't be read: {why}"),
            remedy: "paths in `${file:…}` are relative to the file that names them".to_owned(),
        };
        if path.is_empty() {
            return Err(malformed("`${file:…}` names no file"));
        }
        let absolute = self.folder.join(path);
        let about = std::fs::metadata(&absolute).map_err(|error| missing(&error))?;
        if !about.is_file() {
            return Err(missing(&"it is not a regular file"));
        }
        if about.len() > MAX_FILE {
            return Err(missing(&"it is larger than 1 MiB"));
        }
        let bytes = std::fs::read(&absolute).map_err(|error| missing(&error))?;
        let mut text = String::from_utf8(bytes).map_err(|_| missing(&"it is not UTF-8"))?;
        if text.ends_with('\n') {
            text.pop();
            if text.ends_with('\r') {
                text.pop();
            }
        }
        Ok(text)
    }
}

/// Byte of the `}` that closes, those of inner `${…}` skipped.
fn closing(inner: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut previous = '\0';
    for (at, character) in inner.char_indices() {
        match character {
            '{' if previous == '$' => depth += 1,
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
        previous = character;
    }
    None
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
}

fn malformed(message: &str) -> Fault {
    Fault {
        code: Code::InvalidValue,
        message: message.to_owned(),
        remedy: "write `${VAR}`, `${VAR:-default}` or `${file:PATH}`, and `$${` for a literal `${`".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Filler, is_variable};

    fn filled(text: &str) -> Result<String, String> {
        let variables = |name: &str| match name {
            "A" => Some("one".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        Filler { folder: Path::new("."), variables: &variables, filled: false, from_file: false }
            .fill(text, 0)
            .map_err(|fault| fault.message)
    }

    #[test]
    fn variables_and_defaults_are_filled_in() {
        for (text, expected) in [
            ("${A}", "one"),
            ("x${A}y${A}", "xoneyone"),
            ("${B:-two}", "two"),
            ("${EMPTY}", ""),
            ("${EMPTY:-two}", "two"),
            ("${B:-}", ""),
            ("${B:-${A}}", "one"),
            ("$${A}", "${A}"),
            ("$A {A} $", "$A {A} $"),
            ("${B:-a:-b}", "a:-b"),
        ] {
            assert_eq!(filled(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_malformed_is_refused() {
        for text in ["${", "${A", "${}", "${1}", "${A B}", "${file:}"] {
            assert!(filled(text).is_err(), "{text}");
        }
        assert!(filled("${B}").is_err_and(|message| message.contains("B is not set")));
        assert!(is_variable("_A1") && !is_variable("1A") && !is_variable(""));
    }

    #[test]
    fn deep_defaults_are_refused_and_not_followed() {
        let text = format!("{}x{}", "${B:-".repeat(1000), "}".repeat(1000));
        assert!(filled(&text).is_err());
    }
}
