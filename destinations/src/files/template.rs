use crate::contract::PublishContext;

/// A path with `{placeholders}`, read once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Value(Placeholder),
}

/// What may stand in braces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Placeholder {
    Activation,
    Segment,
    Sequence,
    Year,
    Month,
    Day,
    Hour,
    Date,
    Timestamp,
    Datetime,
    Mode,
    PublishId,
    Part,
    Ext,
}

const PLACEHOLDERS: [(&str, Placeholder); 14] = [
    ("activation", Placeholder::Activation),
    ("segment", Placeholder::Segment),
    ("sequence", Placeholder::Sequence),
    ("yyyy", Placeholder::Year),
    ("mm", Placeholder::Month),
    ("dd", Placeholder::Day),
    ("hh", Placeholder::Hour),
    ("date", Placeholder::Date),
    ("timestamp", Placeholder::Timestamp),
    ("datetime", Placeholder::Datetime),
    ("mode", Placeholder::Mode),
    ("publish_id", Placeholder::PublishId),
    ("part", Placeholder::Part),
    ("ext", Placeholder::Ext),
];

impl Placeholder {
    /// Whether no two publishes of an activation share its value.
    pub(super) const fn is_unique(self) -> bool {
        matches!(self, Self::PublishId | Self::Sequence | Self::Timestamp | Self::Datetime)
    }

    /// Whether all publishes of an activation share its value.
    const fn is_fixed(self) -> bool {
        matches!(self, Self::Activation)
    }
}

impl Template {
    /// # Errors
    /// What is wrong with it, in words.
    pub(super) fn parse(path: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = path;
        while let Some(open) = rest.find(['{', '}']) {
            let (text, after) = rest.split_at(open);
            if !text.is_empty() {
                pieces.push(Piece::Text(text.to_owned()));
            }
            let Some((name, after)) = after.strip_prefix('{').and_then(|after| after.split_once('}')) else {
                return Err("a brace stands alone; placeholders look like `{date}`".to_owned());
            };
            let Some((_, placeholder)) = PLACEHOLDERS.iter().find(|(known, _)| *known == name) else {
                let known: Vec<String> = PLACEHOLDERS.iter().map(|(name, _)| format!("{{{name}}}")).collect();
                return Err(format!("unknown placeholder `{{{name}}}`; there are {}", known.join(" ")));
            };
            pieces.push(Piece::Value(*placeholder));
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self(pieces))
    }

    /// The placeholders of the folder and those of the file name.
    pub(super) fn placeholders(&self) -> (Vec<Placeholder>, Vec<Placeholder>) {
        let mut all = Vec::new();
        let mut folder = 0;
        for piece in &self.0 {
            match piece {
                Piece::Text(text) if text.contains('/') => folder = all.len(),
                Piece::Text(_) => {}
                Piece::Value(placeholder) => all.push(*placeholder),
            }
        }
        let name = all.split_off(folder);
        (all, name)
    }

    /// Whether parts stand in a folder that no other publish has a part in.
    pub(super) fn has_own_folder(&self) -> bool {
        self.placeholders().0.iter().any(|placeholder| placeholder.is_unique())
    }

    /// Whether a part may have this name in its folder, whatever the placeholders stand for.
    pub(super) fn may_name(&self, name: &str) -> bool {
        let mut pieces = Vec::new();
        for piece in self.0.iter().rev() {
            match piece {
                Piece::Text(text) => match text.rsplit_once('/') {
                    Some((_, name)) => {
                        pieces.push(Shape::Text(name));
                        break;
                    }
                    None => pieces.push(Shape::Text(text)),
                },
                Piece::Value(Placeholder::Part) => pieces.push(Shape::Digits),
                Piece::Value(_) => pieces.push(Shape::Any),
            }
        }
        pieces.reverse();
        fits(&pieces, name)
    }

    /// The path of a part, numbered from 0.
    pub(super) fn path(&self, context: &PublishContext, part: usize) -> String {
        self.0.iter().map(|piece| piece.render(context, Some(part)).unwrap_or_default()).collect()
    }

    /// The path up to the part's number: what all parts of the publish, and nothing else, begin with.
    pub(super) fn prefix(&self, context: &PublishContext) -> String {
        self.0.iter().map_while(|piece| piece.render(context, None)).collect()
    }

    /// The path up to the first placeholder that differs between publishes of the activation.
    pub(super) fn common_prefix(&self, context: &PublishContext) -> String {
        let fixed = |piece: &&Piece| match piece {
            Piece::Text(_) => true,
            Piece::Value(placeholder) => placeholder.is_fixed(),
        };
        self.0.iter().take_while(fixed).map_while(|piece| piece.render(context, None)).collect()
    }
}

/// What a piece of a name looks like.
enum Shape<'a> {
    Text(&'a str),
    Digits,
    Any,
}

/// Whether a name can be made of the pieces.
fn fits(pieces: &[Shape<'_>], name: &str) -> bool {
    let Some((first, rest)) = pieces.split_first() else { return name.is_empty() };
    let digits = match first {
        Shape::Text(text) => return name.strip_prefix(text).is_some_and(|name| fits(rest, name)),
        Shape::Digits => true,
        Shape::Any => false,
    };
    let chars = name.char_indices().take_while(|(_, char)| !digits || char.is_ascii_digit());
    let mut ends = chars.map(|(at, char)| at + char.len_utf8());
    ends.any(|end| fits(rest, &name[end..]))
}

impl Piece {
    /// `None` for the part's number while there is none.
    fn render(&self, context: &PublishContext, part: Option<usize>) -> Option<String> {
        let placeholder = match self {
            Self::Text(text) => return Some(text.clone()),
            Self::Value(placeholder) => placeholder,
        };
        let time = |format| Some(context.started_at.format(format).to_string());
        match placeholder {
            Placeholder::Activation => Some(context.activation.clone()),
            Placeholder::Segment => Some(context.segment.clone()),
            Placeholder::Sequence => Some(context.sequence.to_string()),
            Placeholder::Year => time("%Y"),
            Placeholder::Month => time("%m"),
            Placeholder::Day => time("%d"),
            Placeholder::Hour => time("%H"),
            Placeholder::Date => time("%Y-%m-%d"),
            Placeholder::Timestamp => time("%Y%m%dT%H%M%SZ"),
            Placeholder::Datetime => time("%Y-%m-%d-%H-%M-%S-%3f"),
            Placeholder::Mode => Some(context.mode.as_str().to_owned()),
            Placeholder::PublishId => Some(context.publish.to_string()),
            Placeholder::Part => part.map(|part| format!("{part:05}")),
            Placeholder::Ext => Some(context.files.extension()),
        }
    }
}
