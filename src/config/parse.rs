//! YAML text → trees with places.

use std::{collections::HashMap, panic::AssertUnwindSafe, sync::Arc};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span};

use super::{
    Code, Problem,
    source::{Place, Source},
    tree::{Entry, Node, Scalar, Value},
};

/// Values that one file may hold, those that aliases repeat counted each time.
const MAX_NODES: usize = 100_000;
/// Maps and lists within one another.
const MAX_DEPTH: usize = 64;

/// Reads all documents of a file, empty ones left out.
///
/// # Errors
/// The first place that is not YAML, or YAML beyond what a config needs.
pub(super) fn parse(source: &Arc<Source>) -> Result<Vec<Node>, Problem> {
    // The parser is not ours: should it ever panic, that is a syntax error and not the end of the process.
    std::panic::catch_unwind(AssertUnwindSafe(|| Builder::new(source).run())).unwrap_or_else(|_| {
        let place = Place { source: Arc::clone(source), line: 1, column: 1, span: 0..0 };
        Err(Problem::new(Some(place), Code::Syntax, "the YAML parser gave up on this file"))
    })
}

/// A map or list that is still open.
struct Open {
    anchor: usize,
    place: Place,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map(Vec<Entry>, Option<(String, Place)>),
}

struct Builder<'a> {
    source: &'a Arc<Source>,
    /// Byte of each character; empty: all characters are one byte.
    bytes: Vec<usize>,
    open: Vec<Open>,
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
    roots: Vec<Node>,
}

impl<'a> Builder<'a> {
    fn new(source: &'a Arc<Source>) -> Self {
        let text = &source.text;
        let bytes = if text.is_ascii() { Vec::new() } else { text.char_indices().map(|(byte, _)| byte).collect() };
        Self { source, bytes, open: Vec::new(), anchors: HashMap::new(), nodes: 0, roots: Vec::new() }
    }

