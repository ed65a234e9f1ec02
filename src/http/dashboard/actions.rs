//! Buttons. They need the script; without it none is shown. What a visitor may not do has no button.

use maud::{Markup, html};

use crate::{
    config::{Activation, OnDelete, Scope},
    http::Visitor,
    publish::{Receipt, Status},
};

/// What a button asks the API for.
#[derive(Debug)]
struct Action<'a> {
    method: &'a str,
    url: String,
    /// JSON; empty: none.
    body: &'a str,
    label: &'a str,
    /// Told once it is accepted.
    done: &'a str,
    /// Asked first; empty: nothing is.
    question: &'a str,
    class: &'a str,
}

impl Action<'_> {
    fn button(&self) -> Markup {
        html! {
            button type="button" class=(self.class) data-act data-method=(self.method) data-url=(self.url)
                data-body=[(!self.body.is_empty()).then_some(self.body)] data-done=(self.done)
                data-ask=[(!self.question.is_empty()).then_some(self.question)] { (self.label) }
        }
    }
}

fn post<'a>(url: String, body: &'a str, label: &'a str, done: &'a str, question: &'a str) -> Action<'a> {
    Action { method: "POST", url, body, label, done, question, class: "" }
}

/// Read the config again.
pub(super) fn reload() -> Markup {
    let question = "The config is read again. All of it takes effect, or, where anything is wrong, nothing does. \
                    Activations that are gone from it are torn down.";
    html! { span .js { (post("/v1/reload".into(), "", "Reload config", "The config was read again", question).button()) } }
}

/// What may be done with an activation; `state`: as in `status`; `None`: it is gone from the config.
pub(super) fn activation(
    visitor: &Visitor,
    name: &str,
    state: &str,
    config: Option<&Activation>,
    last: Option<&Receipt>,
    refused: Option<&Receipt>,
) -> Markup {
    let url = |what: &str| format!("/v1/activations/{name}{what}");
    let (publishes, admin) = (visitor.caller.scope >= Scope::Publish, visitor.caller.scope >= Scope::Admin);
    let lives = matches!(state, "active" | "paused");
    let rapid = config.is_some_and(|one| one.mode == herald_destinations::contract::Mode::Incremental);
    let running = last.filter(|last| matches!(last.status, Status::Queued | Status::Running));
    html! {
        div .actions .js {
            @if publishes && lives && let Some(config) = config {
                @let now = post(url("/publishes"), r#"{"kind":"manual"}"#, "Publish now", "The publish is queued", "");
                (Action { class: "primary", ..now }.button())
                @if rapid {
                    (post(url("/publishes"), r#"{"kind":"rapid"}"#, "Publish rapidly", "The rapid publish is queued", "").button())
                    (post(url("/publishes"), r#"{"kind":"manual","mode":"full"}"#, "Publish in full", "The full publish is queued",
                        "Everything is sent anew, whatever the target holds already.").button())
                }
                @if let Some(running) = running { (cancel(running)) }
                @if let Some(refused) = refused { (retry(refused)) }
                @if state == "paused" && !config.paused {
                    (post(url("/resume"), "", "Resume", "The schedule goes on", "").button())
                } @else if state == "active" {
                    (post(url("/pause"), "", "Pause", "The schedule stands still", "").button())
                }
            }
            @if admin && lives && config.is_some() {
                button type="button" .danger data-opens="delete" { "Delete…" }
            }
            @if admin && state == "deleted" && config.is_some() {
                (post(url("/recreate"), "", "Recreate", "It lives again", "").button())
            }
        }
    }
}

/// What may be done with a publish.
pub(super) fn publish(visitor: &Visitor, receipt: &Receipt) -> Markup {
    let flies = matches!(receipt.status, Status::Queued | Status::Running);
    html! {
        @if visitor.caller.scope >= Scope::Publish {
            div .actions .js {
                @if flies { (cancel(receipt)) }
                @if receipt.counts.rejected > 0 && !flies { (retry(receipt)) }
            }
        }
    }
}

fn cancel(receipt: &Receipt) -> Markup {
    let question = "It stops at the next batch. What is not acknowledged by then is owed, and comes again by itself.";
    post(format!("/v1/publishes/{}/cancel", receipt.id), "", "Cancel", "It is being stopped", question).button()
}

fn retry(receipt: &Receipt) -> Markup {
    post(format!("/v1/publishes/{}/retry", receipt.id), "", "Retry rejected", "The retry is queued", "").button()
}

/// Asks what to do with what was delivered, shows what would be taken back, and wants the name typed.
pub(super) fn delete_dialog(name: &str, on_delete: OnDelete) -> Markup {
    let purge = on_delete == OnDelete::Purge;
    html! {
        dialog #delete aria-labelledby="delete-title" data-plan=(format!("/activations/{name}/deletion"))
            data-url=(format!("/v1/activations/{name}")) data-name=(name) {
            form method="dialog" {
                h2 #delete-title { "Delete " (name) }
                p { "Its schedule stops, what runs is cancelled, and snapshot and dead letters are erased. Receipts stay." }
                fieldset {
                    legend { "What was delivered" }
                    label .choice { input type="radio" name="data" value="keep" checked[!purge];
                        span { strong { "Keep" } " it at the target" } }
                    label .choice { input type="radio" name="data" value="purge" checked[purge];
                        span { strong { "Purge" } " it: take back what this activation put there" } }
                }
                div #plan .plan aria-live="polite" { }
                label .field for="typed" { span { "Type " code { (name) } " to confirm" }
                    input #typed name="typed" autocomplete="off" autocapitalize="off" spellcheck="false"; }
                div .buttons {
                    button value="no" formnovalidate { "Back" }
                    button #delete-go .danger value="yes" disabled { "Delete" }
                }
            }
        }
    }
}
