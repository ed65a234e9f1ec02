//! One method a request.

use std::{collections::HashMap, num::NonZero, ops::Range, time::Duration};

use azure_core::http::{Etag, Response};
use azure_storage_blob::{
    BlockBlobClient,
    models::{
        BlobClientDeleteOptions, BlobClientDownloadOptions, BlobClientGetPropertiesResultHeaders,
        BlobContainerClientListBlobsOptions, BlobItem, BlockBlobClientCommitBlockListOptions,
        BlockBlobClientUploadOptions, BlockListType, BlockLookupList, DeleteSnapshotsOptionType, ListBlobsIncludeItem,
    },
};
use bytes::Bytes;
use futures::TryStreamExt;
use tracing::{Dispatch, instrument::WithSubscriber};

use super::{Client, Head, Listed, Staged, Writing, failure::failure};
use crate::azure_blob::error::{Failure, Stage};

/// Metadata that names the publish a blob belongs to. No hyphens: Azure takes names as C# does.
const PUBLISH: &str = "herald_publish";
/// Metadata by which an account with a hierarchical namespace marks folders.
const FOLDER: &str = "hdi_isfolder";

impl Client {
    /// The container's name.
    pub(in crate::azure_blob) fn container(&self) -> &str {
        &self.container
    }

    /// Sends one block.
    pub(in crate::azure_blob) async fn block(&self, name: &str, id: &[u8], bytes: Bytes) -> Result<(), Failure> {
        let length = bytes.len() as u64;
        let blob = self.blob(name);
        self.ask(self.deadlines.body(length), blob.stage_block(id, length, bytes.into(), None)).await.map(drop)
    }

    /// Makes these blocks, in this order, the blob.
    pub(in crate::azure_blob) async fn commit(&self, writing: Writing<'_>, ids: Vec<Vec<u8>>) -> Result<(), Failure> {
        let length = ids.len() as u64 * 64;
        let list = BlockLookupList { latest: Some(ids), ..BlockLookupList::default() };
        let list = list.try_into().map_err(|error| failure(&error, &self.secrets))?;
        let options = BlockBlobClientCommitBlockListOptions {
            blob_content_type: Some(writing.content_type.to_owned()),
            metadata: Some(metadata(writing)),
            if_none_match: condition(writing),
            ..BlockBlobClientCommitBlockListOptions::default()
        };
        let blob = self.blob(writing.name);
        self.ask(self.deadlines.body(length), blob.commit_block_list(list, Some(options))).await.map(drop)
    }

    /// Blocks that were staged for a blob and not committed.
    pub(in crate::azure_blob) async fn blocks(&self, name: &str) -> Result<Vec<Staged>, Failure> {
        let blob = self.blob(name);
        let listed = async {
            let answer = blob.get_block_list(BlockListType::Uncommitted, None).await?;
            answer.into_model()
        };
        match self.ask(self.deadlines.request, listed).await {
            Ok(list) => {
                let blocks = list.uncommitted_blocks.unwrap_or_default().into_iter();
                let size = |size: i64| u64::try_from(size).unwrap_or_default();
                Ok(blocks.filter_map(|block| Some(Staged { id: block.name?, bytes: size(block.size?) })).collect())
            }
            Err(failure) if absent(&failure) => Ok(Vec::new()),
            Err(failure) => Err(failure),
        }
    }

    /// Writes a small blob in one request.
    pub(in crate::azure_blob) async fn put(&self, writing: Writing<'_>, bytes: Bytes) -> Result<(), Failure> {
        let length = bytes.len() as u64;
        let options = BlockBlobClientUploadOptions {
            blob_content_type: Some(writing.content_type.to_owned()),
            metadata: Some(metadata(writing)),
            if_none_match: condition(writing),
            parallel: Some(NonZero::<usize>::MIN),
            // Not in blocks of the SDK's.
            partition_size: Some(NonZero::new(length).unwrap_or(NonZero::<u64>::MIN)),
            ..BlockBlobClientUploadOptions::default()
        };
        let blob = self.blob(writing.name);
        self.ask(self.deadlines.body(length), blob.upload(bytes.into(), Some(options))).await.map(drop)
    }

