//! The way to a server: address, key exchange, host key, login, and the channel that SFTP is spoken over. This file and
//! [`login`](super::login) alone touch `ssh2`.

use std::{
    fmt, io,
    net::{TcpStream, ToSocketAddrs},
    ops::{Deref, DerefMut},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use ssh2::{Channel, ErrorCode, MethodType, Session};

use super::{
    config::SftpConfig,
    error::{Failure, plain},
    host_key::{Verdict, type_of},
    login::log_in,
    protocol::Sftp,
};
use crate::contract::ErrorKind;

/// Ciphers, the fastest first: libssh2 hands AES to OpenSSL in pieces of 16 bytes, GCM too, which takes a quarter more time
/// than ChaCha20 of a whole packet at once (measured on loopback, 1 GB). Those of old that are broken are left out.
const CIPHERS: &str =
    "chacha20-poly1305@openssh.com,aes128-gcm@openssh.com,aes256-gcm@openssh.com,aes128-ctr,aes256-ctr,aes192-ctr";
/// So often again is a server asked that seems to have no key of the types that are left, before it counts as another one.
const NO_WAYS: u32 = 2;
/// How long a connection that is of no more use may take to say good-bye.
const GOOD_BYE: Duration = Duration::from_millis(500);

/// A logged-in connection.
pub(super) struct Connection {
    // Before the session: its end is said over it.
    sftp: Sftp<Channel>,
    session: Session,
}

/// The type of the host key that was found right last, so that it is asked for first.
#[derive(Debug, Default)]
pub(super) struct Proven(Mutex<Option<String>>);

impl Connection {
    pub(super) fn open(config: &SftpConfig, proven: &Proven) -> Result<Self, Failure> {
        let session = trusted(config, proven)?;
        log_in(&session, config)?;
        let mut channel = session.channel_session().map_err(|error| failed(&error, "open a channel"))?;
        channel.subsystem("sftp").map_err(|error| {
            let failure = failed(&error, "start SFTP");
            let refused = failure.kind == ErrorKind::Refused;
            if refused { failure.adding("this user may have no right to SFTP on the server") } else { failure }
        })?;
        Ok(Self { sftp: Sftp::start(channel)?, session })
    }
}

impl Deref for Connection {
    type Target = Sftp<Channel>;

    fn deref(&self) -> &Self::Target {
        &self.sftp
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.sftp
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.session.set_timeout(milliseconds(GOOD_BYE));
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

/// A session with the server that is meant. Where a fingerprint is pinned, nobody knows of which type its key is: each
/// type that the server has is asked for until one fits.
fn trusted(config: &SftpConfig, proven: &Proven) -> Result<Session, Failure> {
    let (host, port) = (config.host.as_str(), config.port);
    let expected = config.host_key.expected(host, port)?;
    let (mut tried, mut seen, mut no_way) = (Vec::new(), Vec::new(), 0);
    loop {
        let methods = expected.methods(proven.last().as_deref(), &tried);
        if methods.is_empty() {
            return Err(expected.refusal(host, port, &seen, false));
        }
        let session = match shake_hands(config, &methods) {
            // The server has no key of the types that are left, or the connection was cut: libssh2 says the same of
            // both. A cut is not likely to come so often at the same place.
            Err((_, true)) if !seen.is_empty() && no_way < NO_WAYS => {
                no_way += 1;
                continue;
            }
            Err((_, true)) if !seen.is_empty() => return Err(expected.refusal(host, port, &seen, false)),
            answer => answer.map_err(|(failure, _)| failure)?,
        };
        let (blob, _) = session.host_key().ok_or_else(|| Failure::garbled("no host key"))?;
        let blob = blob.to_vec();
        let kind = type_of(&blob).unwrap_or_default().to_owned();
        match expected.judge(&blob) {
            Verdict::Right => {
                proven.set(kind);
                return Ok(session);
            }
            verdict => {
                seen.push(blob);
                if verdict == Verdict::Revoked || !expected.may_be_another() {
                    return Err(expected.refusal(host, port, &seen, verdict == Verdict::Revoked));
                }
                tried.push(kind);
            }
        }
    }
}

/// A session before anything is proven; an error says too whether the two sides found no way to speak.
fn shake_hands(config: &SftpConfig, methods: &str) -> Result<Session, (Failure, bool)> {
    let stream = reach(config).map_err(|failure| (failure, false))?;
    let prepared = || {
        let mut session = Session::new()?;
        session.set_timeout(milliseconds(config.deadlines.answer));
        session.method_pref(MethodType::HostKey, methods)?;
        session.method_pref(MethodType::CryptCs, CIPHERS)?;
        session.method_pref(MethodType::CryptSc, CIPHERS)?;
        session.set_tcp_stream(stream);
        session.handshake()?;
        Ok(session)
    };
    prepared().map_err(|error: ssh2::Error| {
        let no_way = error.code() == ErrorCode::Session(code::KEX_FAILURE);
        let failure = failed(&error, "greet the server");
        match no_way {
            // libssh2 says the same of a connection that was cut meanwhile, which passes.
            true => (failure.adding("the server may have no method in common with Herald"), true),
            false => (failure, false),
        }
    })
}

fn reach(config: &SftpConfig) -> Result<TcpStream, Failure> {
    let (host, port) = (config.host.as_str(), config.port);
    let named = |error: &io::Error| plain(&error.to_string());
    let addresses = (host, port)
        .to_socket_addrs()
        .map_err(|error| Failure::lost(format!("can't find the address of {host}: {}", named(&error))))?;
    let mut last = Failure::lost(format!("{host} has no address"));
    for address in addresses {
        match TcpStream::connect_timeout(&address, config.deadlines.connect) {
            Ok(stream) => {
                // Requests are small beside blocks: they must not wait for each other's acknowledgement.
                stream.set_nodelay(true).map_err(|error| Failure::lost(named(&error)))?;
                return Ok(stream);
            }
            Err(error) => {
                let failure = Failure::lost(format!("can't reach {host}:{port}: {}", named(&error)));
                let late = error.kind() == io::ErrorKind::TimedOut;
                last = if late { failure.of_kind(ErrorKind::TimedOut) } else { failure };
            }
        }
    }
    Err(last)
}

/// Codes of libssh2, from its `libssh2.h`.
pub(super) mod code {
    pub(in crate::sftp) const KEX_FAILURE: i32 = -5;
    pub(in crate::sftp) const TIMEOUT: i32 = -9;
    /// Nothing more can be said over this connection: socket none, send, timeout, disconnect, protocol, receive.
    pub(in crate::sftp) const LOST: [i32; 7] = [-1, -7, TIMEOUT, -13, -14, -30, -43];
    pub(in crate::sftp) const FILE: i32 = -16;
    pub(in crate::sftp) const METHOD_NONE: i32 = -17;
    pub(in crate::sftp) const AUTHENTICATION_FAILED: i32 = -18;
    pub(in crate::sftp) const PUBLICKEY_UNVERIFIED: i32 = -19;
    pub(in crate::sftp) const CHANNEL_FAILURE: i32 = -21;
    pub(in crate::sftp) const CHANNEL_REQUEST_DENIED: i32 = -22;
    pub(in crate::sftp) const KEYFILE_AUTH_FAILED: i32 = -48;
}

/// What libssh2 says.
pub(super) fn failed(error: &ssh2::Error, doing: &str) -> Failure {
    let message = format!("can't {doing}: {}", plain(error.message()));
    let ErrorCode::Session(number) = error.code() else { return Failure::lost(message) };
    let kind = match number {
        code::TIMEOUT => ErrorKind::TimedOut,
        code::FILE
        | code::METHOD_NONE
        | code::AUTHENTICATION_FAILED
        | code::PUBLICKEY_UNVERIFIED
        | code::KEYFILE_AUTH_FAILED => ErrorKind::Unauthorized,
        code::CHANNEL_FAILURE | code::CHANNEL_REQUEST_DENIED => ErrorKind::Refused,
        _ => ErrorKind::Unreachable,
    };
    Failure::lost(message).of_kind(kind)
}

fn milliseconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX).max(1)
}

impl Proven {
    fn last(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, kind: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(kind);
    }
}
