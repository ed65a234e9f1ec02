//! Records as one target wants them: normalised, hashed, judged, before the delta is taken between them.

use std::fmt::{self, Debug};

use arrow::array::{ArrayRef, RecordBatch};

use super::Error;

/// Makes records into what a target takes. Pure: equal records give equal answers, or they would look changed.
pub trait Shaper: Debug + Send + Sync {
    /// Shapes records of the columns that it was made for; `members` are their keys, as in
    /// [`Batch::members`](super::Batch::members). It may take as long as hashing does, and runs on a thread
    /// that may block.
    ///
    /// # Errors
    /// A fault of its own; a bad value is no error but [withheld](Shaped::withheld).
    fn shape(&self, members: &ArrayRef, records: &RecordBatch) -> Result<Shaped, Error>;
}

/// Shaped records.
#[derive(Clone)]
pub struct Shaped {
    /// As many as there were, in their order and of the same columns and types; what stands in a withheld row counts
    /// for nothing.
    pub records: RecordBatch,
    /// Rows that the target could not use, ascending and each once, with the reason for which their members are
    /// suppressed: `no_identifier`, `invalid:EMAIL1`. It never holds a value.
    pub withheld: Vec<(usize, String)>,
}

impl Debug for Shaped {
    /// Never shows a value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shaped")
            .field("records", &self.records.num_rows())
            .field("withheld", &self.withheld.len())
            .finish_non_exhaustive()
    }
}
