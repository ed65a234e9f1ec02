//! Text → digits, for everything else: extensions, letters on the keypad, `tel:` links, other scripts.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Regex, RegexBuilder};

use super::digits::{Digits, MOST};
use super::parse::Dialled;
use super::scan::LONGEST_TEXT;

const CONTEXT: &str = ";phone-context=";
const LINK: &str = "tel:";
const SUBADDRESS: &str = ";isub=";

/// The patterns, compiled once. None where one does not compile: a test sees to it.
static SYNTAX: LazyLock<Option<Syntax>> = LazyLock::new(Syntax::new);

struct Syntax {
    start: Regex,
    unwanted_end: Regex,
    second_number: Regex,
    viable: Regex,
    extension: Regex,
    three_letters: Regex,
    global_context: Regex,
    domain_context: Regex,
}

impl Syntax {
    fn new() -> Option<Self> {
        // Dashes, blanks, dots, brackets, slashes and tildes of several scripts, and x, which stands for a carrier.
        const PUNCTUATION: &str = r"\-x\x{2010}-\x{2015}\x{2212}\x{30FC}\x{FF0D}-\x{FF0F} \x{00A0}\x{00AD}\x{200B}\x{2060}\x{3000}()\x{FF08}\x{FF09}\x{FF3B}\x{FF3D}.\[\]/~\x{2053}\x{223C}\x{FF5E}";
        const DOMAIN_WORD: &str = r"[a-zA-Z\p{Nd}]+(?:-*[a-zA-Z\p{Nd}])*";
        let extension = extensions();
        let regex = |pattern: &str| Regex::new(pattern).ok();
        let any_case = |pattern: &str| RegexBuilder::new(pattern).case_insensitive(true).build().ok();
        Some(Self {
            start: regex(r"[+\x{FF0B}\p{Nd}]")?,
            unwanted_end: regex(r"[^\p{N}\p{L}#]+$")?,
            second_number: regex(r"[\\/] *x")?,
            viable: any_case(&format!(
                r"^(?:\p{{Nd}}{{2}}|[+\x{{FF0B}}]*(?:[{PUNCTUATION}*]*\p{{Nd}}){{3,}}[{PUNCTUATION}*a-z\p{{Nd}}]*(?:{extension})?)$"
            ))?,
            extension: any_case(&format!("(?:{extension})$"))?,
            three_letters: regex(r"^(?:.*?[A-Za-z]){3}.*$")?,
            global_context: regex(r"^\+[\p{Nd}\-.()]*\p{Nd}[\p{Nd}\-.()]*$")?,
            domain_context: regex(&format!(r"^(?:{DOMAIN_WORD}\.)*[a-zA-Z]+(?:-*[a-zA-Z\p{{Nd}}])*\.?$"))?,
        })
    }
}

/// The ways to write an extension. The surer the sign, the more digits it may have.
fn extensions() -> String {
    const BEFORE: &str = r"[ \x{00A0}\t,]*";
    const BEFORE_NO_COMMA: &str = r"[ \x{00A0}\t]*";
    const AFTER: &str = r"[:.\x{FF0E}]?[ \x{00A0}\t,\-]*";
    const CERTAIN: &str =
        r"(?:e?xt(?:ensi(?:o\x{0301}?|\x{00F3}))?n?|\x{FF45}?\x{FF58}\x{FF54}\x{FF4E}?|\x{0434}\x{043E}\x{0431}|anexo)";
    const LIKELY: &str = r"(?:[x\x{FF58}#\x{FF03}~\x{FF5E}]|int|\x{FF49}\x{FF4E}\x{FF54})";
    let digits = |most: usize| format!(r"\p{{Nd}}{{1,{most}}}");
    [
        format!(";ext={}", digits(20)),
        format!("{BEFORE}{CERTAIN}{AFTER}{}#?", digits(20)),
        format!("{BEFORE}{LIKELY}{AFTER}{}#?", digits(9)),
        format!(r"[\- ]+{}#", digits(6)),
        format!("{BEFORE_NO_COMMA}(?:,{{2}}|;){AFTER}{}#?", digits(15)),
        format!("{BEFORE_NO_COMMA},+{AFTER}{}#?", digits(9)),
    ]
    .join("|")
}

