//! Which of a target's manifests say together what it holds.

use herald_destinations::contract::{Manifest, Mode};

use super::{Failure, code};

/// From manifests by sequence, those that count: the newest full one, or the first of all where it followed none, and
/// all after it.
///
/// # Errors
/// `not_adoptable` when one in between is not there.
pub(super) fn chain(activation: &str, manifests: Vec<Manifest>) -> Result<Vec<Manifest>, Failure> {
    let start = manifests.iter().rposition(|manifest| manifest.mode == Mode::Full).unwrap_or(0);
    let chain: Vec<Manifest> = manifests.into_iter().skip(start).collect();
    let Some(first) = chain.first() else {
        return Err(refused(format!("the target holds no manifest of `{activation}`")));
    };
    if let (Mode::Incremental, Some(before)) = (first.mode, first.previous) {
        return Err(refused(format!(
            "the first manifest of `{activation}` is number {}, which changes what number {before} left, and that is not there",
            first.sequence
        )));
    }
    let gap = chain.windows(2).find(|pair| pair[1].previous != Some(pair[0].sequence));
    match gap {
        None => Ok(chain),
        Some(pair) => Err(refused(format!(
            "manifest {} of `{activation}` follows number {}, and what is there before it is number {}",
            pair[1].sequence,
            pair[1].previous.map_or_else(|| "none".to_owned(), |previous| previous.to_string()),
            pair[0].sequence
        ))),
    }
}

/// The target's manifests do not say what it holds.
pub(super) fn refused(message: String) -> Failure {
    Failure {
        code: code::NOT_ADOPTABLE.into(),
        message,
        remedy: "write the keys of the members that the target holds to a file, one a line, and adopt with \
                 `--keys FILE`; or publish once with `--full`"
            .into(),
        retryable: false,
    }
}

#[cfg(test)]
mod tests {
    use herald_destinations::contract::Account;
    use uuid::Uuid;

    use super::*;

    fn manifest(mode: Mode, sequence: u64, previous: Option<u64>) -> Manifest {
        Manifest {
            id: Uuid::now_v7(),
            activation: "a".into(),
            mode,
            sequence,
            previous,
            counts: Account::default(),
            columns: Vec::new(),
            files: Vec::new(),
            stands_at: None,
        }
    }

    fn sequences(manifests: &[(Mode, u64, Option<u64>)]) -> Result<Vec<u64>, String> {
        let manifests = manifests.iter().map(|(mode, sequence, previous)| manifest(*mode, *sequence, *previous));
        let found = chain("a", manifests.collect()).map_err(|failure| failure.message)?;
        Ok(found.iter().map(|manifest| manifest.sequence).collect())
    }

    #[test]
    fn the_newest_full_one_and_what_follows_count() {
        let (full, changes) = (Mode::Full, Mode::Incremental);
        assert_eq!(sequences(&[(changes, 1, None), (changes, 4, Some(1))]), Ok(vec![1, 4]));
        // What stands before the newest full one may have holes.
        let held = [(full, 1, None), (changes, 5, Some(3)), (full, 6, Some(5)), (changes, 8, Some(6))];
        assert_eq!(sequences(&held), Ok(vec![6, 8]));
    }

    #[test]
    fn a_hole_is_told_and_not_passed_over() {
        let (full, changes) = (Mode::Full, Mode::Incremental);
        assert!(sequences(&[]).unwrap_err().contains("no manifest"));
        assert!(sequences(&[(changes, 3, Some(2))]).unwrap_err().contains("number 2"));
        assert!(sequences(&[(full, 1, None), (changes, 3, Some(2))]).unwrap_err().contains("follows number 2"));
        assert!(sequences(&[(changes, 1, None), (changes, 1, None)]).unwrap_err().contains("follows number none"));
    }
}
