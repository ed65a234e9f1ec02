//! One field of a cron expression, read as crontab does.

use std::collections::BTreeSet;

/// What a field may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    name: &'static str,
    least: u32,
    most: u32,
    /// Words for values, from `least` on.
    words: &'static [&'static str],
    /// Whether `?` may stand for `*`.
    question_mark: bool,
}

pub(super) const SECOND: Kind = Kind { name: "second", least: 0, most: 59, words: &[], question_mark: false };
pub(super) const MINUTE: Kind = Kind { name: "minute", ..SECOND };
pub(super) const HOUR: Kind = Kind { name: "hour", most: 23, ..SECOND };
pub(super) const DAY: Kind = Kind { name: "day of month", least: 1, most: 31, words: &[], question_mark: true };
pub(super) const MONTH: Kind = Kind {
    name: "month",
    least: 1,
    most: 12,
    words: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    question_mark: false,
};
/// 0 and 7 are Sunday.
pub(super) const WEEKDAY: Kind = Kind {
    name: "day of week",
    least: 0,
    most: 7,
    words: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
    question_mark: true,
};
const SUNDAY: u32 = 7;

/// The values of a field as the `cron` crate counts them; `None`: any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field(Option<BTreeSet<u32>>);

impl Field {
    pub(super) fn any() -> Self {
        Self(None)
    }

    /// Whether it is anything but a lone `*`. `*/2` is restricted, as POSIX and croner have it; Vixie's cron takes a field that
    /// begins with `*` for any day.
    pub(super) fn is_restricted(&self) -> bool {
        self.0.is_some()
    }

    /// As the `cron` crate reads it.
    pub(super) fn list(&self) -> String {
        match &self.0 {
            None => "*".to_owned(),
            Some(values) => values.iter().map(u32::to_string).collect::<Vec<_>>().join(","),
        }
    }
}

impl Kind {
    /// Reads a field: `*`, values, ranges and lists of them, with steps.
    ///
    /// # Errors
    /// What is wrong with it, naming the field.
    pub(super) fn read(self, text: &str) -> Result<Field, String> {
        if text == "*" || (self.question_mark && text == "?") {
            return Ok(Field::any());
        }
        let mut values = BTreeSet::new();
        for item in text.split(',') {
            self.item(item, &mut values)?;
        }
        if self.name == WEEKDAY.name {
            // The crate's week goes from 1, Sunday, to 7.
            values = values.into_iter().map(|day| day % SUNDAY + 1).collect();
        }
        Ok(Field(Some(values)))
    }

    fn item(self, item: &str, values: &mut BTreeSet<u32>) -> Result<(), String> {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(self.step(step)?)),
            None => (item, None),
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (self.least, if self.name == WEEKDAY.name { SUNDAY - 1 } else { self.most }),
            Some((first, last)) => (self.value(first)?, self.end(last)?),
            None if step.is_some() => {
                let step = step.unwrap_or(1);
                return Err(format!(
                    "a step in the field `{}` goes with a range, such as `{range}-{}/{step}`",
                    self.name, self.most
                ));
            }
            None => {
                let value = self.value(range)?;
                (value, value)
            }
        };
        if first > last {
            return Err(format!("a range in the field `{}` ends after it begins", self.name));
        }
        values.extend((first..=last).step_by(step.unwrap_or(1) as usize));
        Ok(())
    }

    fn step(self, text: &str) -> Result<u32, String> {
        let span = self.most - self.least + 1;
        number(text)
            .filter(|step| (1..=span).contains(step))
            .ok_or_else(|| format!("a step in the field `{}` is a number from 1 to {span}", self.name))
    }

    /// The last value of a range, where `sun` ends the week.
    fn end(self, text: &str) -> Result<u32, String> {
        match self.value(text)? {
            0 if number(text).is_none() => Ok(SUNDAY),
            value => Ok(value),
        }
    }

    fn value(self, text: &str) -> Result<u32, String> {
        let word = self.words.iter().zip(self.least..).find(|(word, _)| word.eq_ignore_ascii_case(text));
        if let Some((_, value)) = word {
            return Ok(value);
        }
        number(text).filter(|value| (self.least..=self.most).contains(value)).ok_or_else(|| {
            let words = match self.words {
                [first, .., last] => format!(" or {first} to {last}"),
                _ => String::new(),
            };
            format!("the field `{}` of a cron expression takes {} to {}{words}", self.name, self.least, self.most)
        })
    }
}

/// Digits alone: no sign, no blank.
fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}
