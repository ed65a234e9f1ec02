//! moto: stands in for the token and key services. It takes any signature, so nothing about rights is tested on it.

use std::{process::Command, sync::OnceLock};

use super::{
    free_ports,
    shared::{Facts, Shared, Start, shared},
    tls, tool,
};

/// The server's port.
pub(crate) async fn port() -> u16 {
    static SERVER: OnceLock<Shared> = OnceLock::new();
    let port = tokio::task::spawn_blocking(|| {
        tls();
        SERVER.get_or_init(|| shared("moto", start)).facts["port"].parse().expect("a port")
    });
    port.await.expect("the server")
}

fn start(_: &std::path::Path) -> Start {
    let [port] = free_ports();
    let mut command = Command::new(tool("moto_server"));
    command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
    Start { command, port, facts: Facts::new() }
}
