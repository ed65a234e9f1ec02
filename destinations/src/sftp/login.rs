//! Proving who the user is.

use secrecy::{ExposeSecret, SecretString};
use ssh2::{ErrorCode, KeyboardInteractivePrompt, Prompt, Session};

use super::{
    config::{Login, SftpConfig},
    connection::{code, failed},
    error::Failure,
};
use crate::contract::ErrorKind;

pub(super) fn log_in(session: &Session, config: &SftpConfig) -> Result<(), Failure> {
    let user = config.user.as_str();
    match &config.login {
        Login::Key { private, passphrase } => by_key(session, user, private, passphrase.as_ref()),
        Login::Password(password) => by_password(session, user, password),
        Login::Agent(socket) => by_agent(session, user, socket.as_deref()),
    }?;
    match session.authenticated() {
        true => Ok(()),
        false => Err(refused("the server wants more than one proof of who the user is")),
    }
}

fn by_key(
    session: &Session,
    user: &str,
    private: &SecretString,
    passphrase: Option<&SecretString>,
) -> Result<(), Failure> {
    let phrase = passphrase.map(|phrase| phrase.expose_secret());
    session.userauth_pubkey_memory(user, None, private.expose_secret(), phrase).map_err(|error| {
        let failure = failed(&error, "log in with `private_key`");
        match error.code() {
            // libssh2 tells neither a wrong passphrase from a missing one, nor these from a key that it can't read.
            ErrorCode::Session(code::FILE | code::KEYFILE_AUTH_FAILED) => {
                failure.adding("the key can't be read: is `passphrase` right, or missing?")
            }
            _ => failure,
        }
    })
}

fn by_password(session: &Session, user: &str, password: &SecretString) -> Result<(), Failure> {
    let methods = session.auth_methods(user).map_err(|error| failed(&error, "ask how to log in"))?.to_owned();
    let offers = |method: &str| methods.split(',').any(|offered| offered == method);
    if offers("password") {
        return session
            .userauth_password(user, password.expose_secret())
            .map_err(|error| failed(&error, "log in with `password`"));
    }
    if offers("keyboard-interactive") {
        let mut answers = Answers { password, asked: false };
        return session
            .userauth_keyboard_interactive(user, &mut answers)
            .map_err(|error| failed(&error, "log in with `password`, as answer to the server's prompts"));
    }
    if session.authenticated() {
        return Ok(());
    }
    Err(refused("the server takes no password").adding(&format!("it takes: {}", super::error::plain(&methods))))
}

/// Answers what is asked in secret with the password, once: whoever asks again was not content with it.
struct Answers<'a> {
    password: &'a SecretString,
    asked: bool,
}

impl KeyboardInteractivePrompt for Answers<'_> {
    fn prompt<'a>(&mut self, _: &str, _: &str, prompts: &[Prompt<'a>]) -> Vec<String> {
        let known = !self.asked;
        self.asked |= !prompts.is_empty();
        let answer = |prompt: &Prompt<'_>| match known && !prompt.echo {
            true => self.password.expose_secret().to_owned(),
            false => String::new(),
        };
        prompts.iter().map(answer).collect()
    }
}

fn by_agent(session: &Session, user: &str, socket: Option<&std::path::Path>) -> Result<(), Failure> {
    let asked = |error: ssh2::Error| refused(&format!("no SSH agent answers at SSH_AUTH_SOCK: {}", error.message()));
    let mut agent = session.agent().map_err(asked)?;
    if let Some(socket) = socket {
        agent.set_identity_path(socket).map_err(asked)?;
    }
    agent.connect().map_err(asked)?;
    agent.list_identities().map_err(asked)?;
    let keys = agent.identities().map_err(asked)?;
    for key in &keys {
        match agent.userauth(user, key) {
            Ok(()) => return Ok(()),
            Err(error) => {
                let failure = failed(&error, "log in with a key of the SSH agent");
                // The next key may be the one, whether the server wants none of this one or the agent can't use it.
                if matches!(error.code(), ErrorCode::Session(code) if !code::LOST.contains(&code)) {
                    continue;
                }
                return Err(failure);
            }
        }
    }
    Err(refused(&format!("the server takes none of the {} keys of the SSH agent", keys.len())))
}

fn refused(message: &str) -> Failure {
    Failure::lost(message).of_kind(ErrorKind::Unauthorized)
}
