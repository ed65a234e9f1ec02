//! Problems as people read them: the first line, the source line, what to do.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::{Problem, Problems};
use crate::withheld::without;

impl Problems {
    /// Each problem's first line, unwrapped; below it the source line, secrets masked, and what to do.
    /// `styled`: with colours, for a terminal.
    pub fn render(&self, styled: bool) -> String {
        let mut out = String::new();
        for (index, problem) in self.iter().enumerate() {
            if index > 0 {
                out.push('\n');
            }
            problem.render(styled, &mut out);
        }
        out
    }
}

impl Problem {
    fn render(&self, styled: bool, out: &mut String) {
        out.push_str(&self.to_string());
        out.push('\n');
        let remedy = self.remedy.as_deref().map(without);
        let renderer = if styled { Renderer::styled() } else { Renderer::plain() };
        if let Some((line, number)) = self.at.as_ref().and_then(|at| Some((at.source.shown_line(&at.span)?, at.line)))
            && !line.text.is_empty()
        {
            let snippet = Snippet::source(line.text)
                .line_start(number)
                .fold(false)
                .annotation(AnnotationKind::Primary.span(line.span));
            let mut group = Group::with_level(Level::ERROR).element(snippet);
            if let Some(remedy) = &remedy {
                group = group.element(Level::HELP.message(remedy.as_ref()));
            }
            out.push_str(&renderer.render(&[group]));
            out.push('\n');
        } else if let Some(remedy) = &remedy {
            out.push_str("  help: ");
            out.push_str(remedy);
            out.push('\n');
        }
    }
}
