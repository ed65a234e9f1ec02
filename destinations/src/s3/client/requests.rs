//! One method a request.

use std::{error::Error, time::Duration};

use aws_sdk_s3::{
    config::{Builder, RequestChecksumCalculation, http::HttpResponse},
    error::{ProvideErrorMetadata, SdkError},
    primitives::ByteStream,
    types::{
        ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart, ObjectCannedAcl, RequestPayer, ServerSideEncryption,
    },
};
use bytes::Bytes;
use futures::{StreamExt, stream::BoxStream};
use tracing::{Dispatch, instrument::WithSubscriber};

use super::{
    Client, Head, OpenUpload, PartTag, Writing,
    failure::{causes, failure},
};
use crate::s3::{
    error::{Failure, Stage},
    options::{Acl, KmsKey, Managed, Sse},
};

/// Metadata that names the publish an object belongs to.
const PUBLISH: &str = "herald-publish";

impl Client {
    /// The bucket's name.
    pub(in crate::s3) fn bucket(&self) -> &str {
        &self.bucket
    }

    /// Begins an upload; its id.
    pub(in crate::s3) async fn create(&self, writing: Writing<'_>) -> Result<String, Failure> {
        let request = self
            .sdk
            .create_multipart_upload()
            .bucket(&self.bucket)
            .key(writing.key)
            .content_type(writing.content_type)
            .metadata(PUBLISH, writing.publish.to_string())
            .set_checksum_algorithm(algorithm(writing.checked))
            .set_server_side_encryption(self.encryption())
            .set_ssekms_key_id(self.kms_key().map(|key| key.kms_key.clone()))
            .set_bucket_key_enabled(self.bucket_key())
            .set_acl(self.canned_acl())
            .set_request_payer(self.payer());
        let answer = self.ask(self.deadlines.request, request.send()).await?;
        answer.upload_id.ok_or_else(|| unreadable("the answer names no upload"))
    }

    /// Sends one part; numbers count from 1.
    pub(in crate::s3) async fn part(
        &self,
        key: &str,
        upload: &str,
        number: i32,
        bytes: Bytes,
        checked: bool,
    ) -> Result<PartTag, Failure> {
        let deadline = self.deadlines.body(bytes.len());
        let request = self
            .sdk
            .upload_part()
            .bucket(&self.bucket)
            .key(key)
            .upload_id(upload)
            .part_number(number)
            .set_checksum_algorithm(algorithm(checked))
            .set_request_payer(self.payer())
            .body(ByteStream::from(bytes))
            .customize()
            .config_override(checksums(checked));
        let answer = self.ask(deadline, request.send()).await?;
        let etag = answer.e_tag.ok_or_else(|| unreadable("the answer has no tag for the part"))?;
        Ok(PartTag { etag, crc32: answer.checksum_crc32.filter(|_| checked) })
    }

