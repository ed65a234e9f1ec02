//! Reads as much of OTLP's protobuf as the tests look at.
//!
//! Field numbers are those of `opentelemetry/proto/trace/v1/trace.proto` and its neighbours; the encoding is that of
//! <https://protobuf.dev/programming-guides/encoding/>.

use std::collections::BTreeMap;

/// A span, with what its resource says.
#[derive(Debug)]
pub(super) struct Span {
    pub(super) name: String,
    /// 16 bytes, hexadecimal.
    pub(super) trace: String,
    /// 8 bytes, hexadecimal.
    pub(super) id: String,
    /// Empty for the root.
    pub(super) parent: String,
    /// Nanoseconds since 1970.
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) failed: bool,
    /// Values as text.
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) resource: BTreeMap<String, String>,
}

/// The spans of an `ExportTraceServiceRequest`.
pub(super) fn spans(body: &[u8]) -> Vec<Span> {
    let mut found = Vec::new();
    for of_resource in Message::read(body).parts(1) {
        let resource = of_resource.parts(1).first().map(|resource| attributes(resource, 1)).unwrap_or_default();
        for of_scope in of_resource.parts(2) {
            found.extend(of_scope.parts(2).iter().map(|message| span(message, resource.clone())));
        }
    }
    found
}

fn span(message: &Message<'_>, resource: BTreeMap<String, String>) -> Span {
    let hex = |field| message.bytes(field).iter().map(|byte| format!("{byte:02x}")).collect();
    Span {
        trace: hex(1),
        id: hex(2),
        parent: hex(4),
        name: text(message.bytes(5)),
        start: message.number(7).unwrap(),
        end: message.number(8).unwrap(),
        attributes: attributes(message, 9),
        failed: message.parts(15).iter().any(|status| status.number(3) == Some(2)),
        resource,
    }
}

/// `KeyValue`s, whose values are text, truth or whole numbers.
fn attributes(message: &Message<'_>, field: u64) -> BTreeMap<String, String> {
    let pair = |pair: &Message<'_>| {
        let value = &pair.parts(2)[0];
        let value = match (value.number(2), value.number(3)) {
            (Some(truth), _) => (truth == 1).to_string(),
            (_, Some(number)) => number.cast_signed().to_string(),
            _ => {
                let text = text(value.bytes(1));
                assert!(text.parse::<f64>().is_err(), "a number came as text: {text}");
                text
            }
        };
        (text(pair.bytes(1)), value)
    };
    message.parts(field).iter().map(pair).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A message as fields, in order.
struct Message<'a>(Vec<(u64, Field<'a>)>);

enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Message<'a> {
    fn read(mut rest: &'a [u8]) -> Self {
        let mut fields = Vec::new();
        while !rest.is_empty() {
            let key = varint(&mut rest);
            let field = match key & 7 {
                0 => Field::Number(varint(&mut rest)),
                1 => Field::Number(u64::from_le_bytes(take(&mut rest, 8).try_into().unwrap())),
                2 => {
                    let length = usize::try_from(varint(&mut rest)).unwrap();
                    Field::Bytes(take(&mut rest, length))
                }
                5 => Field::Number(u32::from_le_bytes(take(&mut rest, 4).try_into().unwrap()).into()),
                other => panic!("no wire type {other}"),
            };
            fields.push((key >> 3, field));
        }
        Self(fields)
    }

    fn of(&self, number: u64) -> impl Iterator<Item = &Field<'a>> {
        self.0.iter().filter(move |(field, _)| *field == number).map(|(_, field)| field)
    }

    fn bytes(&self, number: u64) -> &'a [u8] {
        let bytes = self.of(number).find_map(|field| match field {
            Field::Bytes(bytes) => Some(*bytes),
            Field::Number(_) => None,
        });
        bytes.unwrap_or_default()
    }

    fn number(&self, number: u64) -> Option<u64> {
        self.of(number).find_map(|field| match field {
            Field::Number(number) => Some(*number),
            Field::Bytes(_) => None,
        })
    }

    fn parts(&self, number: u64) -> Vec<Message<'a>> {
        let part = |field: &Field<'a>| match field {
            Field::Bytes(bytes) => Some(Message::read(bytes)),
            Field::Number(_) => None,
        };
        self.of(number).filter_map(part).collect()
    }
}

fn varint(rest: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(rest, 1)[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return value;
        }
    }
    panic!("a number of more than 64 bits")
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (taken, left) = rest.split_at(length);
    *rest = left;
    taken
}
