//! Opening the database: folder, pragmas, migrations.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use futures::future::try_join_all;
use sqlx::{
    Connection, Sqlite, SqliteConnection, SqlitePool, Transaction,
    migrate::{MigrateError, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{StateError, StateErrorKind, locks};
use crate::publish::{Event, Observers, Receipt};

static MIGRATIONS: Migrator = sqlx::migrate!("src/state/migrations");

const FILE_NAME: &str = "state.db";
/// How long a call waits for another process; a transaction here lasts milliseconds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);
const READERS: u32 = 4;

/// The state of one `data_dir`. Clones share their connections.
#[derive(Debug, Clone)]
pub struct State {
    /// One connection: writers of this process queue here, in order, and only processes meet at SQLite's lock.
    writer: SqlitePool,
    reader: SqlitePool,
    data_dir: PathBuf,
    observers: Observers,
}

impl State {
    /// Opens the state of `data_dir`; creates the folder (mode 0700) and the file, and brings an older file up
    /// to date.
    ///
    /// # Errors
    /// `state_newer` when a newer version wrote it, which is then left as it is; `disk_full`; else `internal`.
    pub async fn open(data_dir: &Path) -> Result<Self, StateError> {
        create_folder(data_dir)?;
        refuse_root(data_dir, rustix::process::geteuid().as_raw())?;
        // SQLite's own locks don't cover the switch to WAL nor the reading of the migrations' table.
        let _guard = lock_for_opening(data_dir).await?;
        let path = data_dir.join(FILE_NAME);
        create_file(&path)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true);
        let pool = |connections| {
            SqlitePoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(BUSY_TIMEOUT * 2)
                // A connection has a thread, with the priority of the one that opened it: none is opened later.
                .max_lifetime(None)
                .idle_timeout(None)
                .after_release(|connection, _| Box::pin(has_left_its_transaction(connection)))
                .connect_lazy_with(options.clone())
        };
        let state = Self {
            writer: pool(1),
            reader: pool(READERS),
            data_dir: data_dir.to_owned(),
            observers: Observers::default(),
        };
        state.refuse_newer().await?;
        MIGRATIONS.run(&state.writer).await.map_err(|error| match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
            other => StateError::new(
                StateErrorKind::Damaged,
                format!("could not bring the state in {} up to date: {other}", data_dir.display()),
            ),
        })?;
        let readers: Vec<_> = try_join_all((0..READERS).map(|_| state.reader.acquire())).await?;
        drop(readers);
        Ok(state)
    }

    /// Who is told of what is put on record, by this handle and its clones.
    pub fn observers(&self) -> &Observers {
        &self.observers
    }

    /// Tells observers of a receipt that is on record.
    pub(super) fn tell(&self, receipt: &Receipt) {
        self.observers.tell(&Event::Receipt(receipt));
    }

    /// The folder it lives in.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Waits for running calls and closes the file.
    pub async fn close(self) {
        self.reader.close().await;
        self.writer.close().await;
    }

    /// Starts a transaction that may write from its first statement on, so that it can't fail halfway because
    /// another process wrote meanwhile.
    pub(super) async fn write(&self) -> Result<Transaction<'static, Sqlite>, StateError> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    pub(super) fn read(&self) -> &SqlitePool {
        &self.reader
    }

    async fn refuse_newer(&self) -> Result<(), StateError> {
        let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE name = '_sqlx_migrations'")
            .fetch_one(&self.writer)
            .await?;
        if tables == 0 {
            return Ok(());
        }
        let found: Option<i64> =
            sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations").fetch_one(&self.writer).await?;
        let known = MIGRATIONS.iter().map(|migration| migration.version).max();
        if found > known {
            return Err(StateError::new(
                StateErrorKind::Newer,
                format!(
                    "the state in {} has schema version {}, newer than {}, the latest this version of herald knows",
                    self.data_dir.display(),
                    found.unwrap_or_default(),
                    known.unwrap_or_default(),
                ),
            ));
        }
        Ok(())
    }
}