    /// Looks at a blob; `None`: not there.
    pub(in crate::azure_blob) async fn head(&self, name: &str) -> Result<Option<Head>, Failure> {
        let blob = self.sdk.blob_client(name);
        let looked = async {
            let answer = blob.get_properties(None).await?;
            Ok(Head {
                bytes: answer.content_length()?.unwrap_or_default(),
                etag: answer.etag()?.map(String::from),
                publish: answer.metadata()?.remove(PUBLISH),
            })
        };
        match self.ask(self.deadlines.request, looked).await {
            Ok(head) => Ok(Some(head)),
            Err(failure) if absent(&failure) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Reads some of a blob, as long as it is the one with this tag.
    pub(in crate::azure_blob) async fn get(
        &self,
        name: &str,
        range: Range<u64>,
        etag: Option<&str>,
    ) -> Result<Bytes, Failure> {
        let length = range.end.saturating_sub(range.start);
        let size = usize::try_from(length).ok().and_then(NonZero::new).unwrap_or(NonZero::<usize>::MIN);
        let options = BlobClientDownloadOptions {
            range: Some(range.into()),
            if_match: etag.map(Etag::from),
            parallel: Some(NonZero::<usize>::MIN),
            // One request, not several of the SDK's.
            partition_size: Some(size),
            ..BlobClientDownloadOptions::default()
        };
        let blob = self.sdk.blob_client(name);
        let read = async { blob.download(Some(options)).await?.body.collect().await };
        let bytes = self.ask(self.deadlines.body(length), read).await?;
        if bytes.len() as u64 == length {
            return Ok(bytes);
        }
        Err(Failure { stage: Stage::Network, message: "the content is cut".to_owned(), ..Failure::default() })
    }

    /// Removes a blob. One that is gone is success.
    pub(in crate::azure_blob) async fn delete(&self, name: &str) -> Result<(), Failure> {
        // A blob with snapshots of somebody's can't be removed without them.
        let options = BlobClientDeleteOptions {
            delete_snapshots: Some(DeleteSnapshotsOptionType::Include),
            ..BlobClientDeleteOptions::default()
        };
        let blob = self.sdk.blob_client(name);
        match self.ask(self.deadlines.request, blob.delete(Some(options))).await {
            Err(failure) if absent(&failure) => Ok(()),
            answer => answer.map(drop),
        }
    }

    /// Blobs below a prefix of names: one page, and where the next begins. `staged`: also those of which nothing is
    /// committed.
    pub(in crate::azure_blob) async fn list(
        &self,
        prefix: &str,
        staged: bool,
        marker: Option<String>,
    ) -> Result<(Vec<Listed>, Option<String>), Failure> {
        let mut include = vec![ListBlobsIncludeItem::Metadata];
        if staged {
            include.push(ListBlobsIncludeItem::UncommittedBlobs);
        }
        let options = BlobContainerClientListBlobsOptions {
            include: Some(include),
            prefix: (!prefix.is_empty()).then(|| prefix.to_owned()),
            marker,
            ..BlobContainerClientListBlobsOptions::default()
        };
        let page = async {
            let page = self.sdk.list_blobs(Some(options))?.into_pages().try_next().await?;
            page.map(Response::into_model).transpose()
        };
        let Some(page) = self.ask(self.deadlines.request, page).await? else { return Ok((Vec::new(), None)) };
        let next = page.next_marker.filter(|marker| !marker.is_empty());
        Ok((page.blob_items.into_iter().filter_map(listed).collect(), next))
    }

    /// Proves the right to write by a request that can't be granted: a list of blocks that nobody staged.
    pub(in crate::azure_blob) async fn prove(&self, writing: Writing<'_>, nowhere: Vec<u8>) -> Result<(), Failure> {
        match self.commit(writing, vec![nowhere]).await {
            // The right was looked at first.
            Err(failure) if failure.is("InvalidBlockList") || failure.is("BlobNotFound") => Ok(()),
            Err(failure) => Err(failure),
            Ok(()) => Err(Failure {
                stage: Stage::Build,
                message: "it takes blocks that were never sent: it is no Azure Blob Storage".to_owned(),
                ..Failure::default()
            }),
        }
    }

    fn blob(&self, name: &str) -> BlockBlobClient {
        self.sdk.blob_client(name).block_blob_client()
    }

    async fn ask<T>(
        &self,
        deadline: Duration,
        answer: impl Future<Output = azure_core::Result<T>>,
    ) -> Result<T, Failure> {
        // Boxed: the SDK's futures are large, and would be part of every future above. Unheard: at its finer levels
        // the HTTP stack logs addresses, signatures included.
        let answer = Box::pin(answer).with_subscriber(Dispatch::none());
        match tokio::time::timeout(deadline, answer).await {
            Ok(answer) => answer.map_err(|error| failure(&error, &self.secrets)),
            Err(_) => Err(Failure {
                stage: Stage::Deadline,
                message: format!("no answer in {:.1} s", deadline.as_secs_f64()),
                ..Failure::default()
            }),
        }
    }
}

/// Whether the blob is not there, though the container is.
fn absent(failure: &Failure) -> bool {
    failure.stage == Stage::Answered && failure.status == Some(404) && !failure.is("ContainerNotFound")
}

fn metadata(writing: Writing<'_>) -> HashMap<String, String> {
    HashMap::from([(PUBLISH.to_owned(), writing.publish.to_string())])
}

fn condition(writing: Writing<'_>) -> Option<Etag> {
    writing.create_only.then(|| Etag::from("*"))
}

fn listed(item: BlobItem) -> Option<Listed> {
    let properties = item.properties.unwrap_or_default();
    let mut metadata = item.metadata.and_then(|metadata| metadata.values).unwrap_or_default();
    Some(Listed {
        name: item.name?,
        bytes: properties.content_length.unwrap_or_default(),
        publish: metadata.remove(PUBLISH),
        folder: metadata.get(FOLDER).is_some_and(|value| value == "true"),
    })
}
