//! What is fuzzed: each function takes any bytes, and panics when a promise is broken. The fuzz targets and the test
//! that replays the corpus call the same ones.

use std::{fs, path::Path, sync::Arc};

use herald::{
    config::{self, Surroundings},
    publish::Receipt,
    snapshot::Pointer,
};
use herald_destinations::{
    contract::{Destination, Manifest, Ticket},
    files::FilesDestination,
    local::LocalStore,
};

/// A config file: it ends with a config or with problems, each of which says where it is on one line, and never shows
/// what came by a secret.
pub fn config(bytes: &[u8]) {
    let home = folder();
    let path = home.path().join("herald.yaml");
    fs::write(&path, bytes).expect("a file");
    fs::write(home.path().join("secret"), SECRET).expect("a file");
    let variables = |name: &str| (name == "A").then(|| SECRET.to_owned());
    let surroundings = Surroundings { variables: &variables, kinds: herald_destinations::KINDS };
    match config::load_in(&path, surroundings) {
        Ok(config) => assert!(!format!("{config:?}").contains(SECRET), "a secret is shown"),
        Err(problems) => {
            assert!(!problems.is_empty(), "no config, and nothing is wrong");
            let folder = home.path().display().to_string();
            for problem in &problems {
                let line = problem.to_string();
                assert!(line.starts_with(&folder) && !line.contains('\n'), "no place, or no single line: {line}");
            }
            let _ = problems.render(false);
        }
    }
}

const SECRET: &str = "herald-canary-secret-9c1e";

/// A manifest found at a target: what can be read is written as it was read.
pub fn manifest(bytes: &[u8]) {
    if let Ok(manifest) = serde_json::from_slice::<Manifest>(bytes) {
        let text = serde_json::to_vec(&manifest).expect("a manifest");
        assert_eq!(serde_json::from_slice::<Manifest>(&text).expect("a manifest"), manifest);
    }
}

/// A ticket: whatever stands in it, settling it touches nothing outside of the target's folder.
pub fn ticket(bytes: &[u8]) {
    let Ok(ticket) = serde_json::from_slice::<Ticket>(bytes) else { return };
    let home = folder();
    for (path, text) in [("out/kept.parquet", "kept"), ("beside/part-00000.parquet", "beside")] {
        let path = home.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    let destination: Arc<dyn Destination> = Arc::new(FilesDestination::new(LocalStore::new(home.path().join("out"))));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let _ = destination.commit(&ticket).await;
        let _ = destination.discard(&ticket).await;
        let _ = destination.commit(&ticket).await;
    });
    let beside = home.path().join("beside");
    assert_eq!(fs::read_dir(&beside).expect("a folder").count(), 1, "something was put beside the target");
    assert_eq!(fs::read(beside.join("part-00000.parquet")).expect("a file"), b"beside");
    assert_eq!(fs::read_dir(home.path()).expect("a folder").count(), 2, "something was put above the target");
}

/// What is stored with a ticket: receipt and pointer to a snapshot.
pub fn pending(bytes: &[u8]) {
    if let Ok(receipt) = serde_json::from_slice::<Receipt>(bytes) {
        let text = serde_json::to_vec(&receipt).expect("a receipt");
        assert_eq!(serde_json::from_slice::<Receipt>(&text).expect("a receipt"), receipt);
    }
    if let Ok(pointer) = serde_json::from_slice::<Pointer>(bytes) {
        let _ = pointer.wants_compaction();
        let text = serde_json::to_vec(&pointer).expect("a pointer");
        assert_eq!(serde_json::from_slice::<Pointer>(&text).expect("a pointer"), pointer);
    }
}

/// In memory where there is a file system for that: a fuzzer makes thousands a second.
fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.expect("a folder")
}
