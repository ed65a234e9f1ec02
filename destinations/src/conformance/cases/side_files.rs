use std::collections::BTreeMap;

use futures::TryStreamExt;
use sha2::{Digest, Sha256};

use super::{assert_clean, assert_nothing, assert_visible, deliver, seal};
use crate::{
    conformance::{Harness, batch, context},
    contract::{Delivered, Destination, ErrorKind, Mode, Op, Visibility},
};

async fn whole(destination: &dyn Destination, path: &str) -> Vec<u8> {
    let blocks: Vec<bytes::Bytes> = destination.read(path).await.expect("read").try_collect().await.expect("bytes");
    blocks.concat()
}

fn names(delivered: &Delivered) -> Vec<&str> {
    delivered.extras.iter().map(|extra| extra.path.rsplit('/').next().unwrap_or(&extra.path)).collect()
}

/// Each part has a file beside it, as `sha256sum -c` takes it. It comes and goes with its part; a target without files
/// has none.
pub async fn checksums_stand_beside_their_parts<H: Harness>() {
    let harness = H::fresh().await;
    let destination = harness.destination().await;
    let mut context = context(Mode::Full);
    (context.files.max_rows, context.files.checksums) = (40, true);
    let batches = [batch(Op::Add, 0, 90)];
    let delivered = deliver(destination.as_ref(), &context, &batches).await.expect("deliver");
    assert_visible(&harness, &batches).await;
    assert_clean(&harness).await;
    if destination.capabilities().visibility == Visibility::AtWrite {
        assert_eq!(delivered.extras, []);
        return;
    }
    let sizes: BTreeMap<_, _> = delivered.extras.iter().map(|extra| (&extra.path, extra.bytes)).collect();
    assert_eq!(sizes.len(), 4, "three checksums and the manifest");
    for file in &delivered.files {
        let path = format!("{}.sha256", file.path);
        let text = whole(destination.as_ref(), &path).await;
        let hash = faster_hex::hex_string(&Sha256::digest(whole(destination.as_ref(), &file.path).await));
        let name = file.path.rsplit('/').next().unwrap_or(&file.path);
        assert_eq!(String::from_utf8_lossy(&text), format!("{hash}  {name}\n"));
        assert_eq!(sizes.get(&path), Some(&(text.len() as u64)), "its size in the receipt");
    }
    assert_goes(&harness, &delivered).await;
}

/// An empty file says that a publish is complete. Nothing of it is there before the commit; a commit that is repeated, or that
/// finds it missing, ends with it there. A publish that leaves no trace has no marker either.
pub async fn a_marker_comes_last_and_goes_with_its_publish<H: Harness>() {
    let harness = H::fresh().await;
    let destination = harness.destination().await;
    let mut empty = context(Mode::Incremental);
    (empty.files.checksums, empty.files.marker) = (true, Some("_SUCCESS".to_owned()));
    assert_eq!(deliver(destination.as_ref(), &empty, &[]).await.expect("deliver"), Delivered::default());
    assert_nothing(&harness).await;

    let mut context = context(Mode::Full);
    (context.files.max_rows, context.files.marker) = (40, Some("_SUCCESS".to_owned()));
    let batches = [batch(Op::Add, 0, 90)];
    let ticket = seal(destination.as_ref(), &context, &batches).await.expect("seal");
    if destination.capabilities().visibility == Visibility::AtWrite {
        assert_eq!(destination.commit(&ticket).await.expect("commit").extras, []);
        return;
    }
    let folder = format!("gold_to_partner/2026-11-22/{}", context.publish);
    let marker = format!("{folder}/_SUCCESS");
    let missing = async |path: &str| match destination.read(path).await {
        Ok(blocks) => blocks.try_collect::<Vec<_>>().await.err(),
        Err(error) => Some(error),
    };
    for path in [&marker, &format!("{folder}/manifest.json")] {
        let error = missing(path).await.expect("nothing before the commit");
        assert_eq!(error.kind(), ErrorKind::Missing);
    }
    let delivered = destination.commit(&ticket).await.expect("commit");
    assert_eq!(names(&delivered), ["manifest.json", "_SUCCESS"]);
    assert_eq!((&delivered.extras[1].path, delivered.extras[1].bytes), (&marker, 0));
    assert_eq!(whole(destination.as_ref(), &marker).await, b"");
    assert_eq!(harness.destination().await.commit(&ticket).await.expect("commit again"), delivered);
    // As after a crash between manifest and marker.
    destination.remove(std::slice::from_ref(&marker)).await.expect("remove");
    assert_eq!(harness.destination().await.commit(&ticket).await.expect("commit again"), delivered);
    assert_eq!(whole(destination.as_ref(), &marker).await, b"");
    assert_visible(&harness, &batches).await;
    assert_clean(&harness).await;
    assert_goes(&harness, &delivered).await;
}

/// All that was delivered can be taken back by its names, and leaves nothing.
async fn assert_goes<H: Harness>(harness: &H, delivered: &Delivered) {
    let parts = delivered.files.iter().map(|file| file.path.clone());
    let paths: Vec<String> = delivered.extras.iter().map(|extra| extra.path.clone()).chain(parts).collect();
    let destination = harness.destination().await;
    assert_eq!(destination.remove(&paths).await.expect("remove"), paths);
    for extra in &delivered.extras {
        assert!(destination.read(&extra.path).await.is_err(), "{} is still there", extra.path);
    }
    assert_nothing(harness).await;
}
