use futures::TryStreamExt;

use super::{assert_clean, assert_nothing, assert_visible, deliver};
use crate::{
    conformance::{Harness, batch, context},
    contract::{DeliveredFile, Depth, Manifest, Mode, Op, Part, PartState, Visibility},
};

/// A probe proves that a publish could write, and is not seen.
pub async fn a_probe_leaves_nothing<H: Harness>() {
    let harness = H::fresh().await;
    let destination = harness.destination().await;
    destination.probe().await.expect("probe");
    destination.probe().await.expect("probe again");
    assert_nothing(&harness).await;
}

/// Reading back finds each part as delivered; then what was changed or taken behind Herald's back. Where rows show as
/// they arrive there are no parts, and of one that is named all the same nothing can be said.
pub async fn verify_finds_what_is_missing_and_what_differs<H: Harness>() {
    let harness = H::fresh().await;
    let destination = harness.destination().await;
    let mut context = context(Mode::Full);
    context.files.max_rows = 40;
    let delivered = deliver(destination.as_ref(), &context, &[batch(Op::Add, 0, 120)]).await.expect("deliver");
    let states = async |depth| -> Vec<(String, PartState)> {
        let parts = harness.destination().await.verify(&delivered.files, &delivered.extras, depth).await;
        parts.expect("verify").into_iter().map(|part| (part.path, part.state)).collect()
    };
    let named: Vec<&String> =
        delivered.files.iter().map(|file| &file.path).chain(delivered.extras.iter().map(|extra| &extra.path)).collect();
    for depth in [Depth::Quick, Depth::Whole] {
        let found = states(depth).await;
        assert_eq!(found.iter().map(|(path, _)| path).collect::<Vec<_>>(), named, "{depth:?}");
        assert!(found.iter().all(|(_, state)| matches!(state, PartState::Ok | PartState::Unverifiable)), "{found:?}");
    }
    let [damaged, gone, ..] = &delivered.files[..] else {
        assert_eq!(destination.capabilities().visibility, Visibility::AtWrite, "a file target names its parts");
        let file = DeliveredFile { path: "x".to_owned(), rows: 1, bytes: 1, sha256: String::new(), checksum: None };
        let parts = destination.verify(&[file], &[], Depth::Whole).await.expect("verify");
        assert_eq!(parts, [Part { path: "x".to_owned(), state: PartState::Unverifiable }]);
        return;
    };
    let taken = std::slice::from_ref(&gone.path);
    assert_eq!(destination.remove(taken).await.expect("remove"), taken);
    let seen = harness.damage(&damaged.path).await;
    for depth in [Depth::Quick, Depth::Whole] {
        // The size is what it was: without reading, only the server's own word can tell.
        let seen = seen && (depth == Depth::Whole || damaged.checksum.is_some());
        for (path, state) in states(depth).await {
            let expected = match path {
                path if path == damaged.path && seen => PartState::Differs,
                path if path == gone.path => PartState::Missing,
                _ => PartState::Ok,
            };
            assert_eq!(state, expected, "{depth:?}");
        }
    }
}

/// A teardown takes back one publish's objects and nothing else; asked again, it has nothing left to do. Where rows
/// show as they arrive no object belongs to a publish: one that is named counts as gone, and the rows stay.
pub async fn remove_takes_back_exactly_what_was_delivered<H: Harness>() {
    let harness = H::fresh().await;
    let destination = harness.destination().await;
    let (kept, mut taken) = (context(Mode::Full), context(Mode::Full));
    taken.sequence = 2;
    taken.previous = Some(1);
    let mut stays = vec![batch(Op::Add, 0, 20)];
    deliver(destination.as_ref(), &kept, &stays).await.expect("deliver");
    let delivered = deliver(destination.as_ref(), &taken, &[batch(Op::Add, 20, 20)]).await.expect("deliver");
    let mut paths: Vec<String> = delivered
        .files
        .iter()
        .map(|file| file.path.clone())
        .chain(delivered.extras.iter().map(|extra| extra.path.clone()))
        .collect();
    if destination.capabilities().visibility == Visibility::AtWrite {
        assert_eq!(paths, Vec::<String>::new(), "objects of a target without any");
        paths.push("x".to_owned());
        stays.push(batch(Op::Add, 20, 20));
    }
    for _ in 0..2 {
        assert_eq!(harness.destination().await.remove(&paths).await.expect("remove"), paths);
        assert_visible(&harness, &stays).await;
        assert_clean(&harness).await;
    }
}

/// The manifests of one activation, oldest first, and no other's; none where there are no files.
pub async fn manifests_come_back_by_sequence<H: Harness>() {
    let harness = H::fresh().await;
    let destination = harness.destination().await;
    assert_eq!(destination.manifests(&context(Mode::Full)).await.expect("manifests"), Vec::<Manifest>::new());
    let mut last = context(Mode::Incremental);
    for sequence in [3, 1, 2] {
        let mut context = context(if sequence == 1 { Mode::Full } else { Mode::Incremental });
        context.sequence = sequence;
        context.previous = (sequence > 1).then(|| sequence - 1);
        deliver(destination.as_ref(), &context, &[batch(Op::Add, sequence as usize * 10, 10)]).await.expect("deliver");
        last = context;
    }
    let mut other = context(Mode::Full);
    other.activation = "gold_to_other".to_owned();
    deliver(destination.as_ref(), &other, &[batch(Op::Add, 90, 10)]).await.expect("deliver");
    let manifests = harness.destination().await.manifests(&last).await.expect("manifests");
    if destination.capabilities().visibility == Visibility::AtCommit {
        let found: Vec<_> = manifests.iter().map(|manifest| (manifest.sequence, manifest.previous)).collect();
        assert_eq!(found, [(1, None), (2, Some(1)), (3, Some(2))]);
        assert_eq!(manifests[0].mode, Mode::Full);
        assert_eq!(manifests[1].id, last.publish);
        assert_eq!((manifests[1].counts.added, manifests[1].files[0].rows), (10, 10));
        // Their parts can be found and read back by what they say.
        for file in manifests.iter().flat_map(|manifest| &manifest.files) {
            let parts: Vec<_> = destination.read(&file.path).await.expect("read").try_collect().await.expect("bytes");
            assert_eq!(parts.iter().map(|bytes: &bytes::Bytes| bytes.len() as u64).sum::<u64>(), file.bytes);
        }
        let names: Vec<&str> = manifests[0].columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["id", "email", "score"]);
        let names: Vec<&str> = manifests[1].columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["_op", "_member", "id", "email", "score"]);
    } else {
        assert_eq!(manifests, [], "manifests of a target without files");
    }
}