/// Reads any text; None when no number is in it.
pub(super) fn read(text: &str) -> Option<Dialled> {
    let syntax = SYNTAX.as_ref()?;
    if text.len() > LONGEST_TEXT && text.chars().count() > LONGEST_TEXT {
        return None;
    }
    let number = candidate(syntax, text)?;
    let number =
        number.split_once(SUBADDRESS).filter(|(before, _)| !before.is_empty()).map_or(&*number, |(before, _)| before);
    if !is_viable(syntax, number) {
        return None;
    }
    let number = match syntax.extension.find(number) {
        Some(extension) if is_viable(syntax, &number[..extension.start()]) => &number[..extension.start()],
        _ => number,
    };
    let rest = number.trim_start_matches(['+', '\u{FF0B}']);
    Some(Dialled { plus: rest.len() < number.len(), digits: digits(syntax, rest)? })
}

/// The part of the text that could be a number.
fn candidate<'a>(syntax: &Syntax, text: &'a str) -> Option<Cow<'a, str>> {
    if let Some((before, after)) = text.split_once(CONTEXT) {
        let context = after.split(';').next().unwrap_or_default();
        if !syntax.global_context.is_match(context) && !syntax.domain_context.is_match(context) {
            return None;
        }
        let number = match text.find(LINK) {
            // A link that begins only within its own context leaves nothing.
            Some(at) => before.get(at + LINK.len()..).unwrap_or_default(),
            None => before,
        };
        // A context that is a number holds the start of this one; a domain says nothing.
        return Some(if context.starts_with('+') {
            Cow::Owned(format!("{context}{number}"))
        } else {
            Cow::Borrowed(number)
        });
    }
    let number = &text[syntax.start.find(text)?.start()..];
    let number = syntax.unwanted_end.find(number).map_or(number, |end| &number[..end.start()]);
    Some(Cow::Borrowed(syntax.second_number.find(number).map_or(number, |second| &number[..second.start()])))
}

/// At least three digits, or two and nothing else; then letters and an extension may follow.
fn is_viable(syntax: &Syntax, number: &str) -> bool {
    number.chars().nth(1).is_some() && syntax.viable.is_match(number)
}

/// Digits of any script, or with three letters and more the keys of the keypad.
fn digits(syntax: &Syntax, number: &str) -> Option<Digits> {
    let keypad = syntax.three_letters.is_match(number);
    let mut digits = Digits::new();
    for c in number.chars() {
        let digit = if keypad { key(c) } else { value(c) };
        if let Some(digit) = digit {
            if digits.len() == MOST {
                return None;
            }
            digits.push(digit);
        }
    }
    Some(digits)
}

/// The key that a letter stands on (ITU E.161).
fn key(c: char) -> Option<u8> {
    Some(match c.to_ascii_uppercase() {
        '0'..='9' => c as u8,
        'A'..='C' => b'2',
        'D'..='F' => b'3',
        'G'..='I' => b'4',
        'J'..='L' => b'5',
        'M'..='O' => b'6',
        'P'..='S' => b'7',
        'T'..='V' => b'8',
        'W'..='Z' => b'9',
        _ => return None,
    })
}

/// The zero of each script that has ten digits in a row (Unicode category Nd).
const ZEROS: [u32; 66] = [
    0x30, 0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xDE6, 0xE50, 0xED0,
    0xF20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40, 0x1C50, 0xA620,
    0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10, 0x104A0, 0x10D30, 0x11066, 0x110F0, 0x11136, 0x111D0,
    0x112F0, 0x11450, 0x114D0, 0x11650, 0x116C0, 0x11730, 0x118E0, 0x11950, 0x11C50, 0x11D50, 0x11DA0, 0x16A60,
    0x16AC0, 0x16B50, 0x1D7CE, 0x1D7D8, 0x1D7E2, 0x1D7EC, 0x1D7F6, 0x1E140, 0x1E2F0, 0x1E950, 0x1FBF0,
];

/// The ASCII digit that a decimal digit of any script stands for.
fn value(c: char) -> Option<u8> {
    let scalar = u32::from(c);
    let next = ZEROS.partition_point(|zero| *zero <= scalar);
    let offset = scalar - ZEROS[next.checked_sub(1)?];
    (offset < 10).then(|| b'0' + offset as u8)
}

#[cfg(test)]
pub(super) fn syntax_compiles() -> bool {
    SYNTAX.is_some()
}
