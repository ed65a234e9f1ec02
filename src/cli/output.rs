//! stdout and stderr: documents for programs, text for people.

use std::{
    env,
    fmt::Display,
    io::{self, IsTerminal, Write},
};

use serde::Serialize;

use super::exit::Stop;

/// Where a command writes what it found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    json: bool,
    quiet: bool,
    /// stdout is a terminal.
    terminal: bool,
    /// stdout takes colours.
    styled: bool,
}

impl Output {
    pub(super) fn new(json: bool, quiet: bool) -> Self {
        let terminal = io::stdout().is_terminal();
        Self { json, quiet, terminal, styled: terminal && takes_colours() }
    }

    /// Whether a program reads stdout.
    pub(super) fn json(&self) -> bool {
        self.json
    }

    /// Whether there is a person to show progress to, and that person wants it.
    pub(super) fn progress(&self) -> Progress {
        match (self.quiet || self.json, io::stderr().is_terminal()) {
            (true, _) => Progress::None,
            (false, true) => Progress::Bar,
            (false, false) => Progress::Lines,
        }
    }

    pub(super) fn style(&self) -> Style {
        Style(self.styled)
    }

    /// The one JSON document of the command; indented on a terminal, else on one line.
    pub(super) fn document(&self, document: &impl Serialize) -> Result<(), Stop> {
        let text = if self.terminal { serde_json::to_string_pretty(document) } else { serde_json::to_string(document) };
        self.text(text.map_err(io::Error::other)?)
    }

    /// A list, one JSON document a line.
    pub(super) fn lines<T: Serialize>(&self, documents: impl IntoIterator<Item = T>) -> Result<(), Stop> {
        let mut out = io::BufWriter::new(io::stdout().lock());
        for document in documents {
            serde_json::to_writer(&mut out, &document).map_err(io::Error::from)?;
            out.write_all(b"\n")?;
        }
        Ok(out.flush()?)
    }

    /// Text for people, or an already formed document; ends the line.
    pub(super) fn text(&self, text: impl Display) -> Result<(), Stop> {
        let mut out = io::stdout().lock();
        writeln!(out, "{text}")?;
        Ok(out.flush()?)
    }

    /// Says why the command did not do what was asked: on stderr for people, and as a document for programs.
    pub(super) fn stop(&self, stop: &Stop) {
        let style = Style(io::stderr().is_terminal() && takes_colours());
        let text = match stop {
            Stop::Config(problems) => problems.render(style.0),
            Stop::Usage { message, remedy } => error_text(style, message, remedy),
            Stop::Failure(failure) => error_text(style, &failure.to_string(), &failure.remedy),
            Stop::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => return,
            Stop::Output(error) => error_text(style, &format!("could not write to stdout: {error}"), ""),
        };
        // Nobody is left to be told when stderr is gone as well.
        let _ = io::stderr().lock().write_all(text.as_bytes());
        if self.json && !matches!(stop, Stop::Output(_)) {
            let _ = self.document(&stop.document());
        }
    }
}

fn error_text(style: Style, message: &str, remedy: &str) -> String {
    let label = style.paint(Colour::Red, "error");
    if remedy.is_empty() { format!("{label}: {message}\n") } else { format!("{label}: {message}\n  help: {remedy}\n") }
}

/// <https://no-color.org>, and terminals that can't.
fn takes_colours() -> bool {
    env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// A bar on the terminal.
    Bar,
    /// A line now and then.
    Lines,
    /// Not at all.
    None,
}

/// Colours, where they are seen as such.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style(bool);

/// The few colours in use.
#[derive(Debug, Clone, Copy)]
pub(super) enum Colour {
    Green,
    Yellow,
    Red,
    Dim,
    Bold,
}

impl Style {
    #[cfg(test)]
    pub(super) const PLAIN: Self = Self(false);

    pub(super) fn paint(self, colour: Colour, text: &str) -> String {
        if !self.0 {
            return text.to_owned();
        }
        let code = match colour {
            Colour::Green => "1;32",
            Colour::Yellow => "1;33",
            Colour::Red => "1;31",
            Colour::Dim => "2",
            Colour::Bold => "1",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}
