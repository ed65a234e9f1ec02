//! One server for a whole run of tests, though every test may be a process of its own.
//!
//! Each test process holds a shared lock on a file while it lives. The first starts the server under a supervisor,
//! which ends it once nobody has held the lock for a while: after the last test, or after a run that was killed.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Seconds without a test before the server is ended.
const IDLE: &str = "15";
const START_LIMIT: Duration = Duration::from_secs(90);

/// Runs a server (`"$@"`) until it dies or nobody needs it, then clears away what it left.
const SUPERVISOR: &str = r#"
users=$1; facts=$2; data=$3; idle=$4; shift 4
"$@" </dev/null >"$data/log" 2>&1 &
server=$!
trap 'kill -9 $server; rm -rf "$data"; exit' TERM INT
unused=0
while kill -0 $server 2>/dev/null; do
    sleep 1
    if flock -n -x "$users" true; then unused=$((unused + 1)); else unused=0; fi
    # The lock is held while the server is ended: whoever waits for it finds no facts, and starts another.
    [ $unused -lt "$idle" ] || flock -n -x "$users" sh -c 'rm -f "$1"; kill -9 "$0"' $server "$facts" || unused=0
done
rm -rf "$data"
"#;

/// Where a server is and what it is told by.
pub(crate) type Facts = BTreeMap<String, String>;

/// A server in use. Dropping it, or the end of the process, gives it back.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) facts: Facts,
    _users: File,
}

/// How a server is started.
pub(crate) struct Start {
    pub(crate) command: Command,
    /// Where it will answer HTTP, or SSH.
    pub(crate) port: u16,
    pub(crate) facts: Facts,
}

/// Joins the server `name`, or starts it: `start` gets an empty folder for its data.
#[allow(clippy::zombie_processes, reason = "the supervisor outlives the process that starts it")]
pub(crate) fn shared(name: &str, start: impl FnOnce(&Path) -> Start) -> Shared {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("server-{name}"));
    fs::create_dir_all(&folder).expect("a folder for the server");
    let users = lockable(&folder.join("users"));
    users.lock_shared().expect("a lock");
    let turn = lockable(&folder.join("turn"));
    turn.lock().expect("a lock");
    let facts_at = folder.join("facts.json");
    let known = fs::read(&facts_at).ok().and_then(|text| serde_json::from_slice::<Facts>(&text).ok());
    if let Some(facts) = known.filter(|facts| facts.get("port").is_some_and(|port| answers(port.parse().unwrap()))) {
        return Shared { facts, _users: users };
    }
    let data = folder.join(format!("data-{}", std::process::id()));
    let _ = fs::remove_dir_all(&data);
    fs::create_dir_all(&data).expect("a folder for data");
    let Start { command, port, mut facts } = start(&data);
    facts.insert("port".to_owned(), port.to_string());
    let mut supervisor = Command::new("sh");
    supervisor
        .args(["-c", SUPERVISOR, "supervisor"])
        .arg(folder.join("users"))
        .arg(&facts_at)
        .arg(&data)
        .arg(IDLE)
        .arg(command.get_program())
        .args(command.get_args())
        .envs(command.get_envs().filter_map(|(key, value)| Some((key, value?))))
        // Not in the tests' group: a test that is killed takes its group along.
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut supervisor = supervisor.spawn().expect("sh");
    let began = Instant::now();
    while !answers(port) {
        let ended = supervisor.try_wait().expect("a child").is_some();
        let log = || fs::read_to_string(data.join("log")).unwrap_or_default();
        assert!(!ended, "{name} ended at once; was {:?} installed by tests/setup.sh?", command.get_program());
        assert!(began.elapsed() < START_LIMIT, "{name} does not answer on port {port}:\n{}", log());
        thread::sleep(Duration::from_millis(50));
    }
    fs::write(&facts_at, serde_json::to_vec(&facts).expect("JSON")).expect("the facts");
    Shared { facts, _users: users }
}

fn lockable(path: &Path) -> File {
    File::options().create(true).truncate(false).read(true).write(true).open(path).expect("a lock file")
}

/// Whether something speaks HTTP or SSH on a port.
fn answers(port: u16) -> bool {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_millis(500)) else { return false };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
    let asked = stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let mut head = [0; 5];
    asked.is_ok() && stream.read_exact(&mut head).is_ok() && matches!(&head, b"HTTP/" | b"SSH-2")
}
