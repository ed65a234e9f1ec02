//! One method a request: objects as a whole.

use bytes::{BufMut, Bytes, BytesMut};
use futures::{StreamExt, stream::BoxStream};
use reqwest::{Response, header::CONTENT_TYPE};
use serde::Deserialize;
use uuid::Uuid;

use super::{
    Client, FIELDS, Object, Rewritten, Writing,
    answer::{unanswered, within},
    base64_of, encoded,
};
use crate::gcs::error::{Failure, Stage};

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    items: Vec<Object>,
    #[serde(default, rename = "nextPageToken")]
    next: Option<String>,
}

#[derive(Deserialize)]
struct Step {
    done: bool,
    #[serde(default, rename = "rewriteToken")]
    token: Option<String>,
    resource: Option<Object>,
}

impl Client {
    /// Looks at an object; `None`: not there.
    pub(in crate::gcs) async fn head(&self, name: &str) -> Result<Option<Object>, Failure> {
        let request = self.http.get(self.object(name, &[("fields", FIELDS)]));
        match self.ask(request, self.deadlines.request).await {
            Ok(answer) => answer.json().map(Some),
            Err(failure) if failure.status == Some(404) && !failure.lacks_bucket() => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Reads an object from its beginning.
    pub(in crate::gcs) async fn get(&self, name: &str) -> Result<BoxStream<'static, Result<Bytes, Failure>>, Failure> {
        let deadline = self.deadlines.request;
        let request = self.http.get(self.object(name, &[("alt", "media")]));
        let response = self.open(request, deadline).await?;
        let next = async |mut response: Response| match response.chunk().await {
            Ok(chunk) => Ok(chunk.map(|chunk| (chunk, response))),
            Err(error) => Err(unanswered(&error)),
        };
        let chunks = futures::stream::unfold(Some(response), move |response| async move {
            match within(deadline, next(response?)).await {
                Ok(chunk) => chunk.map(|(chunk, response)| (Ok(chunk), Some(response))),
                Err(failure) => Some((Err(failure), None)),
            }
        });
        Ok(chunks.boxed())
    }

    /// Removes an object, of one generation or whatever stands there. One that is gone is success, and so is another
    /// generation's: the one that was meant is gone.
    pub(in crate::gcs) async fn delete(&self, name: &str, generation: Option<&str>) -> Result<(), Failure> {
        let condition = generation.map(|generation| ("ifGenerationMatch", generation));
        let request = self.http.delete(self.object(name, condition.as_slice()));
        match self.ask(request, self.deadlines.request).await {
            Err(failure) if failure.is_unmet() && generation.is_some() => Ok(()),
            Err(failure) if failure.status == Some(404) && !failure.lacks_bucket() => Ok(()),
            answer => answer.map(drop),
        }
    }

    /// The objects below a prefix: one page, and the token of the next.
    pub(in crate::gcs) async fn list(
        &self,
        prefix: &str,
        token: Option<&str>,
    ) -> Result<(Vec<Object>, Option<String>), Failure> {
        let mut query = vec![("prefix", prefix), ("fields", "items(name,generation),nextPageToken")];
        query.extend(token.map(|token| ("pageToken", token)));
        let page: Page = self.ask(self.http.get(self.objects(&query)), self.deadlines.request).await?.json()?;
        Ok((page.items, page.next.filter(|next| !next.is_empty())))
    }

    /// Copies one generation of an object to another name, metadata included, or the next part of it.
    pub(in crate::gcs) async fn rewrite(
        &self,
        (from, generation): (&str, &str),
        to: &str,
        create_only: bool,
        token: Option<&str>,
    ) -> Result<Rewritten, Failure> {
        let mut query = vec![("fields", "done,rewriteToken,resource(name,size,generation,crc32c,metadata)")];
        query.push(("ifSourceGenerationMatch", generation));
        query.extend(create_only.then_some(("ifGenerationMatch", "0")));
        query.extend(token.map(|token| ("rewriteToken", token)));
        let (bucket, from, to) = (encoded(&self.bucket).to_string(), encoded(from), encoded(to));
        let url = self.url(&format!("/storage/v1/b/{bucket}/o/{from}/rewriteTo/b/{bucket}/o/{to}"), &query);
        let step: Step = self.ask(self.http.post(url).body(Bytes::new()), self.deadlines.rewrite).await?.json()?;
        match (step.done, step.resource, step.token.filter(|token| !token.is_empty())) {
            (true, Some(object), _) => Ok(Rewritten::Whole(object)),
            (false, _, Some(token)) => Ok(Rewritten::Partly(token)),
            _ => Err(Failure {
                stage: Stage::Network,
                message: "the answer to a rewrite says neither that it is done nor how to go on".to_owned(),
                ..Failure::default()
            }),
        }
    }

    /// Writes a small object in one request, its checksum along.
    pub(in crate::gcs) async fn put(&self, writing: Writing<'_>, bytes: &Bytes) -> Result<Object, Failure> {
        let mut query = vec![("uploadType", "multipart"), ("fields", FIELDS)];
        query.extend(writing.create_only.then_some(("ifGenerationMatch", "0")));
        let mut resource = writing.resource();
        resource["crc32c"] = base64_of(crc32c::crc32c(bytes)).into();
        // No content holds what is drawn for it alone.
        let boundary = format!("herald-{}", Uuid::now_v7().simple());
        let mut body = BytesMut::with_capacity(bytes.len() + 1024);
        body.put(
            format!("--{boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n{resource}\r\n").as_bytes(),
        );
        body.put(format!("--{boundary}\r\nContent-Type: {}\r\n\r\n", writing.content_type).as_bytes());
        body.put(bytes.as_ref());
        body.put(format!("\r\n--{boundary}--\r\n").as_bytes());
        let deadline = self.deadlines.body(body.len());
        let kind = format!("multipart/related; boundary={boundary}");
        let request = self.http.post(self.uploads(&query)).header(CONTENT_TYPE, kind).body(body.freeze());
        self.ask(request, deadline).await?.json()
    }
}
