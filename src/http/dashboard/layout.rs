//! What all pages share.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{
    actions,
    assets::{ICON, SCRIPT, STYLE},
};
use crate::{config::Scope, http::Visitor};

/// What a page says of itself.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// Beside the name of the program.
    pub(super) title: String,
    /// What it shows: `fleet`, `activation`, `publish`; empty: nothing that changes.
    pub(super) shows: &'static str,
    /// Of which activation.
    pub(super) activation: String,
    /// Of which publish.
    pub(super) publish: String,
}

impl Head {
    /// A page that does not change.
    pub(super) fn titled(title: &str) -> Self {
        Self { title: title.to_owned(), ..Self::default() }
    }
}

/// Signs of states and patterns of charts. Each state has a shape of its own, each kind of record a pattern.
const SIGNS: &str = include_str!("assets/signs.svg");

/// A whole page.
pub(super) fn page(visitor: &Visitor, head: &Head, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                @if let Some(csrf) = &visitor.csrf { meta name="csrf-token" content=(csrf); }
                title { (head.title) " · Herald" }
                link rel="icon" type="image/svg+xml" href=(ICON.path());
                link rel="stylesheet" href=(STYLE.path());
                script src=(SCRIPT.path()) defer {}
            }
            body data-shows=(head.shows) data-activation=(head.activation) data-publish=(head.publish) {
                a .skip href="#main" { "Skip to content" }
                (PreEscaped(SIGNS))
                header .top {
                    div .wrap {
                        a .brand href="/" { svg aria-hidden="true" { use href="#mark" {} } "Herald" }
                        nav aria-label="Main" {
                            a href="/" aria-current=[(head.shows == "fleet").then_some("page")] { "Activations" }
                            a .wide href="/openapi.json" { "API" }
                        }
                        div .right {
                            span #live .live role="status" { }
                            @if visitor.caller.scope >= Scope::Admin { (actions::reload()) }
                        }
                    }
                }
                main #main .wrap tabindex="-1" { (content) }
                footer .wrap { "Herald " (env!("CARGO_PKG_VERSION")) " · all times UTC · " (visitor.caller.name) }
                div #toasts role="status" aria-live="polite" {}
                dialog #confirm aria-labelledby="confirm-title" {
                    form method="dialog" {
                        h2 #confirm-title {}
                        p #confirm-text {}
                        div .buttons {
                            button value="no" { "Back" }
                            button .primary value="yes" { "Go on" }
                        }
                    }
                }
            }
        }
    }
}
