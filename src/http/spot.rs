//! Where a running service listens, for commands that ask it: a file beside its state.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    config::Config,
    publish::{Failure, code},
    state::replace,
};

/// In `data_dir`.
const FILE: &str = "listens.json";

/// Where a running service listens. The file goes when this does; one of a killed service stays until the next.
#[derive(Debug)]
pub struct Spot(PathBuf);

#[derive(Serialize, Deserialize)]
struct Note {
    scheme: String,
    address: SocketAddr,
}

impl Spot {
    /// Leaves word of an address.
    ///
    /// # Errors
    /// A data folder that can't be written.
    pub fn leave(config: &Config, address: SocketAddr) -> Result<Self, Failure> {
        let scheme = if config.service.http.tls.is_some() { "https" } else { "http" };
        let note = Note { scheme: scheme.to_owned(), address: reachable(address) };
        let path = config.service.data_dir.join(FILE);
        let text = serde_json::to_vec(&note).map_err(code::internal)?;
        replace(&path, &text).map_err(|error| code::disk(&error, "note where the service listens"))?;
        Ok(Self(path))
    }

    /// The base of URLs of the service that uses a data folder; `None`: none does.
    pub fn find(data_dir: &Path) -> Option<String> {
        let note: Note = serde_json::from_slice(&fs::read(data_dir.join(FILE)).ok()?).ok()?;
        Some(format!("{}://{}", note.scheme, note.address))
    }
}

impl Drop for Spot {
    fn drop(&mut self) {
        // Nobody answers there any more, which is found out either way.
        let _ = fs::remove_file(&self.0);
    }
}

/// Who listens on all addresses is reached on the loopback one.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

#[cfg(test)]
mod tests {
    use super::reachable;

    #[test]
    fn a_service_on_all_addresses_is_asked_on_the_loopback_one() {
        let reached = |address: &str| reachable(address.parse().unwrap()).to_string();
        assert_eq!(reached("0.0.0.0:8080"), "127.0.0.1:8080");
        assert_eq!(reached("[::]:8080"), "[::1]:8080");
        assert_eq!(reached("10.1.2.3:80"), "10.1.2.3:80");
    }
}
