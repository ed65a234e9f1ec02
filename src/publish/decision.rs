//! What a teardown does with what was delivered: what was asked for, or, asked for again without a word, what it began as.

use super::{Failure, PublishError, Publisher};
use crate::{
    config::{Activation, OnDelete},
    state::Purging,
};

/// What a teardown does with what was delivered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decision {
    /// What was asked for.
    asked: Option<OnDelete>,
    /// What it was when it began.
    begun: Option<Purging>,
    /// What the config says.
    defined: OnDelete,
}

impl Decision {
    /// What the teardown is, to be remembered until it is done. A purge that has begun ends only done, or by `--keep`.
    pub(super) fn purging(self) -> Purging {
        match (self.asked, self.begun, self.defined) {
            (Some(OnDelete::Keep), ..) => Purging::Nowhere,
            (Some(OnDelete::Purge), ..) => Purging::Everywhere,
            (None, Some(begun), _) => begun,
            (None, None, OnDelete::Purge) => Purging::Here,
            (None, None, OnDelete::Keep) => Purging::Former,
        }
    }

    /// Whether the place that the activation goes to is purged.
    pub(super) fn purges_here(self) -> bool {
        matches!(self.purging(), Purging::Everywhere | Purging::Here)
    }

    /// Whether a former place is purged that was last published to with `stored`; `leaving`: its purge has begun.
    pub(super) fn purges(self, stored: OnDelete, leaving: bool) -> bool {
        match self.purging() {
            Purging::Everywhere => true,
            Purging::Nowhere => false,
            Purging::Here | Purging::Former => leaving || stored == OnDelete::Purge,
        }
    }
}

impl Publisher {
    pub(super) async fn decision(&self, activation: &Activation, asked: Option<OnDelete>) -> Result<Decision, Failure> {
        let begun = self.state.purging(&activation.name).await?;
        Ok(Decision { asked, begun, defined: activation.on_delete })
    }

    /// Whether asking so changes what a teardown that is under way does.
    ///
    /// # Errors
    /// An unknown activation, or a state that can't be read.
    pub async fn decides_otherwise(&self, name: &str, asked: Option<OnDelete>) -> Result<bool, PublishError> {
        let (activation, _) = self.activation(name)?;
        let decision = self.decision(activation, asked).await?;
        Ok(decision.begun.is_some_and(|begun| begun != decision.purging()))
    }

    /// What deleting an activation does at the place that it goes to.
    ///
    /// # Errors
    /// An unknown activation, or a state that can't be read.
    pub async fn on_delete(&self, name: &str, asked: Option<OnDelete>) -> Result<OnDelete, PublishError> {
        let (activation, _) = self.activation(name)?;
        let purges = self.decision(activation, asked).await?.purges_here();
        Ok(if purges { OnDelete::Purge } else { OnDelete::Keep })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PURGE: OnDelete = OnDelete::Purge;
    const KEEP: OnDelete = OnDelete::Keep;

    /// Whether it purges here, a former place that is to be purged, and one that is to be kept.
    fn of(asked: Option<OnDelete>, begun: Option<Purging>, defined: OnDelete) -> [bool; 3] {
        let decision = Decision { asked, begun, defined };
        [decision.purges_here(), decision.purges(PURGE, false), decision.purges(KEEP, false)]
    }

    #[test]
    fn a_purge_that_has_begun_ends_by_keep_alone() {
        for defined in [PURGE, KEEP] {
            assert_eq!(of(Some(KEEP), Some(Purging::Everywhere), defined), [false, false, false]);
            assert_eq!(of(None, Some(Purging::Everywhere), defined), [true, true, true]);
            assert_eq!(of(None, Some(Purging::Here), defined), [true, true, false]);
            assert_eq!(of(Some(PURGE), None, defined), [true, true, true]);
        }
        assert_eq!(of(None, None, KEEP), [false, true, false]);
        // What it began as holds, whatever the config says by now.
        assert_eq!(of(None, Some(Purging::Former), PURGE), [false, true, false]);
        assert_eq!(of(None, Some(Purging::Nowhere), PURGE), [false, false, false]);
        assert_eq!(of(None, None, PURGE), [true, true, false]);
    }
}
