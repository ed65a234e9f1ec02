//! The query engine, bounded: one memory pool, spilling to the data folder.

use std::{num::NonZeroUsize, path::Path, sync::Arc};

use datafusion::{
    error::DataFusionError,
    execution::{
        SessionStateBuilder,
        disk_manager::{DiskManagerBuilder, DiskManagerMode},
        memory_pool::{FairSpillPool, TrackConsumersPool},
        runtime_env::{RuntimeEnv, RuntimeEnvBuilder},
    },
    prelude::{SessionConfig, SessionContext},
};

use crate::publish::{Failure, code};

/// The engine's share of `service.engine.memory`; the rest is for buckets, encoders and uploads.
const SHARE: f64 = 0.5;
/// Rows of a batch. Each is cut into a slice a bucket, so that it should hold some hundred for every bucket.
const BATCH_ROWS: usize = 32_768;
/// Consumers that are named when memory runs out.
const NAMED_CONSUMERS: NonZeroUsize = NonZeroUsize::new(3).expect("three is not zero");

/// The one pool and spill folder of a process, shared by all of its sessions.
///
/// # Errors
/// When the spill folder can't be made.
pub(super) fn runtime(memory: u64, spill: &Path) -> Result<Arc<RuntimeEnv>, Failure> {
    std::fs::create_dir_all(spill).map_err(|error| code::disk(&error, "make the spill folder"))?;
    let pool = FairSpillPool::new((memory as f64 * SHARE) as usize);
    RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(TrackConsumersPool::new(pool, NAMED_CONSUMERS)))
        .with_disk_manager_builder(
            DiskManagerBuilder::default().with_mode(DiskManagerMode::Directories(vec![spill.to_owned()])),
        )
        .build_arc()
        .map_err(|error| failure(&error))
}

/// A session with Herald's functions and no tables.
pub(super) fn session(runtime: &Arc<RuntimeEnv>, threads: usize) -> SessionContext {
    let mut config =
        SessionConfig::new().with_target_partitions(threads).with_batch_size(BATCH_ROWS).with_information_schema(false);
    // A folder is all that is below it, not only what its names make columns of.
    config.options_mut().execution.listing_table_ignore_subdirectory = false;
    // "The latest first" should not begin with those of unknown date.
    config.options_mut().sql_parser.default_null_ordering = "nulls_last".into();
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(Arc::clone(runtime))
        .with_default_features()
        .build();
    let session = SessionContext::new_with_state(state);
    super::functions::register(&session);
    session
}

/// What a failure of the engine means to a user.
pub(super) fn failure(error: &DataFusionError) -> Failure {
    let root = error.find_root();
    let text = root.strip_backtrace();
    let full = text.contains("No space left on device") || text.contains("os error 28");
    let (code, remedy, retryable) = match root {
        _ if full => (code::DISK_FULL, "make space on the disk of `service.data_dir`, then publish again", true),
        DataFusionError::ResourcesExhausted(_) => {
            (code::MEMORY_EXCEEDED, "raise `service.engine.memory`, or let fewer publishes run at once", true)
        }
        DataFusionError::SchemaError(..) => {
            (code::SCHEMA_CHANGED, "compare the table's columns with the config, then publish again", false)
        }
        DataFusionError::ArrowError(arrow, _) if matches!(**arrow, arrow::error::ArrowError::CastError(_)) => {
            (code::SCHEMA_CHANGED, "compare the table's columns with the config, then publish again", false)
        }
        DataFusionError::Internal(_) => {
            (code::INTERNAL, "report this as a bug, with the publish id and the log", false)
        }
        _ => (
            code::SOURCE_UNREADABLE,
            "check that the source's files are there, whole and of the format that their names say",
            true,
        ),
    };
    Failure { code: code.into(), message: without_values(&text), remedy: remedy.into(), retryable }
}

/// Cast and parse errors quote the value at fault, which may be personal and may hold quotes itself.
pub(super) fn without_values(text: &str) -> String {
    let quote = |char| matches!(char, '\'' | '"');
    match (text.find(quote), text.rfind(quote)) {
        (Some(first), Some(last)) => format!("{}…{}", &text[..first], &text[last + 1..]),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_with_quotes_of_its_own_is_not_shown() {
        let text = "Cast error: Cannot cast string 'O'Brien's' to value of Int64 type";
        assert_eq!(without_values(text), "Cast error: Cannot cast string … to value of Int64 type");
        assert_eq!(without_values("failed to parse \"SECRET John\" as Int64"), "failed to parse … as Int64");
        assert_eq!(without_values("no quotes"), "no quotes");
    }
}
