//! Which files a path, folder, glob or URL names.

use datafusion::{datasource::listing::ListingTableUrl, error::DataFusionError, prelude::SessionContext};
use futures::TryStreamExt;
use glob::{MatchOptions, Pattern};
use object_store::{ObjectMeta, path::Path};

use super::tables::detect;

/// A file, a folder with all below it, or a pattern below a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Location {
    /// The file or folder; for a pattern, the folder before its first wildcard.
    base: ListingTableUrl,
    /// What paths below the folder must match.
    pattern: Option<Pattern>,
}

/// What was found.
#[derive(Debug)]
pub(super) struct Found {
    /// The table's files, by path.
    pub(super) chosen: Vec<ObjectMeta>,
    /// Whether the folder holds others too, which the table leaves out.
    others: bool,
}

/// `*` stays within a folder, `**` does not, as in a shell.
const AS_SHELLS_DO: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: false };

impl Location {
    pub(super) fn parse(text: &str) -> Result<Self, DataFusionError> {
        let Some(at) = text.find(['*', '?', '[']) else {
            return Ok(Self { base: ListingTableUrl::parse(text)?, pattern: None });
        };
        let folder = text[..at].rfind('/').map_or(0, |slash| slash + 1);
        let pattern = Pattern::new(&text[folder..]).map_err(|error| DataFusionError::External(error.into()))?;
        Ok(Self { base: ListingTableUrl::parse(&text[..folder])?, pattern: Some(pattern) })
    }

    /// Lists the files that are there now. Unless the format is declared, files of no known extension are none.
    pub(super) async fn files(&self, session: &SessionContext, declared: bool) -> Result<Found, DataFusionError> {
        let store = session.runtime_env().object_store(&self.base)?;
        let state = session.state();
        // Listings are cached by the engine; what counts here is what is there now.
        session.runtime_env().cache_manager.get_list_files_cache().inspect(|cache| cache.clear());
        let all: Vec<ObjectMeta> = self.base.list_all_files(&state, store.as_ref(), "").await?.try_collect().await?;
        let count = all.len();
        let single = !self.base.is_collection() && self.pattern.is_none();
        let wanted = |file: &ObjectMeta| {
            single || is_data(&self.below(&file.location)) && (declared || detect(file.location.as_ref()).is_some())
        };
        let mut chosen: Vec<ObjectMeta> =
            all.into_iter().filter(|file| self.matches(&file.location) && wanted(file)).collect();
        chosen.sort_by(|one, other| one.location.cmp(&other.location));
        Ok(Found { others: chosen.len() < count, chosen })
    }

    fn matches(&self, path: &Path) -> bool {
        self.pattern.as_ref().is_none_or(|pattern| pattern.matches_with(&self.below(path), AS_SHELLS_DO))
    }

    /// A path without the folder that is listed.
    fn below(&self, path: &Path) -> String {
        self.base.strip_prefix(path).map(|parts| parts.collect::<Vec<_>>().join("/")).unwrap_or_default()
    }

    /// What the engine is to read: the folder, so that it sees the columns that its folders' names hold
    /// (`country=DE/`), or, where the table leaves some files out, just its files.
    pub(super) fn urls(&self, found: &Found) -> Result<Vec<ListingTableUrl>, DataFusionError> {
        if !found.others {
            return Ok(vec![self.base.clone()]);
        }
        found
            .chosen
            .iter()
            .map(|file| {
                let mut url = self.base.get_url().clone();
                url.set_path(&format!("/{}", file.location));
                ListingTableUrl::try_new(url, None)
            })
            .collect()
    }
}

/// Files that writers leave beside data (`_SUCCESS`, `.part-0.crc`) are none, nor are those in such folders.
fn is_data(below: &str) -> bool {
    let name = below.rsplit('/').next().unwrap_or(below);
    !below.split('/').any(|part| part.starts_with('.')) && !name.starts_with('_') && !name.ends_with(".crc")
}
