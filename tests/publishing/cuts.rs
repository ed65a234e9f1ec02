//! A whole publish to S3 over connections that break: at any byte, by a reset, an end or silence.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::Value;

use super::{config, integers, words};
use crate::{
    servers::{
        relay::{End, Plan, relay},
        seaweed,
    },
    simulation::Random,
    support::{Home, count},
};

const ACTIVATION: &str = "
    segment: everyone
    mode: incremental
    attributes: { id: id, noise: 'sha256_hex(concat(id, name))' }
    guards: { max_removed: 100% }
    files: { max_rows: 900, compression: none }
    retry: { attempts: 3, max_elapsed: 6s }
";

const PEOPLE: u64 = 3_000;

fn lake(home: &Home, generation: u64) {
    let ids: Vec<String> = (generation..generation + PEOPLE).map(|number| format!("m{number:06}")).collect();
    let names: Vec<String> =
        (0..PEOPLE).map(|row| if row % 5 == 0 { format!("n{generation}") } else { String::new() }).collect();
    let refs = |texts: &[String]| words(&texts.iter().map(String::as_str).collect::<Vec<_>>());
    home.table("person", vec![("id", refs(&ids)), ("name", refs(&names)), ("at", integers(&vec![1; ids.len()]))]);
    home.table("contact", vec![("cid", words(&[])), ("person", words(&[]))]);
}

/// What stands in the bucket, as files below `out`; the uploads that were begun and not ended.
fn fetched(home: &Home, port: u16, prefix: &str) -> Vec<String> {
    let out = home.path("out");
    let _ = fs::remove_dir_all(&out);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let client = seaweed::client(port);
    let (objects, open) = runtime
        .block_on(async { (seaweed::objects(&client, prefix).await, seaweed::open_uploads(&client, prefix).await) });
    for (path, content) in objects {
        let path = out.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    open
}

/// Parts that no manifest names.
fn unnamed(home: &Home) -> Vec<String> {
    let out = home.path("out");
    let all = crate::support::files(&out);
    let mut named = Vec::new();
    for path in all.iter().filter(|path| path.ends_with("manifest.json")) {
        let manifest: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        named.push(path.clone());
        for file in manifest["files"].as_array().unwrap() {
            let part = path.with_file_name(file["path"].as_str().unwrap());
            assert_eq!(fs::metadata(&part).unwrap().len(), file["bytes"].as_u64().unwrap(), "{part:?} is not whole");
            named.push(part);
        }
    }
    all.into_iter().filter(|path| !named.contains(path)).map(|path| path.display().to_string()).collect()
}

fn cut(random: &mut Random) -> Plan {
    let end = random.pick(&[End::Reset, End::Reset, End::Close, End::Silence(Duration::from_secs(1))]);
    let at = match random.below(3) {
        0 => random.below(1_200),
        1 => random.below(20_000),
        _ => random.below(120_000),
    } as u64;
    if random.percent(70) {
        Plan { up: Some((at, end)), ..Plan::default() }
    } else {
        Plan { down: Some((at % 2_000, end)), ..Plan::default() }
    }
}

#[test]
fn cut_at_any_byte_all_records_are_accounted_for_and_the_next_publish_repairs() {
    let port = tokio::runtime::Runtime::new().unwrap().block_on(seaweed::port());
    let prefix = format!("cuts-{}/", std::process::id());
    // Connections of a publish are cut by its seed; 0: none is.
    let seed = Arc::new(AtomicU64::new(0));
    let seed_now = Arc::clone(&seed);
    let relay = relay(port, move |number| match seed_now.load(Ordering::SeqCst) {
        0 => Plan::default(),
        seed => {
            let mut random = Random::new(seed * 1_000 + u64::from(number));
            if random.percent(60) { cut(&mut random) } else { Plan::default() }
        }
    });
    let (bucket, key, secret) = (seaweed::BUCKET, seaweed::KEY, seaweed::SECRET);
    let target = format!(
        "type: s3, bucket: {bucket}, prefix: {prefix}, region: us-east-1, endpoint: \"http://127.0.0.1:{}\", \
         path_style: true, access_key_id: {key}, secret_access_key: {secret}",
        relay.port
    );
    let home = Home::new(&config(ACTIVATION, "").replace("type: local, path: ./out", &target));
    lake(&home, 0);
    home.publish(&["a"]);
    let mut failed = 0;
    for round in 1..=6_u64 {
        lake(&home, round * 150);
        seed.store(round, Ordering::SeqCst);
        let ran = home.run(&["publish", "a", "--json"]);
        seed.store(0, Ordering::SeqCst);
        let (status, receipt): (i32, Value) = (ran.status, serde_json::from_str(&ran.stdout).unwrap());
        let sent = ["added", "updated", "removed"].map(|name| count(&receipt, name)).iter().sum::<u64>();
        let answered = ["delivered", "rejected", "owed"].map(|name| count(&receipt, name)).iter().sum::<u64>();
        assert_eq!(sent, answered, "round {round}: {receipt:#}");
        failed += u32::from(status != 0);
        assert_eq!(receipt["status"], if status == 0 { "succeeded" } else { "failed" }, "round {round}: {receipt:#}");
        fetched(&home, port, &prefix);
        let first = home.held().keys().next().unwrap().clone();
        let [before, after] = [(round - 1) * 150, round * 150].map(|number| format!("m{number:06}"));
        assert!(first == after || (status != 0 && first == before), "round {round}: {first}, {receipt:#}");

        let next = home.publish(&["a"]);
        let open = fetched(&home, port, &prefix);
        assert!(open.is_empty(), "round {round} left uploads: {open:?}, {}", ran.stderr);
        assert_eq!(unnamed(&home), [""; 0], "round {round}");
        let held = home.held();
        assert_eq!((held.len() as u64, held.keys().next()), (PEOPLE, Some(&after)), "round {round}: {next:#}");
    }
    assert!(relay.ended() >= 3, "only {} of {} connections were cut", relay.ended(), relay.connections());
    assert!(failed < 6, "no publish came through");
    assert_eq!(home.json(&["verify", "a"]).0, 0);
}