/// SQLite itself rolls a transaction back that meets a full disk; the driver then can't, and would take the
/// connection to be inside of it for good. Such a connection is replaced.
async fn has_left_its_transaction(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    // A rollback on drop is only queued: the answer to a ping comes after it.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

async fn lock_for_opening(data_dir: &Path) -> Result<File, StateError> {
    loop {
        if let Some(file) = locks::try_lock(data_dir, ".open")? {
            return Ok(file);
        }
        tokio::time::sleep(locks::PAUSE).await;
    }
}

/// Who is root could use a state that is another's, and would leave files in its folder that the other can't open.
fn refuse_root(data_dir: &Path, user: u32) -> Result<(), StateError> {
    match fs::metadata(data_dir.join(FILE_NAME)) {
        Ok(file) if user == 0 && file.uid() != 0 => Err(StateError::new(
            StateErrorKind::Foreign,
            format!("the state in {} belongs to user {}", data_dir.display(), file.uid()),
        )),
        _ => Ok(()),
    }
}

/// Creates `data_dir` for its owner alone. A folder that was there before keeps its mode: it may be a mount
/// point that an operator has set up.
fn create_folder(data_dir: &Path) -> Result<(), StateError> {
    match fs::metadata(data_dir) {
        Ok(folder) if folder.is_dir() => {
            let mode = folder.permissions().mode();
            if mode & 0o007 != 0 {
                tracing::warn!(data_dir = %data_dir.display(), mode = format!("{:o}", mode & 0o777), "others can reach the data folder; make it 0700");
            }
            Ok(())
        }
        Ok(_) => Err(StateError::new(
            StateErrorKind::Denied,
            format!("{} is not a folder; `service.data_dir` must be one", data_dir.display()),
        )),
        Err(_) => DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(data_dir)
            .map_err(|error| StateError::io("create", data_dir, &error)),
    }
}

/// The file is its owner's alone even where the folder is not; SQLite gives the files beside it the same mode.
fn create_file(path: &Path) -> Result<(), StateError> {
    let made = OpenOptions::new().create(true).append(true).mode(0o600).open(path);
    made.map(|_| ()).map_err(|error| StateError::io("open", path, &error))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::{FILE_NAME, State, refuse_root};
    use crate::{publish::Failure, state::StateErrorKind};

    #[test]
    fn root_leaves_the_state_of_another_alone() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(refuse_root(folder.path(), 0), Ok(()), "there is none yet");
        std::fs::write(folder.path().join(FILE_NAME), "").unwrap();
        // Only root can give a file away; whoever runs this, it is told apart from root's.
        let owner = std::os::unix::fs::MetadataExt::uid(&folder.path().metadata().unwrap());
        if owner == 0 {
            std::os::unix::fs::chown(folder.path().join(FILE_NAME), Some(10_001), None).unwrap();
        }
        let refused = refuse_root(folder.path(), 0).unwrap_err();
        assert!(refused.to_string().contains("belongs to user "), "{refused}");
        let failure = Failure::from(refused);
        assert!(failure.remedy.contains("as that user") && !failure.retryable, "{failure:?}");
        assert_eq!(refuse_root(folder.path(), 10_001), Ok(()));
    }

    #[tokio::test]
    async fn a_new_folder_is_closed_to_others() {
        let outer = tempfile::tempdir().unwrap();
        let data_dir = outer.path().join("a/b");
        let state = State::open(&data_dir).await.unwrap();
        state.set_paused("gold", true).await.unwrap();
        let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&data_dir), 0o700);
        for file in ["state.db", "state.db-wal", "state.db-shm"] {
            assert_eq!(mode(&data_dir.join(file)), 0o600, "{file}");
        }
    }

    #[tokio::test]
    async fn pragmas_hold_on_every_connection() {
        let data_dir = tempfile::tempdir().unwrap();
        let state = State::open(data_dir.path()).await.unwrap();
        for pool in [&state.writer, &state.reader] {
            let journal: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(pool).await.unwrap();
            let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(pool).await.unwrap();
            let foreign_keys: i64 = sqlx::query_scalar("PRAGMA foreign_keys").fetch_one(pool).await.unwrap();
            assert_eq!((journal.as_str(), synchronous, foreign_keys), ("wal", 2, 1));
        }
    }

    #[tokio::test]
    async fn a_newer_state_is_refused_and_left_alone() {
        let data_dir = tempfile::tempdir().unwrap();
        let state = State::open(data_dir.path()).await.unwrap();
        sqlx::query(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES (9999, 'from the future', 1, x'00', 0)",
        )
        .execute(&state.writer)
        .await
        .unwrap();
        state.close().await;
        let before = std::fs::read(data_dir.path().join(FILE_NAME)).unwrap();

        let error = State::open(data_dir.path()).await.unwrap_err();

        assert_eq!(error.kind(), StateErrorKind::Newer);
        let failure = Failure::from(error);
        assert_eq!(failure.code, "state_newer");
        assert!(!failure.retryable);
        assert!(failure.message.contains("9999"), "{failure}");
        assert_eq!(std::fs::read(data_dir.path().join(FILE_NAME)).unwrap(), before);
    }

    #[tokio::test]
    async fn a_full_disk_is_named_and_nothing_is_half_written() {
        let data_dir = tempfile::tempdir().unwrap();
        let state = State::open(data_dir.path()).await.unwrap();
        sqlx::query("PRAGMA max_page_count = 1").execute(&state.writer).await.unwrap();
        let blob = vec![7; 1 << 20];
        let error = state.set_definition("gold", Some(&blob)).await.unwrap_err();
        assert_eq!((error.code(), error.retryable()), ("disk_full", true));
        assert_eq!(state.activation("gold").await.unwrap(), None);
        sqlx::query("PRAGMA max_page_count = 1000000").execute(&state.writer).await.unwrap();
        state.set_paused("silver", true).await.unwrap();
        state.set_definition("gold", Some(&blob)).await.unwrap();
    }

    #[tokio::test]
    async fn a_file_that_is_no_database_is_named_as_damaged() {
        let data_dir = tempfile::tempdir().unwrap();
        std::fs::write(data_dir.path().join(FILE_NAME), vec![b'x'; 8192]).unwrap();
        assert_eq!(State::open(data_dir.path()).await.unwrap_err().kind(), StateErrorKind::Damaged);
    }

    #[tokio::test]
    async fn a_file_in_place_of_the_folder_is_refused() {
        let outer = tempfile::tempdir().unwrap();
        let path = outer.path().join("data");
        std::fs::write(&path, "").unwrap();
        assert_eq!(State::open(&path).await.unwrap_err().kind(), StateErrorKind::Denied);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn many_handles_open_a_new_folder_at_once() {
        let outer = tempfile::tempdir().unwrap();
        let data_dir = outer.path().join("data");
        let opened = futures::future::join_all((0..8).map(|_| {
            let data_dir = data_dir.clone();
            tokio::spawn(async move { State::open(&data_dir).await.map(|_| ()) })
        }))
        .await;
        for handle in opened {
            handle.unwrap().unwrap();
        }
    }
}