    fn run(mut self) -> Result<Vec<Node>, Problem> {
        for event in Parser::new_from_str(&self.source.text) {
            let (event, span) = event.map_err(|error| {
                let place = self.place(Span::empty(*error.marker()));
                if may_hold_secret(self.source, &place) {
                    self.source.hide(0..self.source.text.len());
                }
                Problem::new(Some(place), Code::Syntax, format!("not valid YAML: {}", error.info()))
                    .remedy("look at the quotes, brackets and indentation here and just above")
            })?;
            self.event(event, span)?;
        }
        Ok(self.roots)
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Problem> {
        let place = self.place(span);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let mut place = place;
                // The parser counts blanks behind a scalar to it.
                let trimmed = self.source.text.get(place.span.clone()).map_or(0, |text| text.trim_end().len());
                place.span.end = place.span.start + trimmed;
                let mut plain = style == ScalarStyle::Plain;
                match tag.as_deref() {
                    None => {}
                    Some(tag) if tag.is_yaml_core_schema() => plain &= tag.suffix != "str",
                    Some(_) => return Err(tags(place)),
                }
                let scalar = Scalar { text: text.into_owned(), plain, filled: false, from_file: false, broken: false };
                self.close(Node { value: Value::Scalar(scalar), place, anchor: None }, anchor, 1)
            }
            Event::Alias(id) => {
                let Some((node, size)) = self.anchors.get(&id) else {
                    return Err(Problem::new(Some(place), Code::Syntax, "the alias stands within its own anchor"));
                };
                let (mut node, size) = (node.clone(), *size);
                node.anchor = Some(std::mem::replace(&mut node.place, place));
                self.close(node, 0, size)
            }
            Event::SequenceStart(anchor, tag) => {
                if tag.is_some_and(|tag| !tag.is_yaml_core_schema()) {
                    return Err(tags(place));
                }
                self.start(Open { anchor, place, content: Content::List(Vec::new()) })
            }
            Event::MappingStart(anchor, tag) => {
                if tag.is_some_and(|tag| !tag.is_yaml_core_schema()) {
                    return Err(tags(place));
                }
                self.start(Open { anchor, place, content: Content::Map(Vec::new(), None) })
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(Open { anchor, place: mut start, content }) = self.open.pop() else { return Ok(()) };
                start.span.end = place.span.end.max(start.span.end);
                let value = match content {
                    Content::List(items) => Value::Sequence(items),
                    Content::Map(entries, _) => Value::Mapping(entries),
                };
                let size = if anchor == 0 { 1 } else { count(&value) };
                self.close(Node { value, place: start, anchor: None }, anchor, size)
            }
            _ => Ok(()),
        }
    }

    fn start(&mut self, open: Open) -> Result<(), Problem> {
        if self.open.len() >= MAX_DEPTH {
            let message = format!("more than {MAX_DEPTH} maps and lists within one another");
            return Err(Problem::new(Some(open.place), Code::Syntax, message));
        }
        self.open.push(open);
        Ok(())
    }

    /// Hands a finished value to what it stands in. `size`: values to count for it.
    fn close(&mut self, mut node: Node, anchor: usize, size: usize) -> Result<(), Problem> {
        self.nodes = self.nodes.saturating_add(if node.anchor.is_some() { size } else { 1 });
        if self.nodes > MAX_NODES {
            let message = format!("more than {MAX_NODES} values, those that aliases repeat included");
            return Err(Problem::new(Some(node.place), Code::Syntax, message));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), size));
        }
        match self.open.last_mut().map(|open| &mut open.content) {
            None => {
                if node.resolved() != super::tree::Type::Null {
                    self.roots.push(node);
                }
            }
            Some(Content::List(items)) => items.push(node),
            Some(Content::Map(entries, key)) => match key.take() {
                Some((name, place)) => {
                    if node.place.span.is_empty() {
                        node.place = place.clone();
                    }
                    entries.push(Entry { key: name, place, value: node });
                }
                None => match node.value {
                    Value::Scalar(scalar) => *key = Some((scalar.text, node.place)),
                    _ => {
                        return Err(Problem::new(Some(node.place), Code::Syntax, "a key must be text")
                            .remedy("put a value that starts with `{` or `[` in quotes"));
                    }
                },
            },
        }
        Ok(())
    }

    fn place(&self, span: Span) -> Place {
        let start = self.byte(span.start);
        Place {
            source: Arc::clone(self.source),
            line: span.start.line().max(1),
            column: span.start.col() + 1,
            span: start..self.byte(span.end).max(start),
        }
    }

    fn byte(&self, marker: Marker) -> usize {
        let length = self.source.text.len();
        if self.bytes.is_empty() {
            marker.index().min(length)
        } else {
            self.bytes.get(marker.index()).copied().unwrap_or(length)
        }
    }
}

fn tags(place: Place) -> Problem {
    Problem::new(Some(place), Code::Syntax, "YAML tags are not used in a config").remedy("remove the word after `!`")
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Scalar(_) => 0,
        Value::Sequence(items) => items.iter().map(|item| count(&item.value)).sum::<usize>(),
        Value::Mapping(entries) => entries.iter().map(|entry| count(&entry.value.value)).sum::<usize>(),
    }
}

/// A file that does not parse can't tell which of its values are secrets, so its line is shown only
/// where neither it nor what it continues looks like one.
fn may_hold_secret(source: &Source, place: &Place) -> bool {
    const SECRETS: [&str; 10] =
        ["key", "secret", "token", "pass", "sas", "account", "connection", "url", "state", "headers"];
    let is_key = |line: &str| {
        line.split_once(':').is_some_and(|(key, _)| !key.trim().is_empty() && !key.trim().contains(char::is_whitespace))
    };
    for line in source.text.lines().take(place.line).collect::<Vec<_>>().into_iter().rev() {
        let lower = line.to_lowercase();
        if SECRETS.iter().any(|word| lower.contains(word)) {
            return true;
        }
        if is_key(line.trim_start_matches([' ', '-'])) {
            return false;
        }
    }
    false
}
