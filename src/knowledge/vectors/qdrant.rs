//! Vectors in Qdrant, by REST: one collection a generation.
//!
//! Invariants: a collection is used only when its vectors have the generation's length and are compared by cosine;
//! each write is waited for until it can be searched.

use std::sync::Arc;

use futures_util::FutureExt;
use serde_json::{Value, json};

use super::{Call, Item, Neighbours, Numbers, VectorError, VectorIndex};
use crate::provider::{ProviderError, QdrantServer, QdrantVerb as Verb};
use crate::store::{Generation, GenerationId, PassageId};

/// Numbers in one request at most: it stays below the server's bound of 32 MB.
const NUMBERS: usize = 500_000;

/// Points in one request at most.
const POINTS: usize = 500;

/// The vectors of one generation in a collection.
#[derive(Debug)]
pub struct Qdrant {
    server: Arc<QdrantServer>,
    collection: String,
    dimensions: usize,
}

impl Qdrant {
    /// The name of a generation's collection. It has the time when the generation was begun, so that a collection of
    /// an index that is gone is never taken for another's.
    pub fn collection_of(prefix: &str, generation: &Generation) -> String {
        Self::collection_named(prefix, generation.id, generation.begun_ms)
    }

    /// The same of a generation that is gone.
    pub fn collection_named(prefix: &str, generation: GenerationId, begun_ms: i64) -> String {
        format!("{prefix}-{}-{begun_ms:x}", generation.0)
    }

    /// Deletes a collection, if it is there.
    ///
    /// # Errors
    /// When the server fails.
    pub async fn delete(server: &QdrantServer, collection: &str) -> Result<(), VectorError> {
        server.ask(Verb::Delete, &["collections", collection], None).await?;
        Ok(())
    }

    /// Opens the collection, and makes it when it is not there. `dimensions` must be known.
    ///
    /// # Errors
    /// When the server fails, or there is something else under this name.
    pub async fn open(
        server: Arc<QdrantServer>,
        collection: String,
        dimensions: usize,
    ) -> Result<Self, VectorError> {
        let this = Self::existing(server, collection, dimensions);
        if this.is_there().await? {
            return Ok(this);
        }
        let vectors = json!({ "size": dimensions, "distance": "Cosine" });
        let path = ["collections", this.collection.as_str()];
        let made = this.server.ask(Verb::Put, &path, Some(json!({ "vectors": vectors }))).await;
        if let Err(error) = made {
            // Another process may have made it meanwhile.
            if !this.is_there().await? {
                return Err(error.into());
            }
        }
        // Without an index over them, a filter looks at each point.
        let field = json!({ "field_name": "source", "field_schema": "keyword" });
        this.there(Verb::Put, &["index?wait=true"], Some(field)).await?;
        Ok(this)
    }

    /// A collection that is there, or each call fails.
    pub fn existing(server: Arc<QdrantServer>, collection: String, dimensions: usize) -> Self {
        Self { server, collection, dimensions }
    }

    /// The collection's name.
    pub fn collection(&self) -> &str {
        &self.collection
    }

    /// Has the server write a snapshot of the collection; answers its name.
    ///
    /// # Errors
    /// When the server fails.
    pub async fn snapshot(&self) -> Result<String, VectorError> {
        let made = self.there(Verb::Post, &["snapshots"], None).await?;
        Ok(made["name"].as_str().ok_or_else(odd)?.to_owned())
    }

    /// Whether the collection is there, and right.
    async fn is_there(&self) -> Result<bool, VectorError> {
        let Some(found) =
            self.server.ask(Verb::Get, &["collections", &self.collection], None).await?
        else {
            return Ok(false);
        };
        let vectors = found.pointer("/config/params/vectors").ok_or_else(odd)?;
        let (size, distance) = (vectors["size"].as_u64(), vectors["distance"].as_str());
        let problem = match (size, distance) {
            (Some(size), Some("Cosine")) if size == self.dimensions as u64 => return Ok(true),
            (Some(size), Some("Cosine")) => {
                format!("has vectors of {size} dimensions, not of {}", self.dimensions)
            }
            (Some(_), Some(distance)) => format!("compares vectors by {distance}, not by Cosine"),
            _ => "has several vectors a point".to_owned(),
        };
        Err(VectorError::Collection { collection: self.collection.clone(), problem })
    }