    /// Makes an upload the object at its key; `create_only`: unless something stands there.
    pub(in crate::s3) async fn complete(
        &self,
        key: &str,
        upload: &str,
        parts: &[PartTag],
        create_only: bool,
    ) -> Result<(), Failure> {
        let parts = (1..).zip(parts).map(|(number, part)| {
            CompletedPart::builder()
                .part_number(number)
                .e_tag(&part.etag)
                .set_checksum_crc32(part.crc32.clone())
                .build()
        });
        let request = self
            .sdk
            .complete_multipart_upload()
            .bucket(&self.bucket)
            .key(key)
            .upload_id(upload)
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts.collect())).build())
            .set_if_none_match(create_only.then(|| "*".to_owned()))
            .set_request_payer(self.payer());
        self.ask(self.deadlines.complete, request.send()).await.map(drop)
    }

    /// Gives an upload up. One that is gone is success.
    pub(in crate::s3) async fn abort(&self, key: &str, upload: &str) -> Result<(), Failure> {
        let request = self
            .sdk
            .abort_multipart_upload()
            .bucket(&self.bucket)
            .key(key)
            .upload_id(upload)
            .set_request_payer(self.payer());
        match self.ask(self.deadlines.request, request.send()).await {
            Err(failure) if failure.is("NoSuchUpload") => Ok(()),
            answer => answer.map(drop),
        }
    }

    /// Uploads begun below a prefix of keys: one page, and where the next begins.
    pub(in crate::s3) async fn uploads(
        &self,
        prefix: &str,
        after: Option<OpenUpload>,
    ) -> Result<(Vec<OpenUpload>, Option<OpenUpload>), Failure> {
        let (key, id) = after.map(|after| (after.key, after.id)).unzip();
        let request = self
            .sdk
            .list_multipart_uploads()
            .bucket(&self.bucket)
            .prefix(prefix)
            .set_key_marker(key)
            .set_upload_id_marker(id)
            .set_request_payer(self.payer());
        let answer = self.ask(self.deadlines.request, request.send()).await?;
        let uploads = answer.uploads.unwrap_or_default();
        let uploads = uploads.into_iter().filter_map(|open| Some(OpenUpload { key: open.key?, id: open.upload_id? }));
        let next = match (answer.is_truncated, answer.next_key_marker) {
            (Some(true), Some(key)) => Some(OpenUpload { key, id: answer.next_upload_id_marker.unwrap_or_default() }),
            _ => None,
        };
        Ok((uploads.collect(), next))
    }

    /// Writes a small object in one request.
    pub(in crate::s3) async fn put(
        &self,
        writing: Writing<'_>,
        bytes: Bytes,
        create_only: bool,
    ) -> Result<(), Failure> {
        let deadline = self.deadlines.body(bytes.len());
        let request = self
            .sdk
            .put_object()
            .bucket(&self.bucket)
            .key(writing.key)
            .content_type(writing.content_type)
            .metadata(PUBLISH, writing.publish.to_string())
            .set_checksum_algorithm(algorithm(writing.checked))
            .set_server_side_encryption(self.encryption())
            .set_ssekms_key_id(self.kms_key().map(|key| key.kms_key.clone()))
            .set_bucket_key_enabled(self.bucket_key())
            .set_acl(self.canned_acl())
            .set_request_payer(self.payer())
            .set_if_none_match(create_only.then(|| "*".to_owned()))
            .body(ByteStream::from(bytes))
            .customize()
            .config_override(checksums(writing.checked));
        self.ask(deadline, request.send()).await.map(drop)
    }

    /// Looks at an object; `None`: not there.
    pub(in crate::s3) async fn head(&self, key: &str) -> Result<Option<Head>, Failure> {
        let request = self.sdk.head_object().bucket(&self.bucket).key(key).set_request_payer(self.payer());
        match self.ask(self.deadlines.request, request.send()).await {
            Ok(answer) => Ok(Some(Head {
                bytes: answer.content_length.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default(),
                etag: answer.e_tag.map(|etag| etag.trim_matches('"').to_owned()),
                publish: answer.metadata.and_then(|mut metadata| metadata.remove(PUBLISH)),
            })),
            Err(failure) if failure.status == Some(404) && !failure.is("NoSuchBucket") => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Reads an object from its beginning.
    pub(in crate::s3) async fn get(&self, key: &str) -> Result<BoxStream<'static, Result<Bytes, Failure>>, Failure> {
        let request = self.sdk.get_object().bucket(&self.bucket).key(key).set_request_payer(self.payer());
        let answer = self.ask(self.deadlines.request, request.send()).await?;
        let chunks = futures::stream::unfold(Some(answer.body), |body| async move {
            let mut body = body?;
            match body.next().await? {
                Ok(chunk) => Some((Ok(chunk), Some(body))),
                Err(error) => {
                    let message = causes(&error).map(ToString::to_string).collect::<Vec<_>>().join(": ");
                    Some((Err(Failure { stage: Stage::Network, message, ..Failure::default() }), None))
                }
            }
        });
        Ok(chunks.boxed())
    }

    /// Removes an object. One that is gone is success.
    pub(in crate::s3) async fn delete(&self, key: &str) -> Result<(), Failure> {
        let request = self.sdk.delete_object().bucket(&self.bucket).key(key).set_request_payer(self.payer());
        match self.ask(self.deadlines.request, request.send()).await {
            Err(failure) if failure.is("NoSuchKey") => Ok(()),
            answer => answer.map(drop),
        }
    }

    /// Keys of the objects below a prefix: one page, and the token of the next.
    pub(in crate::s3) async fn list(
        &self,
        prefix: &str,
        token: Option<String>,
    ) -> Result<(Vec<String>, Option<String>), Failure> {
        let request = self
            .sdk
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(prefix)
            .set_continuation_token(token)
            .set_request_payer(self.payer());
        let answer = self.ask(self.deadlines.request, request.send()).await?;
        let keys = answer.contents.unwrap_or_default().into_iter().filter_map(|object| object.key).collect();
        Ok((keys, answer.next_continuation_token.filter(|_| answer.is_truncated == Some(true))))
    }

    async fn ask<T, E>(
        &self,
        deadline: Duration,
        answer: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, Failure>
    where
        E: Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        // Boxed: the SDK's futures are large, and would be part of every future above. Unheard: at its finer levels
        // the SDK logs requests as they are, credentials and content included.
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

    fn payer(&self) -> Option<RequestPayer> {
        self.requester_pays.then_some(RequestPayer::Requester)
    }

    fn canned_acl(&self) -> Option<ObjectCannedAcl> {
        self.acl.map(Acl::as_str).map(ObjectCannedAcl::from)
    }

    fn encryption(&self) -> Option<ServerSideEncryption> {
        self.sse.as_ref().map(|sse| match sse {
            Sse::Managed(Managed::Aes256) => ServerSideEncryption::Aes256,
            Sse::Managed(Managed::Kms) | Sse::Kms(_) => ServerSideEncryption::AwsKms,
        })
    }

    fn kms_key(&self) -> Option<&KmsKey> {
        match &self.sse {
            Some(Sse::Kms(key)) => Some(key),
            _ => None,
        }
    }

    /// Sent only where it is wanted: not every store knows it.
    fn bucket_key(&self) -> Option<bool> {
        self.kms_key().filter(|key| key.bucket_key).map(|_| true)
    }
}

fn algorithm(checked: bool) -> Option<ChecksumAlgorithm> {
    checked.then_some(ChecksumAlgorithm::Crc32)
}

/// Without an algorithm named, the SDK would choose one by itself.
fn checksums(checked: bool) -> Builder {
    Builder::default().request_checksum_calculation(if checked {
        RequestChecksumCalculation::WhenSupported
    } else {
        RequestChecksumCalculation::WhenRequired
    })
}

/// An answer that says yes without what it must hold: a store that broke off, or none at all.
fn unreadable(message: &str) -> Failure {
    Failure { stage: Stage::Network, message: message.to_owned(), ..Failure::default() }
}
