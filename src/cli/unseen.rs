//! What `check` says of rapid publishes: what they do not see, and what settles it.

use super::check::Warning;
use crate::{
    config::{Config, Refresh},
    resolve::{Resolver, Unseen},
};

/// Of each activation with a rapid cadence. The config has been found to plan.
pub(super) async fn warnings(config: &Config, resolver: &Resolver) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for activation in config.activations.values().filter(|activation| activation.rapid.is_some()) {
        let Ok(plan) = resolver.plan(config, activation).await else { continue };
        let at = format!("activations.{}.rapid", activation.name);
        warnings.extend(plan.unseen().iter().map(|unseen| Warning { at: at.clone(), message: message(unseen) }));
        if activation.refresh == Refresh::Manual {
            let message =
                "a rapid publish does not see that rows were deleted, and `refresh: { manual: true }` leaves \
                           that to whoever publishes by hand; give `refresh` a cadence"
                    .to_owned();
            warnings.push(Warning { at, message });
        }
    }
    warnings
}

fn message(unseen: &Unseen) -> String {
    match unseen {
        Unseen::Undated { table } => format!(
            "table `{table}` has no `updated_at`, so that a rapid publish does not see its rows change; the standard \
             refresh settles them"
        ),
        Unseen::NoTime { table, column, data_type } => format!(
            "`updated_at: {column}` of table `{table}` is {data_type}, which is no date or timestamp; each rapid publish \
             looks at everybody, as the standard refresh does"
        ),
        Unseen::Unrelated { table } => format!(
            "the segment's SQL reads table `{table}`, whose rows name no `member`, so that a rapid publish does not see \
             whom they change; the standard refresh settles them"
        ),
        Unseen::Timed { function } => format!(
            "a rule or the filter uses `{function}`, which says something else as time passes; a rapid publish does not \
             see whom that alone lets in or out, and the standard refresh settles them"
        ),
    }
}