    /// Asks for something in the collection, which must be there.
    async fn there(
        &self,
        verb: Verb,
        path: &[&str],
        body: Option<Value>,
    ) -> Result<Value, VectorError> {
        let path = [&["collections", self.collection.as_str()], path].concat();
        let found = self.server.ask(verb, &path, body).await?;
        let gone = || VectorError::Collection {
            collection: self.collection.clone(),
            problem: "is not there, or its server is older than 1.10".to_owned(),
        };
        found.ok_or_else(gone)
    }

    fn point(&self, item: Item) -> Result<Value, VectorError> {
        let vector: Vec<f32> = match item.vector {
            Numbers::Exact(vector) => vector,
            Numbers::Code { scale, code } => {
                code.into_iter().map(|step| f32::from(step) * scale).collect()
            }
        };
        let (got, wanted) = (vector.len(), self.dimensions);
        if got != wanted {
            return Err(VectorError::Dimensions { got, wanted });
        }
        Ok(json!({ "id": item.passage.0, "vector": vector, "payload": { "source": item.source } }))
    }
}

/// The server answered something else than its documentation promises.
fn odd() -> VectorError {
    ProviderError::Garbage { what: "something else than a result of Qdrant" }.into()
}

/// The numbers of points.
fn numbers(points: &Value) -> Result<Vec<PassageId>, VectorError> {
    let points = points.as_array().ok_or_else(odd)?;
    points.iter().map(|point| point["id"].as_i64().map(PassageId).ok_or_else(odd)).collect()
}

impl VectorIndex for Qdrant {
    fn name(&self) -> &'static str {
        "qdrant"
    }

    fn wants_exact(&self) -> bool {
        true
    }

    fn put(&self, items: Vec<Item>) -> Call<'_, ()> {
        let size = (NUMBERS / self.dimensions.max(1)).clamp(1, POINTS);
        let put = async move {
            let points =
                items.into_iter().map(|item| self.point(item)).collect::<Result<Vec<_>, _>>()?;
            for points in points.chunks(size) {
                let body = json!({ "points": points });
                self.there(Verb::Put, &["points?wait=true"], Some(body)).await?;
            }
            Ok(())
        };
        put.boxed()
    }

    fn remove(&self, passages: Vec<PassageId>) -> Call<'_, ()> {
        let remove = async move {
            for passages in passages.chunks(POINTS) {
                let numbers: Vec<i64> = passages.iter().map(|passage| passage.0).collect();
                let body = json!({ "points": numbers });
                self.there(Verb::Post, &["points", "delete?wait=true"], Some(body)).await?;
            }
            Ok(())
        };
        remove.boxed()
    }

    fn search(
        &self,
        vector: &[f32],
        limit: usize,
        sources: Option<&[String]>,
    ) -> Call<'_, Neighbours> {
        let (got, wanted) = (vector.len(), self.dimensions);
        if got != wanted {
            return std::future::ready(Err(VectorError::Dimensions { got, wanted })).boxed();
        }
        let mut body = json!({ "query": vector, "limit": limit, "with_payload": false });
        if let Some(sources) = sources {
            body["filter"] = json!({ "must": [{ "key": "source", "match": { "any": sources } }] });
        }
        let search = async move {
            let found = self.there(Verb::Post, &["points", "query"], Some(body)).await?;
            let points = found["points"].as_array().ok_or_else(odd)?;
            let near = |point: &Value| {
                Some((PassageId(point["id"].as_i64()?), point["score"].as_f64()? as f32))
            };
            points.iter().map(|point| near(point).ok_or_else(odd)).collect()
        };
        search.boxed()
    }

    fn numbers(&self, after: PassageId, limit: usize) -> Call<'_, Vec<PassageId>> {
        let body = json!({
            "offset": after.0.saturating_add(1), "limit": limit, "with_payload": false, "with_vector": false,
        });
        let page = async move {
            let found = self.there(Verb::Post, &["points", "scroll"], Some(body)).await?;
            numbers(&found["points"])
        };
        page.boxed()
    }

    fn count(&self) -> Call<'_, u64> {
        let count = async move {
            let body = Some(json!({ "exact": true }));
            let found = self.there(Verb::Post, &["points", "count"], body).await?;
            found["count"].as_u64().ok_or_else(odd)
        };
        count.boxed()
    }

    fn drop_generation(&self) -> Call<'_, ()> {
        let dropped = async move {
            self.server.ask(Verb::Delete, &["collections", &self.collection], None).await?;
            Ok(())
        };
        dropped.boxed()
    }
}
